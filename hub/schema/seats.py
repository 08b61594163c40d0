"""How many things that stay open one officer, and all together, may hold in this process."""

from collections import Counter

from hub.auth.principal import Principal
from hub.errors import RateLimitedError

RETRY_AFTER_S = 60


class Seats:
    def __init__(self, *, each: int, total: int) -> None:
        self._each = each
        self._total = total
        self._taken: Counter[tuple[str, str]] = Counter()

    def take(self, principal: Principal) -> None:
        """Raises RateLimitedError: none is free for this officer."""
        officer = (principal.agency, principal.officer)
        if self._taken[officer] >= self._each or self._taken.total() >= self._total:
            raise RateLimitedError("no seat is free", retry_after_s=RETRY_AFTER_S)
        self._taken[officer] += 1

    def leave(self, principal: Principal) -> None:
        officer = (principal.agency, principal.officer)
        self._taken[officer] -= 1
        if not self._taken[officer]:
            del self._taken[officer]
