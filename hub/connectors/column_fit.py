"""Columns of values looked at as a whole: a few calls a column say what a test of each value would say of all.

Each test may refuse a column that would fit (the caller then looks at its values one by one), never the other way.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from functools import partial
from types import NoneType
from typing import Any

from hub.connectors.coerce import MAX_TEXT
from hub.connectors.mapping import Rule
from hub.domain.catalogue import Shape, ValueType

Column = Sequence[Any]
ColumnFit = Callable[[Column], Column | None]
"""The canonical column, mostly the one given; None if some value may not be canonical."""


def column_fit(rule: Rule) -> ColumnFit | None:
    """The test of one rule's columns; None where every value must be looked at."""
    if rule.default is not None or rule.factor is not None or rule.positive or rule.present or rule.is_in is not None:
        return None
    if rule.sealed:
        return partial(_of_type, bytes)
    if rule.format is not None or rule.field.shape is not Shape.VALUE or rule.field.value_type is None:
        return None
    if rule.field.value_type is ValueType.CODE:
        return None if rule.codes is None else partial(_codes, {**rule.codes, None: None})
    return None if rule.codes is not None else _FITS.get(rule.field.value_type)


def _of_type(wanted: type, column: Column) -> Column | None:
    return column if set(map(type, column)) <= {wanted, NoneType} else None


def _integers(column: Column) -> Column | None:
    kinds = set(map(type, column))
    if not kinds <= {int, NoneType}:
        return None
    given = column if NoneType not in kinds else [value for value in column if value is not None]
    return column if not given or (min(given) >= -(2**31) and max(given) < 2**31) else None


def _texts(column: Column) -> Column | None:
    """Printable texts, none empty, no blanks around them. One that has `||` or `| ` inside is left to the slow way."""
    given = column if None not in column else [value for value in column if value is not None]
    if not given:
        return column
    try:
        joined = f"|{'|'.join(given)}|"
    except TypeError:
        return None
    if "||" in joined or " |" in joined or "| " in joined or not joined.isprintable():
        return None
    return column if len(joined) <= MAX_TEXT or max(map(len, given)) <= MAX_TEXT else None


def _codes(canonical: Mapping[Any, Any], column: Column) -> Column | None:
    try:
        return [canonical[value] for value in column]
    except (KeyError, TypeError):
        return None


_FITS: Mapping[ValueType, ColumnFit] = {
    ValueType.STRING: _texts,
    ValueType.INT: _integers,
    ValueType.BOOLEAN: partial(_of_type, bool),
    ValueType.DATE: partial(_of_type, date),
}
