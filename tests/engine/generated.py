"""Schemas and documents at random: everything the language allows in a query, valid by the way it is put together.

Two rules keep documents valid. A response key stands for one field with one argument list in the whole document, so
whatever meets under it can be merged. A fragment is spread where it is written and later only once it is complete, so
none is unused and none is circular.
"""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from graphql import (
    GraphQLInputObjectType,
    GraphQLNonNull,
    GraphQLSchema,
    Undefined,
    build_schema,
    get_named_type,
    is_composite_type,
    is_input_object_type,
    is_introspection_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
    is_object_type,
    is_required_argument,
    is_union_type,
)
from graphql.utilities import do_types_overlap

COMMON = """
enum Colour { RED GREEN BLUE }
scalar Fragile
input Filter { least: Int = 1 words: [String!] not: Filter colour: Colour! = RED depth: [[Int]!] }
"""
FIXED = (
    """
    interface Node { id: ID! }
    interface Named implements Node { id: ID! name: String next: Named }
    interface Lonely { id: ID! }
    type Person implements Node & Named {
      id: ID! name: String! next: Named spouse: Person friends(first: Int! = 2, filter: Filter): [Person!] grid: [[Colour!]]
      pets: [Pet!]! home: Place! tag(of: String = "x"): String score: Float
    }
    type Place implements Node { id: ID! street: String! people: [[Person!]!]! tag(of: String = "x"): String lonely: Lonely }
    type Dog implements Node & Named { id: ID! name: String next: Named barks: Boolean! owner: Person! score: Float }
    type Cat { id: ID! lives: Int owner: Person code: Fragile! score: Float }
    union Pet = Dog | Cat
    type Query { node(id: ID): Node nodes: [Node]! named: [Named!] pet: Pet! pets: [Pet] people: [Person!]! self: Query me: Person
      lonely: Lonely tag(of: String = "x"): String }
    """,
    """
    type A { a: A b: B! c: [A!]! d: [[B]!] e: [[[A!]]!]! s: String! i: Int f: Fragile x: [Fragile!] n: [[Int!]!]! k: [B!]! }
    type B { a: A! b: B s: String i: Int! f: Fragile! l: [String!]! m: [[String]!]! k: [B!] }
    type Query { a: A b: B! c: [A!] d: [[B]!]! e: [[[A!]]!]! s: String! i(v: Int!, w: [Int!] = [1, 2]): Int n: [[Int!]!] k: [B!]! }
    """,
    """
    interface Shape { area: Float! parts: [Shape!] inside: Shape kind: Colour }
    interface Round implements Shape { area: Float! parts: [Shape!] inside: Shape kind: Colour radius: Float }
    type Circle implements Round & Shape { area: Float! parts: [Shape!] inside: Circle kind: Colour radius: Float text(filter: Filter!): String }
    type Ring implements Round & Shape { area: Float! parts: [Shape!] inside: Shape kind: Colour! radius: Float! hole: Circle! }
    type Square implements Shape { area: Float! parts: [Shape!] inside: Shape kind: Colour side: Int! text(filter: Filter!): String }
    union Flat = Circle | Square
    union Only = Ring
    type Query { shape: Shape shapes: [[Shape]!]! round: Round! flat: [Flat!] only: Only! onlys: [[Only!]] parts: [Shape!] kind: Colour! }
    """,
)
ARGUMENTS = (
    "(n: Int = 3)",
    "(n: Int! = 4, flag: Boolean)",
    "(text: String!)",
    "(filter: Filter)",
    "(many: [Int!], colour: Colour! = GREEN)",
    "(id: ID!, filter: Filter! = {words: []})",
)
LEAVES = ("Int", "Float", "String", "Boolean", "ID", "Colour", "Fragile")


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """A schema with the text it was built from."""

    sdl: str
    schema: GraphQLSchema


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A query; `variables` draws values for it, all of them usable if `safe`, else also null where an argument is not."""

    text: str
    variables: Callable[[Random, bool], dict[str, Any]]


def materials(rng: Random, size: int) -> list[Material]:
    """The fixed schemas and `size` more."""
    fixed = [_material(rng, COMMON + sdl) for sdl in FIXED]
    return fixed + [_material(rng, COMMON + _sdl(rng)) for _ in range(size)]


def typename_of(value: Any) -> Any:
    return value.get("__typename") if isinstance(value, dict) else getattr(value, "known_as", None)


def fragile(value: Any) -> Any:
    """The custom scalar's way out: raises, or gives nothing, for some of the values."""
    if value == "undefined":
        return Undefined
    if value == "nothing":
        return None
    if not isinstance(value, str) or value == "raise":
        raise ValueError("fragile")
    return value.upper()


