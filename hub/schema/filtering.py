"""A schema with less in it: pure, over graphql-core schemas.

What is hidden goes, and with it what would stand for it: types that become empty, fields and arguments of such types,
interfaces that nobody implements, input types and enums that nobody reaches. Types from which nothing went are the very
objects of the whole schema, so that a filtered schema costs little memory. Everything a type carries beside its fields
(how it is executed, descriptions, extensions) stays as it is.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLSchema,
    GraphQLUnionType,
    get_named_type,
    is_required_argument,
    is_required_input_field,
)
from graphql.type import GraphQLNamedType

Hidden = Callable[[str], bool]
"""Whether a coordinate is hidden: `Type.field`, `InputType.field` or `Type.field(argument:)`."""
Filler = Callable[[str, str], bool]
"""Whether (type, field) says nothing by itself: a type with nothing else in it is empty."""
_Output = GraphQLObjectType | GraphQLInterfaceType


class NothingLeftError(ValueError):
    """Every root field would go."""


def filter_schema(
    schema: GraphQLSchema, hidden: Hidden, *, filler: Filler = lambda _type, _field: False
) -> GraphQLSchema:
    """`schema` without what is hidden. It is not validated again: from a valid schema comes a valid one.

    Raises:
        NothingLeftError: no field of Query is left.

    Cost: some visits of every field of the schema.
    """
    return _Rebuild(schema, _Kept(schema, hidden, filler)).schema()


class _Kept:
    """What is kept of each type: members by name. A type with no members is not kept.

    Grown from the leaves: a type is kept for a field that is a leaf or of a kept type, so types that only lead to one
    another are not.
    """

    def __init__(self, schema: GraphQLSchema, hidden: Hidden, filler: Filler) -> None:
        self._schema = schema
        self._hidden = hidden
        self._filler = filler
        self._dead: set[str] = set()
        self.alive: set[str] = {
            name for name, named in schema.type_map.items() if isinstance(named, GraphQLScalarType | GraphQLEnumType)
        }
        self._grow(GraphQLInputObjectType)
        self._grow(GraphQLObjectType, GraphQLInterfaceType, GraphQLUnionType)
        while emptied := self._emptied():
            self._dead.update(emptied)
            self.alive = {name for name in self.alive if not self._is_output(name)}
            self._grow(GraphQLObjectType, GraphQLInterfaceType, GraphQLUnionType)

    def fields(self, named: GraphQLNamedType) -> dict[str, Any]:
        """The members of a type that stay."""
        if isinstance(named, GraphQLInputObjectType):
            return {name: field for name, field in named.fields.items() if self._input(f"{named.name}.{name}", field)}
        if isinstance(named, GraphQLInterfaceType):
            held = [self._own(one) for one in self.implementors(named)]
            own = self._own(named)
            return {name: field for name, field in own.items() if all(name in fields for fields in held)}
        return self._own(named) if isinstance(named, GraphQLObjectType) else {}

    def arguments(self, coordinate: str, field: GraphQLField) -> dict[str, GraphQLArgument]:
        """The arguments of a field that stay; those of an interface's field are common to all that implement it."""
        owner, _, field_name = coordinate.partition(".")
        named = self._schema.type_map[owner]
        others = self.implementors(named) if isinstance(named, GraphQLInterfaceType) else []
        held = [
            self.arguments(f"{other.name}.{field_name}", other.fields[field_name])
            for other in others
            if field_name in other.fields
        ]
        return {
            name: argument
            for name, argument in field.args.items()
            if self._input(f"{coordinate}({name}:)", argument) and all(name in arguments for arguments in held)
        }

    def implementors(self, named: GraphQLInterfaceType) -> list[_Output]:
        """Kept types that implement an interface."""
        found = self._schema.get_implementations(named)
        kept: list[Any] = [one for one in (*found.objects, *found.interfaces) if one.name in self.alive]
        return kept

    def members(self, named: GraphQLUnionType) -> list[GraphQLObjectType]:
        return [member for member in named.types if member.name in self.alive]

    def _own(self, named: _Output) -> dict[str, GraphQLField]:
        return {name: field for name, field in named.fields.items() if self._field(f"{named.name}.{name}", field)}

    def _field(self, coordinate: str, field: GraphQLField) -> bool:
        if self._hidden(coordinate) or get_named_type(field.type).name not in self.alive:
            return False
        left = self.arguments(coordinate, field)
        return not any(is_required_argument(field.args[name]) for name in field.args.keys() - left.keys())

    def _input(self, coordinate: str, member: Any) -> bool:
        return not self._hidden(coordinate) and get_named_type(member.type).name in self.alive

    def _is_output(self, name: str) -> bool:
        return isinstance(self._schema.type_map[name], GraphQLObjectType | GraphQLInterfaceType | GraphQLUnionType)

    def _grow(self, *kinds: type) -> None:
        waiting = [
            named
            for name, named in self._schema.type_map.items()
            if isinstance(named, kinds) and name not in self._dead
        ]
        grown = True
        while grown:
            found = [named for named in waiting if self._lives(named)]
            self.alive.update(named.name for named in found)
            waiting = [named for named in waiting if named.name not in self.alive]
            grown = bool(found)

    def _lives(self, named: Any) -> bool:
        if isinstance(named, GraphQLUnionType):
            return bool(self.members(named))
        if isinstance(named, GraphQLInterfaceType):
            return bool(self.implementors(named))
        if isinstance(named, GraphQLInputObjectType):
            left = self.fields(named)
            lost = named.fields.keys() - left.keys()
            return bool(left) and not any(self._needs(named.fields[name]) for name in lost)
        return any(not self._filler(named.name, name) for name in self._own(named))

    def _needs(self, field: Any) -> bool:
        """Whether an input field must be given: without it nobody could send the type.

        A field of a type that is not grown yet counts as lost, so a type that needs itself is never sent.
        """
        return bool(is_required_input_field(field))

    def _emptied(self) -> set[str]:
        """Kept interfaces on which their implementors left no common field."""
        return {
            name
            for name in self.alive
            if isinstance(named := self._schema.type_map[name], GraphQLInterfaceType) and not self.fields(named)
        }


