"""The queue of what weights and rules could not decide, and what people decide about it.

A decision becomes a standing order, so that no import and no model overturns it. Where overruling a rule may bring one
person's record to another, and for every merge, two officers must decide alike.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import orjson
from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from hub.clock import Clock
from hub.domain.agencies import HUB
from hub.identity.ledger import Ledger
from hub.identity.links import LinkError, NoSuchQuestionError, SameOfficerError, aware, packed, review_place
from hub.identity.matching.cluster import check_merge
from hub.identity.matching.decision import ORDERED, Order, Outcome, Scored, Verdict
from hub.identity.orders import Orders
from hub.identity.placing import REVIEW_WITHIN, Placing
from hub.identity.ports import Sealer
from hub.identity.tables import person, person_salt, review
from hub.store.engine import Store

MERGE = "MERGE"


class Choice(StrEnum):
    """`SAME`: it is this person's record, or one person; `OTHER`: it never is."""

    SAME = "SAME"
    OTHER = "OTHER"


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """A question. `evidence` is levels by field, no values; `reasons` are the rules that stood against joining."""

    review_id: str
    kind: str
    record: str
    agency: str
    person_id: str
    other_person: str | None
    weight: float
    model: str
    evidence: dict[str, str]
    reasons: tuple[str, ...]
    high_impact: bool
    opened_at: datetime
    due_at: datetime
    first_by: str | None


