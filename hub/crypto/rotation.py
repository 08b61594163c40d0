"""Sealing stored values anew under the active keys, while the hub serves.

Row by row, by compare-and-set: a row that changed meanwhile is left to the next pass. Each batch is one transaction in
which a value, its blind index and its tokens change together, so that a kill at any point leaves every row whole and
readable, under one key or the other. Running again goes on where rows are still under an older key.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence

from sqlalchemy import func, select

from hub.clock import Clock
from hub.crypto.envelope import HEADER_BYTES
from hub.crypto.kept import Kept
from hub.crypto.resealing import Key, Moving, Opener, Resealing, Sealer
from hub.crypto.rewriting import KeptColumn
from hub.errors import StoreError
from hub.failpoints import failpoint
from hub.store.engine import Store

BATCH = 4_000
MAX_PASSES = 50
ATTEMPTS, PAUSE_S = 6, 0.5


class Rotation:
    def __init__(
        self, *, store: Store, opener: Opener, sealer: Sealer, kept: Sequence[Kept], clock: Clock, rate: float = 0
    ) -> None:
        """`rate`: at most so many values a second; 0 for as fast as it goes."""
        self._store = store
        self._resealing = Resealing(opener, sealer)
        self._columns = [KeptColumn(store, one, BATCH) for one in kept]
        self._clock = clock
        self._rate = rate

    async def total(self) -> int:
        async with self._store.read() as connection:
            counts = [await connection.scalar(select(func.count(one.kept.sealed))) for one in self._columns]
        return sum(count or 0 for count in counts)

    async def run(self, progress: Callable[[int], None] = lambda _seen: None) -> int:
        """Pass over everything until a pass finds nothing under an older key. Returns how many values were moved.

        `progress` is told the values seen in the first pass.
        """
        moved = 0
        for number in range(MAX_PASSES):
            seen = 0
            found = 0
            for column in self._columns:
                async for count, old, done in self._pages(column):
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
        for column in self._columns:
            kept, after = column.kept, None
            names = [one.name for one in kept.key]
            while page := await column.page(after):
                after = page[-1][0]
                for key, sealed, _ in page:
                    agency = kept.place(dict(zip(names, key, strict=True))).agency
                    counted[agency, sealed[1], int.from_bytes(sealed[2:HEADER_BYTES], "big")] += 1
        return counted

    async def _pages(self, column: KeptColumn) -> AsyncIterator[tuple[int, int, int]]:
        """(values seen, found under an older key, moved) of each page; one is written while the next is sealed."""
        after: Key | None = None
        started, paid = self._clock.monotonic(), 0
        moving: Moving | None = None
        writing: asyncio.Task[int] | None = None
        try:
            while page := await column.page(after):
                following = await asyncio.to_thread(self._resealing.moving, column.kept, page)
                if moving is not None and writing is not None:
                    yield moving.seen, len(moving.fresh), await writing
                moving = following
                writing = asyncio.create_task(self._persist(column, moving))
                after = page[-1][0]
                paid += len(moving.fresh)
                if self._rate:
                    await asyncio.sleep(max(0.0, started + paid / self._rate - self._clock.monotonic()))
            if moving is not None and writing is not None:
                yield moving.seen, len(moving.fresh), await writing
        finally:
            if writing is not None:
                await asyncio.gather(writing, return_exceptions=True)

    async def _persist(self, column: KeptColumn, moving: Moving) -> int:
        """Write, and try again for a while if others hold the database."""
        if not moving.fresh:
            return 0
        for attempt in range(1, ATTEMPTS):
            try:
                return await self._write(column, moving)
            except StoreError:
                await asyncio.sleep(attempt * PAUSE_S)
        return await self._write(column, moving)

    async def _write(self, column: KeptColumn, moving: Moving) -> int:
        async with self._store.write_much() as connection:
            moved = await column.write(connection, moving)
            failpoint("rotation.batch")
        failpoint("rotation.committed")
        return moved
