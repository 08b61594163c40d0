"""Sealing stored values anew under the active keys, while the hub serves.

Row by row, by compare-and-set: a row that changed meanwhile is left to the next pass. Each batch is one transaction in
which a value, its blind index and its tokens change together, so that a kill at any point leaves every row whole and
readable, under one key or the other. Running again goes on where rows are still under an older key.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Protocol

from sqlalchemy import Column, Executable, Row, Select, Table, and_, bindparam, func, literal, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from hub.clock import Clock
from hub.crypto.envelope import HEADER_BYTES, Place
from hub.errors import StoreError
from hub.failpoints import failpoint
from hub.store.engine import Store
from hub.store.reader import Prepared

BATCH = 1_000
MAX_PASSES = 50
ATTEMPTS, PAUSE_S = 6, 0.5


class Opener(Protocol):
    def open(self, place: Place, sealed: bytes, salt: bytes = b"") -> str: ...


class Sealer(Protocol):
    def seal(self, place: Place, plaintext: str, salt: bytes = b"") -> bytes: ...

    def heading(self, agency: str, sensitivity: int) -> bytes: ...


Many = Callable[[Executable, Sequence[Mapping[str, Any]]], Awaitable[None]]
"""Runs one statement with many sets of parameters in the transaction of a batch, at the driver's speed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A sealed column that the hub keeps.

    `place`: of a row, given its primary key by column name. `salts`: the table of salts, for values of persons; its key
    stands in `table` too. `derived`: other columns made from the plaintext. `companion`: given person → all plaintexts
    of a person, writes what else follows from them; then the rows of one person are moved together.
    """

    table: Table
    column: str
    place: Callable[[Mapping[str, Any]], Place]
    salts: Table | None = None
    derived: Mapping[str, Callable[[str], Any]] = field(default_factory=dict)
    companion: Callable[[Many, Mapping[str, Sequence[str]]], Awaitable[None]] | None = None

    @property
    def key(self) -> Sequence[Column[Any]]:
        return tuple(self.table.primary_key.columns)

    @property
    def width(self) -> int:
        """How many columns of a page are key; the sealed value and the salt come behind them."""
        return len(self.table.primary_key.columns)

    @property
    def sealed(self) -> Column[Any]:
        return self.table.c[self.column]


@dataclass(frozen=True, slots=True, kw_only=True)
class Moving:
    """One value on its way: as it was read, its plaintext, and as it shall be. `fresh` is None where it may stay."""

    key: tuple[Any, ...]
    old: bytes
    plain: str
    fresh: bytes | None
    derived: Mapping[str, Any]


class Rotation:
    def __init__(
        self, *, store: Store, opener: Opener, sealer: Sealer, kept: Sequence[Kept], clock: Clock, rate: float = 0
    ) -> None:
        """`rate`: at most so many values a second; 0 for as fast as it goes."""
        self._store = store
        self._opener = opener
        self._sealer = sealer
        self._kept = kept
        self._clock = clock
        self._rate = rate
        self._prepared: dict[Any, Prepared] = {}
        self._changes = {id(one): _change(one) for one in kept}

    async def total(self) -> int:
        async with self._store.read() as connection:
            counts = [await connection.scalar(select(func.count(kept.sealed))) for kept in self._kept]
        return sum(count or 0 for count in counts)

    async def run(self, progress: Callable[[int], None] = lambda _seen: None) -> int:
        """Pass over everything until a pass finds nothing under an older key. Returns how many values were moved.

        `progress` is told the values seen in the first pass.
        """
        moved = 0
        for number in range(MAX_PASSES):
            seen = 0
            found = 0
            for kept in self._kept:
                async for count, old, done in self._pages(kept):
                    seen += count
                    found += old
                    moved += done
                    if not number:
                        progress(seen)
            if not found:
                break
        return moved

    async def versions(self) -> Counter[tuple[str, int, int]]:
        """(owner agency, class, version) → values that stand under that key."""
        counted: Counter[tuple[str, int, int]] = Counter()
        for kept in self._kept:
            after: tuple[Any, ...] | None = None
            while rows := await self._read(kept, after):
                after = tuple(rows[-1])[: len(kept.key)]
                for row in rows:
                    head = row[len(kept.key)][:HEADER_BYTES]
                    counted[self._place(kept, row).agency, head[1], int.from_bytes(head[2:], "big")] += 1
        return counted

    async def _pages(self, kept: Kept) -> AsyncIterator[tuple[int, int, int]]:
        """(values seen, found under an older key, moved) of each batch; one is written while the next is sealed."""
        after: tuple[Any, ...] | None = None
        started, paid = self._clock.monotonic(), 0
        seen = old = 0
        writing: asyncio.Task[int] | None = None
        try:
            while rows := await self._read(kept, after):
                moving = await asyncio.to_thread(self._moving, kept, rows)
                if writing is not None:
                    yield seen, old, await writing
                last = tuple(rows[-1])[: kept.width]
                seen, old = len(rows), sum(one.fresh is not None for one in moving)
                writing = asyncio.create_task(self._persist(kept, after, last, moving))
                after = last
                paid += old
                if self._rate:
                    await asyncio.sleep(max(0.0, started + paid / self._rate - self._clock.monotonic()))
            if writing is not None:
                yield seen, old, await writing
        finally:
            if writing is not None:
                await asyncio.gather(writing, return_exceptions=True)

    async def _read(self, kept: Kept, after: tuple[Any, ...] | None) -> Sequence[Row[Any]]:
        async with self._store.read() as connection:
            rows: Sequence[Row[Any]] = (await connection.execute(_page(kept, after).limit(BATCH))).all()
        if kept.companion is not None and len(rows) == BATCH:
            whole = [row for row in rows if row[0] != rows[-1][0]]  # the last person may go on
            rows = whole or rows
        return rows

    def _moving(self, kept: Kept, rows: Sequence[Row[Any]]) -> list[Moving]:
        found: list[Moving] = []
        width, names = kept.width, [column.name for column in kept.key]
        headings: dict[tuple[str, int], bytes] = {}
        for _, group in groupby(rows, key=lambda row: row[0]):
            members = [(row, kept.place(dict(zip(names, row, strict=False)))) for row in group]
            stale = [row[width][:HEADER_BYTES] != self._heading(headings, place) for row, place in members]
            for (row, place), old in zip(members, stale, strict=True):
                if old or (kept.companion is not None and any(stale)):
                    found.append(self._moved(kept, row, place, old, width))
        return found

    def _moved(self, kept: Kept, row: Row[Any], place: Place, old: bool, width: int) -> Moving:
        sealed, salt = row[width], row[width + 1] or b""
        plain = self._opener.open(place, sealed, salt)
        return Moving(
            key=tuple(row[:width]),
            old=sealed,
            plain=plain,
            fresh=self._sealer.seal(place, plain, salt) if old else None,
            derived={name: make(plain) for name, make in kept.derived.items()} if old else {},
        )

    def _heading(self, known: dict[tuple[str, int], bytes], place: Place) -> bytes:
        named = place.agency, place.sensitivity
        if named not in known:
            known[named] = self._sealer.heading(*named)
        return known[named]

    async def _persist(
        self, kept: Kept, after: tuple[Any, ...] | None, last: tuple[Any, ...], moving: Sequence[Moving]
    ) -> int:
        """Write, and try again for a while if others hold the database."""
        if not any(one.fresh is not None for one in moving):
            return 0
        for attempt in range(1, ATTEMPTS):
            try:
                return await self._write(kept, after, last, moving)
            except StoreError:
                await asyncio.sleep(attempt * PAUSE_S)
        return await self._write(kept, after, last, moving)

    async def _write(
        self, kept: Kept, after: tuple[Any, ...] | None, last: tuple[Any, ...], moving: Sequence[Moving]
    ) -> int:
        """Change the rows that are still as they were read; how many."""
        async with self._store.write() as connection:
            locked = _page(kept, after).where(tuple_(*kept.key) <= tuple_(*map(literal, last)))
            many = self._many(connection)
            width = kept.width
            now = {
                tuple(row[:width]): row[width]
                for row in await connection.execute(locked.with_for_update(of=kept.table))
            }
            same = [one for one in moving if now.get(one.key) == one.old]
            if kept.companion is not None:
                changed = {one.key[0] for one in moving} - {one.key[0] for one in same}
                same = [one for one in same if one.key[0] not in changed]
            if values := [_values(kept, one) for one in same if one.fresh is not None]:
                await many(self._changes[id(kept)], values)
            if kept.companion is not None and same:
                persons: dict[str, list[str]] = {}
                for one in same:
                    persons.setdefault(one.key[0], []).append(one.plain)
                await kept.companion(many, persons)
            failpoint("rotation.batch")
        failpoint("rotation.committed")
        return len(values)

    def _many(self, connection: AsyncConnection) -> Many:
        async def many(statement: Executable, rows: Sequence[Mapping[str, Any]]) -> None:
            prepared = self._prepared.get(statement)
            if prepared is None:
                prepared = self._prepared[statement] = self._store.driver.prepare(statement)
            await connection.exec_driver_sql(prepared.text, [tuple(prepared.arguments(row)) for row in rows])

        return many

    def _place(self, kept: Kept, row: Row[Any]) -> Place:
        return kept.place({column.name: value for column, value in zip(kept.key, row, strict=False)})


def _page(kept: Kept, after: tuple[Any, ...] | None) -> Select[Any]:
    """Key, sealed value and salt of the rows after `after`, in order of the key."""
    if kept.salts is None:
        query = select(*kept.key, kept.sealed, literal(None))
    else:
        (owner,) = kept.salts.primary_key.columns
        query = select(*kept.key, kept.sealed, kept.salts.c.salt).join_from(
            kept.table, kept.salts, owner == kept.table.c[owner.name]
        )
    query = query.where(kept.sealed.is_not(None)).order_by(*kept.key)
    return query if after is None else query.where(tuple_(*kept.key) > tuple_(*map(literal, after)))


def _change(kept: Kept) -> Any:
    names = (kept.column, *kept.derived)
    same = [column == bindparam(f"key_{column.name}") for column in kept.key]
    return (
        update(kept.table)
        .where(and_(*same, kept.sealed == bindparam("old")))
        .values({name: bindparam(f"new_{name}") for name in names})
    )


def _values(kept: Kept, one: Moving) -> dict[str, Any]:
    values = {f"key_{column.name}": value for column, value in zip(kept.key, one.key, strict=True)}
    for name, value in one.derived.items():
        values[f"new_{name}"] = value
    values["old"], values[f"new_{kept.column}"] = one.old, one.fresh
    return values
