"""What a thief of the hub's disk could read: every file that the hub stores, searched for what agencies know of people.

    python -m benchmarks.at_rest --people 2000 --values 1000 [--data DIR]

Starts a demo in DIR (default: a directory of its own that is gone afterwards), imports, asks as several personas, refuses,
rotates its keys and escrows them, then searches while it runs. Prints counts; ends with 1 if a value is found.
"""

import argparse
import json
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

SHORTEST = 6  # bytes; shorter ones would be met in ciphertext by chance
COLUMNS = "ZFBH, SFZH, XM, CYM, LXDH, HJDZ, JZDZ, SFZSBH"
QUERY = """query ($n: String!) { person(lookup: {identityNumber: $n}) { name identityNumber birthDate
    conflicts { coordinate values { agency value } }
    justice { name identityNumber prisonerNo phone registeredAddress residenceAddress }
    police { name } socialSecurity { name } } }"""
LIST = "{ people(first: 100) { edges { node { name identityNumber } } } }"
PERSONAS = ("judicial-office", "county-office", "police-station", "social-security", "tax")


def seeded(agencies: Path, persons: int) -> list[str]:
    """Values of the justice system's own database: numbers, names, telephones, addresses of its first `persons`."""
    (path,) = (agencies / "justice").glob("*.db")
    database = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    rows = database.execute(f"SELECT {COLUMNS} FROM ZF_JBXX ORDER BY ZFBH LIMIT ?", (persons,)).fetchall()
    database.close()
    values = {str(value) for row in rows for value in row if value}
    return sorted(value for value in values if len(value) >= 3)


def forms(value: str) -> set[bytes]:
    """Every way in which a value might be written down by accident."""
    raw = value.encode()
    found = {raw, value.encode("utf-16-le"), value.encode("utf-16-be"), value.encode("gb18030")}
    found |= {form.hex().encode() for form in tuple(found)} | {raw.hex().upper().encode()}
    for shift in range(3):  # as part of a longer text, at any place
        coded = b64encode(b"\0" * shift + raw)
        found.add(coded[4 if shift else 0 : len(coded) - 4 if (len(raw) + shift) % 3 else None])
    return {form for form in found if len(form) >= SHORTEST}


def contents(folder: Path) -> dict[str, bytes]:
    """Every file under `folder` by its name there; a partial tile may give way to a fuller one meanwhile."""
    found = {}
    for path in sorted(folder.rglob("*")):
        with suppress(FileNotFoundError, IsADirectoryError):
            found[str(path.relative_to(folder))] = path.read_bytes()
    return found


def hits(values: Iterable[str], held: Mapping[str, bytes]) -> list[tuple[str, str]]:
    """(file, value) of everything found."""
    return [(name, value) for value in values for form in forms(value) for name, raw in held.items() if form in raw]


def spread(values: Sequence[str], wanted: int) -> Sequence[str]:
    return values[:: max(1, len(values) // wanted)][:wanted]


def _command(folder: Path, *arguments: str) -> None:
    full = [sys.executable, "-m", "hub.cli.main", *arguments, "--data", str(folder)]
    subprocess.run(full, check=True, stdout=subprocess.DEVNULL)


@contextmanager
def used(folder: Path, people: int) -> Iterator[None]:
    """A demo that runs, and has been used in every way that stores something."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    command = [sys.executable, "-m", "hub.cli.main", "demo", "--data", str(folder), "--people", str(people)]
    log = folder.parent / "server.log"
    with log.open("wb") as words:
        demo = subprocess.Popen([*command, "--port", port], stdout=subprocess.DEVNULL, stderr=words)
    try:
        while not (folder / "demo.json").exists():
            if demo.poll() is not None:
                raise RuntimeError(log.read_text("utf-8", "replace")[-2000:])
            time.sleep(0.5)
        held = json.loads((folder / "demo.json").read_text("utf-8"))
        for persona in PERSONAS:
            for number in (*held["people"]["in"][:20], *held["people"]["out"][:5]):
                _ask(held, persona, QUERY, {"n": number})
            _ask(held, persona, LIST, {})
            _ask(held, persona, QUERY.replace("name", "nam", 1), {"n": held["people"]["in"][0]})
        _command(folder, "keys", "rotate", "--grace", "0")
        _command(folder, "keys", "escrow", "--out", str(folder / "hub" / "escrow"), "--shares", "3", "--needed", "2")
        yield
    finally:
        demo.send_signal(signal.SIGINT)
        demo.wait()


def _ask(held: Mapping[str, object], persona: str, query: str, variables: Mapping[str, str]) -> None:
    """Answers and refusals alike are of no interest here."""
    known = held["personas"][persona]  # type: ignore[index]
    headers = {
        "Authorization": f"Bearer {known['token']}",
        "Content-Type": "application/json",
        "Accept": "application/graphql-response+json",
        "Hub-Purpose": known["purpose"],
    }
    if known["case"]:
        headers["Hub-Case"] = known["case"]
    body = json.dumps({"query": query, "variables": variables}).encode()
    request = urllib.request.Request(f"{held['url']}/graphql", body, headers)
    try:
        urllib.request.urlopen(request, timeout=60).read()
    except urllib.error.HTTPError as refused:
        refused.close()


def searched(folder: Path, people: int, wanted: int) -> int:
    values = spread(seeded(folder / "agencies", people), wanted)
    held = contents(folder / "hub")
    words = (folder.parent / "server.log").read_bytes().splitlines()
    held["server log"] = b"\n".join(line for line in words if b"variables" not in line)  # the demo's own example
    found = hits(values, held)
    size = sum(map(len, held.values())) / 1e6
    print(f"{len(values)} values of {people} persons in {sum(len(forms(value)) for value in values)} forms")
    print(f"{len(held)} files, {size:.1f} MB: {', '.join(sorted(held))}")
    print(f"hits: {len(found)}")
    for name, _ in found[:20]:
        print(f"  in {name}")
    return len(found)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=2_000)
    parser.add_argument("--values", type=int, default=1_000)
    parser.add_argument("--data", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hub-at-rest-") as own:
        folder = given.data or Path(own) / "data"
        folder.mkdir(parents=True, exist_ok=True)
        with used(folder, given.people):
            return 1 if searched(folder, given.people, given.values) else 0


if __name__ == "__main__":
    sys.exit(main())
