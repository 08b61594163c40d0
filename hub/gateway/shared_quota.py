"""What several servers know together of whom an officer read: kept in the store, asked for in slices.

A server takes a slice of what is left of an officer's limit and counts by itself until it is used up. So the sum of
what is counted and what is out in slices never exceeds the limit, whatever servers do or however they end: what a
server had out when it was killed stays taken for an hour and the life of a slice.
"""

import secrets
from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy import delete, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from hub.clock import Clock, microseconds
from hub.gateway.ports import Pseudonyms
from hub.gateway.quota_tables import quota_person, quota_slice
from hub.store.engine import Store

WINDOW_US = 3_600_000_000
SLICE_US = 300_000_000
"""A server uses a slice for so long; then it hands in whom it counted, and takes another."""
SHARE = 8
"""A slice is what is asked for and this part of what is left."""


class Lent(msgspec.Struct, frozen=True, kw_only=True):
    """What the store answered. `granted`: whether the persons asked for were counted.

    `room`: how many more the server may count by itself. `used` persons were read in the last hour, the first of
    them at `oldest_us`.
    """

    granted: bool
    room: int
    used: int
    oldest_us: int | None


class SharedQuota:
    """One server's way to the store. Cost: one transaction a call, whatever the number of persons."""

    def __init__(self, store: Store, names: Pseudonyms, clock: Clock) -> None:
        self._store = store
        self._names = names
        self._clock = clock
        self._holder = secrets.token_hex(8)
        self._insert: Any = (sqlite if store.dialect == "sqlite" else postgresql).insert

    async def borrow(self, officer: str, counted: Mapping[str, int], asked: Mapping[str, int], *, limit: int) -> Lent:
        """Hand in who was `counted`, count who is `asked` for if all of them fit, and take a new slice.

        Both map persons to the time in microseconds at which they were read.

        Raises:
            StoreError: the database does not answer; nothing was counted.
        """
        named = self._names.of("quota", officer)
        now_us = microseconds(self._clock.now())
        async with self._store.write() as connection:
            await self._queue(connection, named, now_us)
            await self._count(connection, named, counted)
            known, oldest_us = await self._known(connection, named, asked)
            others = await self._lent(connection, named, now_us)
            used = await self._used(connection, named)
            fresh = len(asked) - known
            left = limit - used - others
            if fresh > left:
                await self._keep(connection, named, 0, now_us)
                return Lent(granted=False, room=0, used=used, oldest_us=oldest_us)
            await self._count(connection, named, asked)
            room = (left - fresh) // SHARE
            await self._keep(connection, named, room, now_us)
        return Lent(granted=True, room=room, used=used + fresh, oldest_us=oldest_us)

    async def give_back(self, officer: str, counted: Mapping[str, int]) -> None:
        """Hand in who was counted, and give back what is left of the slice.

        A transaction for one officer: servers that gave back many in one would wait for each other.

        Raises:
            StoreError: the database does not answer; the slice stays taken.
        """
        named = self._names.of("quota", officer)
        async with self._store.write() as connection:
            await self._queue(connection, named, microseconds(self._clock.now()))
            await self._count(connection, named, counted)
            mine = (quota_slice.c.officer == named, quota_slice.c.holder == self._holder)
            await connection.execute(delete(quota_slice).where(*mine))

    async def sweep(self) -> None:
        """Forget what is over."""
        over_us = microseconds(self._clock.now()) - WINDOW_US
        async with self._store.write() as connection:
            await connection.execute(delete(quota_person).where(quota_person.c.read_us <= over_us))
            await connection.execute(delete(quota_slice).where(quota_slice.c.taken_us <= over_us - SLICE_US))

    async def _queue(self, connection: AsyncConnection, officer: str, now_us: int) -> None:
        """Let one server in at a time for this officer, until the transaction ends; what is over no longer counts."""
        await self._put(connection, {"officer": officer, "holder": "", "room": 0, "taken_us": now_us})
        over = quota_person.c.read_us <= now_us - WINDOW_US
        await connection.execute(delete(quota_person).where(quota_person.c.officer == officer, over))

    async def _keep(self, connection: AsyncConnection, officer: str, room: int, now_us: int) -> None:
        await self._put(connection, {"officer": officer, "holder": self._holder, "room": room, "taken_us": now_us})

    async def _put(self, connection: AsyncConnection, row: Mapping[str, Any]) -> None:
        made = self._insert(quota_slice).values(row)
        changed = {"room": row["room"], "taken_us": row["taken_us"]}
        await connection.execute(made.on_conflict_do_update(index_elements=["officer", "holder"], set_=changed))

    async def _count(self, connection: AsyncConnection, officer: str, persons: Mapping[str, int]) -> None:
        rows = [
            {"officer": officer, "person": self._names.of("quota", person), "read_us": read_us}
            for person, read_us in persons.items()
        ]
        if rows:
            await connection.execute(self._insert(quota_person).on_conflict_do_nothing(), rows)

    async def _known(
        self, connection: AsyncConnection, officer: str, asked: Mapping[str, int]
    ) -> tuple[int, int | None]:
        """How many of `asked` are counted already, and when the first of all was read."""
        names = [self._names.of("quota", person) for person in asked]
        mine = quota_person.c.officer == officer
        known = select(func.count()).select_from(quota_person).where(mine, quota_person.c.person.in_(names))
        oldest = select(func.min(quota_person.c.read_us)).where(mine)
        return await connection.scalar(known) or 0, await connection.scalar(oldest)

    async def _lent(self, connection: AsyncConnection, officer: str, now_us: int) -> int:
        """What other servers may still count by themselves."""
        others = (quota_slice.c.officer == officer, quota_slice.c.holder != self._holder)
        running = quota_slice.c.taken_us > now_us - WINDOW_US - SLICE_US
        return (
            await connection.scalar(select(func.coalesce(func.sum(quota_slice.c.room), 0)).where(*others, running)) or 0
        )

    async def _used(self, connection: AsyncConnection, officer: str) -> int:
        mine = select(func.count()).select_from(quota_person).where(quota_person.c.officer == officer)
        return await connection.scalar(mine) or 0
