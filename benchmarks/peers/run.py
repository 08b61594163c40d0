"""Measures the hub beside its peers, all duties on: `make bench-peers PEERS=DIR ARGS="--rounds 3 --write"`.

DIR is the peers' harness. It starts and pins every server, checks that every peer gives the same answers, measures in
interleaved rounds; here the hub is made one more peer, and what the run says is put beside the targets. Options that
are not this program's own go to the harness.
"""

import argparse
import asyncio
import json
import os
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import asyncpg

from benchmarks.peers.parts import (
    AGENCY,
    PORT,
    PURPOSE,
    QUERIES_DIR,
    REGIONS,
    ROLE,
    ROOT,
    STORE,
    bench_home,
    bench_settings,
    database_url,
)
from benchmarks.peers.prepare import prepare
from benchmarks.peers.report import HUB, JUDGED_AT, PEERS, insert, markdown, read_results
from hub.auth.issuer import Issuer, open_issuer_key
from hub.clock import SystemClock

PAGE = ROOT / "docs" / "performance.md"
DEFAULTS = ("--peers", ",".join(PEERS), "--conns", f"1,{JUDGED_AT},32", "--rounds", "5")
OUTCOMES = """
    SELECT substring(convert_from(body, 'UTF8') FROM '"outcome":"([A-Z]+)"') AS outcome, count(*)
    FROM audit_entry WHERE seq > $1 GROUP BY 1 ORDER BY 1"""
FAIR = {"OK", "ABORTED"}  # a connection that the load generator drops at the end of a round is an aborted answer


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("harness", type=Path, help="folder of the peers' harness")
    options.add_argument("--write", action="store_true", help=f"put the table into {PAGE.relative_to(ROOT)}")
    options.add_argument("--fresh", action="store_true", help="make the hub's side of the database anew")
    options.add_argument("--check", action="store_true", help="compare the answers only, measure nothing")
    given, passed = options.parse_known_args()
    script = (given.harness / "run.sh").resolve()
    if not script.is_file():
        print(f"bench-peers: there is no harness at {given.harness}", file=sys.stderr)
        return 2
    set_up(script)
    asyncio.run(prepare(fresh=given.fresh))
    run_dir = bench_home() / "run"
    out, extra = run_dir / "hub.results.json", run_dir / "hub.toml"
    write_peer(extra, mint())
    before = asyncio.run(_last_entry())
    out.unlink(missing_ok=True)
    command = ["check" if given.check else "all", *DEFAULTS, "--extra", str(extra), "--out", str(out), *passed]
    code = _harness(script, *command)
    fair = show_outcomes(asyncio.run(_outcomes(before)))
    if code or given.check:
        return code or int(not fair)
    return max(report(out, write=given.write, passed=passed), int(not fair))


def set_up(script: Path) -> None:
    """What the harness needs once: its venv and node modules, its database."""
    if not (bench_home() / "venv" / "bin" / "python").exists():
        _must(_harness(script, "setup"))
    _must(_harness(script, "db-start" if (bench_home() / "pg" / "data").is_dir() else "db"))


def mint() -> str:
    """A token of the bench's county office, good for an hour."""
    settings = bench_settings()
    key = open_issuer_key(settings.hub_dir / "keys" / "issuer.pem", create=False)
    issuer = Issuer(key, url=settings.issuer_url, audience=settings.audience, clock=SystemClock())
    return issuer.mint(officer="3001", client="bench", agency=AGENCY, role=ROLE, regions=REGIONS, purposes=(PURPOSE,))


def write_peer(path: Path, token: str) -> None:
    """The hub as one more peer of the harness (TOML strings are JSON strings)."""
    entries = {
        "name": HUB,
        "about": "this hub, every duty on",
        "url": f"http://127.0.0.1:{PORT}/graphql",
        "queries": str(QUERIES_DIR),
        "check": "leaves",
        "cwd": str(ROOT),
    }
    lines = ["[[peer]]", *(f"{name} = {json.dumps(value)}" for name, value in entries.items())]
    lines.append(f"cmd = [{json.dumps(shlex.join([sys.executable, '-m', 'benchmarks.peers.serve']))}]")
    lines.append(
        f"headers = {{ Authorization = {json.dumps(f'Bearer {token}')}, Hub-Purpose = {json.dumps(PURPOSE)} }}"
    )
    lines.append(f"env = {{ PYTHONPATH = {json.dumps(str(ROOT))} }}")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")


def report(out: Path, *, write: bool, passed: list[str]) -> int:
    document = json.loads(out.read_bytes())
    results = read_results(document)
    if (HUB, "Q1", JUDGED_AT) not in results:
        print(f"bench-peers: the hub was not measured at {JUDGED_AT} connections", file=sys.stderr)
        return 1
    args = document["args"]
    about = (
        f"Measured {datetime.now(UTC):%Y-%m-%d} on {os.cpu_count()} cores: medians of {args['rounds']} interleaved "
        f"rounds, connections {args['conns']}."
    )
    text = markdown(results, about=about)
    print("\n" + text)
    if write:
        PAGE.write_text(insert(PAGE.read_text("utf-8"), text), "utf-8")
        print(f"written into {PAGE.relative_to(ROOT)} ({' '.join(passed) or 'default options'})")
    bad = sum(row["bad"] for (peer, _, _), row in results.items() if peer == HUB)
    if bad:
        print(f"bench-peers: the hub failed requests (median {bad:g} a run)", file=sys.stderr)
    return int(bool(bad))


def show_outcomes(outcomes: dict[str, int]) -> bool:
    """What the audit log says of the run. An answer that lacked an agency is not one that the peers gave."""
    print("audit entries of this run: " + (", ".join(f"{name} {count}" for name, count in outcomes.items()) or "none"))
    unfair = sorted(outcomes.keys() - FAIR)
    if unfair:
        print(f"bench-peers: not every answer was whole: {', '.join(unfair)}", file=sys.stderr)
    return not unfair


async def _last_entry() -> int:
    connection = await asyncpg.connect(database_url(STORE))
    try:
        return await connection.fetchval("SELECT coalesce(max(seq), 0) FROM audit_entry")
    finally:
        await connection.close()


async def _outcomes(after: int) -> dict[str, int]:
    connection = await asyncpg.connect(database_url(STORE))
    try:
        return {row[0]: row[1] for row in await connection.fetch(OUTCOMES, after)}
    finally:
        await connection.close()


def _harness(script: Path, *arguments: str) -> int:
    return subprocess.run(
        [str(script), *arguments], check=False, env={**os.environ, "BENCH_HOME": str(bench_home())}
    ).returncode


def _must(code: int) -> None:
    if code:
        sys.exit(code)


if __name__ == "__main__":
    sys.exit(main())
