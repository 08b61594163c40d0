"""A log that was written as a chain becomes a tree, entry by entry."""

import json

from sqlalchemy import column, insert, table, update

from hub.audit.log import AuditLog
from hub.audit.reader import dump
from hub.audit.verifier import verify_all
from hub.store.migration import migrate
from tests.audit.parts import draft

OLD = table("audit_entry", *(column(name) for name in ("seq", "entry_id", "body", "chain")))
HEAD = table("audit_head", *(column(name) for name in ("seq", "time_us", "chain")))


async def test_entries_of_the_chain_are_entries_of_the_tree(store_url, opened, clock):
    store = opened(store_url)
    await migrate(store, "0001")
    time_us = 1_700_000_000_000_000
    async with store.write() as connection:
        for seq in range(1, 301):
            said = {"seq": seq, "id": f"id{seq:022}", "time": time_us + seq, "kind": "operation", "note": {}}
            said |= {"patterns": [], "persons": [], "case": [], "requestId": f"r{seq}"}
            row = {"seq": seq, "entry_id": said["id"], "body": json.dumps(said).encode(), "chain": b"c" * 32}
            await connection.execute(insert(OLD).values(row))
        await connection.execute(update(HEAD).values(seq=300, time_us=time_us + 300, chain=b"c" * 32))
    await migrate(store)
    await AuditLog(store, clock).append(draft(1))
    entries = [entry async for entry in dump(store)]
    assert [(entry["seq"], entry["requestId"]) for entry in entries[:300]] == [(n, f"r{n}") for n in range(1, 301)]
    assert (await verify_all(store)).ok
    assert (await verify_all(store)).entries == 301
