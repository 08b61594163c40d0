"""Which anchors a record is compared with: one statement by blind tokens, through the driver."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import ARRAY, BigInteger, ColumnElement, String, Text, any_, bindparam, column, func, select, union

from hub.domain.agencies import JUSTICE
from hub.identity.tables import block, link, link_order, person_salt, review, trait
from hub.store.reader import Prepared, Reader

CANDIDATES = 256


class Standing(msgspec.Struct, frozen=True):
    """What is known of a record: the person it is linked to, and whether orders or open questions name it."""

    person_id: str | None
    ordered: bool
    asked: bool


class Nearby:
    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._anchors: Prepared | None = None
        self._standing: Prepared | None = None

    async def anchors(self, tokens: Sequence[int], persons: Sequence[str]) -> Sequence[Sequence[Any]]:
        """(person, record, sealed traits, salt) of the `CANDIDATES` who share most tokens, and of `persons`."""
        if self._anchors is None:
            self._anchors = self._reader.prepare(self._build())
        return await self._reader.rows(self._anchors, {"tokens": self._many(tokens), "persons": self._many(persons)})

    async def standing(self, record: str) -> Standing:
        if self._standing is None:
            named = bindparam("record", type_=String)
            linked = select(link.c.person_id).where(link.c.record == named).limit(1).scalar_subquery()
            orders = select(func.count()).where(link_order.c.record == named, link_order.c.withdrawn_at.is_(None))
            asked = select(func.count()).where(review.c.record == named, review.c.decided_at.is_(None))
            self._standing = self._reader.prepare(select(linked, orders.scalar_subquery(), asked.scalar_subquery()))
        ((person_id, ordered, asked_of),) = await self._reader.rows(self._standing, {"record": record})
        return Standing(person_id, bool(ordered), bool(asked_of))

    def _build(self) -> Any:
        hits = (
            select(block.c.person_id.label("person_id"))
            .where(self._among(block.c.token, "tokens", BigInteger))
            .group_by(block.c.person_id)
            .order_by(func.count().desc(), block.c.person_id)
            .limit(CANDIDATES)
            .subquery("hits")
        )
        wanted = union(select(hits.c.person_id), self._each("persons", String)).subquery("wanted")
        return (
            select(trait.c.person_id, trait.c.record, trait.c.traits_sealed, person_salt.c.salt)
            .select_from(wanted)
            .join(trait, trait.c.person_id == wanted.c.person_id)
            .join(person_salt, person_salt.c.person_id == wanted.c.person_id)
            .where(trait.c.agency == JUSTICE)
        )

    def _among(self, wanted: ColumnElement[Any], name: str, kind: Any) -> ColumnElement[bool]:
        if self._reader.sqlite:
            return wanted.in_(self._each(name, kind))
        return wanted == any_(bindparam(name, type_=ARRAY(kind)))

    def _each(self, name: str, kind: Any) -> Any:
        """The values of a list parameter as rows."""
        if self._reader.sqlite:
            return select(column("value")).select_from(func.json_each(bindparam(name, type_=Text)))
        return select(func.unnest(bindparam(name, type_=ARRAY(kind))))

    def _many(self, values: Sequence[Any]) -> Any:
        return msgspec.json.encode(values).decode() if self._reader.sqlite else list(values)
