"""How many distinct persons one officer may read in an hour, against trawling. Counted per process."""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass

from hub.clock import Clock
from hub.errors import RateLimitedError

WINDOW_S = 3600.0
MAX_OFFICERS = 50_000


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaState:
    """`resets_in_s`: when the oldest person leaves the window; None where none was read."""

    limit: int
    used: int
    resets_in_s: float | None


class PersonQuota:
    """Remembers the persons (opaque keys) each officer read in the last hour; reading one again costs nothing."""

    def __init__(self, *, limit: int, clock: Clock) -> None:
        self._limit = limit
        self._clock = clock
        self._read: OrderedDict[str, OrderedDict[str, float]] = OrderedDict()

    def state(self, officer: str) -> QuotaState:
        """What `officer` used in the last hour."""
        now = self._clock.monotonic()
        times = [time for time in self._read.get(officer, {}).values() if time > now - WINDOW_S]
        resets_in_s = min(times) + WINDOW_S - now if times else None
        return QuotaState(limit=self._limit, used=len(times), resets_in_s=resets_in_s)

    def spend(self, officer: str, persons: Iterable[str]) -> None:
        """Count `persons` for `officer`, all or none.

        Raises:
            RateLimitedError: more than the limit; says when the oldest person leaves the window.
        """
        now = self._clock.monotonic()
        held = self._read.setdefault(officer, OrderedDict())
        self._read.move_to_end(officer)
        while held and next(iter(held.values())) <= now - WINDOW_S:
            held.popitem(last=False)
        fresh = dict.fromkeys(person for person in persons if person not in held)
        if len(held) + len(fresh) > self._limit:
            oldest = next(iter(held.values()), now)
            raise RateLimitedError("persons an hour", retry_after_s=max(1, int(oldest + WINDOW_S - now)))
        held.update(dict.fromkeys(fresh, now))
        if len(self._read) > MAX_OFFICERS:
            self._read.popitem(last=False)
