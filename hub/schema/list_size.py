"""How long a list is by its own slicing argument: `first` says it as a number, `ids` by its own length.

Works on unvalidated documents and uncoerced variables: what does not fit its type counts as if it were not given.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from graphql import (
    FieldNode,
    GraphQLArgument,
    GraphQLField,
    IntValueNode,
    ListValueNode,
    ValueNode,
    VariableNode,
)

from hub.connectors.mapping import DEFAULT_ASSUMED
from hub.schema.limits import MAX_COST

SLICING = ("first", "ids")
"""Slicing arguments (`slicingArguments` of IBM's `@listSize`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slicer:
    """A list whose size a variable says. `absent`: the size without it; `otherwise`: its value is null or unfit."""

    variable: str
    absent: int
    otherwise: int

    def size(self, variables: Mapping[str, Any]) -> int:
        """From 1 to the ceiling of cost, whatever was sent."""
        if self.variable not in variables:
            return self.absent
        return _length(variables[self.variable], self.otherwise)


def slicing(node: FieldNode, definition: GraphQLField, defaults: Mapping[str, ValueNode | None]) -> int | Slicer | None:
    """The size that a slicing argument gives to the list of this field; None: the field has no such argument.

    Args:
        defaults: default values of the operation's variables, by name.
    """
    name = next((name for name in SLICING if name in definition.args), None)
    if name is None:
        return None
    otherwise = _default(definition.args[name])
    given = next((argument.value for argument in node.arguments or () if argument.name.value == name), None)
    if not isinstance(given, VariableNode):
        return _literal(given, otherwise)
    variable = given.name.value
    return Slicer(variable=variable, absent=_literal(defaults.get(variable), otherwise), otherwise=otherwise)


def _default(argument: GraphQLArgument) -> int:
    if argument.default is None:
        return _length(argument.default_value, DEFAULT_ASSUMED)
    if argument.default.literal is not None:
        return _literal(argument.default.literal, DEFAULT_ASSUMED)
    return _length(argument.default.value, DEFAULT_ASSUMED)


def _literal(node: ValueNode | None, otherwise: int) -> int:
    if isinstance(node, IntValueNode):
        digits = node.value
        return _clamped(int(digits)) if len(digits) < 10 else (1 if digits.startswith("-") else MAX_COST)
    if isinstance(node, ListValueNode):
        return _clamped(len(node.values))
    return otherwise


def _length(value: object, otherwise: int) -> int:
    if isinstance(value, bool):
        return otherwise
    if isinstance(value, int):
        return _clamped(value)
    if isinstance(value, float):  # 100.0 is an Int on the wire
        return _clamped(int(value)) if math.isfinite(value) else MAX_COST
    if isinstance(value, list | tuple):
        return _clamped(len(value))
    return otherwise


def _clamped(size: int) -> int:
    return min(max(1, size), MAX_COST)
