import asyncio
import json
import os
import signal
import subprocess
import sys

import pytest
from sqlalchemy import delete

from hub.audit.entry import Draft, Outcome, Pattern
from hub.audit.log import AuditLog
from hub.audit.reader import dump
from hub.audit.tables import audit_head
from hub.audit.verifier import verify
from hub.errors import AuditUnavailableError


def draft(number: int = 0) -> Draft:
    access = ("p1", Pattern(full=("Person.name",), denied=("TaxRecord.arrears",)))
    return Draft(request_id=f"r{number}", agency="tax", outcome=Outcome.OK, persons=(access,))


async def entries(store) -> list[dict]:
    return [entry async for entry in dump(store)]


async def test_an_entry_is_readable_as_soon_as_append_returns(store, clock):
    log = AuditLog(store, clock)
    receipt = await log.append(draft())
    assert [entry["id"] for entry in await entries(store)] == [receipt.entry_id]


async def test_dump_has_the_published_names_in_order(store, clock):
    await AuditLog(store, clock).append(draft())
    (entry,) = await entries(store)
    assert list(entry) == sorted(
        "seq id time kind requestId agency client officer role purpose case document operation persons sources "
        "policyDigest policies outcome code cost latencyMs".split()
    )
    assert entry["persons"] == [
        {
            "person": "p1",
            "full": ["Person.name"],
            "masked": [],
            "predicate": [],
            "sealed": [],
            "denied": ["TaxRecord.arrears"],
        }
    ]
    assert entry["time"] == "2026-11-24T08:00:00.000000Z"


async def test_the_entry_of_a_later_part_names_its_parent(store, clock):
    log = AuditLog(store, clock)
    parent = await log.append(draft())
    await log.append(Draft(request_id="r0", parent=parent.entry_id, outcome=Outcome.OK))
    first, later = await entries(store)
    assert later["parent"] == first["id"]
    assert "parent" not in first
    assert list(later) == sorted(later)


async def test_two_processes_append_to_one_chain_without_a_fork(store, store_url, clock, opened):
    logs = [AuditLog(store, clock), AuditLog(opened(store_url), clock)]
    await asyncio.gather(*(logs[n % 2].append(draft(n)) for n in range(200)))
    found = await entries(store)
    assert [entry["seq"] for entry in found] == list(range(1, 201))
    assert {entry["requestId"] for entry in found} == {f"r{n}" for n in range(200)}
    verdict = await verify(store)
    assert (verdict.ok, verdict.entries) == (True, 200)


async def test_a_log_without_its_head_takes_no_entry_and_does_not_verify(store, clock):
    log = AuditLog(store, clock)
    await log.append(draft())
    async with store.write() as connection:
        await connection.execute(delete(audit_head))
    with pytest.raises(AuditUnavailableError):
        await log.append(draft())
    assert (await verify(store)).reason == "the head of the log is missing"


async def test_many_entries_share_a_commit(store, clock):
    log = AuditLog(store, clock)
    commits = 0
    inner = log._commit

    async def counting(drafts):
        nonlocal commits
        commits += 1
        return await inner(drafts)

    log._commit = counting
    await asyncio.gather(*(log.append(draft(n)) for n in range(100)))
    assert commits < 20


async def test_time_in_the_log_never_goes_back(store, clock):
    log = AuditLog(store, clock)
    await log.append(draft())
    clock.advance(-86_400)
    await log.append(draft())
    first, second = await entries(store)
    assert second["time"] >= first["time"]
    assert (await verify(store)).ok


async def test_a_caller_that_goes_away_leaves_its_entry(store, clock):
    log = AuditLog(store, clock)
    task = asyncio.create_task(log.append(draft(7)))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await log.close()
    assert [entry["requestId"] for entry in await entries(store)] == ["r7"]


async def test_without_a_database_there_is_no_receipt_and_the_log_heals(tmp_path, clock, opened):
    url = f"sqlite+aiosqlite:///{tmp_path / 'a.db'}"
    bare = opened(url)  # no schema: writing fails
    log = AuditLog(bare, clock)
    with pytest.raises(AuditUnavailableError):
        await log.append(draft())
    assert not log.writable
    from hub.store.migration import migrate

    await migrate(bare)
    await log.append(draft())
    assert log.writable


WRITER = """
import asyncio, sys
from hub.audit.entry import Draft, Outcome
from hub.audit.log import AuditLog
from hub.clock import SystemClock
from hub.store.engine import open_store

async def one(log, n):
    receipt = await log.append(Draft(request_id=f"r{n}", outcome=Outcome.OK))
    print(receipt.entry_id, flush=True)

async def main():
    log = AuditLog(open_store(sys.argv[1]), SystemClock())
    n = 0
    while True:
        await asyncio.gather(*(one(log, n + k) for k in range(8)))
        n += 8

asyncio.run(main())
"""


@pytest.mark.parametrize("attempt", range(2))
async def test_kill_9_loses_no_acknowledged_entry(store, store_url, attempt):
    with subprocess.Popen([sys.executable, "-c", WRITER, store_url], stdout=subprocess.PIPE, text=True) as process:
        try:
            acknowledged = [process.stdout.readline().strip() for _ in range(60 + attempt)]
        finally:
            process.kill()
        acknowledged += process.stdout.read().split()
    ids = [entry["id"] for entry in await entries(store)]
    acknowledged = [name for name in acknowledged if len(name) == 24]
    assert all(ids.count(name) == 1 for name in acknowledged)
    assert (await verify(store)).ok


@pytest.mark.parametrize("point", ["audit.before-commit", "audit.after-commit"])
async def test_a_log_killed_at_a_failpoint_verifies_and_goes_on(store, store_url, clock, point):
    environment = {**os.environ, "HUB_FAILPOINT": f"{point}:3"}
    process = subprocess.run(
        [sys.executable, "-c", WRITER, store_url], env=environment, capture_output=True, text=True, check=False
    )
    assert process.returncode == -signal.SIGKILL
    assert (await verify(store)).ok
    await AuditLog(store, clock).append(draft())
    assert (await verify(store)).ok
    assert json.dumps(await entries(store))
