"""The fields that one operation selects, merged as execution merges them, within limits; safe before validation.

Fragments are expanded along their own path, so a cycle ends where it closes; each selection that is visited counts, so
no document takes longer than `MAX_SELECTIONS` visits. A type that the schema does not know is None.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from graphql import (
    BooleanValueNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    NamedTypeNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    TypeNameMetaFieldDef,
    ValueNode,
    VariableNode,
    get_named_type,
    is_abstract_type,
)
from graphql.language import DocumentNode
from graphql.type import GraphQLNamedType

from hub.errors import CostLimitError
from hub.schema.limits import (
    INTROSPECTION_DEPTH,
    MAX_ALIASES,
    MAX_DEFINITIONS,
    MAX_DEPTH,
    MAX_FIELDS,
    MAX_ROOT_FIELDS,
    MAX_SELECTIONS,
)
from hub.schema.list_size import Slicer, slicing

_INTROSPECTION = frozenset({"__schema", "__type"})
TIMES = frozenset({"asOf", "knownAt"})
"""Arguments that name a time to ask about."""
_Places = list[tuple[GraphQLNamedType | None, SelectionSetNode, tuple[str, ...]]]
"""Selection sets to read: the type each is read on, and the fragments that were expanded on the way to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deferring:
    """One `@defer`: always active, or where `variable` (or else its default) is true."""

    variable: str | None
    default: bool


@dataclass(slots=True, kw_only=True)
class Selected:
    """One field of the answer. `parent` and `definition` are None where the schema knows no such thing.

    `apart`: it asks about a time of its own, so that agencies are called for it alone.
    """

    parent: GraphQLNamedType | None
    name: str
    definition: GraphQLField | None
    size: int | Slicer | None
    apart: bool = False
    children: Sequence["Selected"] = ()


@dataclass(slots=True, kw_only=True)
class Selection:
    """An operation's root fields, and how many fields, levels and aliases it spells out with fragments expanded."""

    roots: Sequence[Selected] = ()
    fields: int = 0
    depth: int = 0
    aliases: int = 0
    introspection: int = 0
    defers: list[Deferring] = field(default_factory=list)


def select(schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode) -> Selection:
    """Read `operation`.

    Raises:
        CostLimitError: beyond a limit; nothing else, whatever the document is.
    """
    if len(document.definitions) > MAX_DEFINITIONS:
        raise CostLimitError("too many definitions")
    return _Walk(schema, document, operation).run()


@dataclass(slots=True, kw_only=True)
class _Group:
    """Field nodes that execution merges to one field."""

    selected: Selected
    below: _Places = field(default_factory=list)


class _Walk:
    def __init__(self, schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode) -> None:
        self._schema = schema
        self._operation = operation
        self._fragments = {
            definition.name.value: definition
            for definition in document.definitions
            if isinstance(definition, FragmentDefinitionNode)
        }
        self._defaults = {
            variable.variable.name.value: variable.default_value for variable in operation.variable_definitions or ()
        }
        self._visited = 0
        self._found = Selection()

    def run(self) -> Selection:
        root = self._schema.get_root_type(self._operation.operation)
        self._found.roots = self._level([(root, self._operation.selection_set, ())], 1, introspection=False)
        return self._found

    def _level(self, places: _Places, depth: int, *, introspection: bool) -> Sequence[Selected]:
        """The merged fields of one level of the answer, with all that is below them."""
        if depth > (INTROSPECTION_DEPTH if introspection else MAX_DEPTH):
            raise CostLimitError("too deep")
        before = self._found.fields
        groups = self._groups(places, depth, introspection=introspection)
        if depth == 1 and self._found.fields - before > MAX_ROOT_FIELDS:
            raise CostLimitError("too many root fields")
        for group in groups:
            if group.below:
                inner = introspection or group.selected.name in _INTROSPECTION
                group.selected.children = self._level(group.below, depth + 1, introspection=inner)
        if introspection:
            return ()
        return [group.selected for group in groups if group.selected.name not in _INTROSPECTION]

    def _groups(self, places: _Places, depth: int, *, introspection: bool) -> list[_Group]:
        groups: dict[tuple[object, ...], _Group] = {}
        while places:
            parent, selections, path = places.pop()
            for selection in selections.selections:
                self._count()
                if isinstance(selection, FieldNode):
                    self._field(groups, parent, selection, path, depth, introspection=introspection)
                    continue
                self._defers(selection)
                if isinstance(selection, InlineFragmentNode):
                    places.append((self._narrowed(parent, selection.type_condition), selection.selection_set, path))
                elif isinstance(selection, FragmentSpreadNode):
                    name = selection.name.value
                    found = self._fragments.get(name)
                    if found is not None and name not in path:
                        owner = self._narrowed(parent, found.type_condition)
                        places.append((owner, found.selection_set, (*path, name)))
        return list(groups.values())

    def _field(
        self,
        groups: dict[tuple[object, ...], _Group],
        parent: GraphQLNamedType | None,
        node: FieldNode,
        path: tuple[str, ...],
        depth: int,
        *,
        introspection: bool,
    ) -> None:
        name = node.name.value
        self._found.fields += 1
        self._found.aliases += node.alias is not None
        if self._found.fields > MAX_FIELDS or self._found.aliases > MAX_ALIASES:
            raise CostLimitError("too many fields")
        if introspection or name in _INTROSPECTION:
            self._found.introspection += 1
        else:
            self._found.depth = max(self._found.depth, depth)
        definition = _definition(parent, name)
        size = slicing(node, definition, self._defaults) if definition is not None else None
        key = (parent.name if parent else None, (node.alias or node.name).value, name, size)
        group = groups.get(key)
        if group is None:
            apart = any(argument.name.value in TIMES for argument in node.arguments or ())
            selected = Selected(parent=parent, name=name, definition=definition, size=size, apart=apart)
            group = groups[key] = _Group(selected=selected)
        if node.selection_set is not None:
            child = get_named_type(definition.type) if definition is not None else None
            group.below.append((child, node.selection_set, path))

    def _defers(self, selection: SelectionNode) -> None:
        for directive in selection.directives or ():
            if directive.name.value == "defer":
                given = [item.value for item in directive.arguments or () if item.name.value == "if"]
                self._found.defers.extend(_deferring(given[0] if given else None, self._defaults))

    def _count(self) -> None:
        self._visited += 1
        if self._visited > MAX_SELECTIONS:
            raise CostLimitError("too many selections")

    def _narrowed(self, parent: GraphQLNamedType | None, condition: NamedTypeNode | None) -> GraphQLNamedType | None:
        """An object type stays itself under an interface condition."""
        if condition is None:
            return parent
        named = self._schema.type_map.get(condition.name.value)
        return parent if isinstance(parent, GraphQLObjectType) and is_abstract_type(named) else named


def _deferring(condition: ValueNode | None, defaults: Mapping[str, ValueNode | None]) -> Iterator[Deferring]:
    if isinstance(condition, VariableNode):
        default = defaults.get(condition.name.value)
        active = isinstance(default, BooleanValueNode) and default.value
        yield Deferring(variable=condition.name.value, default=active)
    elif not (isinstance(condition, BooleanValueNode) and not condition.value):
        yield Deferring(variable=None, default=True)


def _definition(parent: GraphQLNamedType | None, name: str) -> GraphQLField | None:
    if name == "__typename":
        return TypeNameMetaFieldDef
    if isinstance(parent, GraphQLObjectType | GraphQLInterfaceType):
        found: GraphQLField | None = parent.fields.get(name)
        return found
    return None
