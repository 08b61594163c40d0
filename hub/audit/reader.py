"""Reading the log while it grows: its rows as they are stored, and entries as data officers see them."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, NamedTuple

from sqlalchemy import bindparam, select

from hub.audit.entry import spell_out
from hub.audit.tables import audit_entry
from hub.store.engine import Store

PAGE = 2000


class EntryRow(NamedTuple):
    """`body` is None of an entry that was removed with its segment."""

    seq: int
    entry_id: str
    time_us: int
    kind: int
    leaf: bytes
    body: bytes | None


_COLUMNS = [audit_entry.c[name] for name in EntryRow._fields]


async def pages(store: Store, after: int = 0) -> AsyncIterator[Sequence[Sequence[Any]]]:
    """Rows in order, from number `after` + 1, as sequences with the fields of `EntryRow`. The database reads the next
    page while the caller is busy with this one.

    Raises:
        StoreError: the database does not answer.
    """
    prepared = store.driver.prepare(
        select(*_COLUMNS).where(audit_entry.c.seq > bindparam("after")).order_by(audit_entry.c.seq).limit(PAGE)
    )

    def read(after: int) -> asyncio.Task[Sequence[Sequence[Any]]]:
        return asyncio.ensure_future(store.driver.rows(prepared, {"after": after}))

    reading = read(after)
    try:
        while True:
            rows = await reading
            last = len(rows) < PAGE
            if not last:
                reading = read(rows[-1][0])
                await asyncio.sleep(0)  # so that it begins before the caller goes on
            if rows:
                yield rows
            if last:
                return
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


async def dump(store: Store, after: int = 0) -> AsyncIterator[dict[str, Any]]:
    """Entries in order, from number `after` + 1, page by page; keys sorted."""
    async for page in pages(store, after):
        for row in page:
            yield show(EntryRow(*row))


async def follow(store: Store, after: int = 0, *, every_s: float = 1.0) -> AsyncIterator[dict[str, Any]]:
    """`dump` without end: what comes later is there within `every_s`."""
    while True:
        async for entry in dump(store, after):
            yield entry
            after = entry["seq"]
        await asyncio.sleep(every_s)


def show(row: EntryRow) -> dict[str, Any]:
    """One entry as `hub audit dump` prints it; keys sorted."""
    seq, entry_id, time_us, kind, _, body = row
    return dict(sorted(spell_out(seq=seq, entry_id=entry_id, time_us=time_us, kind=kind, body=body).items()))


async def entry(store: Store, entry_id: str) -> EntryRow | None:
    """The row of one entry, by its id."""
    async with store.read() as connection:
        row = (await connection.execute(select(*_COLUMNS).where(audit_entry.c.entry_id == entry_id))).one_or_none()
    return EntryRow(*row) if row else None
