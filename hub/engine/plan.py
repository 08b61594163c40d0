"""From a valid document to the plan of one operation: what is selected, merged and typed, before any value exists.

Made once per (document, operation, values of the variables that `@skip` and `@include` read) and then kept. A plan
holds no value of a request; arguments that read variables are coerced per request.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    BooleanValueNode,
    FieldNode,
    FragmentDefinitionNode,
    GraphQLField,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLSchema,
    GraphQLString,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
    Visitor,
    get_named_type,
    is_abstract_type,
    is_leaf_type,
    visit,
)
from graphql.execution.values import VariableValues
from graphql.language import DocumentNode, NameNode, Node

from hub.engine.arguments import Arguments
from hub.engine.introspection import META_FIELDS, Introspection

TYPENAME = "__typename"
_TYPENAME_FIELD = GraphQLField(GraphQLNonNull(GraphQLString))
MemberName = Callable[[str, str, GraphQLField], str]
"""(type name, field name, field) → the key or attribute under which a plain parent holds the field."""


@dataclass(slots=True, kw_only=True, eq=False)
class FieldPlan:
    """One response key of a selection: all field nodes that were merged into it."""

    key: str
    name: str
    member: str
    definition: GraphQLField
    nodes: tuple[FieldNode, ...]
    given: Arguments
    coordinates: frozenset[str]
    leaf: bool
    children: Mapping[str, "SelectionPlan"]  # by name of the concrete type; empty for leaves, or if there is none
    introspection: Introspection | None = None

    @property
    def type(self) -> GraphQLOutputType:
        output: GraphQLOutputType = self.definition.type
        return output

    def arguments(self, variables: VariableValues) -> Mapping[str, Any]:
        """Coerced arguments. Raises GraphQLError where a variable leaves a required one empty."""
        return self.given.values(variables)


@dataclass(slots=True, kw_only=True, eq=False)
class SelectionPlan:
    """What is selected on one object type, in the order of the answer. `builders` is the engine's own cache."""

    type: GraphQLObjectType
    fields: tuple[FieldPlan, ...]
    coordinates: frozenset[str]  # of this selection and everything below it
    builders: dict[int, Any] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True, eq=False)
class OperationPlan:
    root: SelectionPlan


def condition_variables(document: DocumentNode) -> tuple[str, ...]:
    """Names of the variables that decide what is selected and when, sorted."""
    reader = _ConditionReader()
    visit(document, reader)
    return tuple(sorted(reader.names))


def plan_operation(
    schema: GraphQLSchema,
    document: DocumentNode,
    operation: OperationDefinitionNode,
    variables: VariableValues,
    member_name: MemberName = lambda _type, name, _field: name,
) -> OperationPlan:
    """Plan a valid `operation`. Of `variables` only those that `condition_variables` names are read.

    Cost: one visit per (selection set, concrete type).
    """
    root_type = schema.get_root_type(operation.operation)
    if root_type is None:
        raise TypeError("the schema has no such root")
    planner = Planner(schema, document, operation, variables, member_name)
    return OperationPlan(root=planner.selection(root_type, (operation.selection_set,)))


def coordinates_of(parent: GraphQLObjectType, fields: Sequence[FieldPlan]) -> frozenset[str]:
    """Coordinates of `fields` and of everything below them."""
    own = {f"{parent.name}.{item.name}" for item in fields if not item.name.startswith("__")}
    return frozenset(own).union(*(item.coordinates for item in fields))


class _ConditionReader(Visitor):
    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def enter_directive(self, node: Any, *_args: Any) -> None:
        if node.name.value in ("skip", "include", "defer"):
            values = [argument.value for argument in node.arguments or ()]
            self.names.update(value.name.value for value in values if isinstance(value, VariableNode))


