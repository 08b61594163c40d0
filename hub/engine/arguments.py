"""Arguments of a field: constant, or read off variables by a template, or coerced by graphql-core.

A template serves where every variable it reads is declared Non-Null: then it has a value, that value fits its place
(validation compared the types), and nothing is left to coerce.
"""

from collections.abc import Callable, Mapping
from typing import Any

from graphql import (
    FieldNode,
    GraphQLField,
    GraphQLInputObjectType,
    ObjectValueNode,
    OperationDefinitionNode,
    Undefined,
    ValueNode,
    VariableNode,
    Visitor,
    get_argument_values,
    get_nullable_type,
    is_non_null_type,
    visit,
)
from graphql.execution.values import VariableValues
from graphql.language import NonNullTypeNode
from graphql.utilities.coerce_input_value import coerce_default_value, coerce_input_literal

_NO_VARIABLES = VariableValues({}, {})
_Read = Callable[[Mapping[str, Any]], Any]


class Arguments:
    """The arguments of one field node."""

    def __init__(self, definition: GraphQLField, node: FieldNode, operation: OperationDefinitionNode) -> None:
        self._definition = definition
        self._node = node
        self._constant: Mapping[str, Any] | None = None
        self._template: Mapping[str, _Read] | None = None
        if not definition.args:
            self._constant = {}
        elif not _reads_variables(node):
            self._constant = get_argument_values(definition, node, _NO_VARIABLES)
        else:
            self._template = _template(definition, node, _required_variables(operation))

    @property
    def constant(self) -> bool:
        """Whether they are known to hold, whatever the variables."""
        return self._constant is not None

    def values(self, variables: VariableValues) -> Mapping[str, Any]:
        """Coerced arguments.

        Raises:
            GraphQLError: a variable leaves a required argument empty.
        """
        if self._constant is not None:
            return self._constant
        if self._template is not None:
            return {name: read(variables.coerced) for name, read in self._template.items()}
        values: dict[str, Any] = get_argument_values(self._definition, self._node, variables)
        return values


def _required_variables(operation: OperationDefinitionNode) -> frozenset[str]:
    return frozenset(
        definition.variable.name.value
        for definition in operation.variable_definitions or ()
        if isinstance(definition.type, NonNullTypeNode)
    )


def _template(definition: GraphQLField, node: FieldNode, required: frozenset[str]) -> Mapping[str, _Read] | None:
    """How to read every argument, or None where graphql-core must coerce."""
    given = {argument.name.value: argument.value for argument in node.arguments or ()}
    return _members(definition.args, given, required)


def _members(
    declared: Mapping[str, Any], given: Mapping[str, ValueNode], required: frozenset[str]
) -> dict[str, _Read] | None:
    reads: dict[str, _Read] = {}
    for name, member in declared.items():
        out = member.out_name or name
        if name not in given:
            default = coerce_default_value(member)
            if default is not Undefined:
                reads[out] = _constant(default)
            elif is_non_null_type(member.type):
                return None
            continue
        read = _value(given[name], member.type, required)
        if read is None:
            return None
        reads[out] = read
    return reads


def _value(node: ValueNode, type_: Any, required: frozenset[str]) -> _Read | None:
    if isinstance(node, VariableNode):
        name = node.name.value
        return (lambda values: values[name]) if name in required else None
    if not _reads_variables(node):
        value = coerce_input_literal(node, type_)
        return None if value is Undefined else _constant(value)
    named = get_nullable_type(type_)
    if not isinstance(node, ObjectValueNode) or not isinstance(named, GraphQLInputObjectType):
        return None
    given = {item.name.value: item.value for item in node.fields}
    if named.is_one_of and len(given) != 1:
        return None
    members = _members(named.fields, given, required)
    if members is None:
        return None
    return lambda values: named.out_type({name: read(values) for name, read in members.items()})


def _constant(value: Any) -> _Read:
    return lambda _values: value


def _reads_variables(node: Any) -> bool:
    finder = _VariableFinder()
    for part in (node.arguments or ()) if isinstance(node, FieldNode) else (node,):
        visit(part, finder)
    return finder.found


class _VariableFinder(Visitor):
    def __init__(self) -> None:
        super().__init__()
        self.found = False

    def enter_variable(self, *_args: Any) -> None:
        self.found = True
