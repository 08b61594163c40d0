"""Sends events to endpoints: signed, at least once, in order for each person, by a schedule, then laid aside.

Signatures: Standard Webhooks 1.0 (HMAC-SHA-256 over id, time and body). Body: CloudEvents 1.0 in JSON. A receiver tells
repeats by `webhook-id`, which is the same for every attempt.
"""

import asyncio
from datetime import UTC, datetime
from typing import Any

import aiohttp
import orjson
import structlog
from sqlalchemy import and_, select, update
from sqlalchemy.orm import aliased
from standardwebhooks import Webhook

from hub.clock import Clock
from hub.events.outbox import Event, event_of, put
from hub.events.places import Places
from hub.events.tables import delivery, outbox, webhook
from hub.events.webhooks import Endpoint, Webhooks
from hub.failpoints import failpoint
from hub.store.engine import Store

RETRY_AFTER_S = (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
"""Seconds from one attempt to the next (as Standard Webhooks advises); after the last the event is a dead letter."""
DISABLED_AFTER = 30  # failures in a row
TIMEOUT_S = 10.0
BATCH = 100
NOTICE = "webhook.disabled"

_log = structlog.get_logger(__name__)


class Deliverer:
    """`source` is the URL of this hub, as events state it."""

    def __init__(self, store: Store, webhooks: Webhooks, places: Places, clock: Clock, *, source: str) -> None:
        self._store = store
        self._webhooks = webhooks
        self._places = places
        self._clock = clock
        self._source = source
        self._session: aiohttp.ClientSession | None = None

    async def run(self) -> int:
        """Send everything that is due; how many events arrived."""
        await self._webhooks.spread()
        endpoints = [endpoint for endpoint in await self._webhooks.endpoints() if not endpoint.disabled]
        return sum(await asyncio.gather(*(self._serve(endpoint) for endpoint in endpoints)))

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def _serve(self, endpoint: Endpoint) -> int:
        secret = await self._webhooks.secret(endpoint.webhook_id)
        arrived = 0
        while due := await self._due(endpoint):
            for event, attempts in due:
                if not await self._claim(endpoint, event, attempts):
                    continue
                answer = await self._send(endpoint, secret, event)
                failpoint("deliverer.after-send")
                delivered = answer.isdigit() and answer.startswith("2")
                arrived += delivered
                if not await self._note(endpoint, event, attempts + 1, answer, delivered=delivered):
                    return arrived
        return arrived

    async def _due(self, endpoint: Endpoint) -> list[tuple[Event, int]]:
        """Events that are due, the first of each person only: what comes later waits for it."""
        earlier = aliased(delivery)
        waits = (
            select(earlier.c.position)
            .where(
                earlier.c.webhook_id == delivery.c.webhook_id,
                earlier.c.person_key == delivery.c.person_key,
                earlier.c.position < delivery.c.position,
                earlier.c.next_us.is_not(None),
            )
            .exists()
        )
        wanted = (
            select(outbox, delivery.c.attempts)
            .join(outbox, outbox.c.position == delivery.c.position)
            .where(delivery.c.webhook_id == endpoint.webhook_id, delivery.c.next_us <= self._now(), ~waits)
            .order_by(delivery.c.position)
            .limit(BATCH)
        )
        async with self._store.read() as connection:
            return [(event_of(row), row.attempts) for row in await connection.execute(wanted)]

    async def _claim(self, endpoint: Endpoint, event: Event, attempts: int) -> bool:
        """Take an event from other workers until an attempt must be over; whether it was still to be had."""
        now = self._now()
        mine = and_(
            delivery.c.webhook_id == endpoint.webhook_id,
            delivery.c.position == event.position,
            delivery.c.attempts == attempts,
            delivery.c.next_us <= now,
        )
        until = now + int(2 * TIMEOUT_S * 1_000_000)
        async with self._store.write() as connection:
            return bool((await connection.execute(update(delivery).where(mine).values(next_us=until))).rowcount)

    async def _send(self, endpoint: Endpoint, secret: str, event: Event) -> str:
        """The status of the answer, or the name of what went wrong."""
        place = self._places.seal(endpoint.agency, event.position)
        message_id = f"{endpoint.webhook_id}.{place}"
        body = orjson.dumps(self._cloud_event(message_id, place, event)).decode()
        now = self._clock.now()
        headers = {
            "content-type": "application/cloudevents+json",
            "webhook-id": message_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": Webhook(secret).sign(message_id, now.astimezone(UTC), body),
        }
        session = self._session = self._session or aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=TIMEOUT_S), auto_decompress=False
        )
        try:
            async with session.post(endpoint.url, data=body, headers=headers, allow_redirects=False) as answer:
                return str(answer.status)
        except TimeoutError:
            return "TIMEOUT"
        except (aiohttp.ClientError, OSError) as exc:
            return type(exc).__name__[:40]

    def _cloud_event(self, message_id: str, place: str, event: Event) -> dict[str, Any]:
        """Source: CloudEvents 1.0.2, JSON format. `subject` is the case; persons are not named."""
        return {
            "specversion": "1.0",
            "id": message_id,
            "source": self._source,
            "type": f"hub.{event.kind}",
            "subject": event.body.get("case"),
            "time": datetime.fromtimestamp(event.happened_us / 1_000_000, UTC).isoformat(),
            "datacontenttype": "application/json",
            "place": place,
            "data": {**event.body, "office": event.office},
        }

    async def _note(self, endpoint: Endpoint, event: Event, attempts: int, answer: str, *, delivered: bool) -> bool:
        """Write down how an attempt went; whether the endpoint goes on."""
        now = self._now()
        dead = not delivered and attempts > len(RETRY_AFTER_S)
        later = None if delivered or dead else now + RETRY_AFTER_S[attempts - 1] * 1_000_000
        values = {
            "attempts": attempts,
            "answer": answer,
            "dead": dead,
            "next_us": later,
            "delivered_us": now if delivered else None,
        }
        mine = and_(delivery.c.webhook_id == endpoint.webhook_id, delivery.c.position == event.position)
        async with self._store.write() as connection:
            await connection.execute(update(delivery).where(mine).values(**values))
            changed = update(webhook).where(webhook.c.webhook_id == endpoint.webhook_id)
            failures = 0 if delivered else webhook.c.failures + 1
            counted = await connection.execute(changed.values(failures=failures).returning(webhook.c.failures))
            gone_wrong = counted.scalar_one()
            if gone_wrong < DISABLED_AFTER:
                return True
            await connection.execute(changed.values(disabled_us=now))
            await put(
                connection,
                person_key=f"webhook-{endpoint.webhook_id[:20]}",
                recipient=endpoint.agency,
                office=None,
                kind=NOTICE,
                body={"webhook": endpoint.webhook_id, "failures": gone_wrong, "answer": answer},
                entry_id="",
                happened_us=now,
            )
        _log.warning("webhook disabled", webhook=endpoint.webhook_id, agency=endpoint.agency, answer=answer)
        return False

    def _now(self) -> int:
        return int(self._clock.now().timestamp() * 1_000_000)
