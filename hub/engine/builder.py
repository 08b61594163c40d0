"""Builders: Python compiled for one selection over one shape, from rows to the dicts of an answer in one pass.

What the columns of the general executor do value by value is known here before any value exists: where each field
stands, whether it can be null, what converts it. Response keys and constants reach the source as literals only; the
access paths come from the shape's maker.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from graphql import get_nullable_type, is_non_null_type

from hub.engine.plan import TYPENAME, FieldPlan, SelectionPlan
from hub.engine.shape import Shape, Slot

Build = Callable[[Sequence[Any]], tuple[list[dict[str, Any]], int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Builder:
    """`build(rows)` gives a dict per row, and how many objects they hold. `shape` keeps the key of the cache alive."""

    shape: Shape
    build: Build


class ShapeError(TypeError):
    """A shape does not keep what the schema promises; an error of ours, found when the builder is compiled."""


def compile_builder(selection: SelectionPlan, shape: Shape) -> Builder:
    """Compile the builder of `selection` over rows of `shape`. Cost: about 10 µs a field, once."""
    writer = _Writer()
    expression = writer.record(selection, shape, "v", "v", 2)
    source = "\n".join(
        [
            "def build(rows):",
            " out = []; n = len(rows)",
            " for v in rows:",
            *writer.lines,
            f"  out.append({expression})",
            " return out, n",
        ]
    )
    exec(compile(source, f"<builder of {selection.type.name}>", "exec"), writer.names)  # noqa: S102  # see module text
    return Builder(shape=shape, build=writer.names["build"])


class _Writer:
    def __init__(self) -> None:
        self.lines: list[str] = []
        self.names: dict[str, Any] = {}
        self._count = 0

    def record(self, selection: SelectionPlan, shape: Shape, row: str, top: str, indent: int) -> str:
        """Write what must run first; return the expression of the record's dict."""
        if selection.type.name != shape.type_name:
            raise ShapeError(f"rows of {shape.type_name} for {selection.type.name}")
        parts = [f"{item.key!r}: {self._value(item, shape, row, top, indent)}" for item in selection.fields]
        return "{" + ", ".join(parts) + "}"

    def _value(self, item: FieldPlan, shape: Shape, row: str, top: str, indent: int) -> str:
        if item.name == TYPENAME:
            return repr(shape.type_name)
        slot = shape.slots.get(item.name)
        if is_non_null_type(item.type) and (slot is None or not slot.never_null):
            raise ShapeError(f"{shape.type_name}.{item.name} may be null in this shape")
        if slot is None:
            return "None"
        path = slot.path.format(row=row, top=top)
        if slot.shape is not None:
            return self._nested(item, slot, path, top, indent)
        return path if slot.convert is None else self._converted(item, slot, path, row, indent)

    def _converted(self, item: FieldPlan, slot: Slot, path: str, row: str, indent: int) -> str:
        value, convert = self._name(), self._name()
        self.names[convert] = slot.convert
        given = f"{row}, " if slot.whole_row else ""
        self._line(indent, f"{value} = {path}")
        self._line(indent, f"if {value} is not None:")
        if slot.many:
            one = f"{convert}({given}item)"
            if not _items_are_non_null(item.type):
                one = f"None if item is None else {one}"
            self._line(indent + 1, f"{value} = [{one} for item in {value}]")
        else:
            self._line(indent + 1, f"{value} = {convert}({given}{value})")
        return value

    def _nested(self, item: FieldPlan, slot: Slot, path: str, top: str, indent: int) -> str:
        assert slot.shape is not None
        below = item.children[slot.shape.type_name]
        held, out = self._name(), self._name()
        self._line(indent, f"{held} = {path}")
        self._line(indent, f"if {held} is None: {out} = None")
        self._line(indent, "else:")
        if slot.many:
            row = self._name()
            self._line(indent + 1, f"{out} = []; n += len({held})")
            self._line(indent + 1, f"for {row} in {held}:")
            expression = self.record(below, slot.shape, row, top, indent + 2)
            self._line(indent + 2, f"{out}.append({expression})")
        else:
            self._line(indent + 1, "n += 1")
            expression = self.record(below, slot.shape, held, top, indent + 1)
            self._line(indent + 1, f"{out} = {expression}")
        return out

    def _line(self, indent: int, text: str) -> None:
        self.lines.append(" " * indent + text)

    def _name(self) -> str:
        self._count += 1
        return f"x{self._count}"


def _items_are_non_null(type_: Any) -> bool:
    listed: Any = get_nullable_type(type_)
    return is_non_null_type(listed.of_type)
