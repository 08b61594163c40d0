"""What sealing adds to an answer about 50 persons: two hubs over the same data, by turns in one process.

One is the hub as it is. The other opens each sealed value once and from then on takes its text from memory, as if the
column were plain; everything else it does alike. `python -m benchmarks.sealed_answer [--rounds 400] [--replica police]`.
"""

import argparse
import asyncio
import gc
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from unittest.mock import patch

from benchmarks.duties import Step
from benchmarks.server import running_demo
from hub.bootstrap import front, secrets
from hub.bootstrap.build import build_hub
from hub.crypto.envelope import Place
from hub.crypto.keyring import KeyRing
from hub.crypto.opener import Opener
from hub.rules import Rules, read_rules
from hub.settings import Settings, load_settings

PERSONS, ROUNDS, ROOT = 600, 400, "50 persons"


class Counting(Opener):
    """Counts what it opens: how much sealing there is in an answer."""

    opened = 0

    def at(self, agency: str, table: str, column: str) -> Callable[[object, bytes], str]:
        return self._counted(super().at(agency, table, column))

    def of_persons(self, agency: str, table: str, column: str) -> Callable[[object, bytes, bytes], str]:
        return self._counted(super().of_persons(agency, table, column))

    def open(self, place: Place, sealed: bytes, salt: bytes = b"") -> str:
        Counting.opened += 1
        return super().open(place, sealed, salt)

    def _counted(self, opening: Callable[..., str]) -> Callable[..., str]:
        def opened(*given: Any) -> str:
            Counting.opened += 1
            return opening(*given)

        return opened


class Plain(Opener):
    """Opens a value the first time only."""

    def __init__(self, ring: KeyRing) -> None:
        super().__init__(ring)
        self._known: dict[bytes, str] = {}

    def at(self, agency: str, table: str, column: str) -> Callable[[object, bytes], str]:
        return self._once(super().at(agency, table, column))

    def of_persons(self, agency: str, table: str, column: str) -> Callable[[object, bytes, bytes], str]:
        return self._once(super().of_persons(agency, table, column))

    def open(self, place: Place, sealed: bytes, salt: bytes = b"") -> str:
        text = self._known.get(sealed)
        if text is None:
            text = self._known[sealed] = super().open(place, sealed, salt)
        return text

    def _once(self, opening: Callable[..., str]) -> Callable[..., str]:
        known = self._known

        def opened(row: object, sealed: bytes, *salt: bytes) -> str:
            text = known.get(sealed)
            if text is None:
                text = known[sealed] = opening(row, sealed, *salt)
            return text

        return opened


def build(opener: type[Opener], settings: Settings, rules: Rules, held: Mapping[str, Any]) -> Step:
    with patch.object(secrets, "Opener", opener):
        return Step(name="unsealing", hub=build_hub(settings, rules=rules), held=dict(held))


async def run(held: Mapping[str, Any], rounds: int) -> None:
    settings = load_settings(
        data_dir=Path(held["dataDir"]), url=held["url"], demo=True, persons_per_hour=1_000_000, log_level="warning"
    )
    rules = read_rules(settings)
    async with AsyncExitStack() as stack:
        steps: dict[str, Step] = {}
        for name, opener in (("counting", Counting), ("sealed", Opener), ("plain", Plain)):
            steps[name] = build(opener, settings, rules, held)
            stack.push_async_callback(steps[name].hub.close)
        for step in steps.values():
            await step.ask(ROOT, 0)
        Counting.opened = 0
        await steps["counting"].ask(ROOT, 0)
        opened = Counting.opened
        front.settle_garbage_collector()
        taken: dict[str, list[float]] = {"sealed": [], "plain": []}
        for turn in range(rounds):
            if not turn % 50:
                gc.collect()
            for name in sorted(taken, reverse=bool(turn % 2)):
                started = time.process_time()
                await steps[name].ask(ROOT, turn)
                taken[name].append((time.process_time() - started) * 1e6)
    show(taken, opened)


def show(taken: Mapping[str, list[float]], opened: int) -> None:
    """Medians; between the two kinds stands one request only, so that what else runs weighs on both."""
    middle = {name: statistics.median(column) for name, column in taken.items()}
    for name, cpu in middle.items():
        print(f"{f'answer, 50 persons, {name}':28} {cpu:8.0f} us of CPU")
    more = middle["sealed"] - middle["plain"]
    print(
        f"{'sealing adds':28} {100 * more / middle['plain']:8.1f} %  "
        f"({opened} values opened, {more / opened:.1f} us each; {len(taken['plain'])} answers of each kind, by turns)"
    )


def measure(rounds: int = ROUNDS, replicas: Sequence[str] = ()) -> None:
    with running_demo(PERSONS, *(f"--replica={agency}" for agency in replicas)) as held:
        asyncio.run(run(held, rounds))


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=ROUNDS)
    options.add_argument("--replica", action="append", default=[], help="an agency that is answered for by a copy")
    given = options.parse_args()
    measure(given.rounds, given.replica)


if __name__ == "__main__":
    main()
