"""Completing columns: wrappers opened and put back, leaves coerced, runtime types told, errors noted where they happen.

A completed column holds a value, None, or `FAILED`: null because of an error that is already noted and that the next
nullable position above must take.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec
from graphql import (
    GraphQLObjectType,
    GraphQLSchema,
    Undefined,
    get_named_type,
    is_abstract_type,
    is_list_type,
    is_non_null_type,
)
from graphql.pyutils import is_iterable

from hub.engine.faults import FieldFault, Level
from hub.engine.plan import FieldPlan
from hub.engine.shape import Shape


class _Failed:
    def __repr__(self) -> str:
        return "FAILED"


FAILED: Final = _Failed()
_NO_INFO: Any = None  # type checks of ours look at the value alone
_EXACT: Mapping[str, type] = {"String": str, "ID": str, "Boolean": bool}
"""Built-in scalars whose coercion leaves a value of exactly this type as it is."""
Column = list[Any]


class CompletionError(TypeError):
    """A value is not what its field's type says."""


class Flat(msgspec.Struct, frozen=True, kw_only=True):
    """The innermost values of a column with their level; `rebuild` puts completed ones back into their wrappers."""

    values: Sequence[Any]
    level: Level
    rebuild: Callable[[Column], Column]


class Columns:
    """Completion for one execution; notes what goes wrong in `faults`."""

    def __init__(self, schema: GraphQLSchema, faults: list[FieldFault]) -> None:
        self._schema = schema
        self.faults = faults

    @staticmethod
    def non_null(item: FieldPlan) -> bool:
        return is_non_null_type(item.type)

    def members(self, objects: Sequence[Any], name: str) -> Column:
        """What plain parents hold under `name`: a dict's item or an object's attribute, None where there is none."""
        values: Column = []
        for parent in objects:
            try:
                value = parent.get(name) if isinstance(parent, Mapping) else getattr(parent, name, None)
            except Exception as error:  # a parent that cannot tell: its field's error
                value = error
            values.append(value)
        return values

    def fail(self, item: FieldPlan, level: Level, position: int, error: Exception) -> _Failed:
        self.faults.append(level.fault(position, error, item.nodes))
        return FAILED

    def leaves(self, item: FieldPlan, values: Sequence[Any], level: Level) -> Column:
        """Coerce a column of scalar or enum values."""
        named: Any = get_named_type(item.type)
        coerce = named.coerce_output_value
        exact = _EXACT.get(named.name)
        out: Column = []
        for position, value in enumerate(values):
            if value is None or value is FAILED or type(value) is exact:
                out.append(value)
                continue
            try:
                coerced = coerce(value)
                if coerced is None or coerced is Undefined:
                    raise CompletionError("not a value of this type")
            except Exception as error:  # whatever a scalar raises is this value's error
                coerced = self.fail(item, level, position, error)
            out.append(coerced)
        return out

    def by_type(self, item: FieldPlan, flat: Flat, results: Column) -> Mapping[GraphQLObjectType, list[int]]:
        """Positions of the objects of a column by runtime type; FAILED goes into `results` where there is none."""
        named: Any = get_named_type(item.type)
        groups: dict[GraphQLObjectType, list[int]] = {}
        for position, value in enumerate(flat.values):
            if value is None:
                continue
            if value is FAILED:
                results[position] = FAILED
                continue
            try:
                concrete = self._abstract(named, value) if is_abstract_type(named) else named
                if concrete.is_type_of is not None and not concrete.is_type_of(value, _NO_INFO):
                    raise CompletionError("not an object of this type")
            except Exception as error:  # whatever a type check raises is this value's error
                results[position] = self.fail(item, flat.level, position, error)
                continue
            groups.setdefault(concrete, []).append(position)
        return groups

    def _abstract(self, named: Any, value: Any) -> GraphQLObjectType:
        shape = getattr(value, "shape", None)
        if isinstance(shape, Shape):  # a row that knows its type
            return self._possible(named, shape.type_name)
        name = named.resolve_type(value, _NO_INFO, named) if named.resolve_type else self._default_type(named, value)
        return self._possible(named, name)

    def _possible(self, named: Any, name: object) -> GraphQLObjectType:
        concrete = self._schema.get_type(name) if isinstance(name, str) else None
        if not isinstance(concrete, GraphQLObjectType) or not self._schema.is_sub_type(named, concrete):
            raise CompletionError("not a possible type")
        return concrete

    def _default_type(self, named: Any, value: Any) -> str | None:
        name = value.get("__typename") if isinstance(value, Mapping) else _private_typename(value)
        if isinstance(name, str):
            return name
        for possible in self._schema.get_possible_types(named):
            if possible.is_type_of is not None and possible.is_type_of(value, _NO_INFO):
                return str(possible.name)
        return None


