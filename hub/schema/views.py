"""One schema for each view: a view is a policy digest, an agency and a role.

Everything that reads a schema for a caller (validation, plans, cost, introspection, SDL) reads the caller's view, so
what a role never sees does not exist for it. Views are made when first asked for and kept, the least recently used
forgotten first; a request keeps the view it began with.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from functools import cached_property, partial

from graphql import GraphQLSchema, lexicographic_sort_schema, print_schema

from hub.auth.decision import Judge
from hub.auth.principal import Principal
from hub.domain.catalogue import Catalogue
from hub.gateway.sight import Sight
from hub.schema.audience import hidden_from, says_nothing
from hub.schema.documents import Documents
from hub.schema.filtering import filter_schema
from hub.schema.operations import Operations

MAX_VIEWS = 64


def view_schema(whole: GraphQLSchema, sight: Sight, catalogue: Catalogue, *, agency: str, role: str) -> GraphQLSchema:
    """The part of `whole` that exists for a role."""
    hidden = hidden_from(sight, catalogue, agency=agency, role=role)
    return filter_schema(whole, hidden, filler=partial(says_nothing, catalogue))


def sdl_of(schema: GraphQLSchema) -> str:
    """A schema as text, sorted."""
    return print_schema(lexicographic_sort_schema(schema)) + "\n"


class View:
    """What one role works with. `documents` and `operations` keep nothing that another view could find."""

    def __init__(self, schema: GraphQLSchema, policy_digest: str, documents: Documents, operations: Operations) -> None:
        self.schema = schema
        self.policy_digest = policy_digest
        self.documents = documents
        self.operations = operations

    @cached_property
    def sdl(self) -> str:
        return sdl_of(self.schema)


MakeView = Callable[[GraphQLSchema, Sight], View]
"""A view over a schema, for the sight that it was cut to."""


class Views:
    """The views of one whole schema. `roles`: agency by role, for documents that are known before anybody asks."""

    def __init__(
        self,
        whole: GraphQLSchema,
        sight_of: Callable[[Judge], Sight],
        catalogue: Catalogue,
        make: MakeView,
        *,
        roles: Mapping[str, str],
        kept: int = MAX_VIEWS,
    ) -> None:
        self._whole = whole
        self._sight_of = sight_of
        self._catalogue = catalogue
        self._make = make
        self._kept = kept
        self._views: OrderedDict[tuple[str, str, str], View] = OrderedDict()
        self.roles = roles

    def __len__(self) -> int:
        return len(self._views)

    def of(self, principal: Principal, judge: Judge) -> View:
        """The view of a caller under the policies that `judge` decides by."""
        return self.of_role(judge, agency=principal.agency, role=principal.role)

    def of_role(self, judge: Judge, *, agency: str, role: str) -> View:
        """Cost: a look-up; some 10 ms for each purpose of the role the first time, most of it asking Cedar."""
        key = (judge.edition, agency, role)
        view = self._views.get(key)
        if view is None:
            sight = self._sight_of(judge)
            schema = view_schema(self._whole, sight, self._catalogue, agency=agency, role=role)
            view = self._views[key] = self._make(schema, sight)
            if len(self._views) > self._kept:
                self._views.popitem(last=False)
        else:
            self._views.move_to_end(key)
        return view
