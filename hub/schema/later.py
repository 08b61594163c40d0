"""The later parts of one answer, each as the bytes of a payload when it is ready.

All parts run at once. The audit entry of a part is durable before its payload is handed out; without it the answer
ends there. A caller who goes away cancels what still runs, and each such part leaves an entry ABORTED.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import orjson
import structlog

from hub.audit.entry import Outcome
from hub.engine.delivery import Delivery
from hub.engine.execute import Executed
from hub.engine.faults import Path
from hub.errors import AuditUnavailableError, HubError, RequestError
from hub.gateway.reading import Reading
from hub.schema.course import Clerk, Course, first_code, outcome_of, refused
from hub.schema.errors import field_errors, request_error
from hub.schema.operations import LatePart, Operations

logger = structlog.get_logger(__name__)


@dataclass(slots=True, eq=False)
class _Running:
    """A part on its way. `recorded`: its entry is handed in."""

    course: Course
    late: LatePart
    ids: dict[Path, str]
    task: "asyncio.Task[tuple[Executed, list[Delivery]]] | None" = None
    recorded: bool = False


class LaterParts:
    """Started by `start`, read by iterating, to be closed in any case."""

    def __init__(
        self, operations: Operations, clerk: Clerk, course: Course, parts: Sequence[LatePart], costs: Sequence[int]
    ) -> None:
        self._operations = operations
        self._clerk = clerk
        self._open: list[_Running] = []
        number = 0
        for late, cost in zip(parts, costs, strict=True):
            ids = {place: str(number + rank) for rank, place in enumerate(late.places)}
            number += len(ids)
            own = replace(course, reading=Reading(), cost=cost)
            self._open.append(_Running(own, late, ids))

    def pending(self) -> list[dict[str, Any]]:
        """What the first payload announces."""
        return [
            {"id": name, "path": list(place), **({"label": label} if (label := running.late.part.label) else {})}
            for running in self._open
            for place, name in running.ids.items()
        ]

    def start(self, parent: str) -> None:
        """Run all parts; `parent` is the entry of the first answer."""
        for running in self._open:
            running.course.parent = parent
            running.task = asyncio.create_task(self._operations.finish(running.late, running.course.reading))

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while self._open:
            tasks = [running.task for running in self._open if running.task is not None]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for running in [item for item in self._open if item.task is not None and item.task.done()]:
                try:
                    payload = await self._payload(running)
                except AuditUnavailableError as error:
                    yield self._end(error)
                    return
                self._open.remove(running)
                yield _encoded(payload, more=bool(self._open))

    async def aclose(self) -> None:
        """Cancel what still runs; each such part leaves an entry."""
        tasks = [running.task for running in self._open if running.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        left = [running for running in self._open if not running.recorded]
        self._open.clear()
        for running in left:
            with suppress(AuditUnavailableError):
                await self._clerk.record(running.course, Outcome.ABORTED, None)

    async def _payload(self, running: _Running) -> dict[str, Any]:
        """The payload of a part that is done, once its entry is durable."""
        assert running.task is not None
        try:
            executed, deliveries = running.task.result()
        except Exception as error:
            return await self._failed(running, error)
        failed = all(delivery.failed for delivery in deliveries)
        outcome = Outcome.FAILED if failed else outcome_of(running.course.reading, executed)
        entry = await self._record(running, outcome, first_code(executed))
        return {**_delivered(running.ids, deliveries), "extensions": {"hub": self._clerk.hub(running.course, entry)}}

    async def _failed(self, running: _Running, error: Exception) -> dict[str, Any]:
        shown = error if isinstance(error, RequestError) else HubError()
        if shown is not error:
            request_id = running.course.request.request_id
            logger.error("part.crashed", kind=type(error).__name__, request_id=request_id, exc_info=error)
        entry = await self._record(running, refused(shown), shown.code)
        completed = [{"id": name, "errors": [request_error(shown)]} for name in running.ids.values()]
        return {"completed": completed, "extensions": {"hub": self._clerk.hub(running.course, entry)}}

    async def _record(self, running: _Running, outcome: Outcome, code: str | None) -> str:
        waiting = self._clerk.submit(running.course, outcome, code)
        running.recorded = True
        return (await waiting.durable()).entry_id

    def _end(self, error: AuditUnavailableError) -> bytes:
        """The last payload where the log cannot be written: nothing but that."""
        completed = [
            {"id": name, "errors": [request_error(error)]} for running in self._open for name in running.ids.values()
        ]
        return _encoded({"completed": completed}, more=False)


def _delivered(ids: dict[Path, str], deliveries: Sequence[Delivery]) -> dict[str, Any]:
    incremental: list[dict[str, Any]] = []
    completed: list[dict[str, Any]] = []
    for delivery in deliveries:
        name = ids[delivery.place]
        if delivery.failed:
            errors = field_errors(delivery.faults) or [request_error(HubError())]
            completed.append({"id": name, "errors": errors})
            continue
        for piece in delivery.pieces:
            item: dict[str, Any] = {"id": name, "data": piece.data}
            if len(piece.path) > len(delivery.place):
                item["subPath"] = list(piece.path[len(delivery.place) :])
            if piece.faults:
                item["errors"] = field_errors(piece.faults)
            incremental.append(item)
        completed.append({"id": name})
    return {**({"incremental": incremental} if incremental else {}), "completed": completed}


def _encoded(payload: dict[str, Any], *, more: bool) -> bytes:
    return orjson.dumps({**payload, "hasNext": more})
