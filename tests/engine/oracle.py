"""One operation on two executors: `hub.engine` and graphql-core, over the same root; the answers must be equal."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    execute_sync,
    get_operation_ast,
    located_error,
    parse,
    validate,
)
from graphql.execution import get_variable_values
from graphql.execution.values import VariableValues

from hub.engine.execute import Engine, Executed, FieldCall
from hub.engine.plan import OperationPlan

Errors = Counter[tuple[tuple[Any, ...], tuple[tuple[int, int], ...]]]
"""Path and locations of each error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """`data` as text, so that order of keys, and what is 1 and what is True, count as well."""

    data: str
    errors: Errors


@dataclass(slots=True, eq=False)
class Fetched:
    """A fetcher of fields that plain parents hold; counts its calls and the parents they were for."""

    calls: int = 0
    parents: list[int] = field(default_factory=list)

    async def fetch(self, _context: Any, calls: Sequence[FieldCall]) -> list[list[Any]]:
        self.calls += 1
        self.parents.append(len(calls[0].parents))
        await asyncio.sleep(0)
        return [held(None, call) for call in calls]


def held(_context: Any, call: FieldCall) -> list[Any]:
    """What plain parents hold, called with the arguments where it can be called; a resolver."""
    return [_held(parent, call) for parent in call.parents]


def _held(parent: Any, call: FieldCall) -> Any:
    name = call.field.member
    value = parent.get(name) if isinstance(parent, Mapping) else getattr(parent, name, None)
    return value(None, **call.arguments) if callable(value) else value


def variables_of(schema: GraphQLSchema, operation: OperationDefinitionNode, raw: Mapping[str, Any]) -> VariableValues:
    values = get_variable_values(schema, operation.variable_definitions or (), dict(raw))
    assert isinstance(values, VariableValues), values
    return values


def planned(engine: Engine, document: DocumentNode, raw: Mapping[str, Any]) -> tuple[OperationPlan, VariableValues]:
    operation = get_operation_ast(document)
    assert operation is not None
    variables = variables_of(engine.schema, operation, raw)
    return engine.plan(document, operation, variables), variables


def by_engine(executed: Executed) -> Answer:
    return Answer(
        data=repr(executed.data),
        errors=_errors([located_error(item.error, list(item.nodes), item.path) for item in executed.faults]),
    )


def by_core(schema: GraphQLSchema, document: DocumentNode, root: Any, raw: Mapping[str, Any]) -> Answer:
    result = execute_sync(schema, document, root, variable_values=dict(raw))
    return Answer(data=repr(result.data), errors=_errors(result.errors or ()))


def _errors(errors: Sequence[GraphQLError]) -> Errors:
    return Counter(
        (tuple(error.path or ()), tuple((place.line, place.column) for place in error.locations or ()))
        for error in errors
    )


async def same(engine: Engine, text: str, root: Any, raw: Mapping[str, Any] | None = None) -> Executed:
    """Execute a valid document on both; the answer they agree on."""
    document = parse(text)
    assert not validate(engine.schema, document)
    plan, variables = planned(engine, document, raw or {})
    theirs = by_core(engine.schema, document, root, raw or {})
    executed = await engine.execute(plan, variables, None, root)
    assert by_engine(executed) == theirs
    return executed
