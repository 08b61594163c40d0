"""The append-only log: an entry is on disk before `append` returns, many entries share one commit.

Several processes append to one log: each commit moves the head from where it was, or nothing, so that the chain cannot
fork.
"""

import asyncio
import secrets
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import msgspec
from sqlalchemy import select

from hub.audit.appender import Head, Row, Rows, open_appender
from hub.audit.chain import link
from hub.audit.entry import Draft, encode
from hub.audit.tables import audit_head
from hub.clock import Clock
from hub.errors import AuditUnavailableError, StoreError
from hub.failpoints import failpoint
from hub.store.engine import Store

MAX_WAITING = 10_000
MAX_BATCH = 500


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """What the log says of a durable entry."""

    entry_id: str
    seq: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """An entry on its way into the log. Its id is known; that it is durable is known when `done`."""

    entry_id: str
    draft: Draft
    done: "asyncio.Future[Receipt]"

    async def durable(self) -> Receipt:
        """Return when the entry is durable.

        Raises:
            AuditUnavailableError: the log cannot be written; nothing of this entry is in it.
        """
        return await asyncio.shield(self.done)


class AuditLog:
    """One writer task per process; callers wait for their own entry only."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._appender = open_appender(store.driver)
        self._clock = clock
        self._waiting: deque[Waiting] = deque()
        self._writer: asyncio.Task[None] | None = None
        self._last_failed = False

    @property
    def writable(self) -> bool:
        """Whether the last write went through."""
        return not self._last_failed

    async def append(self, draft: Draft) -> Receipt:
        """Write one entry; returns when it is durable. A caller that goes away does not take its entry with it.

        Raises:
            AuditUnavailableError: the log cannot be written; nothing of this entry is in it.
        """
        return await self.submit(draft).durable()

    def submit(self, draft: Draft) -> Waiting:
        """Hand in one entry; it is written while the caller goes on.

        Raises:
            AuditUnavailableError: too many entries wait already.
        """
        if len(self._waiting) >= MAX_WAITING:
            raise AuditUnavailableError("audit queue is full")
        done: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
        waiting = Waiting(secrets.token_urlsafe(18), draft, done)
        self._waiting.append(waiting)
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write())
        return waiting

    async def close(self) -> None:
        """Wait until everything handed in is written."""
        if self._writer is not None:
            await asyncio.gather(self._writer, return_exceptions=True)

    async def probe(self) -> bool:
        """Whether the head can be read now; readiness asks this."""
        try:
            async with self._store.read() as connection:
                await connection.execute(select(audit_head.c.seq))
        except StoreError:
            return False
        return True

    async def _write(self) -> None:
        while self._waiting:
            await asyncio.sleep(0)  # let those who are ready in this turn of the loop join the batch
            batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), MAX_BATCH))]
            try:
                receipts = await self._commit(batch)
            except StoreError as error:
                self._last_failed = True
                for waiting in batch:
                    if not waiting.done.done():
                        waiting.done.set_exception(AuditUnavailableError(str(error)))
                        waiting.done.exception()
                continue
            self._last_failed = False
            for waiting, receipt in zip(batch, receipts, strict=True):
                if not waiting.done.done():
                    waiting.done.set_result(receipt)

    async def _commit(self, batch: Sequence[Waiting]) -> list[Receipt]:
        failpoint("audit.before-commit")
        receipts = await self._appender.append(partial(self._rows, batch))
        failpoint("audit.after-commit")
        return receipts

    def _rows(self, batch: Sequence[Waiting], head: Head) -> tuple[Rows, list[Receipt]]:
        """The rows of `batch` after `head`. Called again with another head if another process was faster."""
        seq, time_us, chain = head.seq, head.time_us, head.chain
        rows: list[Row] = []
        for waiting in batch:
            seq += 1
            time_us = max(time_us, int(self._clock.now().timestamp() * 1_000_000))
            body = encode(waiting.draft, seq=seq, entry_id=waiting.entry_id, time_us=time_us)
            chain = link(chain, seq, body)
            rows.append(Row(seq, waiting.entry_id, body, chain))
        receipts = [Receipt(entry_id=row.entry_id, seq=row.seq) for row in rows]
        return Rows(rows=rows, head=Head(seq, time_us, chain)), receipts
