"""What sealing costs: a value, a person's key, an answer of 50 persons, and how fast rotation moves what is stored.

    python -m benchmarks.sealing [--members 5000] [--suite aes|aes-siv|sm] [--database-url URL]

Prints figures; the hub of the measurement stands in a directory of its own that is gone afterwards. A value is one
sealed column of one row, as `hub keys rotate` counts them; with it move its blind indexes and tokens. Of PostgreSQL
(`--database-url`, an empty database) the CPU time is that of the hub alone.
"""

import argparse
import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import sealed_answer
from hub.auth.principal import Principal
from hub.bootstrap.build import build_hub
from hub.bootstrap.front import settle_garbage_collector
from hub.bootstrap.keeping import build_keeping
from hub.bootstrap.parts import Hub
from hub.connectors.base import ScannedRecord
from hub.crypto.envelope import Place
from hub.crypto.keyring import KeyRing
from hub.crypto.opener import Opener
from hub.crypto.sealing import Sealer
from hub.crypto.suites import SUITE_NAMES
from hub.domain.identity_number import IdentityNumber, check_character
from hub.identity.index import Inquiry
from hub.rules import read_rules
from hub.settings import load_settings
from hub.store.migration import migrate

ROUNDS = 20_000
PERSONS = 50


class Register:
    def __init__(self, members: int) -> None:
        self._members = members

    async def scan(self, _coordinates: frozenset[str], *, batch: int) -> Any:
        for start in range(0, self._members, batch):
            yield [record(order) for order in range(start, min(start + batch, self._members))]


def number(order: int) -> str:
    body = f"3607001950{order // 28_000 % 12 + 1:02d}{order // 1_000 % 28 + 1:02d}{order % 1_000:03d}"
    return body + check_character(body)


def record(order: int) -> Any:
    values = {
        "index.number": number(order),
        "index.called": f"{'李王张刘陈'[order % 5]}{chr(0x4E00 + order // 5 % 4_000)}",
        "index.sex": "M",
        "index.term_start": "2024-01-01",
        "index.term_end": "2036-01-01",
        "index.offices": [["360702001", "H", "2023-12-01", None]],
    }
    return ScannedRecord(key=f"P{order:07d}", record=f"P{order:07d}", as_of=None, values=values)


def each(work: Callable[[], object], rounds: int = ROUNDS) -> float:
    """Microseconds of one call, the median of five runs."""
    taken = []
    for _ in range(5):
        started = time.perf_counter()
        for _ in range(rounds // 5):
            work()
        taken.append((time.perf_counter() - started) / (rounds // 5) * 1e6)
    return statistics.median(taken)


def values(suite: str) -> None:
    ring = KeyRing(keys={"seal:hub:3": {1: bytes(32)}}, suite=SUITE_NAMES[suite], block=8192)
    place = Place(agency="hub", table="person", column="number_sealed", row="7" * 32)
    sealer, opener, salt = Sealer(ring), Opener(ring), os.urandom(32)
    plain, own = sealer.seal(place, "36070019900101001X"), sealer.seal(place, "36070019900101001X", salt)
    at = opener.at("hub", "person", "number_sealed")
    persons = opener.of_persons("hub", "person", "number_sealed")
    for name, work in (
        ("seal", lambda: sealer.seal(place, "36070019900101001X")),
        ("seal, a person's key", lambda: sealer.seal(place, "36070019900101001X", salt)),
        ("open", lambda: at(place.row, plain)),
        ("open, a person's key", lambda: persons(place.row, own, salt)),
    ):
        print(f"{name:28} {each(work):8.2f} us")


async def stored(suite: str, members: int, directory: Path, database_url: str | None) -> None:
    settings = load_settings(data_dir=directory, demo=True, crypto_suite=suite, database_url=database_url)
    rules = read_rules(settings)
    hub = build_hub(settings, rules=rules)
    await migrate(hub.store)
    started = time.perf_counter()
    await hub.importer.run(Register(members))
    print(f"{'import':28} {members / (time.perf_counter() - started):8.0f} records/s")
    await looked_up(hub)
    keeping = build_keeping(settings, rules=rules)
    total = await keeping.rotation.total()
    settle_garbage_collector()
    started, cpu = time.perf_counter(), time.process_time()
    moved = await keeping.rekeying.rotate(grace_s=0)
    taken, used = time.perf_counter() - started, time.process_time() - cpu
    print(
        f"{'rotation':28} {moved / taken:8.0f} values/s ({moved} of {total}, {used / moved * 1e6:.1f} us of CPU each: "
        f"at most {2 * moved / used:.0f} on two cores with nothing else on them)"
    )
    await keeping.close()
    await hub.close()


async def looked_up(hub: Hub) -> None:
    """50 persons by id, by turns with what opens sealed values and with a stand-in that opens nothing."""
    officer = Principal(
        agency="justice",
        role="judicial-office",
        officer="1",
        client="c",
        regions=("36",),
        purposes=frozenset(),
        cases=None,
        token_id="t",
        expires_at=0,
    )
    inquiry = Inquiry(principal=officer, purpose="HANDOVER")
    numbers = [IdentityNumber.parse(number(order)) for order in range(1, 1 + PERSONS)]
    ids = [known.member.member_id for known in (await hub.index.find(inquiry, numbers)).values()]
    index: Any = hub.index
    opening, keys = index._open_number, dict(index._key_openers)
    taken: dict[str, list[float]] = {"sealed": [], "plain": []}
    for _ in range(60):
        for name, measured in taken.items():
            index._open_number = opening if name == "sealed" else lambda *_: "36070019900101001X"
            index._key_openers = keys if name == "sealed" else {agency: lambda *_: "P1" for agency in keys}
            started = time.perf_counter()
            await index.members(inquiry, ids)
            measured.append((time.perf_counter() - started) * 1e6)
    for name, measured in taken.items():
        print(f"{f'index of 50 persons, {name}':28} {statistics.median(measured):8.0f} us")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--members", type=int, default=5_000)
    options.add_argument("--suite", choices=list(SUITE_NAMES), default="aes")
    options.add_argument("--database-url")
    given = options.parse_args()
    values(given.suite)
    with tempfile.TemporaryDirectory() as directory:
        asyncio.run(stored(given.suite, given.members, Path(directory), given.database_url))
    sealed_answer.measure()


if __name__ == "__main__":
    main()
