"""What an operation may cost, known before anything of it is validated, and what it did cost, by the same weights.

Static cost is the sum of type costs (1 for each object, lists at their worst) and field costs (calls and records of
agencies). It is compiled once per document and operation to a sum of products of list sizes; a request only puts its
variables in. Source: IBM, GraphQL Cost Directives Specification: type cost, field cost, list size.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from graphql import (
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLSchema,
    OperationDefinitionNode,
    get_named_type,
    get_nullable_type,
    is_composite_type,
    is_list_type,
)
from graphql.language import DocumentNode

from hub.connectors.mapping import DEFAULT_ASSUMED, Price
from hub.errors import CostLimitError
from hub.schema.limits import MAX_COST, MAX_DEFERS
from hub.schema.list_size import Slicer
from hub.schema.selection import Deferring, Selected, select
from hub.schema.weights import PERSON, Weights

SIZED_FIELDS = frozenset({"edges", "nodes"})
"""Lists of a page that are as long as the page's slicing argument says (`sizedFields` of IBM's `@listSize`)."""

_Slicers = tuple[Slicer, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Static figures of one request. `introspection`: fields of introspection, which `total` leaves out."""

    fields: int
    depth: int
    aliases: int
    introspection: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A cost that still waits for list sizes: `constant` + the sum of coefficient x product of sizes."""

    constant: int
    terms: tuple[tuple[int, _Slicers], ...]

    def at(self, variables: Mapping[str, Any]) -> int:
        total = self.constant
        for coefficient, slicers in self.terms:
            total += coefficient * prod(slicer.size(variables) for slicer in slicers)
        return total


@dataclass(frozen=True, slots=True, kw_only=True)
class CostPlan:
    """The static cost of one operation of one document, up to its variables.

    `registers`: what it costs besides if an agency's register is asked whether each person exists at all.
    """

    fields: int
    depth: int
    aliases: int
    introspection: int
    total: Figure
    registers: Mapping[str, Figure]
    defers: tuple[Deferring, ...] = ()

    def evaluate(self, variables: Mapping[str, Any], *, registers: Collection[str] = ()) -> Cost:
        """The static cost with these variables as they were sent, missing and unfit ones included.

        Args:
            registers: agencies that must confirm every person, for a caller who may not know who is a member.

        Raises:
            CostLimitError: more than one request may cost.

        Cost: a few products; one term for each combination of lists that variables size.
        """
        total = self.total.at(variables) + sum(self.registers[agency].at(variables) for agency in registers)
        if total > MAX_COST:
            raise CostLimitError("too expensive")
        if len(self.defers) > MAX_DEFERS and self._active(variables) > MAX_DEFERS:
            raise CostLimitError("too many deferred fragments")
        return Cost(
            fields=self.fields,
            depth=self.depth,
            aliases=self.aliases,
            introspection=self.introspection,
            total=total,
        )

    def _active(self, variables: Mapping[str, Any]) -> int:
        return sum(item.variable is None or bool(variables.get(item.variable, item.default)) for item in self.defers)


class CostModel:
    """Costs of one schema. A caller's view needs a model of its own, else cost would tell hidden from unknown."""

    def __init__(self, schema: GraphQLSchema, weights: Weights) -> None:
        self._schema = schema
        self._weights = weights
        person = schema.type_map.get(PERSON)
        interfaces = person.interfaces if isinstance(person, GraphQLObjectType) else ()
        self._holders = frozenset({PERSON, *(interface.name for interface in interfaces)})

    def compile(self, document: DocumentNode, operation: OperationDefinitionNode) -> CostPlan:
        """Everything about the cost of `operation` that no variable changes; safe on an unvalidated document.

        Raises:
            CostLimitError: beyond a limit that no variable changes.

        Cost: one visit for each selection, fragments expanded, at most `MAX_SELECTIONS`.
        """
        selection = select(self._schema, document, operation)
        summed = _Adder(self._weights, self._holders)
        for root in selection.roots:
            summed.add(root, 1, (), None)
        return CostPlan(
            fields=selection.fields,
            depth=selection.depth,
            aliases=selection.aliases,
            introspection=selection.introspection,
            total=summed.total(),
            registers={agency: summed.register(agency) for agency in self._weights.prices},
            defers=tuple(selection.defers),
        )

    def measure(self, document: DocumentNode, operation: OperationDefinitionNode, variables: Mapping[str, Any]) -> Cost:
        """`compile` and `evaluate` in one, for a document that is not seen again.

        Raises:
            CostLimitError: beyond a limit.
        """
        return self.compile(document, operation).evaluate(variables)

    def actual(self, calls: Mapping[str, int], records: Mapping[str, int], objects: int) -> int:
        """What an execution did cost.

        Args:
            calls: questions put to each agency, however many round trips its connector took.
            records: persons whom each agency was asked for, however many keys it knows one by.
            objects: objects in the answer, without the root and without introspection.
        """
        prices = self._weights.prices
        return (
            objects
            + sum(number * prices[agency].call for agency, number in calls.items())
            + sum(number * prices[agency].record for agency, number in records.items())
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Persons:
    """Persons that one field yields, `times` x the sizes of `slicers`, and the agencies asked for each of them.

    `apart`: agencies are called for them alone.
    """

    apart: bool
    times: int
    slicers: _Slicers
    asked: frozenset[str]


class _Adder:
    """Adds up a selection: objects while walking it, agencies at the end, because a call is shared by all persons."""

    def __init__(self, weights: Weights, holders: frozenset[str]) -> None:
        self._weights = weights
        self._holders = holders  # types as which a person may stand in the answer
        self._objects: dict[_Slicers, int] = defaultdict(int)
        self._persons: list[_Persons] = []

    def add(self, field: Selected, times: int, slicers: _Slicers, page: int | Slicer | None) -> None:
        """Count `field` of each of `times` x `slicers` parents; `page` is the size that the parent's argument set."""
        output = field.definition.type if field.definition is not None else None
        named = get_named_type(output) if output is not None else None
        levels = _list_levels(output)
        if levels:
            size = field.size if field.size is not None else self._list_size(field, page)
            times, slicers = _multiplied(times * DEFAULT_ASSUMED ** (levels - 1), slicers, size)
        if named is None or is_composite_type(named):
            self._objects[slicers] += times
        if named is not None and named.name in self._holders:
            names = [child.name for child in field.children if _of_person(child)]
            self._persons.append(
                _Persons(apart=field.apart, times=times, slicers=slicers, asked=self._weights.asked(names))
            )
        for child in field.children:
            self.add(child, times, slicers, None if levels else field.size)

    def total(self) -> Figure:
        sums = dict(self._objects)
        for agency in {agency for persons in self._persons for agency in persons.asked}:
            asked = [persons for persons in self._persons if agency in persons.asked]
            _add_agency(sums, self._weights.prices[agency], asked, calls=_calls(asked))
        return _figure(sums)

    def register(self, agency: str) -> Figure:
        """What it costs to ask `agency` for the persons for whom the selection does not."""
        sums: dict[_Slicers, int] = {}
        others = [persons for persons in self._persons if agency not in persons.asked]
        asked = [persons for persons in self._persons if agency in persons.asked]
        _add_agency(sums, self._weights.prices[agency], others, calls=_calls(self._persons) - _calls(asked))
        return _figure(sums)

    def _list_size(self, field: Selected, page: int | Slicer | None) -> int | Slicer:
        if page is not None and field.name in SIZED_FIELDS:
            return page
        return self._weights.size(f"{field.parent.name}.{field.name}" if field.parent else field.name)


def _add_agency(sums: dict[_Slicers, int], price: Price, asked: list[_Persons], *, calls: int) -> None:
    if calls:
        sums[()] = sums.get((), 0) + calls * price.call
    for persons in asked:
        sums[persons.slicers] = sums.get(persons.slicers, 0) + persons.times * price.record


def _calls(asked: Sequence[_Persons]) -> int:
    """Calls of one agency: one for all persons of now, and one for each field that asks about another time."""
    return sum(persons.apart for persons in asked) + any(not persons.apart for persons in asked)


def _figure(sums: Mapping[_Slicers, int]) -> Figure:
    terms = tuple((coefficient, slicers) for slicers, coefficient in sums.items() if slicers and coefficient)
    return Figure(constant=sums.get((), 0), terms=terms)


def _multiplied(times: int, slicers: _Slicers, size: int | Slicer) -> tuple[int, _Slicers]:
    return (times * size, slicers) if isinstance(size, int) else (times, (*slicers, size))


def _of_person(field: Selected) -> bool:
    """Whether `field` is one of Person: what the view lacks costs what an unknown name costs, nothing."""
    return field.definition is not None and field.parent is not None and field.parent.name == PERSON


def _list_levels(output: GraphQLOutputType | None) -> int:
    levels = 0
    while output is not None and is_list_type(inner := get_nullable_type(output)):
        levels += 1
        output = inner.of_type
    return levels