def _material(rng: Random, sdl: str) -> Material:
    schema = build_schema(sdl)
    scalar: Any = schema.type_map["Fragile"]
    scalar.coerce_output_value = fragile
    for type_ in schema.type_map.values():
        named: Any = type_
        if is_introspection_type(named):
            continue  # these are of all schemas of the process
        if is_object_type(named) and named is not schema.query_type and rng.random() < 0.15:
            named.is_type_of = _is_type_of(named.name)
        elif is_union_type(named) and rng.random() < 0.5:
            named.resolve_type = lambda value, _info, _type: typename_of(value)
    return Material(sdl=sdl, schema=schema)


def _is_type_of(name: str) -> Callable[[Any, Any], bool]:
    def is_type_of(value: Any, _info: Any) -> bool:
        known: bool = typename_of(value) == name
        return known

    return is_type_of


def _sdl(rng: Random) -> str:
    objects = [f"O{number}" for number in range(rng.randint(2, 5))]
    interfaces = [f"I{number}" for number in range(rng.randint(0, 3))]
    unions = [f"U{number}" for number in range(rng.randint(0, 2))]
    pool = {f"f{number}": _field(rng, objects + interfaces + unions) for number in range(rng.randint(8, 14))}
    above: dict[str, set[str]] = {}
    owned: dict[str, set[str]] = {}
    for number, name in enumerate(interfaces):
        chosen = set(rng.sample(interfaces[:number], rng.randint(0, min(1, number))))
        above[name] = chosen.union(*(above[parent] for parent in chosen))
        owned[name] = set(rng.sample(list(pool), rng.randint(1, 4))).union(*(owned[parent] for parent in above[name]))
    lines = [_type("interface", name, above[name], owned[name], pool, rng, 0.0) for name in interfaces]
    for name in objects:
        chosen = set(rng.sample(interfaces, rng.randint(0, len(interfaces))))
        parents = chosen.union(*(above[parent] for parent in chosen))
        fields = set(rng.sample(list(pool), rng.randint(3, 7))).union(*(owned[parent] for parent in parents))
        lines.append(_type("type", name, parents, fields, pool, rng, 0.06))
    lines += [f"union {name} = {' | '.join(rng.sample(objects, rng.randint(1, len(objects))))}" for name in unions]
    lines.append(_type("type", "Query", set(), set(rng.sample(list(pool), 7)), pool, rng, 0.0))
    return "\n".join(lines)


def _field(rng: Random, composites: list[str]) -> tuple[str, str]:
    """Arguments and type."""
    text = rng.choice(composites) if rng.random() < 0.55 else rng.choice(LEAVES)
    for _ in range(rng.choice((0, 0, 0, 1, 1, 1, 2, 2, 3))):
        text = f"[{text}{rng.choice(('', '!'))}]"
    return (rng.choice(ARGUMENTS) if rng.random() < 0.3 else ""), text + rng.choice(("", "", "!"))


def _type(
    kind: str,
    name: str,
    parents: set[str],
    fields: set[str],
    pool: dict[str, tuple[str, str]],
    rng: Random,
    narrowed: float,
) -> str:
    """`narrowed`: the share of nullable fields that this type declares Non-Null."""
    body = []
    for field in sorted(fields):
        arguments, type_ = pool[field]
        narrow = not type_.endswith("!") and rng.random() < narrowed
        body.append(f"{field}{arguments}: {type_}{'!' if narrow else ''}")
    implements = f" implements {' & '.join(sorted(parents))}" if parents else ""
    return f"{kind} {name}{implements} {{ {' '.join(body)} }}"


def document(rng: Random, schema: GraphQLSchema, *, depth: int = 3) -> Document:
    """A query over `schema`, valid but for response shapes that differ by Non-Null alone."""
    return _Writer(rng, schema).document(depth)


