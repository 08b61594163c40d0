"""What stands around every connector: deadline, bulkhead, breaker, one retry where the agency asks for patience.

Whatever happens inside, the answer is a value with a state; only cancellation passes through.
"""

import asyncio
from collections.abc import Mapping, Sequence

import structlog

from hub.clock import Clock
from hub.connectors.base import (
    MAX_KEYS,
    Connector,
    Fetch,
    Fetched,
    KeyKind,
    Part,
    SourceFailure,
    SourceRecord,
    SourceState,
)

logger = structlog.get_logger(__name__)

FAILURES_TO_OPEN = 5
OPEN_FOR_S = 5.0


class Guard:
    """One agency's connector behind its protections. `ask` never raises but on cancellation."""

    def __init__(self, connector: Connector, *, clock: Clock, concurrency: int) -> None:
        self._connector = connector
        self._clock = clock
        self._places = asyncio.Semaphore(concurrency)
        self._failures = 0
        self._opened_at: float | None = None
        self._trying = False

    @property
    def agency(self) -> str:
        return self._connector.agency

    @property
    def key_kind(self) -> KeyKind:
        return self._connector.key_kind

    @property
    def connector(self) -> Connector:
        return self._connector

    @property
    def breaker_open(self) -> bool:
        return self._opened_at is not None

    async def ask(self, fetch: Fetch) -> Fetched:
        """One answer for all keys, in calls of at most `MAX_KEYS`; the worst state of several calls counts.

        A system of today knows nothing of earlier times, and is not asked for them.
        """
        if fetch.at is not None:
            return silent(self.agency, SourceState.NO_HISTORY, self._clock)
        started = self._clock.monotonic()
        records: Mapping[str, SourceRecord] = {}
        state = SourceState.OK
        if self._refuses(started):
            state = SourceState.DOWN
        else:
            trial = self.breaker_open
            try:
                async with asyncio.timeout(fetch.timeout_s), self._places:
                    for piece in _pieces(fetch):
                        answer = await self._once_more(piece, started)
                        records = {**records, **answer} if records else answer
                self._succeeded()
                state = SourceState.STALE if getattr(self._connector, "stale", False) else SourceState.OK
            except TimeoutError:
                state = self._failed(SourceState.TIMEOUT)
            except SourceFailure as failure:
                state = self._failed(failure.state)
            except Exception as error:  # whatever one source sends, the others' data must still be answered
                logger.error("source.unexpected", agency=self.agency, kind=type(error).__name__)
                state = self._failed(SourceState.INVALID)
            finally:
                if trial:  # another call that ends meanwhile says nothing about the one that tries
                    self._trying = False
        now = self._clock.now()
        kept: Mapping[str, SourceRecord] = records if state in (SourceState.OK, SourceState.STALE) else {}
        return Fetched(
            agency=self.agency,
            state=state,
            as_of=max((record.as_of for record in kept.values()), default=None),
            received_at=now,
            latency_ms=round((self._clock.monotonic() - started) * 1000),
            records=kept,
        )

    def shared(self, _fetch: Fetch) -> None:
        """Nobody answers for this agency together with others."""

    async def start(self) -> None:
        await self._connector.start()

    async def close(self) -> None:
        await self._connector.close()

    async def _once_more(self, fetch: Fetch, started: float) -> Mapping[str, SourceRecord]:
        try:
            return await self._connector.fetch(fetch)
        except SourceFailure as failure:
            wait = failure.retry_after_s
            left = fetch.timeout_s - (self._clock.monotonic() - started)
            if failure.state is not SourceState.THROTTLED or wait is None or wait >= left:
                raise
            await asyncio.sleep(wait)
            return await self._connector.fetch(fetch)

    def _refuses(self, now: float) -> bool:
        """Whether the breaker is open; after a while it lets one call through to see."""
        if self._opened_at is None:
            return False
        if self._trying or now - self._opened_at < OPEN_FOR_S:
            return True
        self._trying = True
        return False

    def _succeeded(self) -> None:
        self._failures = 0
        self._opened_at = None

    def _failed(self, state: SourceState) -> SourceState:
        self._failures += 1
        if self._failures >= FAILURES_TO_OPEN or self._opened_at is not None:
            self._opened_at = self._clock.monotonic()
        return state


def silent(agency: str, state: SourceState, clock: Clock) -> Fetched:
    """The answer of an agency that gives none."""
    return Fetched(agency=agency, state=state, as_of=None, received_at=clock.now(), latency_ms=0, records={})


def _pieces(fetch: Fetch) -> Sequence[Fetch]:
    if len(fetch.keys) <= MAX_KEYS:
        return (fetch,)
    pieces: list[Fetch] = []
    room, parts = MAX_KEYS, []
    for part in fetch.parts:
        keys = part.keys
        while keys:
            parts.append(Part(keys=keys[:room], coordinates=part.coordinates))
            taken = len(keys[:room])
            keys, room = keys[taken:], room - taken
            if room == 0:
                pieces.append(Fetch(parts=tuple(parts), layout=fetch.layout, timeout_s=fetch.timeout_s))
                room, parts = MAX_KEYS, []
    if parts:
        pieces.append(Fetch(parts=tuple(parts), layout=fetch.layout, timeout_s=fetch.timeout_s))
    return tuple(pieces)