class Planner:
    """Plans selections; one value serves one operation. `deferral` plans what `@defer` splits."""

    def __init__(
        self,
        schema: GraphQLSchema,
        document: DocumentNode,
        operation: OperationDefinitionNode,
        variables: VariableValues,
        member_name: MemberName,
    ) -> None:
        self._schema = schema
        self._operation = operation
        self._variables = variables
        self._member_name = member_name
        self.fragments: Mapping[str, FragmentDefinitionNode] = {
            definition.name.value: definition
            for definition in document.definitions
            if isinstance(definition, FragmentDefinitionNode)
        }
        self._planned: dict[tuple[str, tuple[int, ...]], SelectionPlan] = {}

    def selection(self, parent: GraphQLObjectType, sets: tuple[SelectionSetNode, ...]) -> SelectionPlan:
        """What `sets` select on `parent`; one plan wherever the same sets meet the same type."""
        place = (parent.name, tuple(id(selections) for selections in sets))
        planned = self._planned.get(place)
        if planned is None:
            planned = self._planned[place] = self._selection(parent, sets)
        return planned

    def _selection(self, parent: GraphQLObjectType, sets: tuple[SelectionSetNode, ...]) -> SelectionPlan:
        grouped: dict[str, list[FieldNode]] = {}
        spread: set[str] = set()
        for selections in sets:
            for node in self._fields(parent, selections, spread):
                grouped.setdefault((node.alias or node.name).value, []).append(node)
        fields = tuple(self.field(parent, key, tuple(nodes)) for key, nodes in grouped.items())
        return SelectionPlan(type=parent, fields=fields, coordinates=coordinates_of(parent, fields))

    def field(self, parent: GraphQLObjectType, key: str, nodes: tuple[FieldNode, ...]) -> FieldPlan:
        """What `nodes` of one response key select on `parent`."""
        name = nodes[0].name.value
        definition = _TYPENAME_FIELD if name == TYPENAME else self._definition(parent, name)
        children: dict[str, SelectionPlan] = {}
        named = get_named_type(definition.type)
        leaf = is_leaf_type(named)
        if not leaf and not name.startswith("__"):
            sets = tuple(node.selection_set for node in nodes if node.selection_set is not None)
            possible = self._schema.get_possible_types(named) if is_abstract_type(named) else (named,)
            children = {concrete.name: self.selection(concrete, sets) for concrete in possible}  # type: ignore[arg-type]
        return FieldPlan(
            key=key,
            name=name,
            member=self._member_name(parent.name, name, definition),
            definition=definition,
            nodes=nodes,
            given=Arguments(definition, nodes[0], self._operation),
            coordinates=frozenset().union(*(child.coordinates for child in children.values())),
            leaf=leaf,
            children=children,
            introspection=self._introspection(name, nodes),
        )

    def _introspection(self, name: str, nodes: tuple[FieldNode, ...]) -> Introspection | None:
        if name not in META_FIELDS:
            return None
        return Introspection(self._schema, self._operation, nodes, tuple(self.fragments.values()))

    def _definition(self, parent: GraphQLObjectType, name: str) -> GraphQLField:
        found = self._schema.get_field(parent, name)
        if found is None:
            raise TypeError(f"{parent.name} has no such field; the document was not validated")
        return found

    def _fields(self, parent: GraphQLObjectType, selections: SelectionSetNode, spread: set[str]) -> Iterator[FieldNode]:
        """Field nodes that apply to `parent`, fragments opened, each named fragment once."""
        for selection in selections.selections:
            if not self.included(selection):
                continue
            if isinstance(selection, FieldNode):
                yield selection
            elif isinstance(selection, InlineFragmentNode):
                if self.applies(selection.type_condition, parent):
                    yield from self._fields(parent, selection.selection_set, spread)
            else:
                name = selection.name.value  # type: ignore[attr-defined]  # a fragment spread: nothing else is left
                if name in spread:
                    continue
                spread.add(name)
                definition = self.fragments[name]
                if self.applies(definition.type_condition, parent):
                    yield from self._fields(parent, definition.selection_set, spread)

    def applies(self, condition: Any, parent: GraphQLObjectType) -> bool:
        """Whether a fragment on `condition` is for `parent`."""
        if condition is None or condition.name.value == parent.name:
            return True
        named = self._schema.get_type(condition.name.value)
        return is_abstract_type(named) and self._schema.is_sub_type(named, parent)

    def included(self, selection: Node) -> bool:
        """Whether `@skip` and `@include` let a selection be."""
        for directive in getattr(selection, "directives", None) or ():
            name: NameNode = directive.name
            if name.value in ("skip", "include"):
                wanted = self.condition(directive.arguments[0].value)
                if wanted is (name.value == "skip"):
                    return False
        return True

    def condition(self, value: Any) -> bool:
        """The value of a directive's `if`."""
        if isinstance(value, BooleanValueNode):
            return value.value
        return bool(self._variables.coerced[value.name.value])
