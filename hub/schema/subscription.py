"""Subscriptions: what happens to cases and tasks, as it happens, over the feed that misses nothing.

Before each event the rules are asked again and the token must still hold; the event's own audit entry, a child of that
of the subscription, is durable before the event is handed out. graphql-core executes the selection on each event.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Container, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from inspect import isawaitable
from typing import Any, Protocol

import msgspec
import orjson
import strawberry
from graphql import ExecutionResult, GraphQLSchema, subscribe

from hub.audit.entry import Outcome, Pattern
from hub.auth.facts import Facts
from hub.auth.policy_holder import PolicyHolder
from hub.clock import Clock
from hub.engine.variables import Variables
from hub.errors import (
    AuditUnavailableError,
    ForbiddenError,
    PurposeNotAllowedError,
    PurposeRequiredError,
    RequestError,
    StoreError,
)
from hub.events.outbox import Event
from hub.events.places import Places
from hub.gateway.reading import Reading
from hub.schema.case_lists import Feeds
from hub.schema.casework import Change
from hub.schema.course import Clerk, Course, refused
from hub.schema.errors import request_error
from hub.schema.operations import VariablesError
from hub.schema.request import GraphQLRequest
from hub.schema.roots import ArgumentError
from hub.schema.seats import Seats

POLL_S = 0.5
PAGE = 100
STREAMS_PER_OFFICER = 20
STREAMS = 2_000
"""Open subscriptions of one process."""
CHANGES = "changes"
"""The rule that lets an agency read what concerns it; a subscription is another way to read the same."""


class Heads(Feeds, Protocol):
    async def head(self) -> int: ...


class HeadSource(Protocol):
    """How far the feed has come, for every subscription of a process."""

    async def head(self) -> int: ...

    async def close(self) -> None: ...


class Pulse:
    """How far the feed has come, looked up once for all subscriptions of a process."""

    def __init__(self, feed: Heads, clock: Clock) -> None:
        self._feed = feed
        self._clock = clock
        self._looking = asyncio.Lock()
        self._seen: tuple[datetime, int] | None = None

    async def head(self) -> int:
        """The last place that is given out, at most half a `POLL_S` ago."""
        async with self._looking:
            now = self._clock.now()
            if self._seen is None or abs((now - self._seen[0]).total_seconds()) >= POLL_S / 2:
                self._seen = (now, await self._feed.head())
            return self._seen[1]

    async def close(self) -> None:
        """Nothing is held open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventParts:
    """What subscriptions need: `disabled` clients are served no more; `pause` waits for the next look at the feed."""

    feed: Heads
    places: Places
    policies: PolicyHolder
    clock: Clock
    purposes: frozenset[str]
    pulse: HeadSource
    disabled: Container[str] = ()
    seats: Seats = field(default_factory=lambda: Seats(each=STREAMS_PER_OFFICER, total=STREAMS))
    pause: Callable[[float], Any] = asyncio.sleep


async def _case_events(info: strawberry.Info, after: str | None = None) -> AsyncGenerator[Change, None]:
    async for change in info.context.changes(("case.", "supervision.", "correction.", "base."), after):
        yield change


async def _task_events(info: strawberry.Info, after: str | None = None) -> AsyncGenerator[Change, None]:
    async for change in info.context.changes(("deadline.",), after):
        yield change


@strawberry.type(description="Events as they happen. / 订阅。")
class Subscription:
    case_events: AsyncGenerator[Change, None] = strawberry.subscription(
        resolver=_case_events, description="What happens to cases and concerns you, after a place. / 案件事件。"
    )
    task_events: AsyncGenerator[Change, None] = strawberry.subscription(
        resolver=_task_events, description="Warnings and alarms of tasks that concern you, after a place. / 待办事件。"
    )