class _Rebuild:
    def __init__(self, schema: GraphQLSchema, kept: _Kept) -> None:
        self._whole = schema
        self._kept = kept
        self._made: dict[str, GraphQLNamedType] = {}
        self._changed = self._differing()

    def schema(self) -> GraphQLSchema:
        query = self._root(self._whole.query_type)
        if query is None:
            raise NothingLeftError("no field of Query is left")
        kwargs: dict[str, Any] = {**self._whole.to_kwargs()}
        kwargs.update(
            query=query,
            mutation=self._root(self._whole.mutation_type),
            subscription=self._root(self._whole.subscription_type),
            types=None,
            assume_valid=True,
        )
        reached = GraphQLSchema(**kwargs)
        kwargs["types"] = self._implementors(reached)
        return GraphQLSchema(**kwargs) if kwargs["types"] else reached

    def _root(self, root: GraphQLObjectType | None) -> Any:
        return self._type(root) if root is not None and root.name in self._kept.alive else None

    def _implementors(self, reached: GraphQLSchema) -> tuple[Any, ...]:
        """Kept types that only an interface leads to; a union leads to its members by itself."""
        found = [
            self._type(one)
            for name, named in self._whole.type_map.items()
            if name in reached.type_map and isinstance(named, GraphQLInterfaceType)
            for one in self._kept.implementors(named)
        ]
        return tuple(found)

    def _differing(self) -> frozenset[str]:
        """Kept types that must be made anew, everything that leads to one of them included."""
        changed = {name for name in self._kept.alive if self._lost(self._whole.type_map[name])}
        leads: dict[str, set[str]] = {}
        for name in self._kept.alive:
            for other in self._references(self._whole.type_map[name]):
                leads.setdefault(other, set()).add(name)
        waiting = list(changed)
        while waiting:
            for name in leads.get(waiting.pop(), ()):
                if name not in changed:
                    changed.add(name)
                    waiting.append(name)
        return frozenset(changed)

    def _lost(self, named: GraphQLNamedType) -> bool:
        kept = self._kept
        if isinstance(named, GraphQLUnionType):
            return len(kept.members(named)) < len(named.types)
        if isinstance(named, GraphQLInputObjectType):
            return len(kept.fields(named)) < len(named.fields)
        if not isinstance(named, _Output):
            return False
        left = kept.fields(named)
        return (
            len(left) < len(named.fields)
            or any(one.name not in kept.alive for one in named.interfaces)
            or any(len(kept.arguments(f"{named.name}.{name}", field)) < len(field.args) for name, field in left.items())
        )

    def _references(self, named: GraphQLNamedType) -> Iterator[str]:
        """Names of the types to which a kept type leads."""
        if isinstance(named, GraphQLUnionType):
            yield from (member.name for member in self._kept.members(named))
        for field in self._kept.fields(named).values():
            yield get_named_type(field.type).name
            yield from (get_named_type(one.type).name for one in getattr(field, "args", {}).values())
        if isinstance(named, _Output):
            yield from (one.name for one in named.interfaces)

    def _type(self, named: Any) -> Any:
        """The type as it stands in the filtered schema."""
        if named.name not in self._changed:
            return named
        made = self._made.get(named.name)
        if made is None:
            made = self._made[named.name] = self._make(named)
        return made

    def _make(self, named: Any) -> Any:
        kwargs: dict[str, Any] = {**named.to_kwargs()}
        kept = self._kept
        if isinstance(named, GraphQLUnionType):
            kwargs["types"] = lambda: tuple(self._type(member) for member in kept.members(named))
            return GraphQLUnionType(**kwargs)
        if isinstance(named, GraphQLInputObjectType):
            kwargs["fields"] = lambda: {name: self._member(field) for name, field in kept.fields(named).items()}
            return GraphQLInputObjectType(**kwargs)
        kwargs["interfaces"] = lambda: tuple(self._type(one) for one in named.interfaces if one.name in kept.alive)
        kwargs["fields"] = lambda: {
            name: self._field(f"{named.name}.{name}", field) for name, field in kept.fields(named).items()
        }
        return type(named)(**kwargs)

    def _field(self, coordinate: str, field: GraphQLField) -> GraphQLField:
        arguments = self._kept.arguments(coordinate, field)
        types: list[Any] = [field.type, *(argument.type for argument in arguments.values())]
        named = {get_named_type(type_).name for type_ in types}
        if len(arguments) == len(field.args) and not named & self._changed:
            return field
        kwargs: dict[str, Any] = {**field.to_kwargs()}
        kwargs["type_"] = self._wrapped(field.type)
        kwargs["args"] = {name: self._member(argument) for name, argument in arguments.items()}
        return type(field)(**kwargs)

    def _member(self, member: Any) -> Any:
        """An argument or an input field."""
        if get_named_type(member.type).name not in self._changed:
            return member
        return type(member)(**{**member.to_kwargs(), "type_": self._wrapped(member.type)})

    def _wrapped(self, type_: Any) -> Any:
        if isinstance(type_, GraphQLList | GraphQLNonNull):
            return type(type_)(self._wrapped(type_.of_type))
        return self._type(type_)


def coordinates(schema: GraphQLSchema) -> Mapping[str, Any]:
    """Every field, argument and input field of a schema by its coordinate, introspection left out."""
    found: dict[str, Any] = {}
    for name, named in schema.type_map.items():
        if name.startswith("__") or not isinstance(named, GraphQLInputObjectType | _Output):
            continue
        for field_name, field in named.fields.items():
            found[f"{name}.{field_name}"] = field
            for argument_name, argument in getattr(field, "args", {}).items():
                found[f"{name}.{field_name}({argument_name}:)"] = argument
    return found