class _Writer:
    def __init__(self, rng: Random, schema: GraphQLSchema) -> None:
        self._rng = rng
        self._schema = schema
        self._keys: dict[str, tuple[str, str]] = {}
        self._fragments: dict[str, tuple[Any, str]] = {}
        self._started = 0
        self._variables: dict[str, tuple[Any, str | None, bool]] = {}  # type, default, whether null must not come
        self._composites = [
            type_
            for name, type_ in sorted(schema.type_map.items())
            if is_composite_type(type_) and not name.startswith("__")
        ]
        self._names = sorted({name for type_ in self._composites for name in getattr(type_, "fields", {})})

    def document(self, depth: int) -> Document:
        body = self._selection(self._schema.query_type, depth, wide=True)
        declared = " ".join(
            f"${name}: {type_}{'' if default is None else ' = ' + default}"
            for name, (type_, default, _) in self._variables.items()
        )
        parts = [f"query Q{'(' + declared + ')' if declared else ''} {body}"]
        parts += [f"fragment {name} on {type_} {text}" for name, (type_, text) in self._fragments.items()]
        self._rng.shuffle(parts)
        return Document(text="\n".join(parts), variables=self._values)

    def _values(self, rng: Random, safe: bool) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for name, (type_, default, guarded) in self._variables.items():
            required = is_non_null_type(type_) and default is None
            if not required and rng.random() < 0.35:
                continue
            values[name] = _raw(rng, type_, nulls=not (safe or guarded))
        return values

    def _selection(self, parent: Any, depth: int, *, wide: bool = False) -> str:
        count = self._rng.randint(1, 5) if wide else self._rng.choice((1, 1, 2, 2, 3))
        return "{ " + " ".join(self._one(parent, depth) for _ in range(count)) + " }"

    def _one(self, parent: Any, depth: int) -> str:
        roll = self._rng.random()
        if roll < 0.76:
            return self._field(parent, depth)
        return self._spread(parent, depth) if roll < 0.9 else self._inline(parent, depth)

    def _inline(self, parent: Any, depth: int) -> str:
        if self._rng.random() > 0.75:
            return f"...{self._directives()} {self._selection(parent, depth)}"
        type_ = self._rng.choice(self._overlapping(parent))
        return f"... on {type_}{self._directives()} {self._selection(type_, depth)}"

    def _spread(self, parent: Any, depth: int) -> str:
        known = [name for name, (type_, _) in self._fragments.items() if self._overlap(type_, parent)]
        if known and self._rng.random() < 0.5:
            return f"...{self._rng.choice(known)}{self._directives()}"
        if self._started >= 4:
            return self._field(parent, depth)
        name = f"F{self._started}"
        self._started += 1
        type_ = self._rng.choice(self._overlapping(parent))
        body = self._selection(type_, depth)
        self._fragments[name] = (type_, body)
        return f"...{name}{self._directives()}"

    def _overlapping(self, parent: Any) -> list[Any]:
        return [type_ for type_ in self._composites if self._overlap(type_, parent)]

    def _overlap(self, one: Any, other: Any) -> bool:
        return one is other or do_types_overlap(self._schema, one, other)

    def _field(self, parent: Any, depth: int) -> str:
        fields = {} if is_union_type(parent) else parent.fields
        names = [name for name, item in fields.items() if depth > 0 or is_leaf_type(get_named_type(item.type))]
        if depth > 1 and self._rng.random() > 0.6:  # deeper rather than wider
            names = [name for name in names if is_composite_type(get_named_type(fields[name].type))] or names
        if not names or self._rng.random() < 0.12:
            key = self._key("__typename", None)
            return ("__typename" if key == "__typename" else f"{key}: __typename") + self._directives()
        name = self._rng.choice(names)
        key = self._key(name, fields[name])
        alias = "" if key == name else f"{key}: "
        type_ = get_named_type(fields[name].type)
        below = f" {self._selection(type_, depth - 1)}" if is_composite_type(type_) else ""
        return f"{alias}{name}{self._keys[key][1]}{self._directives()}{below}"

    def _key(self, name: str, definition: Any) -> str:
        """A response key of `name`: its own, a made-up one, or another field's name."""
        wanted = [name] if self._rng.random() < 0.65 else []
        wanted += [self._rng.choice("abc"), self._rng.choice([*self._names, "__typename"]), name]
        for key in wanted:
            if key not in self._keys:
                self._keys[key] = (name, "" if definition is None else self._arguments(definition))
            if self._keys[key][0] == name:
                return key
        key = f"k{len(self._keys)}"
        self._keys[key] = (name, "" if definition is None else self._arguments(definition))
        return key

    def _arguments(self, definition: Any) -> str:
        given = []
        for name, argument in definition.args.items():
            if is_required_argument(argument) or self._rng.random() < 0.6:
                given.append(f"{name}: {self._literal(argument.type)}")
        return f"({', '.join(given)})" if given else ""

    def _directives(self) -> str:
        roll = self._rng.random()
        if roll < 0.8:
            return ""
        if roll > 0.96:
            return f" @skip(if: {self._condition()}) @include(if: {self._condition()})"
        name = self._rng.choice(("skip", "include"))
        return f" @{name}(if: {self._condition()})"

    def _condition(self) -> str:
        if self._rng.random() < 0.5:
            return self._rng.choice(("true", "false"))
        name, required, default = self._rng.choice(
            (("c0", True, None), ("c1", True, "false"), ("c2", False, "true"), ("c3", True, None))
        )
        boolean: Any = self._schema.type_map["Boolean"]
        self._variables[name] = (GraphQLNonNull(boolean) if required else boolean, default, True)
        return f"${name}"

    def _literal(self, type_: Any, depth: int = 2) -> str:
        if self._rng.random() > 0.75:
            return self._variable(type_)
        strict = is_non_null_type(type_)
        inner = type_.of_type if strict else type_
        if is_list_type(inner) and self._rng.random() < 0.7:
            return "[" + ", ".join(self._literal(inner.of_type, depth) for _ in range(2)) + "]"
        if is_input_object_type(inner) and depth > 0:
            return self._object(inner, depth)
        return _text(self._rng, inner, nulls=not strict)

    def _object(self, type_: GraphQLInputObjectType, depth: int) -> str:
        chosen = [item for item in type_.fields.items() if self._rng.random() < 0.5]
        return "{" + ", ".join(f"{name}: {self._literal(field.type, depth - 1)}" for name, field in chosen) + "}"

    def _variable(self, type_: Any) -> str:
        inner = type_.of_type if is_non_null_type(type_) else type_
        name = f"v{len(self._variables)}"
        strict = is_non_null_type(type_)
        form = self._rng.randint(0, 2)
        if form == 0:  # as strict as the place, with or without a default
            declared, default = type_, self._rng.choice((None, _text(self._rng, type_, nulls=False)))
        elif form == 1:  # stricter
            declared, default = (type_ if strict else GraphQLNonNull(inner)), None
        else:  # looser, where a default makes up for it
            declared, default = inner, _text(self._rng, inner, nulls=False)
        self._variables[name] = (declared, default, False)
        return f"${name}"


