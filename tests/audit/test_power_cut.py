"""Two processes write to one log and lose their power: what the log said is durable is there, once, and it verifies.

Bounded to two cuts; `make test-all` makes twenty.
"""

import random
import subprocess
import sys
from collections import Counter

import pytest

from hub.audit.log import AuditLog
from hub.audit.reader import dump
from hub.audit.verifier import verify_all
from hub.store.migration import migrate
from tests.audit.parts import draft
from tests.audit.power_cut import cut_power, prepare
from tests.conftest import FULL

CUTS = 20 if FULL else 2


@pytest.fixture
async def database(tmp_path, opened):
    path = tmp_path / "hub.db"
    store = opened(f"sqlite+aiosqlite:///{path}")
    await migrate(store)
    await store.close()
    return path


def cut(database, cut_number: int, mode: str, processes: int = 2) -> list[tuple[str, str]]:
    """Run writers with eight clients in all until some entries are durable, then cut the power of all at once."""
    chance = random.Random(cut_number)
    prepare(database)
    command = [sys.executable, "-m", "tests.audit.power_cut", str(database)]
    running = [
        subprocess.Popen(
            [*command, f"{cut_number}.{name}", str(8 // processes), str(chance.randrange(1 << 30)), mode],
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in range(processes)
    ]
    told: list[str] = []
    try:
        for process in running:
            told += [process.stdout.readline() for _ in range(chance.randrange(20, 150))]
    finally:
        for process in running:
            process.kill()
        for process in running:
            told += process.stdout.read().splitlines(keepends=True)
            process.wait()
            process.stdout.close()
    cut_power(database)
    return [tuple(line.split()) for line in told if line.endswith("\n")]


async def test_what_was_durable_survives_power_cuts(database, opened, clock):
    durable = []
    for number in range(CUTS):
        durable += cut(database, number, "sync")
        store = opened(f"sqlite+aiosqlite:///{database}")
        entries = [entry async for entry in dump(store)]
        ids, requests = Counter(entry["id"] for entry in entries), Counter(entry["requestId"] for entry in entries)
        assert [one for one in durable if ids[one[0]] != 1] == []
        assert [one for one in durable if requests[one[1]] != 1] == []
        verdict = await verify_all(store)
        assert verdict.ok, verdict
        await AuditLog(store, clock).append(draft(number))
        await store.close()
    assert len(durable) > 40 * CUTS


async def test_without_fsync_the_same_run_loses_entries(database, opened):
    """Else the layer would not lose what is not synced, and the test above would show nothing."""
    durable = cut(database, 0, "nosync", processes=1)
    store = opened(f"sqlite+aiosqlite:///{database}")
    try:
        kept = {entry["id"] async for entry in dump(store)}
    except Exception:
        kept = set()  # not even a database is left
    assert len(durable) > 20
    assert {one for one, _ in durable} - kept
