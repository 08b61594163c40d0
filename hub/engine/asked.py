"""What an operation asks for: the coordinates below each root field, before anything is fetched.

Pure: document, schema and variables in, sets of coordinates out. Fragments, type conditions, aliases, `@skip` and
`@include` are followed as execution would follow them, so a coordinate is listed iff execution may reach it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    GraphQLIncludeDirective,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLSchema,
    GraphQLSkipDirective,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    get_directive_values,
    get_named_type,
    is_abstract_type,
    is_composite_type,
)
from graphql.execution import VariableValues
from graphql.language import DocumentNode
from graphql.type import GraphQLNamedType


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedRoot:
    """One root field as it will appear in the answer. `coordinates` are all `Type.field` pairs below it."""

    response_key: str
    field: str
    coordinates: frozenset[str]


def asked_roots(
    schema: GraphQLSchema,
    document: DocumentNode,
    operation: OperationDefinitionNode,
    variables: VariableValues,
) -> tuple[AskedRoot, ...]:
    """List the root fields of a valid `operation` with what each asks for, in document order.

    Cost: one visit per (selection set, parent type); a fragment is visited once per parent type and root field.
    """
    walk = _Walk(schema, document, variables)
    root_type = schema.get_root_type(operation.operation)
    if root_type is None:
        return ()
    collected: dict[str, tuple[str, set[str]]] = {}
    for parent, node in walk.fields(root_type, operation.selection_set, set()):
        key = (node.alias or node.name).value
        _, coordinates = collected.setdefault(key, (node.name.value, set()))
        walk.below(parent, node, coordinates, set())
    return tuple(
        AskedRoot(response_key=key, field=field, coordinates=frozenset(coordinates))
        for key, (field, coordinates) in collected.items()
    )


class _Walk:
    def __init__(self, schema: GraphQLSchema, document: DocumentNode, variables: VariableValues) -> None:
        self._schema = schema
        self._variables = variables
        self._fragments: Mapping[str, FragmentDefinitionNode] = {
            definition.name.value: definition
            for definition in document.definitions
            if isinstance(definition, FragmentDefinitionNode)
        }

    def below(self, parent: GraphQLNamedType, node: FieldNode, found: set[str], visited: set[tuple[str, int]]) -> None:
        """Add to `found` everything under one field of `parent`."""
        if node.selection_set is None or node.name.value.startswith("__"):
            return
        child = get_named_type(_field_type(parent, node.name.value))
        if not is_composite_type(child):
            return
        if (child.name, id(node.selection_set)) in visited:
            return
        visited.add((child.name, id(node.selection_set)))
        for owner, field in self.fields(child, node.selection_set, set()):
            if not field.name.value.startswith("__"):
                found.add(f"{owner.name}.{field.name.value}")
            self.below(owner, field, found, visited)

    def fields(
        self, parent: GraphQLNamedType, selections: SelectionSetNode, spread: set[tuple[str, str]]
    ) -> Iterator[tuple[GraphQLNamedType, FieldNode]]:
        """Field nodes of a selection set with the type that each is read on."""
        for selection in selections.selections:
            if not self._included(selection):
                continue
            if isinstance(selection, FieldNode):
                yield parent, selection
                continue
            if isinstance(selection, InlineFragmentNode):
                inner, condition = selection.selection_set, selection.type_condition
            else:
                name = selection.name.value  # type: ignore[attr-defined]  # a fragment spread: nothing else is left
                if (name, parent.name) in spread:
                    continue
                spread.add((name, parent.name))
                definition = self._fragments[name]
                inner, condition = definition.selection_set, definition.type_condition
            owner = parent if condition is None else self._schema.type_map[condition.name.value]
            yield from self.fields(self._narrowed(parent, owner), inner, spread)

    def _narrowed(self, parent: GraphQLNamedType, condition: GraphQLNamedType) -> GraphQLNamedType:
        """An object type stays itself under an interface condition it implements."""
        return parent if is_abstract_type(condition) and not is_abstract_type(parent) else condition

    def _included(self, selection: SelectionNode) -> bool:
        skip = get_directive_values(GraphQLSkipDirective, selection, self._variables)
        if skip and skip["if"]:
            return False
        include = get_directive_values(GraphQLIncludeDirective, selection, self._variables)
        return not include or bool(include["if"])


def _field_type(parent: GraphQLNamedType, name: str) -> GraphQLOutputType:
    if isinstance(parent, GraphQLObjectType | GraphQLInterfaceType):
        output: GraphQLOutputType = parent.fields[name].type
        return output
    raise TypeError(f"{parent.name} has no fields")
