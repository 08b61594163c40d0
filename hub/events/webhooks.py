"""Where agencies want to be told: registered endpoints with a secret each, and what each still has to get."""

import base64
import secrets
from collections.abc import Sequence
from urllib.parse import urlsplit

import msgspec
from sqlalchemy import and_, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from hub.clock import Clock
from hub.crypto.envelope import Place
from hub.crypto.kept import Kept
from hub.domain.agencies import HUB
from hub.errors import WebhookError
from hub.events.ports import Opener, Sealer
from hub.events.tables import delivery, event_head, outbox, webhook
from hub.store.engine import Store

SECRET_BYTES = 32
LOCAL = frozenset({"127.0.0.1", "localhost", "::1"})


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    webhook_id: str
    agency: str
    url: str
    kinds: tuple[str, ...]
    regions: tuple[str, ...]
    failures: int
    disabled: bool
    spread_to: int
    """Place up to which it has a delivery of everything that concerns it."""


class Logged(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the delivery log."""

    position: int
    kind: str
    attempts: int
    delivered_us: int | None
    next_us: int | None
    dead: bool
    answer: str | None


class Webhooks:
    """`hosts` is the whole allow-list of targets; plain http is for this machine alone."""

    def __init__(self, store: Store, sealer: Sealer, opener: Opener, clock: Clock, *, hosts: frozenset[str]) -> None:
        self._store = store
        self._sealer = sealer
        self._opener = opener
        self._clock = clock
        self._hosts = hosts

    async def register(
        self, agency: str, url: str, kinds: Sequence[str] = (), *, regions: Sequence[str] = ("",)
    ) -> tuple[str, str]:
        """As `add`, in a transaction of its own."""
        async with self._store.write() as connection:
            return await self.add(connection, agency, url, kinds, regions=regions)

    async def add(
        self, connection: AsyncConnection, agency: str, url: str, kinds: Sequence[str], *, regions: Sequence[str]
    ) -> tuple[str, str]:
        """Register an endpoint, which gets what happens from now on; its id and its secret (`whsec_…`).

        `regions`: prefixes; what is addressed to offices elsewhere is not sent to it.

        Raises:
            WebhookError: the host is not allowed, or the URL is no plain https URL.
        """
        self._check(url)
        webhook_id = secrets.token_hex(16)
        secret = "whsec_" + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()
        head = (await connection.execute(select(event_head.c.position))).scalar_one()
        await connection.execute(
            insert(webhook).values(
                webhook_id=webhook_id,
                agency=agency,
                url=url,
                kinds=" ".join(kinds),
                regions=" ".join(regions),
                secret_sealed=self._sealer.seal(_place(webhook_id), secret),
                from_position=head,
                failures=0,
                created_us=self._now(),
            )
        )
        return webhook_id, secret

    async def endpoints(self, agency: str | None = None) -> tuple[Endpoint, ...]:
        async with self._store.read() as connection:
            return tuple(each for each in await self.endpoints_in(connection) if agency in (None, each.agency))

    async def endpoints_in(self, connection: AsyncConnection, webhook_id: str | None = None) -> tuple[Endpoint, ...]:
        wanted = select(webhook).order_by(webhook.c.created_us)
        if webhook_id is not None:
            wanted = wanted.where(webhook.c.webhook_id == webhook_id)
        rows = (await connection.execute(wanted)).all()
        return tuple(
            Endpoint(
                webhook_id=row.webhook_id,
                agency=row.agency,
                url=row.url,
                kinds=tuple(row.kinds.split()),
                regions=tuple(row.regions.split()),
                failures=row.failures,
                disabled=row.disabled_us is not None,
                spread_to=row.from_position,
            )
            for row in rows
        )

    async def secret(self, webhook_id: str) -> str:
        async with self._store.read() as connection:
            wanted = select(webhook.c.secret_sealed).where(webhook.c.webhook_id == webhook_id)
            sealed = (await connection.execute(wanted)).scalar_one()
        return self._opener.open(_place(webhook_id), sealed)

    async def enable(self, webhook_id: str, *, agency: str) -> bool:
        async with self._store.write() as connection:
            return await self.enable_in(connection, webhook_id, agency=agency)

    async def enable_in(self, connection: AsyncConnection, webhook_id: str, *, agency: str) -> bool:
        """Let an endpoint that was disabled go on where it stopped; whether there is such an endpoint."""
        mine = and_(webhook.c.webhook_id == webhook_id, webhook.c.agency == agency)
        done = await connection.execute(update(webhook).where(mine).values(disabled_us=None, failures=0))
        return bool(done.rowcount)

    async def replay(self, webhook_id: str, *, agency: str, after: int) -> int:
        async with self._store.write() as connection:
            return await self.replay_in(connection, webhook_id, agency=agency, after=after)

    async def replay_in(self, connection: AsyncConnection, webhook_id: str, *, agency: str, after: int) -> int:
        """Send again what came after a place, dead letters too; how many will be sent."""
        known = select(webhook.c.webhook_id).where(webhook.c.webhook_id == webhook_id, webhook.c.agency == agency)
        if (await connection.execute(known)).scalar() is None:
            return 0
        again = update(delivery).where(delivery.c.webhook_id == webhook_id, delivery.c.position > after)
        values = {"attempts": 0, "next_us": self._now(), "delivered_us": None, "dead": False}
        return (await connection.execute(again.values(**values))).rowcount

    async def log(self, webhook_id: str, *, agency: str, first: int = 100) -> tuple[Logged, ...]:
        """The latest deliveries of an endpoint of this agency."""
        wanted = (
            select(delivery, outbox.c.kind)
            .join(webhook, webhook.c.webhook_id == delivery.c.webhook_id)
            .join(outbox, outbox.c.position == delivery.c.position)
            .where(delivery.c.webhook_id == webhook_id, webhook.c.agency == agency)
            .order_by(delivery.c.position.desc())
            .limit(first)
        )
        async with self._store.read() as connection:
            rows = (await connection.execute(wanted)).all()
        return tuple(
            Logged(
                position=row.position,
                kind=row.kind,
                attempts=row.attempts,
                delivered_us=row.delivered_us,
                next_us=row.next_us,
                dead=row.dead,
                answer=row.answer,
            )
            for row in rows
        )

    async def spread(self) -> int:
        """Make a delivery of every event for every endpoint it concerns, once; how many were made."""
        async with self._store.read() as connection:
            last: int = (await connection.execute(select(event_head.c.position))).scalar_one()
            behind = [each for each in await self.endpoints_in(connection) if each.spread_to < last]
        made = 0
        for endpoint in behind:
            async with self._store.write() as connection:
                made += await self._spread(connection, endpoint, last)
        return made

    async def _spread(self, connection: AsyncConnection, endpoint: Endpoint, last: int) -> int:
        lock = select(webhook.c.from_position).where(webhook.c.webhook_id == endpoint.webhook_id).with_for_update()
        start = (await connection.execute(lock)).scalar_one()
        if start >= last:
            return 0  # another worker was faster
        conditions = [outbox.c.recipient == endpoint.agency, outbox.c.position > start, outbox.c.position <= last]
        if endpoint.kinds:
            conditions.append(or_(*(outbox.c.kind.startswith(kind, autoescape=True) for kind in endpoint.kinds)))
        if endpoint.regions:
            mine = [outbox.c.office.like(f"%/{region}%") for region in endpoint.regions if region.isdigit()]
            conditions.append(or_(outbox.c.office.is_(None), *mine))
        rows = (await connection.execute(select(outbox.c.position, outbox.c.person_key).where(*conditions))).all()
        now = self._now()
        made = [
            {
                "webhook_id": endpoint.webhook_id,
                "position": row.position,
                "person_key": row.person_key,
                "attempts": 0,
                "next_us": now,
                "dead": False,
            }
            for row in rows
        ]
        if made:
            await connection.execute(insert(delivery), made)
        its = webhook.c.webhook_id == endpoint.webhook_id
        await connection.execute(update(webhook).where(its).values(from_position=last))
        return len(rows)

    def _check(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.hostname is None or parts.hostname not in self._hosts:
            raise WebhookError("this host is not allowed")
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOCAL):
            raise WebhookError("an endpoint is an https URL")
        if parts.username or parts.password or parts.fragment:
            raise WebhookError("an endpoint bears no user and no fragment")

    def _now(self) -> int:
        return int(self._clock.now().timestamp() * 1_000_000)


def kept_of_webhooks() -> Sequence[Kept]:
    """The sealed columns of this room, as rotation goes over them."""
    return (Kept(table=webhook, column=webhook.c.secret_sealed.name, place=lambda key: _place(key["webhook_id"])),)


def _place(webhook_id: str) -> Place:
    return Place(agency=HUB, table="webhook", column="secret_sealed", row=webhook_id)
