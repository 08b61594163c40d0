"""`@defer`: one operation split into what is answered first and parts that are answered later.

A part is the operation pruned to the way to one deferred fragment (its spine) and to what that fragment adds. It is
executed as any other plan; what belongs to it is then cut out of its answer. What both select is answered first. A
`@defer` inside a deferred fragment is answered together with the outer one.
"""

from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from typing import Any

from graphql import (
    BooleanValueNode,
    FieldNode,
    FragmentSpreadNode,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    get_named_type,
    get_nullable_type,
    is_abstract_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
)
from graphql.execution.values import VariableValues
from graphql.language import DocumentNode, NameNode

from hub.engine.plan import TYPENAME, FieldPlan, MemberName, OperationPlan, Planner, SelectionPlan, coordinates_of

TYPE_KEY = " type"
IDENTITY_KEY = " identity"
"""Keys of our own in the answers of split plans; a blank is in no name of GraphQL. `clean` takes them out."""
DeferredNode = InlineFragmentNode | FragmentSpreadNode
_Sets = tuple[tuple[SelectionSetNode, bool], ...]
"""Selection sets of one place, and for each whether it stands inside the deferred fragment."""


@dataclass(slots=True, kw_only=True, eq=False)
class Spine(SelectionPlan):
    """A selection on the way to a deferred fragment.

    `steps` lead further and belong to the first answer, `late` belong to the fragment: names of those that may not be
    null are in `required`. `stands`: the fragment itself is spread here.
    """

    steps: tuple[FieldPlan, ...]
    late: tuple[FieldPlan, ...]
    required: frozenset[str]
    stands: bool


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Part:
    """One deferred fragment: its node, its label, its pruned operation."""

    node: DeferredNode
    label: str | None
    spine: Spine

    @property
    def plan(self) -> OperationPlan:
        return OperationPlan(root=self.spine)


@dataclass(frozen=True, slots=True, weakref_slot=True, kw_only=True, eq=False)
class Split:
    """An operation in pieces; no coordinate of `parts` alone is in `first`."""

    first: OperationPlan
    parts: tuple[Part, ...]


def mentions_defer(document: DocumentNode) -> bool:
    """Whether any selection of `document` carries `@defer`, active or not. Cost: one visit."""
    waiting: list[Any] = list(document.definitions)
    while waiting:
        node = waiting.pop()
        if isinstance(node, DeferredNode) and _directive(node) is not None:
            return True
        below = getattr(node, "selection_set", None)
        waiting.extend(below.selections if below is not None else ())
    return False


def split_operation(
    schema: GraphQLSchema,
    document: DocumentNode,
    operation: OperationDefinitionNode,
    variables: VariableValues,
    member_name: MemberName,
    identities: Mapping[str, str],
) -> Split | None:
    """Split a valid `operation`, or None if nothing of it comes later.

    Args:
        identities: by type name the field that tells its objects apart; with it an object that is not the same in a
            later part is noticed.
    """
    root_type = schema.get_root_type(operation.operation)
    if root_type is None:
        raise TypeError("the schema has no such root")
    given = (schema, document, operation, variables, member_name)
    planner = _FirstPlanner(*given, identities=identities)
    first = OperationPlan(root=planner.selection(root_type, (operation.selection_set,)))
    parts = []
    for node in planner.deferred.values():
        spine = _SpinePlanner(*given, part=node, identities=identities).spine(
            root_type, ((operation.selection_set, False),)
        )
        if spine.steps or spine.late:
            parts.append(Part(node=node, label=_label(node), spine=spine))
    return Split(first=first, parts=tuple(parts)) if parts else None


def clean(data: Any) -> None:
    """Take our own keys out of an answer."""
    waiting = [data]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            value.pop(TYPE_KEY, None)
            value.pop(IDENTITY_KEY, None)
            waiting.extend(item for item in value.values() if isinstance(item, dict | list))
        else:
            waiting.extend(item for item in value or () if isinstance(item, dict | list))


class _SplitPlanner(Planner):
    """What both kinds of planner add to a selection, and how they read `@defer`."""

    def __init__(self, *given: Any, identities: Mapping[str, str]) -> None:
        super().__init__(*given)
        self._identities = identities

    def active(self, node: Any) -> bool:
        """Whether `node` is deferred with these variables."""
        directive = _directive(node) if isinstance(node, DeferredNode) else None
        if directive is None:
            return False
        given = [item.value for item in directive.arguments or () if item.name.value == "if"]
        return not given or self.condition(given[0])

    def hidden(self, parent: GraphQLObjectType) -> Iterator[FieldPlan]:
        """The type of the object, and what tells it from others."""
        yield super().field(parent, TYPE_KEY, (_node(TYPENAME),))
        identity = self._identities.get(parent.name)
        if identity is not None:
            yield super().field(parent, IDENTITY_KEY, (_node(identity),))


class _FirstPlanner(_SplitPlanner):
    """Leaves deferred fragments out and remembers them in `deferred`."""

    def __init__(self, *given: Any, identities: Mapping[str, str]) -> None:
        super().__init__(*given, identities=identities)
        self.deferred: dict[int, DeferredNode] = {}

    def included(self, selection: Any) -> bool:
        if not super().included(selection):
            return False
        if self.active(selection):
            self.deferred[id(selection)] = selection
            return False
        return True

    def _selection(self, parent: GraphQLObjectType, sets: tuple[SelectionSetNode, ...]) -> SelectionPlan:
        plan = super()._selection(parent, sets)
        fields = (*plan.fields, *self.hidden(parent))
        return SelectionPlan(type=parent, fields=fields, coordinates=coordinates_of(parent, fields))


