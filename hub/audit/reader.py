"""Reading the log while it grows: entries as data officers see them, and the proof that none was touched."""

import hmac
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import select

from hub.audit.chain import GENESIS, link
from hub.audit.entry import spell_out
from hub.audit.tables import audit_entry, audit_head
from hub.store.engine import Store

PAGE = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What verification found. `first_bad` is the number of the first entry that is not as it was written."""

    ok: bool
    entries: int
    root: str
    first_bad: int | None = None
    reason: str | None = None
    witnessed: bool = False


async def dump(store: Store, after: int = 0) -> AsyncIterator[dict[str, Any]]:
    """Entries in order, from number `after` + 1, page by page; keys sorted."""
    async for _, _, body, _ in _rows(store, after):
        yield dict(sorted(spell_out(body).items()))


async def verify(store: Store) -> Verdict:
    """Walk the whole chain up to the head as it was at the start. Cost: two hashes an entry.

    A log whose entries and head were both rewritten consistently passes: only a witness outside finds that.
    """
    async with store.read() as connection:
        head = (await connection.execute(select(audit_head.c.seq, audit_head.c.chain))).one_or_none()
    chain, seq, time_us = GENESIS, 0, 0

    def bad(number: int, reason: str) -> Verdict:
        return Verdict(ok=False, entries=seq, root=chain.hex(), first_bad=number, reason=reason)

    if head is None:
        return bad(1, "the head of the log is missing")
    last, expected = head
    async for number, entry_id, body, stored in _rows(store, 0):
        if number > last:
            break
        wrong = "entry is missing" if number != seq + 1 else _wrong(number, entry_id, body, time_us)
        if wrong is None and not hmac.compare_digest(link(chain, number, body), stored):
            wrong = "entry was altered"
        if wrong is not None:
            return bad(seq + 1, wrong)
        chain, seq, time_us = stored, number, orjson.loads(body)["time"]
    if seq != last or not hmac.compare_digest(chain, expected):
        return bad(seq + 1, "log does not end where its head says")
    return Verdict(ok=True, entries=seq, root=chain.hex())


def _wrong(number: int, entry_id: str, body: bytes, time_us: int) -> str | None:
    """What is wrong with the entry by itself."""
    try:
        said = orjson.loads(body)
    except orjson.JSONDecodeError:
        return "entry is not readable"
    if said.get("seq") != number or said.get("id") != entry_id:
        return "entry was moved or renamed"
    return "time goes back" if said.get("time", -1) < time_us else None


async def _rows(store: Store, after: int) -> AsyncIterator[tuple[int, str, bytes, bytes]]:
    while True:
        statement = (
            select(audit_entry.c.seq, audit_entry.c.entry_id, audit_entry.c.body, audit_entry.c.chain)
            .where(audit_entry.c.seq > after)
            .order_by(audit_entry.c.seq)
            .limit(PAGE)
        )
        async with store.read() as connection:
            rows = (await connection.execute(statement)).all()
        for row in rows:
            yield row[0], row[1], row[2], row[3]
        if len(rows) < PAGE:
            return
        after = rows[-1][0]