class Reviews:
    def __init__(
        self, *, store: Store, sealer: Sealer, ledger: Ledger, orders: Orders, placing: Placing, clock: Clock
    ) -> None:
        self._store = store
        self._sealer = sealer
        self._ledger = ledger
        self._orders = orders
        self._placing = placing
        self._clock = clock

    async def identity_reviews(self, *, first: int = 50, overdue: bool = False) -> list[Review]:
        """Open questions, the most urgent first."""
        query = select(review).where(review.c.decided_at.is_(None))
        if overdue:
            query = query.where(review.c.due_at < self._clock.now())
        async with self._store.read() as connection:
            rows = await connection.execute(query.order_by(review.c.due_at, review.c.review_id).limit(first))
            return [_review(row) for row in rows]

    async def propose_merge(self, survivor: str, other: str) -> Review:
        """Ask whether two persons are one; the check of their records is the evidence.

        Raises:
            LinkError: one of them has no records here.
        """
        async with self._store.write() as connection:
            sides: list[dict[str, list[Any]]] = []
            records = []
            for person_id in (survivor, other):
                held = await self._ledger.of_person(connection, person_id)
                if not held:
                    raise LinkError("no such person")
                side: dict[str, list[Any]] = {}
                for one in held:
                    side.setdefault(one.agency, []).append(one.traits)
                sides.append(side)
                records.append(held[0].record)
            check = check_merge(self._placing.model, sides[0], sides[1], persons=1)
            now, review_id = self._clock.now(), secrets.token_hex(16)
            evidence = {"edges": str(check.edges), "pairs": str(check.pairs)}
            await connection.execute(
                insert(review).values(
                    review_id=review_id, kind=MERGE, record=records[1], agency=HUB, person_id=survivor,
                    other_person=other, weight=float(check.edges), model=self._placing.model.version,
                    evidence=packed(evidence), reasons=" ".join(check.against), high_impact=True, opened_at=now,
                    due_at=now + REVIEW_WITHIN,
                )
            )  # fmt: skip
            return _review(await self._open(connection, review_id))

    async def decide_identity(
        self, review_id: str, *, by: str, choice: Choice, reason: str, until: datetime | None = None
    ) -> bool:
        """Record a decision; carry it out at once, or with the second officer's where two are needed.

        Returns whether it is carried out. Two that differ leave the question open, with the second as the first.
        `until`: when the order that a decision becomes ends; of two officers', the second's.

        Raises:
            NoSuchQuestionError: unknown or decided. SameOfficerError: the second officer is the first.
            LinkError: no officer, no reason, or `until` has passed.
        """
        async with self._store.write() as connection:
            return await self.decide_in(connection, review_id, by=by, choice=choice, reason=reason, until=until)

    async def decide_in(
        self,
        connection: AsyncConnection,
        review_id: str,
        *,
        by: str,
        on_behalf_of: str | None = None,
        choice: Choice,
        reason: str,
        until: datetime | None = None,
    ) -> bool:
        """`decide_identity` in the caller's transaction. `on_behalf_of`: whom `by` stands in for; both are one hand."""
        if not by or not reason.strip():
            raise LinkError("a decision needs an officer and a reason")
        row = await self._open(connection, review_id)
        if not _hands(row.first_by, row.first_on_behalf_of).isdisjoint(_hands(by, on_behalf_of)):
            raise SameOfficerError("the second decision must be another officer's")
        if row.high_impact and row.first_choice != choice.value:
            sealed = self._sealer.seal(review_place("first_reason_sealed", review_id), reason)
            first = {"first_by": by, "first_on_behalf_of": on_behalf_of, "first_choice": choice.value}
            await self._set(connection, review_id, **first, first_reason_sealed=sealed)
            return False
        await self._set(
            connection,
            review_id,
            choice=choice.value,
            decided_by=by,
            decided_at=self._clock.now(),
            reason_sealed=self._sealer.seal(review_place("reason_sealed", review_id), reason),
        )
        await self._carry_out(connection, row, choice, by, reason, until)
        return True

    async def _carry_out(
        self, connection: AsyncConnection, row: Any, choice: Choice, by: str, reason: str, until: datetime | None
    ) -> None:
        if row.kind == MERGE:
            if choice is Choice.SAME:
                change = self._ledger.change(connection, author=by, reason=reason)
                await self._ledger.merge_in(change, row.person_id, row.other_person)
            return
        anchors = [one for one in await self._ledger.of_person(connection, row.person_id) if one.anchor]
        if not anchors:
            raise LinkError("the person has no anchor")
        kind = Order.ALWAYS if choice is Choice.SAME else Order.NEVER
        await self._orders.write(
            connection, kind, row.record, anchors[0].record, author=by, reason=reason, expires_at=until
        )
        if choice is Choice.SAME:
            one = self._placing.waiting(row)
            best = Scored(person=row.person_id, weight=one.weight, evidence=one.evidence)
            verdict = Verdict(outcome=Outcome.JOIN, method=ORDERED, best=best)
            held = await self._ledger.of_record(connection, row.record)
            await self._placing.carry_out(connection, one.arrival, verdict, held)

    async def _open(self, connection: AsyncConnection, review_id: str) -> Any:
        row = (
            await connection.execute(
                select(review, person_salt.c.salt)
                .join(person_salt, person_salt.c.person_id == review.c.person_id)
                .join(person, person.c.person_id == review.c.person_id)
                .where(review.c.review_id == review_id, review.c.decided_at.is_(None))
                .with_for_update(of=review)
            )
        ).first()
        if row is None:
            raise NoSuchQuestionError("no such open question")
        return row

    @staticmethod
    async def _set(connection: AsyncConnection, review_id: str, **values: Any) -> None:
        await connection.execute(update(review).where(review.c.review_id == review_id).values(**values))


def _hands(*names: str | None) -> frozenset[str]:
    return frozenset(name.casefold() for name in names if name)


def _review(row: Any) -> Review:
    return Review(
        review_id=row.review_id, kind=row.kind, record=row.record, agency=row.agency, person_id=row.person_id,
        other_person=row.other_person, weight=row.weight, model=row.model, evidence=orjson.loads(row.evidence),
        reasons=tuple(row.reasons.split()), high_impact=row.high_impact, opened_at=aware(row.opened_at),
        due_at=aware(row.due_at), first_by=row.first_by,
    )  # fmt: skip
