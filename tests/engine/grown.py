"""Data at random for a schema: it grows where a query looks, the same for whoever looks again.

`Tree` and `Thing` hold what they have shown; `Row` is a tuple of wire-ready values with a shape, which says the same to
whoever asks it for attributes. One root therefore serves both executors.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from graphql import (
    GraphQLError,
    GraphQLSchema,
    get_named_type,
    is_abstract_type,
    is_enum_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
)

from hub.engine.plan import TYPENAME, FieldPlan, OperationPlan, SelectionPlan
from hub.engine.shape import Shape, Slot

_RIGHT: dict[str, tuple[Any, ...]] = {
    "Int": (0, 7, -3, True, 2.0),
    "Float": (1.5, 0.0, 3),
    "String": ("s", "", "长", 5, 1.5, False),
    "Boolean": (True, False),
    "ID": ("i", 7, ""),
    "Fragile": ("f", "g"),
}
_WRONG: dict[str, tuple[Any, ...]] = {
    "Int": ("x", 1.5, 2**40, [], float("nan"), object()),
    "Float": ("x", float("inf"), {}, []),
    "String": ({}, [], object()),
    "Boolean": ("yes", 3, [], {}),
    "ID": (1.5, {}, [], True),
    "Fragile": ("raise", "nothing", "undefined", 5),
    "Colour": ("NOPE", 3, {}, []),
}


class Again:
    """A list that is no list, to be read as often as one likes; raises at the end if `broken`."""

    def __init__(self, items: Sequence[Any], *, broken: bool = False) -> None:
        self._items = items
        self._broken = broken

    def __iter__(self) -> Iterator[Any]:
        yield from self._items
        if self._broken:
            raise OSError("broken")


class Tree(dict[str, Any]):
    """An object as a dict."""

    def __init__(self, grow: Callable[[str], Any], typename: Any) -> None:
        super().__init__()
        self._grow = grow
        if typename is not None:
            self["__typename"] = typename

    def get(self, name: str, default: Any = None) -> Any:
        if name not in self and name != "__typename":
            self[name] = self._grow(name)
        return super().get(name, default)


class Thing:
    """An object with attributes."""

    def __init__(self, grow: Callable[[str], Any], typename: Any) -> None:
        self._grow = grow
        self.__typename = typename  # the name that graphql-core looks for
        self.known_as = typename

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        value = self._grow(name)
        setattr(self, name, value)
        return value


class Row(tuple[Any, ...]):
    """A shaped row; `plain` is the dict it stands for."""

    shape: Shape
    plain: dict[str, Any]

    @classmethod
    def of(cls, values: Sequence[Any], shape: Shape, plain: dict[str, Any]) -> "Row":
        row = cls(values)
        row.shape = shape
        row.plain = plain
        row.__typename = row.known_as = shape.type_name
        return row

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return self.plain.get(name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Weather:
    """How often something is amiss at a position: null where allowed, null where not, an error, a wrong value."""

    null: float
    fault: float
    callables: bool = False

    @classmethod
    def draw(cls, rng: Random, *, callables: bool) -> "Weather":
        return cls(null=rng.choice((0.0, 0.03, 0.15)), fault=rng.choice((0.0, 0.01, 0.03, 0.1)), callables=callables)


class Grower:
    """`rows` make the objects of the types they are for; `sizes` draws the length of a list at a depth."""

    def __init__(
        self,
        rng: Random,
        schema: GraphQLSchema,
        weather: Weather,
        rows: dict[str, list[Callable[[], Row]]] | None = None,
        sizes: Callable[[int], int] | None = None,
    ) -> None:
        self._rng = rng
        self._schema = schema
        self._weather = weather
        self._rows = rows or {}
        self._fixed = sizes is not None
        self._sizes = sizes or (lambda _depth: rng.choice((0, 1, 2, 2, 3)))

    def root(self) -> Any:
        root: Any = self._schema.query_type
        return self._object(root, root.name, 0)

    def _grown(self, type_: Any, depth: int) -> Callable[[str], Any]:
        def grow(name: str) -> Any:
            definition = type_.fields.get(name)
            if definition is None:
                return None
            value = self._value(definition.type, depth)
            return _called(definition, value) if definition.args and self._weather.callables else value

        return grow

    def _value(self, type_: Any, depth: int, *, required: bool = False) -> Any:
        rng = self._rng
        if is_non_null_type(type_):
            return self._value(type_.of_type, depth, required=True)
        if rng.random() < self._weather.fault:
            return self._amiss(type_)
        if not required and rng.random() < self._weather.null:
            return None
        if is_list_type(type_):
            items = [self._value(type_.of_type, depth + 1) for _ in range(self._sizes(depth))]
            return items if rng.random() < 0.85 else rng.choice((tuple, Again))(items)
        if is_leaf_type(type_):
            return rng.choice(_choices(type_))
        concrete = type_
        if is_abstract_type(type_):
            possible = self._schema.get_possible_types(type_)
            if not possible:
                return Tree(self._grown(self._schema.query_type, depth + 1), rng.choice((None, type_.name)))
            concrete = possible[0] if self._fixed else rng.choice(possible)
        return self._object(concrete, concrete.name, depth)

    def _object(self, concrete: Any, typename: Any, depth: int) -> Any:
        rows = self._rows.get(concrete.name)
        if rows:
            return self._rng.choice(rows)()
        kind = Thing if self._rng.random() < 0.15 else Tree
        return kind(self._grown(concrete, depth + 1), typename)

    def _amiss(self, type_: Any) -> Any:
        rng = self._rng
        roll = rng.random()
        if roll < 0.4:
            return rng.choice((ValueError("amiss"), GraphQLError("amiss"), KeyError("amiss")))
        if roll < 0.6:
            return None
        if is_list_type(type_):
            good = [rng.choice(_choices(type_.of_type))] if is_leaf_type(type_.of_type) else []
            return rng.choice((7, "text", {"a": 1}, Again(good, broken=True), ValueError("amiss")))
        if is_leaf_type(type_):
            return rng.choice(_WRONG["Colour" if is_enum_type(type_) else type_.name])
        if is_abstract_type(type_):
            wrong = rng.choice((None, "Query", "Nowhere", "Int", type_.name, 7))
            return Tree(self._grown(self._schema.query_type, 1), wrong)
        return None if type_.name in self._rows else rng.choice((7, "text", 1.5))


def _choices(type_: Any) -> tuple[Any, ...]:
    return tuple(type_.values) if is_enum_type(type_) else _RIGHT[type_.name]


def _called(definition: Any, value: Any) -> Callable[..., Any]:
    """What the default resolver calls: the arguments where they can be shown, else the value."""
    shows = is_leaf_type(definition.type) and definition.type.name == "String"

    def call(_info: Any, **arguments: Any) -> Any:
        return repr(sorted(arguments.items())) if shows and not isinstance(value, Exception) else value

    return call


def rows_of(rng: Random, plan: OperationPlan) -> dict[str, list[Callable[[], Row]]]:
    """Makers of rows for some of the object types that `plan` selects on: one or two shapes each."""
    selections: dict[str, list[SelectionPlan]] = {}
    for selection in _below(plan.root):
        selections.setdefault(selection.type.name, []).append(selection)
    makers: dict[str, list[Callable[[], Row]]] = {}
    for name, group in selections.items():
        if name != plan.root.type.name and rng.random() < 0.8:
            shapes = [_Shaping(rng).maker(group) for _ in range(rng.choice((1, 2)))]
            if all(shape is not None for shape in shapes):
                makers[name] = [shape for shape in shapes if shape is not None]
    return makers


def _below(selection: SelectionPlan) -> Iterator[SelectionPlan]:
    for item in selection.fields:
        for child in item.children.values():
            yield child
            yield from _below(child)


Make = Callable[[Sequence[Any]], tuple[Any, Any]]
"""From the values that the outermost row keeps for those below it to a cell: what stands in the row, what it means."""


class _Shaping:
    """Makes one shape at random for what several selections on a type ask, and the rows of it."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._shared: list[Make] = []

    def maker(self, group: list[SelectionPlan]) -> Callable[[], Row] | None:
        made = self._shape(group, top=True)
        if made is None:
            return None
        shape, cells = made

        def row() -> Row:
            shared = [cell(()) for cell in self._shared]
            values, plain = _filled(shape, cells, shared)
            return Row.of([*values, *(raw for raw, _ in reversed(shared))], shape, plain)

        return row

    def _shape(self, group: list[SelectionPlan], *, top: bool) -> tuple[Shape, list[tuple[str, Make]]] | None:
        asked: dict[str, list[FieldPlan]] = {}
        for selection in group:
            for item in selection.fields:
                if item.name != TYPENAME:
                    asked.setdefault(item.name, []).append(item)
        slots: dict[str, Slot] = {}
        cells: list[tuple[str, Make]] = []
        for name, items in asked.items():
            slot_and_cell = self._slot(items, f"{{row}}[{len(cells)}]", top=top)
            if slot_and_cell is not None:
                slots[name], cell = slot_and_cell
                cells.append((name, cell))
            elif is_non_null_type(items[0].type):
                return None
        return Shape(type_name=group[0].type.name, slots=slots), cells

    def _slot(self, items: list[FieldPlan], path: str, *, top: bool) -> tuple[Slot, Make] | None:
        type_: Any = items[0].type
        required = is_non_null_type(type_)
        if not required and self._rng.random() < 0.1:
            return None  # a field that the shape does not name
        if is_leaf_type(get_named_type(type_)):
            return self._leaf(type_, path, top=top)
        inner: Any = type_.of_type if required else type_
        many = is_list_type(inner)
        if many and is_list_type(inner.of_type.of_type if is_non_null_type(inner.of_type) else inner.of_type):
            return None
        concrete = self._rng.choice(list(items[0].children)) if items[0].children else None
        below = None if concrete is None else self._shape([item.children[concrete] for item in items], top=False)
        if below is None:
            return None
        return Slot(path=path, shape=below[0], many=many, never_null=required), self._records(below, many, required)

    def _records(self, below: tuple[Shape, list[tuple[str, Make]]], many: bool, required: bool) -> Make:
        shape, cells = below

        def make(shared: Sequence[Any]) -> tuple[Any, Any]:
            if not required and self._rng.random() < 0.2:
                return None, None
            if not many:
                return _filled(shape, cells, shared)
            rows = [_filled(shape, cells, shared) for _ in range(self._rng.choice((0, 1, 2)))]
            return [values for values, _ in rows], [plain for _, plain in rows]

        return make

    def _leaf(self, type_: Any, path: str, *, top: bool) -> tuple[Slot, Make]:
        required = is_non_null_type(type_)
        inner: Any = type_.of_type if required else type_
        named = get_named_type(type_)
        many = is_list_type(inner)
        nested = many and is_list_type(inner.of_type.of_type if is_non_null_type(inner.of_type) else inner.of_type)
        convert: Callable[..., Any] | None = None if nested or self._rng.random() < 0.5 else named.coerce_output_value
        whole_row = convert is not None and self._rng.random() < 0.3

        def make(shared: Sequence[Any]) -> tuple[Any, Any]:
            raw = self._plain(type_)
            return (raw if convert is not None else _wired(named, raw)), raw

        if not top and self._rng.random() < 0.2:
            self._shared.append(make)
            place = len(self._shared)
            path, make = f"{{top}}[-{place}]", lambda shared: shared[place - 1]
        used = _with_row(convert) if whole_row and convert is not None else convert
        slot = Slot(path=path, convert=used, whole_row=whole_row, many=many, never_null=required)
        return slot, make

    def _plain(self, type_: Any) -> Any:
        if is_non_null_type(type_):
            value = self._plain(type_.of_type)
            while value is None:
                value = self._plain(type_.of_type)
            return value
        if self._rng.random() < 0.2:
            return None
        if is_list_type(type_):
            return [self._plain(type_.of_type) for _ in range(self._rng.choice((0, 1, 2)))]
        return self._rng.choice(_choices(type_))


def _with_row(convert: Callable[[Any], Any]) -> Callable[[Any, Any], Any]:
    return lambda _row, value: convert(value)


def _wired(named: Any, raw: Any) -> Any:
    if raw is None:
        return None
    return [_wired(named, item) for item in raw] if isinstance(raw, list) else named.coerce_output_value(raw)


def _filled(
    shape: Shape, cells: list[tuple[str, Make]], shared: Sequence[Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """A row, and the dict that says the same."""
    made = [(name, *cell(shared)) for name, cell in cells]
    plain = {name: meaning for name, _, meaning in made}
    plain["__typename"] = shape.type_name
    return tuple(raw for _, raw, _ in made), plain
