"""Hidden classes of rows: where each field of a type stands in a row that is already fit for the wire.

A `Shape` is a promise of whoever makes the rows: every value that a slot reaches, after `convert`, is valid for the
field's declared type and may be encoded as it is. The engine compiles one builder per (selection, shape) and asks
nothing of a row at run time. A field that a shape does not name is null for all its rows.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Slot:
    """Where one field's value stands.

    `path` is a Python access path: `{row}` stands for the row that holds the field, `{top}` for the outermost one.
    `convert` is total and is never given None; with `whole_row` it takes (row, value). `shape` is set for records,
    `many` for lists (of values, or of records). `never_null` is a promise that a Non-Null field relies on.
    """

    path: str
    convert: Callable[..., Any] | None = None
    whole_row: bool = False
    shape: "Shape | None" = None
    many: bool = False
    never_null: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shape:
    """Rows of one GraphQL object type. Compared by identity: the maker keeps one per class of rows."""

    type_name: str
    slots: Mapping[str, Slot]


class Shaped(Protocol):
    """A row that knows its shape; the engine groups the objects of a column by it."""

    @property
    def shape(self) -> Shape: ...
