"""The log as files that a stand-alone verifier reads: what an auditor takes along.

`log.bin`: one record an entry, in order: `E`, stored leaf hash (32 bytes), header (48), body; or, of an entry removed
with its segment, `R`, leaf hash, number (8 bytes), time (8). `head.json`, `checkpoints.jsonl`, `log.vkey` (for
convenience: trust comes from elsewhere), `index.jsonl` (the index as far as it is filled) and `hub_verify.py`.
"""

import json
import shutil
from collections.abc import AsyncIterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import Table, select

from hub.audit.indexing import TEXTS
from hub.audit.leaf import pack_header
from hub.audit.note import VerifierKey
from hub.audit.reader import PAGE, EntryRow, pages
from hub.audit.tables import (
    audit_checkpoint,
    audit_follower,
    audit_head,
    audit_index,
    audit_index_case,
    audit_index_pattern,
    audit_index_person,
    audit_pattern,
)
from hub.store.engine import Store

VERIFIER = Path(__file__).with_name("hub_verify.py")


async def write_package(store: Store, directory: Path, key: VerifierKey | None = None) -> None:
    """Write the log as it stands, exactly as stored, also where it does not verify.

    Raises:
        StoreError: the database does not answer. OSError: the directory cannot be written.
    """
    directory.mkdir(parents=True, exist_ok=True)  # noqa: ASYNC240  # a command, nothing else runs
    async with store.read() as connection:
        notes = (await connection.execute(select(audit_checkpoint).order_by(audit_checkpoint.c.size))).all()
        head = (await connection.execute(select(audit_head.c.seq, audit_head.c.frontier))).one_or_none()
    last = head.seq if head else 0
    said = {"size": last, "frontier": head.frontier.hex()} if head else {}
    (directory / "head.json").write_text(json.dumps(said), "utf-8")
    with (directory / "checkpoints.jsonl").open("wb") as file:
        for row in notes:
            file.write(orjson.dumps({"size": row.size, "note": row.note}) + b"\n")
    with (directory / "log.bin").open("wb") as file:
        async for page in pages(store):
            file.writelines(_record(row) for row in page if row[0] <= last)
    with (directory / "index.jsonl").open("wb") as file:
        async for line in _index_lines(store, last):
            file.write(orjson.dumps(line, option=orjson.OPT_SORT_KEYS) + b"\n")
    if key is not None:
        (directory / "log.vkey").write_text(f"{key}\n", "utf-8")
    shutil.copyfile(VERIFIER, directory / VERIFIER.name)


def _record(row: Sequence[Any]) -> bytes:
    seq, entry_id, time_us, kind, leaf, body = EntryRow(*row)
    if body is None:
        return b"R" + leaf + int(seq).to_bytes(8, "big") + int(time_us).to_bytes(8, "big")
    header = pack_header(kind=kind, length=len(body), seq=seq, time_us=time_us, entry_id=entry_id)
    return b"E" + leaf + header + body


async def _index_lines(store: Store, last: int) -> AsyncIterator[dict[str, Any]]:
    async with store.read() as connection:
        done = await connection.scalar(select(audit_follower.c.seq).where(audit_follower.c.name == "index")) or 0
        rows = await connection.execute(
            select(audit_pattern).order_by(
                audit_pattern.c.pattern_id, audit_pattern.c.decision, audit_pattern.c.coordinate
            )
        )
        patterns: dict[str, list[list[str]]] = {}
        for coordinate, decision, number in rows:
            patterns.setdefault(str(number), []).append([decision, coordinate])
    yield {"upTo": min(done, last), "patterns": patterns}
    async for row in indexed_rows(store, min(done, last)):
        yield row


async def indexed_rows(store: Store, last: int) -> AsyncIterator[dict[str, Any]]:
    """The index entry by entry, in order, up to number `last`: what `hub.audit.indexing.index_of` makes of a body."""
    for first in range(1, last + 1, PAGE):
        end = min(last, first + PAGE - 1)
        plain = await _between(store, audit_index, first, end)
        persons = _by_entry(await _between(store, audit_index_person, first, end))
        cases = _by_entry(await _between(store, audit_index_case, first, end))
        patterns = _by_entry(await _between(store, audit_index_pattern, first, end))
        found = {row["seq"]: row for row in plain}
        for seq in sorted(found.keys() | persons.keys() | cases.keys() | patterns.keys()):
            row = found.get(seq, {})
            yield {
                "seq": seq,
                "time": row.get("time_us"),
                "kind": row.get("kind"),
                "count": row.get("persons"),
                "texts": [row.get(name) for name in TEXTS],
                "persons": sorted([one["person"], one["pattern_id"]] for one in persons.get(seq, ())),
                "cases": sorted(one["case_id"] for one in cases.get(seq, ())),
                "patterns": sorted(one["pattern_id"] for one in patterns.get(seq, ())),
            }


async def _between(store: Store, table: Table, first: int, last: int) -> Sequence[Any]:
    statement = select(table).where(table.c.seq.between(first, last)).order_by(table.c.seq)
    async with store.read() as connection:
        return (await connection.execute(statement)).mappings().all()


def _by_entry(rows: Sequence[Any]) -> dict[int, list[Any]]:
    return {seq: list(group) for seq, group in groupby(rows, key=lambda row: row["seq"])}
