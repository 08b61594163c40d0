"""Refusals before a valid token: counted as they happen, one entry for all of them now and then.

An entry each would let anybody without a token fill the log.
"""

import asyncio

from hub.audit.entry import Draft, Outcome
from hub.audit.kinds import Kind
from hub.audit.log import AuditLog
from hub.errors import AuditUnavailableError

SUMMARY_EVERY_S = 60.0


class RefusalSummary:
    def __init__(self, log: AuditLog) -> None:
        self._log = log
        self._counts: dict[str, int] = {}

    def count(self, code: str) -> None:
        self._counts[code] = self._counts.get(code, 0) + 1

    async def flush(self) -> None:
        """Enter what was counted since the last entry; counts that the log does not take are kept."""
        if not self._counts:
            return
        counts, self._counts = self._counts, {}
        draft = Draft(
            kind=Kind.REFUSALS, request_id="refusals", outcome=Outcome.DENIED, code="UNAUTHENTICATED", note=counts
        )
        try:
            await self._log.append(draft)
        except AuditUnavailableError:
            for code, count in counts.items():
                self._counts[code] = self._counts.get(code, 0) + count

    async def run(self) -> None:
        """Flush every minute, until cancelled."""
        while True:
            await asyncio.sleep(SUMMARY_EVERY_S)
            await self.flush()
