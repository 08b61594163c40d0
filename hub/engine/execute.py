"""Breadth-first execution of a plan: one call per field over all its parents, a column of values in, a column out.

Follows the GraphQL specification (September 2025, section 6) to the letter in data, null propagation, error paths;
what differs is only the order of work. Fields whose values must be fetched are handed to their fetcher together, once
per selection; everything else is synchronous. The engine knows no agency: fetchers and resolvers are handed in.
"""

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, Protocol

import msgspec
from graphql import GraphQLObjectType, GraphQLSchema, OperationDefinitionNode
from graphql.execution.values import VariableValues
from graphql.language import DocumentNode

from hub.engine.builder import Builder, compile_builder
from hub.engine.columns import FAILED, Column, Columns, flatten
from hub.engine.deferral import Split, split_operation
from hub.engine.faults import FieldFault, Level, shown
from hub.engine.plan import TYPENAME, FieldPlan, MemberName, OperationPlan, SelectionPlan, plan_operation
from hub.engine.shape import Shape
from hub.errors import CostLimitError


class FieldCall(msgspec.Struct, frozen=True, kw_only=True):
    """One field over all its parents: what a resolver or fetcher is asked. `field.coordinates` is all below it."""

    field: FieldPlan
    parents: Sequence[Any]
    arguments: Mapping[str, Any]


class Resolver(Protocol):
    """Values at hand: a column, one value or Exception a parent."""

    def __call__(self, context: Any, call: FieldCall) -> Sequence[Any]: ...


class Fetcher(Protocol):
    """Values from elsewhere. Gets all its fields of one selection together, answers a column for each."""

    async def fetch(self, context: Any, calls: Sequence[FieldCall]) -> Sequence[Sequence[Any]]: ...


class Executed(msgspec.Struct, frozen=True, kw_only=True):
    """`data` is None if an error reached the root. `objects` counts resolved objects, not leaves."""

    data: dict[str, Any] | None
    faults: Sequence[FieldFault]
    objects: int


class Engine:
    """Executes operations of one schema. `resolvers` and `fetchers` are keyed by (type name, field name)."""

    def __init__(
        self,
        schema: GraphQLSchema,
        *,
        resolvers: Mapping[tuple[str, str], Resolver] | None = None,
        fetchers: Mapping[tuple[str, str], Fetcher] | None = None,
        shaped: frozenset[str] = frozenset(),
        member_name: MemberName = lambda _type, name, _field: name,
        max_objects: int = 10_000,
        identities: Mapping[str, str] | None = None,
    ) -> None:
        self.schema = schema
        self.resolvers = resolvers or {}
        self.fetchers = fetchers or {}
        self.shaped = shaped
        self._member_name = member_name
        self._max_objects = max_objects
        self._identities = identities or {}

    def plan(
        self, document: DocumentNode, operation: OperationDefinitionNode, variables: VariableValues
    ) -> OperationPlan:
        return plan_operation(self.schema, document, operation, variables, self._member_name)

    def split(
        self, document: DocumentNode, operation: OperationDefinitionNode, variables: VariableValues
    ) -> Split | None:
        """The plans of an operation with active `@defer`; None where nothing comes later."""
        return split_operation(
            self.schema, document, operation, variables, self._member_name, identities=self._identities
        )

    async def execute(
        self,
        plan: OperationPlan,
        variables: VariableValues,
        context: Any,
        root: Any = None,
        *,
        given: Mapping[str, Any] | None = None,
    ) -> Executed:
        """Run `plan`. `given` are the variables as they came with the request; introspection alone reads them.

        Raises:
            CostLimitError: more objects than one answer may hold.
        """
        return await _Execution(self, variables, given or {}, context, self._max_objects).run(plan, root)