def _private_typename(value: Any) -> Any:
    """What a class calls `self.__typename`: Python puts the name of the class before it."""
    for owner in type(value).__mro__:
        name = getattr(value, f"_{owner.__name__}__typename", None)
        if name:
            return name
    return None


def flatten(columns: Columns, item: FieldPlan, values: Sequence[Any], level: Level) -> Flat:
    """Open the list and Non-Null wrappers of a field's type over a column of uncompleted values."""
    opened: Column = [
        columns.fail(item, level, position, value) if isinstance(value, Exception) else value
        for position, value in enumerate(values)
    ]
    return _flatten(columns, item, item.type, opened, level)


def _flatten(columns: Columns, item: FieldPlan, type_: Any, values: Column, level: Level) -> Flat:
    non_null = is_non_null_type(type_)
    inner: Any = type_.of_type if non_null else type_
    flat = (
        _flatten_lists(columns, item, inner, values, level)
        if is_list_type(inner)
        else Flat(values=values, level=level, rebuild=lambda column: column)
    )

    def required(completed: Column) -> Column:
        column = flat.rebuild(completed)
        if None not in column:
            return column
        return [
            columns.fail(item, level, position, CompletionError("null for a Non-Null field"))
            if value is None
            else value
            for position, value in enumerate(column)
        ]

    def optional(completed: Column) -> Column:
        column = flat.rebuild(completed)
        return [None if value is FAILED else value for value in column] if columns.faults else column

    return Flat(values=flat.values, level=flat.level, rebuild=required if non_null else optional)


def _flatten_lists(columns: Columns, item: FieldPlan, type_: Any, values: Column, level: Level) -> Flat:
    items: Column = []
    origin: list[int] = []
    index: list[int] = []
    sizes: list[Any] = []  # a length, or the value itself where there is no list
    below = Level(level, origin=origin, step=index, nullable=not is_non_null_type(type_.of_type))
    for position, value in enumerate(values):
        if value is None or value is FAILED:
            sizes.append(value)
            continue
        if not is_iterable(value):
            sizes.append(columns.fail(item, level, position, CompletionError("not a list")))
            continue
        try:
            members = value if isinstance(value, list | tuple) else list(value)
        except Exception as error:  # a list that cannot be read to its end: its field's error
            sizes.append(columns.fail(item, level, position, error))
            continue
        start = len(items)
        for place, member in enumerate(members):
            origin.append(position)
            index.append(place)
            items.append(columns.fail(item, below, start + place, member) if isinstance(member, Exception) else member)
        sizes.append(len(items) - start)
    inner = _flatten(columns, item, type_.of_type, items, below)

    def rebuild(completed: Column) -> Column:
        column = inner.rebuild(completed)
        out: Column = []
        start = 0
        for size in sizes:
            if size is None or size is FAILED:
                out.append(size)
                continue
            members = column[start : start + size]
            out.append(FAILED if columns.faults and any(value is FAILED for value in members) else members)
            start += size
        return out

    return Flat(values=inner.values, level=inner.level, rebuild=rebuild)
