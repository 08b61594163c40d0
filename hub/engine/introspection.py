"""`__schema` and `__type`: answered by graphql-core from the schema itself, once per plan where no variable is read."""

from collections.abc import Mapping
from typing import Any

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    GraphQLSchema,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
    Visitor,
    execute_sync,
    visit,
)
from graphql.language import DocumentNode

META_FIELDS = frozenset({"__schema", "__type"})


class Introspection:
    """One introspection field of a plan, with the part of its document that belongs to it."""

    def __init__(
        self,
        schema: GraphQLSchema,
        operation: OperationDefinitionNode,
        nodes: tuple[FieldNode, ...],
        fragments: tuple[FragmentDefinitionNode, ...],
    ) -> None:
        alone = OperationDefinitionNode(
            operation=operation.operation,
            variable_definitions=operation.variable_definitions,
            selection_set=SelectionSetNode(selections=nodes),
            directives=(),
        )
        self._schema = schema
        self._document = DocumentNode(definitions=(alone, *fragments))
        finder = _VariableFinder()
        for part in (*nodes, *fragments):
            visit(part, finder)
        self._constant = not finder.found
        self._kept: Any = None

    def value(self, key: str, variables: Mapping[str, Any]) -> Any:
        """The completed value of the field. `variables` as they came with the request, already found to fit."""
        if self._kept is not None:
            return self._kept
        result = execute_sync(self._schema, self._document, variable_values=dict(variables))
        if result.errors or result.data is None:
            raise result.errors[0] if result.errors else TypeError("introspection gave nothing")
        value = result.data[key]
        if self._constant:
            self._kept = value
        return value


class _VariableFinder(Visitor):
    def __init__(self) -> None:
        super().__init__()
        self.found = False

    def enter_variable(self, _node: VariableNode, *_args: Any) -> None:
        self.found = True