class _Execution:
    def __init__(
        self,
        engine: Engine,
        variables: VariableValues,
        given: Mapping[str, Any],
        context: Any,
        max_objects: int,
    ) -> None:
        self._engine = engine
        self._variables = variables
        self._given = given
        self._context = context
        self._max_objects = max_objects
        self._objects = 0
        self._faults: list[FieldFault] = []
        self._columns = Columns(engine.schema, self._faults)

    async def run(self, plan: OperationPlan, root: Any) -> Executed:
        (data,) = await self._select(plan.root, [root], Level(None))
        return Executed(
            data=None if data is FAILED else data,
            faults=shown(self._faults) if self._faults else (),
            objects=self._objects,
        )

    async def _select(self, selection: SelectionPlan, objects: Sequence[Any], level: Level) -> Column:
        """One completed dict per object; FAILED where a Non-Null field of it could not be given."""
        if not self._fetches(selection):
            return self._select_now(selection, objects, level)
        self._spend(len(objects))
        columns: list[Column | None] = [None] * len(selection.fields)
        waiting: list[int] = []
        groups: dict[int, tuple[Fetcher, list[tuple[int, FieldCall]]]] = {}
        for rank, item in enumerate(selection.fields):
            fetcher = self._engine.fetchers.get((selection.type.name, item.name))
            if fetcher is not None:
                call = self._call(item, objects, level, rank)
                if call is None:
                    columns[rank] = self._failed_column(item, objects)
                else:
                    groups.setdefault(id(fetcher), (fetcher, []))[1].append((rank, call))
            elif any(self._fetches(child) for child in item.children.values()):
                waiting.append(rank)
            else:
                columns[rank] = self._field_now(selection, rank, objects, level)
        await self._gather(selection, objects, level, columns, waiting, list(groups.values()))
        return self._assemble(selection, len(objects), columns)

    async def _gather(
        self,
        selection: SelectionPlan,
        objects: Sequence[Any],
        level: Level,
        columns: list[Column | None],
        waiting: list[int],
        groups: list[tuple[Fetcher, list[tuple[int, FieldCall]]]],
    ) -> None:
        """Everything that does not depend on each other at once."""

        async def fetched(fetcher: Fetcher, calls: list[tuple[int, FieldCall]]) -> None:
            values = await fetcher.fetch(self._context, [call for _, call in calls])
            for (rank, call), column in zip(calls, values, strict=True):
                columns[rank] = await self._complete(call.field, column, self._level(call.field, level, rank))

        async def nested(rank: int) -> None:
            columns[rank] = await self._field(selection, rank, objects, level)

        await _together([fetched(*group) for group in groups] + [nested(rank) for rank in waiting])

    def _select_now(self, selection: SelectionPlan, objects: Sequence[Any], level: Level) -> Column:
        self._spend(len(objects))
        columns = [self._field_now(selection, rank, objects, level) for rank in range(len(selection.fields))]
        return self._assemble(selection, len(objects), columns)

    def _assemble(self, selection: SelectionPlan, size: int, columns: Sequence[Column | None]) -> Column:
        keys = [item.key for item in selection.fields]
        rows = zip(*columns, strict=True) if columns else ((),) * size
        if not self._faults:
            return [dict(zip(keys, row, strict=True)) for row in rows]
        return [FAILED if any(value is FAILED for value in row) else dict(zip(keys, row, strict=True)) for row in rows]

    async def _field(self, selection: SelectionPlan, rank: int, objects: Sequence[Any], level: Level) -> Column:
        item = selection.fields[rank]
        values = self._values(selection, item, objects, level, rank)
        return await self._complete(item, values, self._level(item, level, rank))

    def _field_now(self, selection: SelectionPlan, rank: int, objects: Sequence[Any], level: Level) -> Column:
        item = selection.fields[rank]
        if item.name == TYPENAME:
            return [selection.type.name] * len(objects)
        if item.introspection is not None:
            return [item.introspection.value(item.key, self._given)] * len(objects)
        values = self._values(selection, item, objects, level, rank)
        return self._complete_now(item, values, self._level(item, level, rank))

    def _complete_now(self, item: FieldPlan, values: Sequence[Any], level: Level) -> Column:
        flat = flatten(self._columns, item, values, level)
        if item.leaf:
            return flat.rebuild(self._columns.leaves(item, flat.values, flat.level))
        results: Column = [None] * len(flat.values)
        for concrete, positions in self._columns.by_type(item, flat, results).items():
            picked, below = _pick(flat.values, positions, flat.level)
            child = item.children[concrete.name]
            done = self._shaped(child, picked) if concrete.name in self._engine.shaped else None
            _scatter(results, positions, self._select_now(child, picked, below) if done is None else done)
        return flat.rebuild(results)

    async def _complete(self, item: FieldPlan, values: Sequence[Any], level: Level) -> Column:
        if not any(self._fetches(child) for child in item.children.values()):
            return self._complete_now(item, values, level)
        flat = flatten(self._columns, item, values, level)
        results: Column = [None] * len(flat.values)

        async def one(concrete: GraphQLObjectType, positions: Sequence[int]) -> None:
            picked, below = _pick(flat.values, positions, flat.level)
            child = item.children[concrete.name]
            done = self._shaped(child, picked) if concrete.name in self._engine.shaped else None
            _scatter(results, positions, await self._select(child, picked, below) if done is None else done)

        await _together([one(*group) for group in self._columns.by_type(item, flat, results).items()])
        return flat.rebuild(results)

    def _values(
        self, selection: SelectionPlan, item: FieldPlan, objects: Sequence[Any], level: Level, rank: int
    ) -> Sequence[Any]:
        """Uncompleted values of a field that is not fetched."""
        resolver = self._engine.resolvers.get((selection.type.name, item.name))
        if resolver is None and item.given.constant:
            return self._columns.members(objects, item.member)
        call = self._call(item, objects, level, rank)
        if call is None:
            return self._failed_column(item, objects)
        return self._columns.members(objects, item.member) if resolver is None else resolver(self._context, call)

    def _call(self, item: FieldPlan, objects: Sequence[Any], level: Level, rank: int) -> FieldCall | None:
        """The call, or None with a fault for every parent if the arguments do not hold."""
        try:
            return FieldCall(field=item, parents=objects, arguments=item.arguments(self._variables))
        except Exception as error:  # graphql-core's own, of the arguments
            at = self._level(item, level, rank)
            self._faults.extend(at.fault(position, error, item.nodes) for position in range(len(objects)))
            return None

    def _failed_column(self, item: FieldPlan, objects: Sequence[Any]) -> Column:
        return [FAILED if self._columns.non_null(item) else None] * len(objects)

    def _level(self, item: FieldPlan, level: Level, rank: int) -> Level:
        return Level(level, step=item.key, rank=rank, nullable=not self._columns.non_null(item))

    def _fetches(self, selection: SelectionPlan) -> bool:
        kept = selection.builders.get(0)
        if kept is None:
            name = selection.type.name
            kept = selection.builders[0] = name not in self._engine.shaped and any(
                (name, item.name) in self._engine.fetchers
                or any(self._fetches(child) for child in item.children.values())
                for item in selection.fields
            )
        return bool(kept)

    def _shaped(self, selection: SelectionPlan, rows: Sequence[Any]) -> Column:
        """Rows that know their shape, through their builders, in the order given."""
        groups: dict[int, tuple[Shape, list[int]]] = {}
        for position, row in enumerate(rows):
            groups.setdefault(id(row.shape), (row.shape, []))[1].append(position)
        results: Column = [None] * len(rows)
        for key, (shape, positions) in groups.items():
            builder: Builder | None = selection.builders.get(key)
            if builder is None:
                builder = selection.builders[key] = compile_builder(selection, shape)
            chosen = rows if len(groups) == 1 else [rows[position] for position in positions]
            built, objects = builder.build(chosen)
            self._spend(objects)
            if len(groups) == 1:
                return list(built)
            _scatter(results, positions, built)
        return results

    def _spend(self, objects: int) -> None:
        self._objects += objects
        if self._objects > self._max_objects:
            raise CostLimitError("too many objects")


async def _together(jobs: Sequence[Coroutine[Any, Any, None]]) -> None:
    """Run all at once. The first failure stops the others and is raised as it is, in no group."""
    if len(jobs) == 1:
        await jobs[0]
        return
    try:
        async with asyncio.TaskGroup() as tasks:
            for job in jobs:
                tasks.create_task(job)
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None


def _pick(values: Sequence[Any], positions: Sequence[int], level: Level) -> tuple[Sequence[Any], Level]:
    if len(positions) == len(values):
        return values, level
    return [values[position] for position in positions], Level(level, origin=positions)


def _scatter(into: Column, positions: Sequence[int], values: Sequence[Any]) -> None:
    if len(positions) == len(into):
        into[:] = values
        return
    for position, value in zip(positions, values, strict=True):
        into[position] = value