class Events:
    """The later parts of a subscription: one payload an event, until the caller, the token or the rules end it."""

    def __init__(self, schema: GraphQLSchema, parts: EventParts, clerk: Clerk, course: Course) -> None:
        self._schema = schema
        self._parts = parts
        self._clerk = clerk
        self._course = course
        course.request = _lasting(course)
        self._parent: str | None = None
        self._event: Event | None = None
        self._judge = course.judge
        self._policies: tuple[str, ...] = ()
        self._seated = False

    def check(self) -> None:
        """Raises VariablesError, PurposeRequiredError or PurposeNotAllowedError."""
        prepared = self._course.prepared
        assert prepared is not None
        if Variables(self._schema, prepared.operation).coerce(dict(self._course.request.variables)) is None:
            raise VariablesError("variables do not fit")
        purpose, principal = self._course.request.purpose, self._course.principal
        if purpose is None:
            raise PurposeRequiredError("no Hub-Purpose on a subscription")
        if purpose not in self._parts.purposes or purpose not in principal.purposes:
            raise PurposeNotAllowedError("purpose is unknown or not in the token")

    def permitted(self) -> bool:
        """Whether the rules in force permit it."""
        principal = self._course.principal
        self._judge = self._parts.policies.current
        self._policies = self._judge.may(
            CHANGES,
            agency=principal.agency,
            role=principal.role,
            purpose=self._course.request.purpose or "",
            facts=Facts(),
            own=True,
        )
        return bool(self._policies)

    def open(self) -> None:
        """Take a seat, which `aclose` gives back. Raises RateLimitedError."""
        self._parts.seats.take(self._course.principal)
        self._seated = True

    def pending(self) -> list[dict[str, Any]]:
        return []

    def start(self, parent: str) -> None:
        self._parent = parent

    async def changes(self, kinds: tuple[str, ...], after: str | None) -> AsyncIterator[Change]:
        """Events of these kinds, in order of their places, each once."""
        parts, principal = self._parts, self._course.principal
        position = None if after is None else parts.places.open(principal.agency, after)
        if after is not None and position is None:
            raise ArgumentError("This place does not belong to this feed.")
        while self._holds():
            try:
                if position is None:
                    position = await parts.feed.head()
                head = await parts.pulse.head()
                page: Sequence[Event] = ()
                if head > position:
                    page = await parts.feed.after(
                        position, recipient=principal.agency, regions=principal.regions, first=PAGE
                    )
            except StoreError:  # nothing is lost: the next look begins at the same place
                await parts.pause(POLL_S)
                continue
            for event in page:
                position = event.position
                if event.kind.startswith(kinds):
                    if not self._holds():
                        return
                    if not self.permitted():
                        await self._denied(ForbiddenError("no rule permits it any more"))
                        return
                    self._event = event
                    yield _change(event, parts.places.seal(principal.agency, position))
            if len(page) < PAGE:
                position = max(position, head)  # what lies between is for others
                await parts.pause(POLL_S)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        prepared, request = self._course.prepared, self._course.request
        assert prepared is not None
        started = subscribe(
            self._schema,
            prepared.document,
            context_value=self,
            variable_values=dict(request.variables),
            operation_name=request.operation_name,
        )
        results = await started if isawaitable(started) else started
        try:
            try:
                if isinstance(results, ExecutionResult):
                    raise VariablesError("no stream")
                async for result in results:
                    yield self._payload({"data": result.data}, await self._record(result))
            except (ArgumentError, VariablesError) as error:
                yield self._payload({"data": None, "errors": [request_error(error)]}, await self._denied(error))
        except AuditUnavailableError as error:
            yield orjson.dumps({"data": None, "errors": [request_error(error)]})

    def _payload(self, answer: dict[str, Any], entry: str) -> bytes:
        hub = {"requestId": self._course.request.request_id, "auditEntry": entry}
        return orjson.dumps({**answer, "extensions": {"hub": hub}})

    async def aclose(self) -> None:
        if self._seated:
            self._seated = False
            self._parts.seats.leave(self._course.principal)

    def _holds(self) -> bool:
        """Whether the token is still good."""
        principal = self._course.principal
        in_time = self._parts.clock.now().timestamp() < principal.expires_at
        return in_time and principal.client not in self._parts.disabled

    async def _record(self, result: ExecutionResult) -> str:
        reading = Reading()
        reading.policies.update(self._policies)
        if self._event is not None:
            reading.access.append((self._event.person_key, Pattern()))
        return await self._enter(reading, Outcome.FAILED if result.errors else Outcome.OK, None)

    async def _denied(self, error: RequestError) -> str:
        return await self._enter(Reading(), refused(error), error.code)

    async def _enter(self, reading: Reading, outcome: Outcome, code: str | None) -> str:
        """The entry of one event, or of one that is not given. Raises AuditUnavailableError."""
        course = Course(
            principal=self._course.principal,
            request=self._course.request,
            started=self._clerk.now(),
            judge=self._judge,
            reading=reading,
            prepared=self._course.prepared,
            parent=self._parent,
        )
        return await self._clerk.record(course, outcome, code)


def _lasting(course: Course) -> GraphQLRequest:
    """What of the request is needed as long as events come: not its text, and no variable that is not declared."""
    assert course.prepared is not None
    declared = {each.variable.name.value for each in course.prepared.operation.variable_definitions or ()}
    variables = {name: value for name, value in course.request.variables.items() if name in declared}
    return msgspec.structs.replace(course.request, query="", variables=variables)


def _change(event: Event, place: str) -> Change:
    return Change(
        position=place,
        kind=event.kind,
        case=event.body.get("case"),
        office=event.office,
        happened_at=datetime.fromtimestamp(event.happened_us / 1_000_000, UTC),
    )
