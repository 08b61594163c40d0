"""Killed in the middle of a checkpoint or of a removal: the second run completes."""

import os
import signal
import subprocess
import sys

import pytest

from hub.audit.segments import Segments
from hub.audit.verifier import verify_all
from tests.audit.parts import ledger

RUN = """
import asyncio, sys
from datetime import UTC, datetime, timedelta
from hub.audit.segments import Segments
from hub.clock import FixedClock
from hub.store.engine import open_store
from tests.audit.parts import ledger

async def main():
    clock = FixedClock(datetime(2026, 11, 24, tzinfo=UTC) + timedelta(days=400))
    one = ledger(open_store(sys.argv[1]), clock)
    await one.checkpoints.make(force=True)
    segments = Segments(one.store, one.log, one.checkpoints, clock, segment=32)
    await segments.seal()
    await segments.remove(older_than_days=200)

asyncio.run(main())
"""


@pytest.mark.parametrize("point", ["audit.checkpoint", "audit.before-removal:2"])
async def test_the_second_run_completes(store, store_url, clock, point):
    one = ledger(store, clock)
    await one.write(100)
    environment = {**os.environ, "HUB_FAILPOINT": point}
    done = subprocess.run([sys.executable, "-c", RUN, store_url], env=environment, capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert (await verify_all(store)).ok
    again = subprocess.run([sys.executable, "-c", RUN, store_url], capture_output=True, check=False)
    assert again.returncode == 0, again.stderr
    kept = await Segments(store, one.log, one.checkpoints, clock, segment=32).all()
    assert [each.removed_us is not None for each in kept] == [True, True, True]
    assert (await verify_all(store)).ok
    assert (await one.checkpoints.latest()).checkpoint.size >= 100
