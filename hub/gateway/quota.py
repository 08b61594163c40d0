"""How many distinct persons one officer may read in an hour, against trawling.

Each server remembers whom an officer read through it. Where servers share a store, it counts by itself only as many
as it took from there (`gateway.shared_quota`), so that all servers together keep the limit.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice

import structlog

from hub.clock import Clock, microseconds
from hub.errors import RateLimitedError, StoreError
from hub.gateway.shared_quota import SLICE_US, WINDOW_US, SharedQuota

MAX_OFFICERS = 50_000
LOOKED_AT = 64
IDLE_US = 60_000_000
"""A slice that nobody used for so long is given back, so that it does not lie idle at one server."""
SWEEP_EVERY = 60  # rounds of `run`

logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaState:
    """`resets_in_s`: when the oldest person leaves the window; None where none was read.

    With several servers it is what this one knew when it last took a slice, and what it counted since.
    """

    limit: int
    used: int
    resets_in_s: float | None


@dataclass(slots=True)
class _Officer:
    """`read`: person → time, of this server. `new`: those of them that the store does not know.

    `elsewhere`: persons that others had counted when the last slice was taken, the first of them at `oldest_us`.
    """

    read: OrderedDict[str, int] = field(default_factory=OrderedDict)
    new: dict[str, int] = field(default_factory=dict)
    room: int = 0
    used_us: int = 0
    taken_us: int = 0
    elsewhere: int = 0
    oldest_us: int | None = None
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


class PersonQuota:
    """Reading a person again within the hour costs nothing. Without `shared` this server is the only one."""

    def __init__(self, *, limit: int, clock: Clock, shared: SharedQuota | None = None) -> None:
        self._limit = limit
        self._clock = clock
        self._shared = shared
        self._officers: OrderedDict[str, _Officer] = OrderedDict()

    def state(self, officer: str) -> QuotaState:
        """What `officer` used in the last hour."""
        now_us = self._now_us()
        held = self._officers.get(officer)
        times = [] if held is None else [time_us for time_us in held.read.values() if time_us > now_us - WINDOW_US]
        used = len(times)
        if held is not None and held.elsewhere and held.taken_us > now_us - WINDOW_US:
            used += held.elsewhere
            times += [held.oldest_us] if held.oldest_us is not None and held.oldest_us > now_us - WINDOW_US else []
        resets_in_s = (min(times) + WINDOW_US - now_us) / 1_000_000 if times else None
        return QuotaState(limit=self._limit, used=used, resets_in_s=resets_in_s)

    async def spend(self, officer: str, persons: Iterable[str]) -> None:
        """Count `persons` for `officer`, all or none. Cost: a look-up a person; a transaction for a new slice.

        Raises:
            RateLimitedError: more than the limit; says when the oldest person leaves the window.
            StoreError: a slice was needed and the store does not answer.
        """
        held = self._held(officer)
        wanted = list(persons)
        if self._counts(held, wanted):
            return
        async with held.turn:
            if not self._counts(held, wanted):  # another request of this officer may have taken a slice meanwhile
                await self._borrow(officer, held, wanted)

    async def run(self) -> None:
        """Give idle slices back, for as long as the server runs."""
        rounds = 0
        while self._shared is not None:
            await asyncio.sleep(IDLE_US / 4_000_000)
            rounds += 1
            try:
                await self.give_back()
                if rounds % SWEEP_EVERY == 0:
                    await self._shared.sweep()
            except StoreError:
                logger.warning("quota.store-unavailable")  # what is not given back stays taken, and is tried again

    async def give_back(self, *, everything: bool = False) -> None:
        """Hand in what was counted for officers who rest, or for all.

        Raises:
            StoreError: the store does not answer.
        """
        if self._shared is None:
            return
        before_us = self._now_us() - IDLE_US
        idle = [
            (name, held)
            for name, held in self._officers.items()
            if (held.room or held.new) and (everything or held.used_us <= before_us) and not held.turn.locked()
        ]
        for name, held in idle:
            async with held.turn:
                held.room = 0  # nothing more is counted from the slice, whether or not the store hears of it
                handed = dict(held.new)
                await self._shared.give_back(name, handed)
                for person in handed:
                    held.new.pop(person, None)

    def _held(self, officer: str) -> _Officer:
        held = self._officers.get(officer)
        if held is None:
            held = self._officers[officer] = _Officer()
            self._forget_others()
        else:
            self._officers.move_to_end(officer)
        return held

    def _forget_others(self) -> None:
        """Keep memory bounded, but forget nobody of whom the store must still be told (`run` soon does)."""
        if len(self._officers) <= MAX_OFFICERS:
            return
        for name, held in islice(self._officers.items(), LOOKED_AT):
            if not (held.new or held.room or held.turn.locked()):
                del self._officers[name]
                return

    def _counts(self, held: _Officer, wanted: list[str]) -> bool:
        """Count `wanted` if this server may do so by itself."""
        now_us = self._now_us()
        self._expire(held, now_us)
        fresh = [person for person in dict.fromkeys(wanted) if person not in held.read]
        if held.taken_us <= now_us - SLICE_US:
            held.room = 0
        room = held.room if self._shared is not None else self._limit - len(held.read)
        held.used_us = now_us
        if len(fresh) > room:
            return False
        times = dict.fromkeys(fresh, now_us)
        held.read.update(times)
        if self._shared is not None:
            held.new.update(times)
            held.room -= len(fresh)
        return True

    async def _borrow(self, officer: str, held: _Officer, wanted: list[str]) -> None:
        now_us = self._now_us()
        fresh = {person: now_us for person in dict.fromkeys(wanted) if person not in held.read}
        if self._shared is None:
            raise _refused(next(iter(held.read.values()), now_us), now_us)
        handed = dict(held.new)
        held.room = 0
        lent = await self._shared.borrow(officer, handed, fresh, limit=self._limit)
        for person in handed:
            held.new.pop(person, None)
        held.taken_us, held.oldest_us = now_us, lent.oldest_us
        if not lent.granted:
            held.elsewhere = max(0, lent.used - len(held.read))
            raise _refused(now_us if lent.oldest_us is None else lent.oldest_us, now_us)
        held.read.update(fresh)
        held.room = lent.room
        held.elsewhere = max(0, lent.used - len(held.read))

    @staticmethod
    def _expire(held: _Officer, now_us: int) -> None:
        while held.read and next(iter(held.read.values())) <= now_us - WINDOW_US:
            person, _ = held.read.popitem(last=False)
            held.new.pop(person, None)

    def _now_us(self) -> int:
        return microseconds(self._clock.now())


def _refused(oldest_us: int, now_us: int) -> RateLimitedError:
    seconds = (oldest_us + WINDOW_US - now_us) // 1_000_000
    return RateLimitedError("persons an hour", retry_after_s=max(1, seconds))
