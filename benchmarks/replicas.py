"""Copies: records copied a second, and reads of a copy against the agency itself, interleaved in one run.

Run: `python -m benchmarks.replicas [--people N]`. Times are CPU seconds of this process; only ratios are comparable.
"""

import argparse
import asyncio
import resource
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from statistics import median

from hub.clock import SystemClock
from hub.connectors.base import Fetch
from hub.store.migration import migrate
from tests.connectors.replica.parts import CIVIL, POLICE, WORLD, Agencies, fetch_of

ROUNDS = 30
PERSONS = 50


async def measure(people: int, directory: Path) -> None:
    agencies = Agencies(directory, world=replace(WORLD, members=people))
    hub = agencies.hub("", SystemClock())
    await migrate(hub.store)
    try:
        for agency in (POLICE, CIVIL):
            for name in ("first copy", "again, nothing changed"):
                begun = time.process_time()
                copy = await hub.copier.copy(agency, anyway=True, whole=True)
                records = (await hub.copier.status(agency)).records
                assert not copy.trouble, copy
                print(f"{agency:14} {name:24} {records / (time.process_time() - begun):8.0f} records/CPU s")
        for agency in (POLICE, CIVIL):
            keys = agencies.keys(agency)[:PERSONS]
            question = fetch_of(hub, agency, *keys)
            whole = await _cost(hub, agency, question)
            print(
                f"{agency:14} {PERSONS} records, everything: copy {whole[0] * 1e3:.2f} ms, itself {whole[1] * 1e3:.2f} ms"
                f", ratio {whole[0] / whole[1]:.2f}"
            )
    finally:
        await hub.close()
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MiB")
    size = sum(path.stat().st_size for path in (directory / "hub").glob("hub.db*"))
    print(f"store {size / 2**20:.0f} MiB")


async def _cost(hub, agency: str, question: Fetch) -> tuple[float, float]:
    """Median CPU seconds of the copy and of the agency itself."""
    copied, itself = [], []
    for _ in range(ROUNDS):
        begun = time.process_time()
        answer = await hub.sources[agency].ask(question)
        copied.append(time.process_time() - begun)
        begun = time.process_time()
        records = await hub.sources[agency].connector.fetch(question)
        itself.append(time.process_time() - begun)
        assert answer.records.keys() == records.keys()
    return median(copied), median(itself)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=2000)
    with tempfile.TemporaryDirectory() as made:
        asyncio.run(measure(parser.parse_args().people, Path(made)))
