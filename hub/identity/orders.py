"""Standing orders of people: this record is always, or never, that person's. They outlive imports and models.

An order names two records, not a person: the anchor may be merged into another person, and the order goes with it.
"""

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from hub.clock import Clock
from hub.identity.links import LinkError, order_place
from hub.identity.matching.decision import Order
from hub.identity.ports import Sealer
from hub.identity.tables import link, link_order
from hub.store.engine import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    order_id: str
    kind: Order
    record: str
    anchor: str
    author: str
    made_at: datetime
    expires_at: datetime | None


class Orders:
    def __init__(self, *, store: Store, sealer: Sealer, clock: Clock) -> None:
        self._store = store
        self._sealer = sealer
        self._clock = clock

    async def write(
        self,
        connection: AsyncConnection,
        kind: Order,
        record: str,
        anchor: str,
        *,
        author: str,
        reason: str,
        expires_at: datetime | None = None,
    ) -> str:
        """Store an order; an older one about the same two records is withdrawn. Returns its id.

        Raises:
            LinkError: no author or reason, or it would have expired already.
        """
        now = self._clock.now()
        if not author or not reason.strip():
            raise LinkError("an order needs an author and a reason")
        if expires_at is not None and expires_at <= now:
            raise LinkError("an order that has expired")
        await self._withdraw(connection, link_order.c.record == record, link_order.c.anchor == anchor)
        if kind is Order.ALWAYS:  # a record is always one person's
            await self._withdraw(connection, link_order.c.record == record, link_order.c.kind == Order.ALWAYS.value)
        order_id = secrets.token_hex(16)
        await connection.execute(
            insert(link_order).values(
                order_id=order_id,
                kind=kind.value,
                record=record,
                anchor=anchor,
                author=author,
                reason_sealed=self._sealer.seal(order_place(order_id), reason),
                made_at=now,
                expires_at=expires_at,
            )
        )
        return order_id

    async def withdraw(self, order_id: str) -> bool:
        """End an order. What it did stays until its record is decided again."""
        async with self._store.write() as connection:
            return await self._withdraw(connection, link_order.c.order_id == order_id)

    async def standing(self, connection: AsyncConnection, records: Iterable[str] | None = None) -> list[Standing]:
        """Orders in force, of all records or of these."""
        now = self._clock.now()
        query = select(
            link_order.c.order_id, link_order.c.kind, link_order.c.record, link_order.c.anchor, link_order.c.author,
            link_order.c.made_at, link_order.c.expires_at,
        ).where(
            link_order.c.withdrawn_at.is_(None), or_(link_order.c.expires_at.is_(None), link_order.c.expires_at > now)
        )  # fmt: skip
        if records is not None:
            query = query.where(link_order.c.record.in_(list(records)))
        rows = await connection.execute(query.order_by(link_order.c.made_at))
        return [
            Standing(
                order_id=row[0], kind=Order(row[1]), record=row[2], anchor=row[3], author=row[4], made_at=row[5],
                expires_at=row[6],
            )
            for row in rows
        ]  # fmt: skip

    async def by_person(
        self, connection: AsyncConnection, records: Iterable[str] | None = None
    ) -> Mapping[str, Mapping[str, Order]]:
        """Record → person → order."""
        standing = await self.standing(connection, records)
        anchors = {one.anchor for one in standing}
        if not anchors:
            return {}
        rows = await connection.execute(select(link.c.record, link.c.person_id).where(link.c.record.in_(anchors)))
        persons = {row[0]: row[1] for row in rows}
        found: dict[str, dict[str, Order]] = {}
        for one in standing:
            if one.anchor in persons:
                held = found.setdefault(one.record, {})
                if held.get(persons[one.anchor]) is not Order.NEVER:  # of two merged anchors the refusal holds
                    held[persons[one.anchor]] = one.kind
        return found

    async def _withdraw(self, connection: AsyncConnection, *wanted: object) -> bool:
        done = await connection.execute(
            update(link_order)
            .where(link_order.c.withdrawn_at.is_(None), *wanted)  # type: ignore[arg-type]
            .values(withdrawn_at=self._clock.now())
        )
        return done.rowcount > 0