class _SpinePlanner(_SplitPlanner):
    """Plans the way to `part` and what it adds; everything there may be null, so that an error stays where it is."""

    def __init__(self, *given: Any, part: DeferredNode, identities: Mapping[str, str]) -> None:
        super().__init__(*given, identities=identities)
        self._part = part
        self._whole = Planner(*given)
        self._spines: dict[tuple[str, tuple[tuple[int, bool], ...]], Spine] = {}

    def spine(self, parent: GraphQLObjectType, sets: _Sets) -> Spine:
        place = (parent.name, tuple((id(selections), inside) for selections, inside in sets))
        planned = self._spines.get(place)
        if planned is None:
            planned = self._spines[place] = self._spine(parent, sets)
        return planned

    def _spine(self, parent: GraphQLObjectType, sets: _Sets) -> Spine:
        first: dict[str, list[FieldNode]] = {}
        late: dict[str, list[FieldNode]] = {}
        stood: list[bool] = []
        spread: set[tuple[str, bool]] = set()
        for selections, inside in sets:
            for node, of_part in self._owned(parent, selections, inside, spread, stood):
                (late if of_part else first).setdefault((node.alias or node.name).value, []).append(node)
        found = (self._step(parent, key, nodes, late.get(key, ())) for key, nodes in first.items())
        steps = tuple(step for step in found if step is not None)
        adds = [self._whole.field(parent, key, tuple(nodes)) for key, nodes in late.items() if key not in first]
        added = tuple(_with_type(item, get_nullable_type(item.type)) for item in adds)
        fields = (*steps, *added, *self.hidden(parent)) if steps or added else ()
        return Spine(
            type=parent,
            fields=fields,
            coordinates=coordinates_of(parent, fields),
            steps=steps,
            late=added,
            required=frozenset(item.key for item in adds if is_non_null_type(item.type)),
            stands=bool(stood),
        )

    def _step(
        self, parent: GraphQLObjectType, key: str, first: Sequence[FieldNode], late: Sequence[FieldNode]
    ) -> FieldPlan | None:
        """The field of the first answer that leads on to what comes later, or None if nothing does."""
        if first[0].selection_set is None or first[0].name.value.startswith("__"):
            return None
        new = [node for node in late if all(node is not other for other in first)]
        pairs = [(node.selection_set, False) for node in first] + [(node.selection_set, True) for node in new]
        sets = tuple((selections, inside) for selections, inside in pairs if selections is not None)
        definition = self._schema.get_field(parent, first[0].name.value)
        named: Any = get_named_type(definition.type) if definition is not None else None
        if named is None or is_leaf_type(named):
            return None
        possible = self._schema.get_possible_types(named) if is_abstract_type(named) else (named,)
        children = {concrete.name: self.spine(concrete, sets) for concrete in possible}
        if not any(child.steps or child.late for child in children.values()):
            return None
        whole = self._whole.field(parent, key, tuple(first))
        below = frozenset().union(*(child.coordinates for child in children.values()))
        return replace(_with_type(whole, _all_nullable(whole.type)), children=children, coordinates=below)

    def _owned(
        self,
        parent: GraphQLObjectType,
        selections: SelectionSetNode,
        inside: bool,
        spread: set[tuple[str, bool]],
        stood: list[bool],
    ) -> Iterator[tuple[FieldNode, bool]]:
        """Field nodes that apply to `parent`, and whether each stands in the part. Other parts are left out."""
        for selection in selections.selections:
            if not self.included(selection):
                continue
            if isinstance(selection, FieldNode):
                yield selection, inside
                continue
            within = inside
            if not inside and self.active(selection):
                if selection is not self._part:
                    continue
                within = True
            opened = self._opened(parent, selection, within, spread)
            if opened is not None:
                if within and not inside:
                    stood.append(True)
                yield from self._owned(parent, opened, within, spread, stood)

    def _opened(
        self, parent: GraphQLObjectType, selection: Any, within: bool, spread: set[tuple[str, bool]]
    ) -> SelectionSetNode | None:
        """What a fragment selects on `parent`; a named one once in the part and once outside."""
        fragment = selection
        if isinstance(selection, FragmentSpreadNode):
            name = selection.name.value
            if (name, within) in spread or (name, False) in spread:
                return None
            spread.add((name, within))
            fragment = self.fragments[name]
        opened: SelectionSetNode = fragment.selection_set
        return opened if self.applies(fragment.type_condition, parent) else None


def _directive(node: DeferredNode) -> Any:
    return next((item for item in node.directives or () if item.name.value == "defer"), None)


def _label(node: DeferredNode) -> str | None:
    arguments = _directive(node).arguments or ()
    values = [item.value for item in arguments if item.name.value == "label"]
    return getattr(values[0], "value", None) if values and not isinstance(values[0], BooleanValueNode) else None


def _node(name: str) -> FieldNode:
    return FieldNode(name=NameNode(value=name), arguments=(), directives=())


def _with_type(item: FieldPlan, type_: Any) -> FieldPlan:
    definition = copy(item.definition)
    definition.type = type_
    return replace(item, definition=definition)


def _all_nullable(type_: Any) -> Any:
    inner = type_.of_type if isinstance(type_, GraphQLNonNull) else type_
    return GraphQLList(_all_nullable(inner.of_type)) if is_list_type(inner) else inner
