"""The worker's loop: each duty again and again, on its own, until it is told to stop.

A duty that fails is tried again later, and later still while it keeps failing; it keeps no other from its work. Any
number of workers may run at once: every duty takes what it works on by the database.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import structlog

from hub.errors import HubError

LONGEST_PAUSE_S = 60.0

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Duty:
    """`work` does what is due and answers how much it was; `pause_s`: how long to wait when nothing was."""

    name: str
    work: Callable[[], Awaitable[int]]
    pause_s: float


async def run(duties: Sequence[Duty], stop: asyncio.Event) -> None:
    """Until `stop` is set; what is under way then is finished."""
    await asyncio.gather(*(_keep(duty, stop) for duty in duties))


async def run_once(duties: Sequence[Duty]) -> int:
    """Every duty in turn until none finds anything to do; how much was done."""
    done = 0
    while count := sum([await duty.work() for duty in duties]):
        done += count
    return done


async def _keep(duty: Duty, stop: asyncio.Event) -> None:
    pause = duty.pause_s
    while not stop.is_set():
        try:
            done = await duty.work()
            pause = duty.pause_s
        except (HubError, OSError) as error:
            pause = min(LONGEST_PAUSE_S, max(pause * 2, 1.0))
            done = 0
            _log.warning("duty failed", duty=duty.name, kind=type(error).__name__, again_s=pause)
        if not done:
            await _wait(stop, pause)


async def _wait(stop: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return
