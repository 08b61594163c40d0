"""One server that reads person after person for an officer until the quota ends: `spending.py URL LIMIT PREFIX GO`.

Waits for the file GO, so that several of them start together; prints how many persons were granted.
"""

import asyncio
import sys
from pathlib import Path

from hub.clock import SystemClock
from hub.crypto.pairwise import Pseudonyms
from hub.errors import RateLimitedError
from hub.gateway.quota import PersonQuota
from hub.gateway.shared_quota import SharedQuota
from hub.store.engine import open_store


async def spend(url: str, limit: int, prefix: str, go: Path) -> int:
    store, clock = open_store(url), SystemClock()
    quota = PersonQuota(limit=limit, clock=clock, shared=SharedQuota(store, Pseudonyms(b"p" * 32), clock))
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while not go.exists():
        await asyncio.sleep(0.001)
    granted = 0
    try:
        while True:
            await quota.spend("officer", (f"{prefix}{granted}",))
            granted += 1
    except RateLimitedError:
        return granted
    finally:
        await store.close()


if __name__ == "__main__":
    sys.stdout.write(str(asyncio.run(spend(sys.argv[1], int(sys.argv[2]), sys.argv[3], Path(sys.argv[4])))))
