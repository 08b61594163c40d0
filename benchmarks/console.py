"""How fast an auditor is answered over a large log: pages of the console from request to first byte, and the API's desk.

    python -m benchmarks.console [--entries 1000000] [--rounds 30] [--dir DIR]

Prints one JSON object a line; times in milliseconds. The hub runs in this process, with SQLite, without a server.
All entries lie within the last days, which is the worst for pages of a period. `--dir` keeps the log and uses it again.
"""

import argparse
import asyncio
import json
import random
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from sqlalchemy import delete, insert

from benchmarks.ledger import fill
from hub.audit.queries import EntryFilter
from hub.auditing.desk import Reader, Trace
from hub.auditing.sessions import Sessions
from hub.auditing.tables import audit_finding
from hub.bootstrap.build import build_hub
from hub.clock import CHINA
from hub.settings import load_settings
from hub.store.migration import migrate

chance = random.Random(6)
PAGES = {
    "search": "",
    "search by agency": "agency=tax",
    "search by coordinate and decision": "coordinate=Person.name&decision=denied",
    "person": "person=person-{person:022}",
    "officer": "officer=officer:{officer}",
    "search within days": "from={day}&purpose=PICKUP",
    "search for what is not there": "agency=tax&officer=officer:nobody",
    "entries/{entry}": "",
    "hours": "",
    "graph": "",
    "graph of an officer": "officer=officer:{officer}",
    "findings": "",
    "findings/{finding}": "",
    "samples": "",
    "samples/{sample}": "",
    "policy": "",
    "integrity": "",
    "exports": "",
}
"""Page, and what its address says; a page named `search …` or `graph …` is that page."""


def say(name: str, measured: tuple[list[float], float], **figures: Any) -> None:
    times, cpu = measured
    times.sort()
    shown = {"p50": times[len(times) // 2], "p99": times[min(len(times) - 1, int(len(times) * 0.99))], "max": times[-1]}
    shown["cpu"] = cpu
    print(json.dumps({"figure": name, **{key: round(value, 1) for key, value in shown.items()}, **figures}), flush=True)


async def timed(rounds: int, ask: Callable[[], Awaitable[None]]) -> tuple[list[float], float]:
    """Milliseconds by the clock of each round, and of processor time on average."""
    times, cpu = [], time.process_time()
    for _ in range(rounds):
        began = time.perf_counter()
        await ask()
        times.append((time.perf_counter() - began) * 1000)
    return times, (time.process_time() - cpu) * 1000 / rounds


async def run(given: argparse.Namespace, folder: Path) -> None:
    hub = build_hub(load_settings(data_dir=folder, demo=True))
    await migrate(hub.store)
    await hub.office.policies.start(hub.policies.current.policy_digest, hub.policies.policy.files)
    await fill(hub.store, given.entries)
    await hub.audit.find(EntryFilter(), first=1)  # the index follows the log
    principal = hub.issuer.principal_of(hub.rules.personas["auditor"])
    reader = Reader(principal=principal, purpose="AUDIT")
    session = await _session(hub, principal)
    known = await _known(hub, reader)
    for name, query in PAGES.items():
        path = "/console/" + ("" if name.startswith("search") else name.split(" ")[0])

        async def page(path: str = path, query: str = query) -> None:
            names = {**known, "person": chance.randrange(172_000), "officer": chance.randrange(2000)}
            names["entry"] = chance.choice(known["entries"])
            await _fetch(hub.app, path.format(**names), query.format(**names), session)

        await page()
        say(f"page: {name}", await timed(given.rounds, page), entries=given.entries)

    async def desk() -> None:
        wanted = EntryFilter(person=f"person-{chance.randrange(172_000):022}", purpose="PICKUP")
        await hub.office.desk.entries(reader, wanted, Trace())

    say("desk: person and purpose", await timed(given.rounds * 10, desk), entries=given.entries)
    await hub.close()


async def _known(hub: Any, reader: Reader) -> dict[str, Any]:
    """What the pages name: some entries, a finding of two hundred reads, a sample, a waiting export, today."""
    last = (await hub.audit.status()).entries
    rows = await hub.audit.numbered(sorted(chance.sample(range(1, last), 200)))
    entries = [row.entry_id for row in rows]
    finding = {"finding_id": "bench", "rule": "canary", "found_us": rows[0].time_us, "officer": "officer:1"}
    finding |= {"entries": json.dumps(entries), "why": "{}", "state": "OPEN", "assignee": "", "version": 0}
    async with hub.store.write() as connection:
        await connection.execute(delete(audit_finding))
        await connection.execute(insert(audit_finding).values(finding))
    wanted = EntryFilter(officer="officer:7")
    sample = await hub.office.samples.take("9001", wanted, 30)
    await hub.office.exports.ask(reader, wanted, "csv")
    day = f"{hub.clock.now().astimezone(CHINA):%Y-%m-%d}"
    return {"entries": entries, "finding": "bench", "sample": sample, "day": day}


async def _session(hub: Any, principal: Any) -> str:
    from dataclasses import replace  # noqa: PLC0415

    ends = int(time.time()) + 86_400
    return await Sessions(hub.store, hub.clock).begin(replace(principal, expires_at=ends, token_id="bench"))


async def _fetch(app: Any, path: str, query: str, session: str) -> None:
    """One request, until the whole page is there. Raises AssertionError: it is not a page."""
    status = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            status.append(message["status"])

    headers = [(b"host", b"127.0.0.1:8000"), (b"cookie", f"hub_console={session}".encode())]
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": headers,
        "server": ("127.0.0.1", 8000),
        "client": ("127.0.0.1", 1),
    }
    await app(scope, receive, send)
    assert status == [200], (path, query, status)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--dir", type=Path, help="where the log is kept; by default it is thrown away")
    given = parser.parse_args()
    if given.dir is not None:
        asyncio.run(run(given, given.dir))
        return
    with tempfile.TemporaryDirectory(prefix="hub-console-") as name:
        asyncio.run(run(given, Path(name)))


if __name__ == "__main__":
    main()
