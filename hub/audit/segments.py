"""Retention: the log in sealed segments whose bodies may be removed when they are old; their hashes stay.

A segment is sealed when a checkpoint covers it. A segment under legal hold is not removed. A removal is an entry of the
log itself, durable before anything is deleted: verification accepts a missing body only if such an entry names it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from hub.audit.checkpoints import Checkpoints
from hub.audit.entry import Draft, Outcome
from hub.audit.indexing import Indexer, remove_indexed
from hub.audit.kinds import Kind
from hub.audit.log import AuditLog
from hub.audit.tables import audit_entry, audit_segment
from hub.clock import Clock
from hub.errors import HubError
from hub.failpoints import failpoint
from hub.store.engine import Store

SEGMENT = 65_536
KEEP_AT_LEAST_DAYS = 183
"""Legal floor of six months."""
KEEP_DAYS = 3 * 366
DAY_US = 86_400 * 1_000_000


class RetentionError(HubError):
    """A segment that is not there, or that may not be removed or held."""

    code = "RETENTION_REFUSED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """Entries from number `first` to `last`. `last_us`: time of the last. `removed_us`: when bodies were removed."""

    first: int
    last: int
    last_us: int
    hold: str | None
    removed_us: int | None


class Segments:
    def __init__(
        self, store: Store, log: AuditLog, checkpoints: Checkpoints, clock: Clock, *, segment: int = SEGMENT
    ) -> None:
        self._store = store
        self._log = log
        self._checkpoints = checkpoints
        self._clock = clock
        self._segment = segment

    async def seal(self) -> int:
        """Seal every whole segment that the newest checkpoint covers; how many were sealed now."""
        last = await self._checkpoints.latest()
        covered = last.checkpoint.size if last else 0
        sealed = 0
        async with self._store.write() as connection:
            first = (await connection.scalar(select(func.max(audit_segment.c.last))) or 0) + 1
            while first + self._segment - 1 <= covered:
                end = first + self._segment - 1
                await connection.execute(insert(audit_segment).values(first=first, last=end))
                first, sealed = end + 1, sealed + 1
        return sealed

    async def all(self) -> Sequence[Segment]:
        statement = (
            select(audit_segment, audit_entry.c.time_us)
            .join(audit_entry, audit_entry.c.seq == audit_segment.c.last)
            .order_by(audit_segment.c.first)
        )
        async with self._store.read() as connection:
            rows = (await connection.execute(statement)).all()
        return [
            Segment(first=row.first, last=row.last, last_us=row.time_us, hold=row.hold, removed_us=row.removed_us)
            for row in rows
        ]

    async def hold(self, first: int, reason: str | None) -> None:
        """Put the segment that begins at `first` under legal hold, or with None release it; an entry says so.

        Raises:
            RetentionError: there is no such segment, or it was removed. AuditUnavailableError: no entry, no hold.
        """
        if not any(one.first == first and one.removed_us is None for one in await self.all()):
            raise RetentionError(f"no segment with bodies begins at {first}")
        note = {"first": first, "held": int(reason is not None)}
        await self._log.append(Draft(kind=Kind.LEGAL_HOLD, request_id="hold", outcome=Outcome.OK, note=note))
        async with self._store.write() as connection:
            held = update(audit_segment).where(audit_segment.c.first == first)
            await connection.execute(held.values(hold=reason[:200] if reason is not None else None))

    async def remove(self, *, older_than_days: int = KEEP_DAYS) -> Sequence[Segment]:
        """Remove the bodies of sealed segments whose last entry is older and which are not held; those removed.

        May be run again after it was cut short.

        Raises:
            RetentionError: fewer days than the law asks for. AuditUnavailableError: no entry, no removal.
        """
        if older_than_days < KEEP_AT_LEAST_DAYS:
            raise RetentionError(f"entries are kept for at least {KEEP_AT_LEAST_DAYS} days")
        await Indexer(self._store).catch_up()
        now_us = int(self._clock.now().timestamp() * 1_000_000)
        before_us = now_us - older_than_days * DAY_US
        old = [one for one in await self.all() if one.last_us < before_us and one.removed_us is None and not one.hold]
        for one in old:
            note = {"first": one.first, "last": one.last}
            await self._log.append(Draft(kind=Kind.RETENTION, request_id="retention", outcome=Outcome.OK, note=note))
            failpoint("audit.before-removal")
            async with self._store.write() as connection:
                await self._remove(connection, one, now_us)
        return old

    async def _remove(self, connection: AsyncConnection, one: Segment, now_us: int) -> None:
        statement = select(audit_segment.c.hold).where(audit_segment.c.first == one.first).with_for_update()
        if await connection.scalar(statement):
            raise RetentionError(f"the segment that begins at {one.first} was put under hold meanwhile")
        within = audit_entry.c.seq.between(one.first, one.last)
        await connection.execute(update(audit_entry).where(within).values(body=None))
        await remove_indexed(connection, one.first, one.last)
        removed = update(audit_segment).where(audit_segment.c.first == one.first)
        await connection.execute(removed.values(removed_us=now_us))
