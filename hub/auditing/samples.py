"""Random samples of entries that anybody can draw again: the seed is printed, the arithmetic is SHA-256.

Of the entries that meet the filter, up to a number, those are drawn whose SHA-256 of `SEED:NUMBER` is smallest.
"""

import secrets
from dataclasses import dataclass
from hashlib import sha256
from heapq import nsmallest
from typing import Any

import orjson
from sqlalchemy import insert, select

from hub.audit.queries import MAX_FIRST, AuditQueries, EntryFilter
from hub.auditing.desk import AuditArgumentError
from hub.auditing.exports import filter_of, said
from hub.auditing.tables import audit_sample
from hub.clock import Clock
from hub.store.engine import Store

MOST = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """`entries`: numbers, in order."""

    sample_id: str
    created_us: int
    officer: str
    seed: str
    upto: int
    wanted: EntryFilter
    size: int
    entries: tuple[int, ...]


def draw(numbers: list[int], seed: str, size: int) -> list[int]:
    """`size` of `numbers`, in order; the same for the same seed whatever order they come in."""
    drawn = nsmallest(size, set(numbers), key=lambda number: sha256(f"{seed}:{number}".encode()).digest())
    return sorted(drawn)


class Samples:
    def __init__(self, store: Store, queries: AuditQueries, clock: Clock) -> None:
        self._store = store
        self._queries = queries
        self._clock = clock

    async def take(
        self, officer: str, wanted: EntryFilter, size: int, *, seed: str | None = None, upto: int | None = None
    ) -> str:
        """Draw a sample and keep it; its id. `seed` and `upto` of an earlier one draw the same again.

        Raises:
            AuditArgumentError: size or seed out of bounds. StoreError: the database does not answer.
        """
        if not 1 <= size <= MOST:
            raise AuditArgumentError(f"`size` is from 1 to {MOST}.")
        seed = seed or secrets.token_hex(8)
        if len(seed) > 64 or not seed.isascii():
            raise AuditArgumentError("`seed` is at most 64 ASCII characters.")
        upto = upto or (await self._queries.status()).entries
        numbers: list[int] = []
        before: int | None = upto + 1
        while before is not None:
            page = await self._queries.find(wanted, first=MAX_FIRST, before=before)
            numbers += [row.seq for row in page.entries]
            before = page.end if page.more else None
        sample_id = secrets.token_urlsafe(12)
        row: dict[str, Any] = {
            "sample_id": sample_id,
            "created_us": int(self._clock.now().timestamp() * 1_000_000),
            "officer": officer,
            "seed": seed,
            "upto": upto,
            "wanted": orjson.dumps(said(wanted), option=orjson.OPT_SORT_KEYS).decode(),
            "size": size,
            "entries": orjson.dumps(draw(numbers, seed, size)).decode(),
        }
        async with self._store.write() as connection:
            await connection.execute(insert(audit_sample).values(row))
        return sample_id

    async def all(self, limit: int = 50) -> list[Sample]:
        statement = select(audit_sample).order_by(audit_sample.c.created_us.desc()).limit(limit)
        async with self._store.read() as connection:
            return [_sample(row) for row in (await connection.execute(statement)).mappings()]

    async def one(self, sample_id: str) -> Sample | None:
        async with self._store.read() as connection:
            found = await connection.execute(select(audit_sample).where(audit_sample.c.sample_id == sample_id))
            row = found.mappings().one_or_none()
        return _sample(row) if row else None


def _sample(row: Any) -> Sample:
    names = ("sample_id", "created_us", "officer", "seed", "upto", "size")
    return Sample(
        **{name: row[name] for name in names},
        wanted=filter_of(orjson.loads(row["wanted"])),
        entries=tuple(orjson.loads(row["entries"])),
    )
