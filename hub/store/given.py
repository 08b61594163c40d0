"""Many rows given to one statement, which then runs by itself: no step of it waits for Python, no round trip a row.

PostgreSQL takes an array a column. SQLite takes the rows as JSON; bytes, which JSON has none of, come as one long value
of which each row names its part.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import orjson
from sqlalchemy import ARRAY, ColumnElement, FromClause, LargeBinary, Text, bindparam, column, func, select
from sqlalchemy.types import TypeEngine

LINES, BYTES = "given_lines", "given_bytes"


class Given(Protocol):
    """`rows`: what a statement selects from, by the names of the columns."""

    @property
    def rows(self) -> FromClause: ...

    def arguments(self, rows: Sequence[Sequence[Any]]) -> Mapping[str, Any]:
        """The statement's parameters for n >= 1 rows, each in the order of the columns."""
        ...


def given(dialect: str, types: Mapping[str, TypeEngine[Any]]) -> Given:
    """Rows of columns with these names and types: texts, integers, bytes, each of which may be None."""
    return _Json(types) if dialect == "sqlite" else _Arrays(types)


class _Arrays:
    def __init__(self, types: Mapping[str, TypeEngine[Any]]) -> None:
        self._names = [f"given_{name}" for name in types]
        arrays = [bindparam(name, type_=ARRAY(kind)) for name, kind in zip(self._names, types.values(), strict=True)]
        columns = (column(name, kind) for name, kind in types.items())
        self.rows: FromClause = func.unnest(*arrays).table_valued(*columns, name="given").render_derived()

    def arguments(self, rows: Sequence[Sequence[Any]]) -> Mapping[str, Any]:
        return dict(zip(self._names, map(list, zip(*rows, strict=True)), strict=True))


class _Json:
    def __init__(self, types: Mapping[str, TypeEngine[Any]]) -> None:
        self._are_bytes = [isinstance(kind, LargeBinary) for kind in types.values()]
        lines = func.json_each(bindparam(LINES, type_=Text)).table_valued("value", name="line")
        parts, place = [], 0
        for (name, kind), is_bytes in zip(types.items(), self._are_bytes, strict=True):
            parts.append(_part(lines.c.value, place, kind, is_bytes=is_bytes).label(name))
            place += 2 if is_bytes else 1
        self.rows: FromClause = select(*parts).subquery("given")

    def arguments(self, rows: Sequence[Sequence[Any]]) -> Mapping[str, Any]:
        """None among bytes has no place: substr() of what is not there is NULL."""
        lines, held, place = [], [], 1
        for row in rows:
            line: list[Any] = []
            for value, is_bytes in zip(row, self._are_bytes, strict=True):
                if not is_bytes:
                    line.append(value)
                elif value is None:
                    line += (None, None)
                else:
                    line += (place, len(value))
                    held.append(value)
                    place += len(value)
            lines.append(line)
        arguments = {LINES: orjson.dumps(lines).decode()}
        return {**arguments, BYTES: b"".join(held)} if any(self._are_bytes) else arguments


def _part(line: ColumnElement[Any], place: int, kind: TypeEngine[Any], *, is_bytes: bool) -> ColumnElement[Any]:
    def at(place: int) -> ColumnElement[Any]:
        return func.json_extract(line, f"$[{place}]", type_=None if is_bytes else kind)

    return func.substr(bindparam(BYTES, type_=kind), at(place), at(place + 1), type_=kind) if is_bytes else at(place)
