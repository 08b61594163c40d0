"""What every simulated system's process has in common: arguments, data made once, an orderly end.

Its stdout is for whoever started it, a JSON object a line: how far making the data has come, then where it is.
"""

import argparse
import asyncio
import ctypes
import json
import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import date
from hashlib import sha256
from pathlib import Path

from hub.demo.population import RATES, World

_PR_SET_PDEATHSIG = 1
MARKER = "complete.json"
SAY_EVERY_S = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Arguments:
    directory: Path
    world: World
    port: int
    database_url: str | None


def parse_arguments(agency: str) -> Arguments:
    parser = argparse.ArgumentParser(prog=f"hub.demo.agencies.{agency}")
    parser.add_argument("--dir", type=Path, required=True)
    parser.add_argument("--people", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--today", type=date.fromisoformat, default=None)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--database-url", default=None)
    given = parser.parse_args()
    given.dir.mkdir(parents=True, exist_ok=True)
    world = World(seed=given.seed, members=given.people, today=given.today or date.today())
    arguments = Arguments(directory=given.dir, world=world, port=given.port, database_url=given.database_url)
    if not is_complete(arguments):
        return arguments
    return replace(arguments, world=replace(world, today=made_on(given.dir)))


def is_complete(arguments: Arguments) -> bool:
    """Whether the data of this seed and size were made before."""
    path = arguments.directory / MARKER
    if not path.exists():
        return False
    marker = json.loads(path.read_text())
    return bool(marker == {**_made_of(arguments), "today": marker.get("today")})


def mark_complete(arguments: Arguments) -> None:
    world = arguments.world
    temporary = arguments.directory / f".{MARKER}.new"
    temporary.write_text(json.dumps({**_made_of(arguments), "today": world.today.isoformat()}))
    temporary.replace(arguments.directory / MARKER)


def _made_of(arguments: Arguments) -> dict[str, object]:
    """What the data depend on, beside the day they were made for."""
    rates = sha256(json.dumps(RATES, sort_keys=True).encode()).hexdigest()[:16]
    world = arguments.world
    return {"seed": world.seed, "people": world.members, "rates": rates, "database": arguments.database_url or ""}


def die_with_parent() -> None:
    """End this process when the one that started it is gone (Linux)."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def count_aloud(total: int) -> Callable[[], None]:
    """A function to call once a person; says now and then how many are done."""
    done, said_at = 0, time.monotonic()

    def step() -> None:
        nonlocal done, said_at
        done += 1
        if time.monotonic() - said_at > SAY_EVERY_S:
            said_at = time.monotonic()
            print(json.dumps({"made": done, "of": total}), flush=True)

    return step


def say_ready(agency: str, **where: object) -> None:
    print(json.dumps({"ready": agency, **where}), flush=True)


async def until_signal(end: Callable[[], Awaitable[None]] | None = None) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await stop.wait()
    if end is not None:
        await end()


def made_on(directory: Path) -> date:
    """The day for which the data of a system were made."""
    return date.fromisoformat(json.loads((directory / MARKER).read_text())["today"])
