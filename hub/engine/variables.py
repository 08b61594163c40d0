"""Variables of one operation: coerced by graphql-core, but for those whose values need no coercion at all."""

from collections.abc import Mapping
from typing import Any

from graphql import (
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    get_variable_values,
    is_non_null_type,
)
from graphql.execution.get_variable_signature import GraphQLVariableSignature, get_variable_signature
from graphql.execution.values import VariableValues, VariableValueSource

_EXACT: Mapping[str, type] = {"String": str, "ID": str, "Boolean": bool}
"""Scalars whose coercion leaves a value of exactly this type as it is (specification, section 3.5)."""


class Variables:
    """The variables that an operation declares, looked at once."""

    def __init__(self, schema: GraphQLSchema, operation: OperationDefinitionNode) -> None:
        self._schema = schema
        self._definitions = operation.variable_definitions or ()
        self._exact: list[tuple[str, type, GraphQLVariableSignature]] | None = []
        for definition in self._definitions:
            signature = get_variable_signature(schema, definition)
            if isinstance(signature, GraphQLError):
                self._exact = None
                break
            named: Any = signature.type.of_type if is_non_null_type(signature.type) else signature.type
            exact = _EXACT.get(str(named))
            if exact is None:
                self._exact = None
                break
            self._exact.append((signature.name, exact, signature))

    def coerce(self, given: Mapping[str, Any]) -> VariableValues | None:
        """The coerced values, or None if they do not fit their types."""
        if self._exact is not None:
            sources: dict[str, VariableValueSource] = {}
            coerced: dict[str, Any] = {}
            for name, exact, signature in self._exact:
                value = given.get(name)
                if type(value) is not exact:
                    break
                sources[name] = VariableValueSource(signature, value)
                coerced[name] = value
            else:
                return VariableValues(sources, coerced)
        values = get_variable_values(self._schema, self._definitions, dict(given), max_errors=1, hide_suggestions=True)
        return values if isinstance(values, VariableValues) else None
