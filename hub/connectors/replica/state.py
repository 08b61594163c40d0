"""How far copying has come, one row an agency; whose turn it is to copy, and how fresh the copies are."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
import orjson
from sqlalchemy import func, insert, select, update

from hub.clock import Clock, microseconds, moment_of
from hub.connectors.replica.ports import Opener, Sealer, state_place
from hub.connectors.replica.tables import replica_state, replica_subject
from hub.errors import StoreError
from hub.store.engine import Store

LEASE_S = 120
"""How long a worker that says nothing keeps the others from copying the same agency."""


class DropSeen(msgspec.Struct, frozen=True, kw_only=True):
    """A file drop that was looked at: when its manifest was written, and when it was made; 0: it was not copied."""

    written_ns: int
    created_us: int = 0


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far one agency's copy has come. Times in microseconds, 0: never. `place`: (from, to) of the changes followed.

    `to` is the newest time stamp that was met, `since` the one before it: changes are followed from there, so that what
    was written late under an earlier stamp is met once more.
    """

    agency: str
    as_of_us: int = 0
    copied_us: int = 0
    whole_us: int = 0
    next_us: int = 0
    trouble: str = ""
    drops: Mapping[str, DropSeen] = {}
    since: Any = None
    to: Any = None


class CopyStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What an operator is told of one copy. `records`: keys of which anything was ever said."""

    agency: str
    records: int
    progress: Progress

    def told(self) -> dict[str, Any]:
        return {
            "agency": self.agency,
            "records": self.records,
            "asOf": _told(self.progress.as_of_us),
            "copiedAt": _told(self.progress.copied_us),
            "comparedAt": _told(self.progress.whole_us),
            "trouble": self.progress.trouble or None,
        }


class CopyStates:
    def __init__(self, *, store: Store, sealer: Sealer, opener: Opener, clock: Clock) -> None:
        self._store = store
        self._sealer = sealer
        self._opener = opener
        self._clock = clock

    async def read(self, agency: str) -> Progress:
        async with self._store.read() as connection:
            row = (await connection.execute(select(replica_state).where(replica_state.c.agency == agency))).first()
        if row is None:
            return Progress(agency=agency)
        place = None
        if row.place_sealed is not None:
            place = orjson.loads(self._opener.open(state_place(agency), row.place_sealed))
        return Progress(
            agency=agency,
            as_of_us=row.as_of_us,
            copied_us=row.copied_us,
            whole_us=row.whole_us,
            next_us=row.next_us,
            trouble=row.trouble,
            drops=msgspec.json.decode(row.drops, type=dict[str, DropSeen]),
            since=stamp_of(place["since"]) if place else None,
            to=stamp_of(place["to"]) if place else None,
        )

    async def status(self, agency: str) -> CopyStatus:
        async with self._store.read() as connection:
            records = await connection.scalar(select(func.count()).where(replica_subject.c.agency == agency))
        return CopyStatus(agency=agency, records=records or 0, progress=await self.read(agency))

    async def take(self, agency: str, *, anyway: bool = False) -> bool:
        """Whether it is the caller's to copy now: nobody else does, and it is time. With `anyway` it always is."""
        now = microseconds(self._clock.now())
        progress = await self.read(agency)
        if progress.next_us > now and not anyway:
            return False
        try:
            async with self._store.write() as connection:
                there = await connection.scalar(
                    select(replica_state.c.agency).where(replica_state.c.agency == agency).with_for_update()
                )
                if there is None:
                    first = {"as_of_us": 0, "copied_us": 0, "whole_us": 0, "next_us": 0, "trouble": "", "drops": "{}"}
                    await connection.execute(insert(replica_state).values(agency=agency, **first))
                due = replica_state.c.next_us <= now
                mine = update(replica_state).where(replica_state.c.agency == agency, *([] if anyway else [due]))
                taken = await connection.execute(mine.values(next_us=now + LEASE_S * 1_000_000))
        except StoreError:
            return False  # another worker made the row at the same time
        return bool(taken.rowcount)

    async def renew(self, agency: str) -> None:
        until = microseconds(self._clock.now()) + LEASE_S * 1_000_000
        async with self._store.write() as connection:
            mine = update(replica_state).where(replica_state.c.agency == agency)
            await connection.execute(mine.values(next_us=until))

    async def keep(self, progress: Progress) -> None:
        """Write all of it, and with `next_us` give the turn back."""
        place = None
        if progress.to is not None:
            text = orjson.dumps({"since": tagged(progress.since), "to": tagged(progress.to)}).decode()
            place = self._sealer.seal(state_place(progress.agency), text)
        async with self._store.write() as connection:
            mine = update(replica_state).where(replica_state.c.agency == progress.agency)
            await connection.execute(
                mine.values(
                    as_of_us=progress.as_of_us,
                    copied_us=progress.copied_us,
                    whole_us=progress.whole_us,
                    next_us=progress.next_us,
                    trouble=progress.trouble,
                    drops=msgspec.json.encode(progress.drops).decode(),
                    place_sealed=place,
                )
            )


def tagged(stamp: Any) -> Any:
    """A driver's time stamp as JSON that `stamp_of` makes it of again."""
    return {"time": stamp.isoformat()} if hasattr(stamp, "isoformat") else stamp


def stamp_of(given: Any) -> Any:
    """The time stamp that was `tagged`."""
    return datetime.fromisoformat(given["time"]) if isinstance(given, dict) else given


def _told(us: int) -> str | None:
    return moment_of(us).isoformat(timespec="seconds") if us else None
