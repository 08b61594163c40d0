"""Sends events to endpoints: signed, at least once, in order for each person, by a schedule, then laid aside.

Signatures: Standard Webhooks 1.0 (HMAC-SHA-256 over id, time and body). Body: CloudEvents 1.0 in JSON. A receiver tells
repeats by `webhook-id`, which is the same for every attempt.
"""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import aiohttp
import msgspec
import orjson
import structlog
from sqlalchemy import and_, bindparam, select, update
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
TOGETHER = 20
"""Events that are sent to an endpoint at a time at most, each of another person."""
NOTICE = "webhook.disabled"

_log = structlog.get_logger(__name__)


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt at sending an event: the how-manieth it was, and the status of the answer or what went wrong."""

    position: int
    number: int
    answer: str

    @property
    def delivered(self) -> bool:
        return self.answer.isdigit() and self.answer.startswith("2")

    def outcome(self, now_us: int) -> dict[str, Any]:
        """What is written down of it: over, tried again later, or laid aside."""
        dead = not self.delivered and self.number > len(RETRY_AFTER_S)
        later = None if self.delivered or dead else now_us + RETRY_AFTER_S[self.number - 1] * 1_000_000
        return {
            "its_position": self.position,
            "attempts": self.number,
            "answer": self.answer,
            "dead": dead,
            "next_us": later,
            "delivered_us": now_us if self.delivered else None,
        }


def _due() -> Any:
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
    return (
        select(outbox)
        .join(delivery, outbox.c.position == delivery.c.position)
        .where(delivery.c.webhook_id == bindparam("endpoint"), delivery.c.next_us <= bindparam("now"), ~waits)
        .order_by(delivery.c.position)
        .limit(bindparam("most"))
    )


_DUE = _due()
_NOTE = (
    update(delivery)
    .where(delivery.c.webhook_id == bindparam("its_endpoint"), delivery.c.position == bindparam("its_position"))
    .values({name: bindparam(name) for name in ("attempts", "answer", "dead", "next_us", "delivered_us")})
)


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
        """Round after round until nothing is due. A round has one event of a person at most, so that its attempts may
        be made together: what comes later waits until this one has arrived. And it has no more attempts than an
        endpoint may still fail before it is disabled."""
        secret: str | None = None
        arrived, failures = 0, endpoint.failures
        while due := await self._due(endpoint, min(TOGETHER, DISABLED_AFTER - failures)):
            secret = secret or await self._webhooks.secret(endpoint.webhook_id)
            mine = await self._claim(endpoint, due)
            answers = await asyncio.gather(*(self._send(endpoint, secret, event) for event, _ in mine))
            failpoint("deliverer.after-send")
            tried = [
                Attempt(position=event.position, number=attempts + 1, answer=answer)
                for (event, attempts), answer in zip(mine, answers, strict=True)
            ]
            arrived += sum(attempt.delivered for attempt in tried)
            if tried:
                failures = await self._note(endpoint, tried)
            if failures >= DISABLED_AFTER:
                break
        return arrived

    async def _due(self, endpoint: Endpoint, most: int) -> list[Event]:
        """Up to `most` events that are due, the first of each person only: what comes later waits for it."""
        given = {"endpoint": endpoint.webhook_id, "now": self._now(), "most": most}
        async with self._store.read() as connection:
            return [event_of(row) for row in await connection.execute(_DUE, given)]

    async def _claim(self, endpoint: Endpoint, due: Sequence[Event]) -> list[tuple[Event, int]]:
        """Take events from other workers until an attempt must be over; those that were still to be had, in their
        order, each with how often it was tried before."""
        now = self._now()
        mine = and_(
            delivery.c.webhook_id == endpoint.webhook_id,
            delivery.c.position.in_([event.position for event in due]),
            delivery.c.next_us <= now,
        )
        until = now + int(2 * TIMEOUT_S * 1_000_000)
        taking = update(delivery).where(mine).values(next_us=until).returning(delivery.c.position, delivery.c.attempts)
        async with self._store.write() as connection:
            taken = {row.position: row.attempts for row in await connection.execute(taking)}
        return [(event, taken[event.position]) for event in due if event.position in taken]

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

    async def _note(self, endpoint: Endpoint, tried: Sequence[Attempt]) -> int:
        """Write down how attempts went, in order of their events; failures in a row since the last that arrived."""
        now = self._now()
        rows = [{"its_endpoint": endpoint.webhook_id, **attempt.outcome(now)} for attempt in tried]
        its = webhook.c.webhook_id == endpoint.webhook_id
        async with self._store.write() as connection:
            await connection.execute(_NOTE, rows)
            locked = select(webhook.c.failures).where(its).with_for_update()
            before: int = (await connection.execute(locked)).scalar_one()
            failures = before
            for attempt in tried:
                failures = 0 if attempt.delivered else failures + 1
            if failures != before:
                await connection.execute(update(webhook).where(its).values(failures=failures))
            if failures < DISABLED_AFTER:
                return failures
            answer = tried[-1].answer
            await connection.execute(update(webhook).where(its).values(disabled_us=now))
            await put(
                connection,
                person_key=f"webhook-{endpoint.webhook_id[:20]}",
                recipient=endpoint.agency,
                office=None,
                kind=NOTICE,
                body={"webhook": endpoint.webhook_id, "failures": failures, "answer": answer},
                entry_id="",
                happened_us=now,
            )
        _log.warning("webhook disabled", webhook=endpoint.webhook_id, agency=endpoint.agency, answer=answer)
        return failures

    def _now(self) -> int:
        return int(self._clock.now().timestamp() * 1_000_000)
