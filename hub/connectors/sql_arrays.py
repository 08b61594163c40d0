"""The one row of arrays that PostgreSQL gives for many keys, as columns of raw records."""

from collections.abc import Callable, Sequence
from typing import Any

from hub.connectors.base import Layout
from hub.connectors.column_fit import Column
from hub.connectors.mapping import AgencyMapping
from hub.connectors.rows import Columns
from hub.connectors.sql_statement import TAIL, names_rows


class ArrayReader:
    """Knows where everything stands in the row for one layout (`StatementBuilder.fetch`)."""

    def __init__(self, mapping: AgencyMapping, layout: Layout) -> None:
        self._flat = len(layout.fields)
        self._lists: list[tuple[int, int]] = []  # where the numbers of a list stand, and where it ends
        at = self._flat + TAIL
        for name, inner in layout.nested:
            end = at + 1 + len(inner) + names_rows(mapping.nested[name], inner)
            self._lists.append((at, end))
            at = end

    def columns(self, row: Sequence[Any], keys_of: Callable[[Column], Sequence[str]]) -> Columns:
        """`keys_of` gives the keys that were asked for what the source answers."""
        arrays: list[Column] = [() if array is None else array for array in row]
        keys, names, stamps = arrays[self._flat : self._flat + TAIL]
        return Columns(
            keys=keys_of(keys),
            names=names,
            stamps=stamps,
            flat=arrays[: self._flat],
            nested=[(arrays[at], arrays[at + 1 : end]) for at, end in self._lists],
        )
