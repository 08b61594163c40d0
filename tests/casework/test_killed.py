"""A process that is killed in the middle of a command: whole or not at all, and the same command finishes it."""

import os
import signal
import subprocess
import sys

import pytest
from sqlalchemy import func, select

from hub.audit.reader import dump
from hub.audit.verifier import verify_all
from hub.casework.tables import command
from hub.events.tables import outbox
from hub.identity.tables import emergency_access
from tests.casework.parts import asking, open_desk
from tests.conftest import FULL

WRITER = """
import asyncio, sys
from datetime import UTC, datetime
from hub.clock import FixedClock
from hub.store.engine import open_store
from tests.casework.parts import asking, open_desk

async def main():
    desk = open_desk(open_store(sys.argv[1]), FixedClock(datetime(2026, 11, 24, 8, tzinfo=UTC)))
    for number in range(3):
        await desk.runner.run(asking(id=str(number)))

asyncio.run(main())
"""


@pytest.mark.parametrize("passage", [1 + kill % 3 for kill in range(50)] if FULL else [2, 3])
@pytest.mark.parametrize("point", ["before-transaction", "before-commit", "after-commit"])
async def test_a_command_killed_anywhere_is_whole_or_nothing_and_can_be_repeated(
    store, store_url, clock, point, passage
):
    environment = {**os.environ, "HUB_FAILPOINT": f"command.{point}:{passage}"}
    process = subprocess.run(
        [sys.executable, "-c", WRITER, store_url], env=environment, capture_output=True, text=True, check=False
    )
    assert process.returncode == -signal.SIGKILL, process.stderr
    done = passage if point == "after-commit" else passage - 1

    async def counts() -> list[int]:
        async with store.read() as connection:
            tables = (command, emergency_access, outbox)
            return [(await connection.execute(select(func.count()).select_from(table))).scalar() for table in tables]

    assert await counts() == [done] * 3
    async with store.read() as connection:
        held = {row.entry_id for row in await connection.execute(select(command))}
    assert held <= {entry["id"] async for entry in dump(store)}
    desk = open_desk(store, clock)
    for number in range(3):
        assert (await desk.runner.run(asking(id=str(number)))).receipt is not None
    assert await counts() == [3, 3, 3]
    await desk.log.close()
    assert (await verify_all(store)).ok