def _text(rng: Random, type_: Any, *, nulls: bool = True) -> str:
    """A literal without variables."""
    if is_non_null_type(type_):
        return _text(rng, type_.of_type, nulls=False)
    if nulls and rng.random() < 0.15:
        return "null"
    if is_list_type(type_):
        if rng.random() < 0.2:  # one value stands for a list of one
            return _text(rng, type_.of_type, nulls=False)
        return "[" + ", ".join(_text(rng, type_.of_type) for _ in range(rng.randint(0, 3))) + "]"
    if is_input_object_type(type_):
        chosen = [item for item in type_.fields.items() if is_leaf_type(get_named_type(item[1].type))]
        return (
            "{" + ", ".join(f"{name}: {_text(rng, field.type)}" for name, field in chosen if rng.random() < 0.5) + "}"
        )
    return rng.choice(_LITERALS[type_.name])


def _raw(rng: Random, type_: Any, *, nulls: bool) -> Any:
    """A variable's value; `nulls` says nothing of what lies inside it."""
    if is_non_null_type(type_):
        return _raw(rng, type_.of_type, nulls=False)
    if nulls and rng.random() < 0.25:
        return None
    if is_list_type(type_):
        return [_raw(rng, type_.of_type, nulls=True) for _ in range(rng.randint(0, 3))]
    if is_input_object_type(type_):
        return {name: _raw(rng, field.type, nulls=True) for name, field in type_.fields.items() if rng.random() < 0.3}
    return rng.choice(_RAW[type_.name])


_LITERALS = {
    "Int": ("1", "-7"),
    "Float": ("1.5", "2"),
    "String": ('"s"', '"\\u00e9"', '"""b"""'),
    "Boolean": ("true", "false"),
    "ID": ("1", '"i"'),
    "Colour": ("RED", "BLUE"),
    "Fragile": ('"f"', "3"),
}
_RAW: dict[str, tuple[Any, ...]] = {
    "Int": (1, -7),
    "Float": (1.5, 2),
    "String": ("s", ""),
    "Boolean": (True, False),
    "ID": ("i", 7),
    "Colour": ("RED", "BLUE"),
    "Fragile": ("f", 3),
}
