"""How far copying has come, one row an agency; whose turn it is to copy, and how fresh the copies are."""

import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
import orjson
from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from hub.clock import Clock, microseconds, moment_of
from hub.connectors.replica.ports import Opener, Sealer, state_place
from hub.connectors.replica.tables import replica_state, replica_subject
from hub.errors import StoreError
from hub.store.engine import Store

LEASE_S = 120
"""How long a worker that says nothing keeps the others from copying the same agency."""


class TurnLostError(Exception):
    """Another one copies the agency now; what the caller has read may be older than what the other one has put."""


class DropSeen(msgspec.Struct, frozen=True, kw_only=True):
    """A file drop that was looked at: when its manifest was written, and when it was made; 0: it was never copied.

    `refused`: it was copied, and what was put in its place since could not be.
    """

    written_ns: int
    created_us: int = 0
    refused: bool = False

    @property
    def usable(self) -> bool:
        return bool(self.created_us) and not self.refused


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

    async def read(self, agency: str, *, place: bool = True) -> Progress:
        """How far an agency's copy has come. Without `place` nothing is opened, and the changes begin anew.

        Raises:
            SealedValueError: the place does not open.
        """
        async with self._store.read() as connection:
            row = (await connection.execute(select(replica_state).where(replica_state.c.agency == agency))).first()
        if row is None:
            return Progress(agency=agency)
        held = None
        if place and row.place_sealed is not None:
            held = orjson.loads(self._opener.open(state_place(agency), row.place_sealed))
        return Progress(
            agency=agency,
            as_of_us=row.as_of_us,
            copied_us=row.copied_us,
            whole_us=row.whole_us,
            next_us=row.next_us,
            trouble=row.trouble,
            drops=msgspec.json.decode(row.drops, type=dict[str, DropSeen]),
            since=stamp_of(held["since"]) if held else None,
            to=stamp_of(held["to"]) if held else None,
        )

    async def status(self, agency: str) -> CopyStatus:
        async with self._store.read() as connection:
            records = await connection.scalar(select(func.count()).where(replica_subject.c.agency == agency))
        return CopyStatus(agency=agency, records=records or 0, progress=await self.read(agency, place=False))

    async def take(self, agency: str, *, anyway: bool = False) -> str:
        """The caller's turn to copy, if nobody else copies and it is time; else none.

        With `anyway` it always is; who was copying has lost the turn.
        """
        now = microseconds(self._clock.now())
        progress = await self.read(agency, place=False)
        if progress.next_us > now and not anyway:
            return ""
        turn = secrets.token_hex(16)
        try:
            async with self._store.write() as connection:
                there = await connection.scalar(
                    select(replica_state.c.agency).where(replica_state.c.agency == agency).with_for_update()
                )
                if there is None:
                    never = dict.fromkeys(("as_of_us", "copied_us", "whole_us", "next_us"), 0)
                    first = {"agency": agency, "turn": "", "trouble": "", "drops": "{}", **never}
                    await connection.execute(insert(replica_state).values(first))
                due = replica_state.c.next_us <= now
                mine = update(replica_state).where(replica_state.c.agency == agency, *([] if anyway else [due]))
                taken = await connection.execute(mine.values(next_us=now + LEASE_S * 1_000_000, turn=turn))
        except StoreError:
            return ""  # another worker made the row at the same time
        return turn if taken.rowcount else ""

    async def renew(self, agency: str, turn: str) -> None:
        """Keep the turn for another while.

        Raises:
            TurnLostError: it is another one's.
        """
        async with self._store.write() as connection:
            await hold(connection, agency, turn)
            mine = update(replica_state).where(replica_state.c.agency == agency)
            await connection.execute(mine.values(next_us=self._lease()))

    async def keep(self, progress: Progress, turn: str, *, more: bool = False) -> None:
        """Write all of it, and with `next_us` give the turn back, unless there is `more` to copy.

        Raises:
            TurnLostError: it is another one's.
        """
        place = None
        if progress.to is not None:
            text = orjson.dumps({"since": tagged(progress.since), "to": tagged(progress.to)}).decode()
            place = self._sealer.seal(state_place(progress.agency), text)
        async with self._store.write() as connection:
            await hold(connection, progress.agency, turn)
            mine = update(replica_state).where(replica_state.c.agency == progress.agency)
            await connection.execute(
                mine.values(
                    as_of_us=progress.as_of_us,
                    copied_us=progress.copied_us,
                    whole_us=progress.whole_us,
                    next_us=self._lease() if more else progress.next_us,
                    trouble=progress.trouble,
                    drops=msgspec.json.encode(progress.drops).decode(),
                    place_sealed=place,
                )
            )

    async def fail(self, agency: str, turn: str, trouble: str, *, next_us: int) -> None:
        """Write why a copy broke off and give the turn back; all that was kept before stays.

        Raises:
            TurnLostError: it is another one's.
        """
        async with self._store.write() as connection:
            await hold(connection, agency, turn)
            mine = update(replica_state).where(replica_state.c.agency == agency)
            await connection.execute(mine.values(trouble=trouble, next_us=next_us))

    def _lease(self) -> int:
        return microseconds(self._clock.now()) + LEASE_S * 1_000_000


async def hold(connection: AsyncConnection, agency: str, turn: str = "") -> None:
    """Make others who write this agency's copy wait until this transaction ends (SQLite has one writer anyway).

    Raises:
        TurnLostError: the caller writes in a turn that is not its own any more.
    """
    mine = select(replica_state.c.turn).where(replica_state.c.agency == agency)
    held = await connection.scalar(mine.with_for_update())
    if turn and held != turn:
        raise TurnLostError


def tagged(stamp: Any) -> Any:
    """A driver's time stamp as JSON that `stamp_of` makes it of again."""
    return {"time": stamp.isoformat()} if hasattr(stamp, "isoformat") else stamp


def stamp_of(given: Any) -> Any:
    """The time stamp that was `tagged`."""
    return datetime.fromisoformat(given["time"]) if isinstance(given, dict) else given


def _told(us: int) -> str | None:
    return moment_of(us).isoformat(timespec="seconds") if us else None
