"""A client of `@defer`: runs a split operation part by part, and puts the payloads of either executor together."""

import asyncio
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from inspect import isawaitable
from typing import Any

from graphql import (
    DocumentNode,
    GraphQLDeferDirective,
    GraphQLSchema,
    get_operation_ast,
    specified_directives,
)
from graphql.execution import ExperimentalIncrementalExecutionResults, experimental_execute_incrementally

from hub.engine.deferral import clean
from hub.engine.delivery import Delivery, deliver, locate, places
from hub.engine.execute import Engine, Executed
from tests.engine.oracle import variables_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Later:
    """One part: its label, the places announced, and what came there."""

    label: str | None
    places: Sequence[tuple[Any, ...]]
    deliveries: Sequence[Delivery]


@dataclass(frozen=True, slots=True, kw_only=True)
class Deferred:
    first: Executed
    later: Sequence[Later]

    @property
    def merged(self) -> Any:
        """The whole answer. A place that failed keeps what it had."""
        data = deepcopy(self.first.data)
        for part in self.later:
            for delivery in part.deliveries:
                for piece in delivery.pieces:
                    join(at(data, piece.path), piece.data)
        return data

    @property
    def failed(self) -> bool:
        return any(delivery.failed for part in self.later for delivery in part.deliveries)

    @property
    def piecewise(self) -> bool:
        """Whether some piece has errors of its own."""
        return any(piece.faults for part in self.later for item in part.deliveries for piece in item.pieces)


def deferring(schema: GraphQLSchema) -> GraphQLSchema:
    """`schema` with `@defer`."""
    given = schema.to_kwargs()
    given["directives"] = [*specified_directives, GraphQLDeferDirective]
    return GraphQLSchema(**given)


async def run_split(
    engine: Engine, document: DocumentNode, root: Any, raw: Mapping[str, Any] | None = None, later_root: Any = None
) -> Deferred | None:
    """Execute first and later answers; None where nothing is deferred. `later_root`: what parts read, if not `root`."""
    operation = get_operation_ast(document)
    assert operation is not None
    variables = variables_of(engine.schema, operation, raw or {})
    split = engine.split(document, operation, variables)
    if split is None:
        return None
    first = await engine.execute(split.first, variables, None, root, given=raw)
    spots = [(part, locate(part, first.data)) for part in split.parts]
    clean(first.data)
    later = []
    for part, spot in spots:
        if spot is not None and places(spot):
            executed = await engine.execute(part.plan, variables, None, later_root or root, given=raw)
            later.append(Later(label=part.label, places=places(spot), deliveries=deliver(spot, executed)))
    return Deferred(first=first, later=later)


def core_merged(schema: GraphQLSchema, document: DocumentNode, root: Any, raw: Mapping[str, Any]) -> tuple[Any, bool]:
    """graphql-core's incremental answer put together, and whether anything of it failed."""

    async def run() -> tuple[Any, bool]:
        result: Any = experimental_execute_incrementally(schema, document, root, variable_values=dict(raw))
        result = await result if isawaitable(result) else result
        if not isinstance(result, ExperimentalIncrementalExecutionResults):
            return result.data, bool(result.errors)
        first = result.initial_result.formatted
        payloads = [payload.formatted async for payload in result.subsequent_results]
        return merge_payloads(first, payloads)

    return asyncio.run(run())


def merge_payloads(first: Mapping[str, Any], payloads: Sequence[Mapping[str, Any]]) -> tuple[Any, bool]:
    """Put wire payloads together; holds them to the format: announced before filled, completed once, then an end."""
    data = deepcopy(first["data"])
    failed = bool(first.get("errors"))
    waiting = {item["id"]: item["path"] for item in first["pending"]}
    more = first["hasNext"]
    for payload in payloads:
        assert more, "nothing may come after the end"
        waiting.update({item["id"]: item["path"] for item in payload.get("pending", ())})
        for item in payload.get("incremental", ()):
            join(at(data, [*waiting[item["id"]], *item.get("subPath", ())]), item["data"])
            failed = failed or bool(item.get("errors"))
        for item in payload.get("completed", ()):
            del waiting[item["id"]]
            failed = failed or bool(item.get("errors"))
        more = payload["hasNext"]
    assert not more
    assert not waiting
    return data, failed


def at(data: Any, path: Sequence[Any]) -> Any:
    for step in path:
        data = data[step]
    return data


def join(into: Any, new: Any) -> None:
    """Deep merge, as clients do."""
    if isinstance(new, dict):
        for key, value in new.items():
            if isinstance(into.get(key), dict | list) and isinstance(value, dict | list):
                join(into[key], value)
            else:
                into[key] = deepcopy(value)
    elif isinstance(new, list):
        for mine, theirs in zip(into, new, strict=True):
            join(mine, theirs)
