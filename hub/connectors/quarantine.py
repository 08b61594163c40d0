"""The quarantine that lasts: reports are gathered in memory and written in the background, each misfit once."""

import asyncio
import threading
from collections import OrderedDict
from collections.abc import Callable
from hashlib import sha256
from typing import Any, Protocol

from sqlalchemy import delete, insert, select

from hub.clock import Clock
from hub.connectors.tables import quarantine
from hub.crypto.envelope import Place
from hub.crypto.kept import Kept
from hub.errors import StoreError
from hub.store.engine import Store

MAX_WAITING = 5_000
MAX_SEEN = 50_000


KEPT = Kept(table=quarantine, column=quarantine.c.value_sealed.name, place=lambda key: value_place(key["report_id"]))
"""The sealed column of this room, as rotation goes over it."""


def value_place(report_id: str) -> Place:
    return Place(agency="hub", table="quarantine", column="value_sealed", row=report_id)


class Sealer(Protocol):
    def seal(self, place: Place, plaintext: str) -> bytes: ...


class StoredQuarantine:
    """`name` makes an opaque name of a source record. What does not fit in the queue is counted in `dropped`.

    Connectors that read files report from threads.
    """

    def __init__(self, store: Store, sealer: Sealer, name: Callable[[str], str], clock: Clock) -> None:
        self._store = store
        self._sealer = sealer
        self._name = name
        self._clock = clock
        self._waiting: list[dict[str, Any]] = []
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._task: asyncio.Task[None] | None = None
        self._lock = threading.Lock()
        self.dropped = 0

    def report(self, *, agency: str, record: str, coordinate: str, value: str, reason: str) -> None:
        named = self._name(f"{agency}/{record}")
        report_id = sha256(f"{named}/{coordinate}/{self._name(value)}".encode()).hexdigest()
        with self._lock:
            if not self._is_new(report_id):
                return
            place = value_place(report_id)
            self._waiting.append(
                {
                    "report_id": report_id,
                    "agency": agency,
                    "record": named,
                    "coordinate": coordinate,
                    "reason": reason,
                    "value_sealed": self._sealer.seal(place, value),
                    "first_seen": self._clock.now(),
                }
            )

    def _is_new(self, report_id: str) -> bool:
        """Whether this misfit was not reported before and still fits in the queue."""
        if report_id in self._seen:
            return False
        self._seen[report_id] = None
        if len(self._seen) > MAX_SEEN:
            self._seen.popitem(last=False)
        if len(self._waiting) >= MAX_WAITING:
            self.dropped += 1
            return False
        return True

    async def flush(self) -> None:
        """Write what waits; what was reported before this process began is left alone."""
        with self._lock:
            batch, self._waiting = self._waiting[:500], self._waiting[500:]
        if not batch:
            return
        try:
            async with self._store.write() as connection:
                known = select(quarantine.c.report_id).where(
                    quarantine.c.report_id.in_([row["report_id"] for row in batch])
                )
                there = {row[0] for row in await connection.execute(known)}
                fresh = [row for row in batch if row["report_id"] not in there]
                if fresh:
                    await connection.execute(insert(quarantine), fresh)
        except StoreError:
            with self._lock:
                self._waiting = batch + self._waiting

    async def forget(self, agency: str, record: str) -> None:
        """Delete what is kept of one source record, because its person was erased."""
        named = self._name(f"{agency}/{record}")
        async with self._store.write() as connection:
            await connection.execute(delete(quarantine).where(quarantine.c.record == named))

    async def run(self) -> None:
        """Write now and then, until cancelled."""
        while True:
            await asyncio.sleep(1.0)
            await self.flush()
