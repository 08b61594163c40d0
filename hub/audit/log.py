"""The append-only log: an entry is on disk before `append` returns, many entries share one commit.

Several processes append to one log: each commit moves the head from where it was, or nothing, so that the tree cannot
fork. The head holds the tree's frontier, so that an append hashes its own leaves and about one node for each.
"""

import asyncio
import re
import secrets
import time
from base64 import urlsafe_b64encode
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import msgspec
from sqlalchemy import select

from hub.audit.appender import Head, Row, Rows, open_appender
from hub.audit.entry import Draft, encode
from hub.audit.kinds import NUMBERS
from hub.audit.leaf import leaf_hash, pack_header
from hub.audit.merkle import add_leaf, join_frontier, split_frontier
from hub.audit.tables import audit_head
from hub.clock import Clock
from hub.errors import AuditUnavailableError, StoreError
from hub.failpoints import failpoint
from hub.store.engine import Store

MAX_WAITING = 10_000
MAX_BATCH = 500
COMMIT_S = 4.0  # a database that hangs becomes an error inside the request's deadline

_ENTRY_ID = re.compile(r"[A-Za-z0-9_-]{24}")


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
            AuditUnavailableError: the log cannot be written; the entry is not known to be in it.
        """
        return await asyncio.shield(self.done)


def is_entry_id(text: str) -> bool:
    """Whether `text` has the form of `new_entry_id`; what else a caller sends as an id stays out of the log."""
    return _ENTRY_ID.fullmatch(text) is not None


def new_entry_id() -> str:
    """An id for an entry that is still to be made, so that the answer can name its entry before the entry is sealed.

    Milliseconds (about) in front of 12 random bytes: ids of one time lie side by side in the database's index, which
    else would write a page for each. The time says nothing: `time` of the entry is another, under the log's own rules.
    """
    moment = (time.time_ns() >> 20).to_bytes(8, "big")[2:]
    return urlsafe_b64encode(moment + secrets.token_bytes(12)).decode()


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
            AuditUnavailableError: the log cannot be written; the entry is not known to be in it.
        """
        return await self.submit(draft).durable()

    def submit(self, draft: Draft, entry_id: str | None = None) -> Waiting:
        """Hand in one entry; it is written while the caller goes on. `entry_id`: one of `new_entry_id`, used once.

        Raises:
            AuditUnavailableError: too many entries wait already.
        """
        if len(self._waiting) >= MAX_WAITING:
            raise AuditUnavailableError("audit queue is full")
        done: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
        waiting = Waiting(entry_id or new_entry_id(), draft, done)
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
        bodies = [encode(waiting.draft) for waiting in batch]
        try:
            async with asyncio.timeout(COMMIT_S):
                receipts = await self._appender.append(partial(self._rows, batch, bodies))
        except TimeoutError as exc:
            raise StoreError(f"the log took no entry within {COMMIT_S} s") from exc
        failpoint("audit.after-commit")
        return receipts

    def _rows(self, batch: Sequence[Waiting], bodies: Sequence[bytes], head: Head) -> tuple[Rows, list[Receipt]]:
        """The rows of `batch` after `head`. Called again with another head if another process was faster."""
        seq, time_us = head.seq, head.time_us
        try:
            frontier = split_frontier(head.frontier, seq)
        except ValueError as exc:
            raise StoreError("the head of the log is damaged") from exc
        rows: list[Row] = []
        for waiting, body in zip(batch, bodies, strict=True):
            kind = NUMBERS[waiting.draft.kind]
            time_us = max(time_us, int(self._clock.now().timestamp() * 1_000_000))
            header = pack_header(kind=kind, length=len(body), seq=seq + 1, time_us=time_us, entry_id=waiting.entry_id)
            leaf = leaf_hash(header, body)
            add_leaf(frontier, seq, leaf)
            seq += 1
            rows.append(Row(seq, waiting.entry_id, time_us, kind, leaf, body))
        receipts = [Receipt(entry_id=row.entry_id, seq=row.seq) for row in rows]
        return Rows(rows=rows, head=Head(seq, time_us, join_frontier(frontier))), receipts
