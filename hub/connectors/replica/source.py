"""An agency that is answered for by its copy: always, or when it does not answer itself."""

import msgspec

from hub.clock import Clock
from hub.connectors.base import Connector, Fetch, Fetched, KeyKind, SourceState
from hub.connectors.guard import Guard
from hub.connectors.mapping import Mode
from hub.connectors.replica.reader import ReplicaReader

COPY_SHARE, COPY_S = 0.2, 0.3
"""What is kept for the copy, if its agency does not answer: this share of the time, and at most so many seconds."""
_ANSWERED = (SourceState.OK, SourceState.STALE)


class ReplicaSource:
    """As `Guard`, never raises. `connector` is the agency's own, which index and copies are made from."""

    def __init__(self, guard: Guard, reader: ReplicaReader, mode: Mode, clock: Clock) -> None:
        self._guard = guard
        self._reader = reader
        self._mode = mode
        self._clock = clock

    @property
    def agency(self) -> str:
        return self._guard.agency

    @property
    def key_kind(self) -> KeyKind:
        return self._guard.key_kind

    @property
    def connector(self) -> Connector:
        return self._guard.connector

    def shared(self, fetch: Fetch) -> ReplicaReader | None:
        """Who answers `fetch` together with other agencies' in one statement; None: ask this source alone."""
        return self._reader if self._mode is Mode.REPLICA or fetch.at is not None else None

    async def ask(self, fetch: Fetch) -> Fetched:
        """The copy's answer; of a live agency its own, or what was last known to be good, marked stale.

        Both within the time that `fetch` allows: a part of it is kept for the copy.
        """
        if self.shared(fetch) is not None:
            return (await self._reader.ask({self.agency: fetch}))[self.agency]
        ends = self._clock.monotonic() + fetch.timeout_s
        for_copy_s = min(fetch.timeout_s * COPY_SHARE, COPY_S)
        answer = await self._guard.ask(msgspec.structs.replace(fetch, timeout_s=fetch.timeout_s - for_copy_s))
        if answer.state in _ANSWERED:
            return answer
        left_s = max(for_copy_s, ends - self._clock.monotonic())
        kept = (await self._reader.ask({self.agency: msgspec.structs.replace(fetch, timeout_s=left_s)}))[self.agency]
        if kept.state not in _ANSWERED:
            return answer
        return msgspec.structs.replace(kept, state=SourceState.STALE, latency_ms=answer.latency_ms + kept.latency_ms)

    async def start(self) -> None:
        if self._mode is not Mode.REPLICA:
            await self._guard.start()

    async def close(self) -> None:
        await self._guard.close()
