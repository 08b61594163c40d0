"""Linking one record as it arrives: candidates by blind tokens, opened and compared; then the person's records settle.

What is linked is a function of the records and orders known, not of who came first (docs/identity.md names exceptions).
"""

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import orjson
from sqlalchemy import delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from hub.clock import Clock
from hub.domain.agencies import HUB, POLICE
from hub.identity.ledger import Change, Held, Ledger
from hub.identity.links import BY_HUB, LinkState, Matching, packed, read, review_place, trait_row, written
from hub.identity.matching.blocking import share_a_token
from hub.identity.matching.cluster import Contender, false_items, settle
from hub.identity.matching.decision import ORDERED, Order, Outcome, Scored, Verdict, decide, score
from hub.identity.matching.traits import Traits
from hub.identity.matching.weights import Model
from hub.identity.nearby import Nearby
from hub.identity.orders import Orders
from hub.identity.ports import Opener, Sealer
from hub.identity.tables import false_item, person, person_salt, review, trait
from hub.store.engine import Store

REVIEW_WITHIN = timedelta(days=15)
CONTEST, LINK = "CONTEST", "LINK"
HIGH_IMPACT = frozenset({"TWO_VALID_NUMBERS", "FOREIGN_NUMBER", "PLACE_TAKEN", "TWINS"})
"""Rules whose overruling needs two persons: somebody else's record may come to this person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A record as it arrives. `record` names it (`Matching.record`)."""

    agency: str
    key: str
    record: str
    traits: Traits


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A record that would join but is kept out, with what is needed to decide again."""

    review_id: str
    arrival: Arrival
    weight: float
    evidence: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Incoming:
    """A record on its way to a person. `before`: its questions that stood open, which it may have to ask again."""

    arrival: Arrival
    best: Scored
    method: str
    before: Sequence[Any]


class Placing:
    def __init__(
        self, *, store: Store, sealer: Sealer, opener: Opener, ledger: Ledger, orders: Orders, matching: Matching,
        model: Model, clock: Clock,
    ) -> None:  # fmt: skip
        self._store = store
        self._sealer = sealer
        self._opener = opener
        self._open_traits = opener.of_persons(HUB, trait.name, trait.c.traits_sealed.name)
        self._ledger = ledger
        self._orders = orders
        self._matching = matching
        self._nearby = Nearby(store.driver)
        self._clock = clock
        self.model = model
        self._persons = 0

    def arrival(self, agency: str, key: str, traits: Traits) -> Arrival:
        return Arrival(agency=agency, key=key, record=self._matching.record(agency, key), traits=traits)

    async def place(self, arrival: Arrival) -> Verdict:
        """Decide one record and write what follows, in one transaction; nothing to write costs none."""
        standing = await self._nearby.standing(arrival.record)
        orders: Mapping[str, Order] = {}
        if standing.ordered:
            async with self._store.read() as connection:
                orders = (await self._orders.by_person(connection, [arrival.record])).get(arrival.record, {})
        candidates = await self._candidates(arrival.traits, orders)
        verdict = decide(self.model, candidates, orders, linked=standing.person_id)
        if verdict.outcome is Outcome.NOBODY and standing.person_id is None and not standing.asked:
            return verdict
        async with self._store.write() as connection:
            held = await self._ledger.of_record(connection, arrival.record) if standing.person_id else None
            await self.carry_out(connection, arrival, verdict, held)
        return verdict

    async def order(
        self, kind: Order, arrival: Arrival, anchor: str, *, author: str, reason: str, expires_at: Any = None
    ) -> str:
        """Give an order and carry it out on what is linked now. Returns the order's id."""
        async with self._store.write() as connection:
            order_id = await self._orders.write(
                connection, kind, arrival.record, anchor, author=author, reason=reason, expires_at=expires_at
            )
            held = await self._ledger.of_record(connection, arrival.record)
        if held is not None or arrival.key:
            await self.place(arrival)
        return order_id

    async def carry_out(
        self, connection: AsyncConnection, arrival: Arrival, verdict: Verdict, held: Held | None
    ) -> None:
        """Write a verdict: link, move, unlink or ask; `held` is the link as it stands."""
        best = verdict.best
        before, waiting = await self._close_reviews(connection, arrival.record, best.person if best else "")
        change = self._ledger.change(connection, author=BY_HUB)
        if held is not None and not held.anchor and not _stands(held, verdict):
            await self._ledger.take(change, held)
            await self._settle(change, held.person_id, await self._waiting(connection, held.person_id))
            if best is not None:
                waiting = await self._waiting(connection, best.person)  # some may have joined meanwhile
        if best is None or verdict.outcome is Outcome.NOBODY:
            return
        if verdict.outcome is Outcome.REVIEW:
            asked = await self._question(connection, LINK, arrival, best, verdict.reasons, before=before)
            await self._ask(connection, [asked])
            return
        incoming = _Incoming(arrival=arrival, best=best, method=verdict.method, before=before)
        await self._settle(change, best.person, waiting, incoming)

    async def _settle(
        self, change: Change, person_id: str, kept_out: Sequence[Waiting], incoming: _Incoming | None = None
    ) -> None:
        """Let all contenders of one person settle: links, records kept out before, and the one that comes."""
        connection = change.connection
        held = {one.record: one for one in await self._ledger.of_person(connection, person_id)}
        waiting = {one.arrival.record: one for one in kept_out}
        anchors = [one.traits for one in held.values() if one.anchor]
        number = next((traits.number for traits in anchors if traits.verified), "")
        contenders = {one.record: _of_held(one) for one in held.values() if not one.anchor}
        contenders |= {name: _of_waiting(one) for name, one in waiting.items()}
        if incoming is not None:
            arrival = incoming.arrival
            contenders[arrival.record] = Contender(
                record=arrival.record,
                agency=arrival.agency,
                weight=incoming.best.weight,
                number=arrival.traits.number if arrival.traits.verified else "",
                ordered=incoming.method == ORDERED,
            )
        settled = settle(contenders.values(), margin=self.model.margin, number=number)
        asked = [
            await self._refuse(change, person_id, record, rule, held, incoming)
            for record, rule in settled.refused.items()
        ]
        await self._ask(connection, asked)
        for record in settled.joined:
            if incoming is not None and record == incoming.arrival.record and record not in held:
                best = incoming.best
                await self._join(change, incoming.arrival, person_id, best.weight, best.evidence, incoming.method)
            elif record in waiting:
                one = waiting[record]
                await connection.execute(delete(review).where(review.c.review_id == one.review_id))
                await self._join(change, one.arrival, person_id, one.weight, one.evidence, "weights")

    async def _refuse(
        self, change: Change, person_id: str, record: str, rule: str, held: Mapping[str, Held],
        incoming: _Incoming | None,
    ) -> Mapping[str, Any] | None:  # fmt: skip
        """Take a record away, or leave it out. Returns the question that is to be asked, if it is not asked already."""
        salt = next((one.salt for one in held.values()), b"")  # all are the person's
        if incoming is not None and record == incoming.arrival.record and record not in held:
            best, before = incoming.best, incoming.before
            of, by = incoming.arrival, (rule,)
            return await self._question(change.connection, CONTEST, of, best, by, salt=salt, before=before)
        if record in held:
            one = held[record]
            await self._ledger.take(change, one)
            arrival = Arrival(agency=one.agency, key=one.key, record=record, traits=one.traits)
            best = Scored(person=person_id, weight=one.state.weight or 0.0, evidence=one.state.evidence)
            return await self._question(change.connection, CONTEST, arrival, best, (rule,), salt=salt)
        return None

    async def _join(
        self, change: Change, arrival: Arrival, person_id: str, weight: float, evidence: Mapping[str, str], method: str
    ) -> None:
        held = self.held(arrival, person_id, weight, evidence, method)
        await self._ledger.put(change, held)
        rows = self.false_rows(arrival, person_id, evidence)
        if arrival.agency == POLICE:
            await change.connection.execute(delete(false_item).where(false_item.c.record == arrival.record))
        if rows:
            await change.connection.execute(insert(false_item), rows)

    def held(self, arrival: Arrival, person_id: str, weight: float, evidence: Mapping[str, str], method: str) -> Held:
        """The link that is to be."""
        state = LinkState(
            method=method, weight=round(weight, 3), model=self.model.version, evidence=dict(evidence), author=BY_HUB,
            linked_at=self._clock.now(),
        )  # fmt: skip
        return Held(
            person_id=person_id, agency=arrival.agency, record=arrival.record, key=arrival.key, traits=arrival.traits,
            anchor=False, state=state,
        )  # fmt: skip

    def false_rows(self, arrival: Arrival, person_id: str, evidence: Mapping[str, str]) -> list[dict[str, Any]]:
        """Items that the household register has otherwise: evidence by item that a statement was false."""
        if arrival.agency != POLICE:
            return []
        return [
            {
                "person_id": person_id, "record": arrival.record, "item": item, "agency": arrival.agency,
                "level": level, "found_at": self._clock.now(),
            }
            for item, level in false_items(evidence).items()
        ]  # fmt: skip

    async def _candidates(self, traits: Traits, orders: Mapping[str, Order]) -> Sequence[Scored]:
        """Persons who share most tokens, and those whom orders name, scored against their anchors."""
        rows = await self._nearby.anchors(self._matching.every(traits), list(orders))
        persons = await self._size()
        best: dict[str, Scored] = {}
        for person_id, record, sealed, salt in rows:
            anchor = read(self._open_traits(trait_row(person_id, record), sealed, salt))
            if share_a_token(traits, anchor) or person_id in orders:
                found = score(self.model, traits, person_id, anchor, persons=persons)
                if person_id not in best or best[person_id].weight < found.weight:
                    best[person_id] = found
        return list(best.values())

    async def _size(self) -> int:
        """How many persons there are, for the prior; counted once: it moves by fractions of a bit."""
        if not self._persons:
            async with self._store.read() as connection:
                self._persons = await connection.scalar(select(func.count()).select_from(person)) or 1
        return self._persons

    async def _waiting(self, connection: AsyncConnection, person_id: str) -> list[Waiting]:
        contested = (review.c.person_id == person_id, review.c.kind == CONTEST, review.c.decided_at.is_(None))
        return [self.waiting(row) for row in await connection.execute(_REVIEWS.where(*contested)) if row.salt]

    def waiting(self, row: Any) -> Waiting:
        """A review's record, opened. `row`: a row of `identity_review` with the person's salt."""
        key, text = (
            self._opener.open(review_place(column, row.review_id), sealed, row.salt)
            for column, sealed in (("key_sealed", row.key_sealed), ("traits_sealed", row.traits_sealed))
        )
        arrival = Arrival(agency=row.agency, key=key, record=row.record, traits=read(text))
        levels = orjson.loads(row.evidence)
        return Waiting(review_id=row.review_id, arrival=arrival, weight=row.weight, evidence=levels)

    async def _close_reviews(
        self, connection: AsyncConnection, record: str, person_id: str
    ) -> tuple[Sequence[Any], Sequence[Waiting]]:
        """Close what is asked about whose this record is. Returns what was, and what others of that person wait for."""
        either = (review.c.record == record) | ((review.c.person_id == person_id) & (review.c.kind == CONTEST))
        asked = (either, review.c.kind.in_((LINK, CONTEST)), review.c.decided_at.is_(None))
        rows = (await connection.execute(_REVIEWS.where(*asked))).all()
        before = [row for row in rows if row.record == record]
        if before:
            mine = review.c.review_id.in_([row.review_id for row in before])
            await connection.execute(delete(review).where(mine))
        return before, [self.waiting(row) for row in rows if row.salt and row.record != record]

    async def _ask(self, connection: AsyncConnection, questions: Iterable[Mapping[str, Any] | None]) -> None:
        columns = [column.name for column in review.c]
        rows = [{name: row.get(name) for name in columns} for row in questions if row is not None]
        if rows:
            await connection.execute(insert(review), rows)

    async def _question(
        self, connection: AsyncConnection, kind: str, arrival: Arrival, best: Scored, reasons: Sequence[str], *,
        salt: bytes = b"", before: Sequence[Any] = (),
    ) -> Mapping[str, Any] | None:  # fmt: skip
        """Whose is a record? A question that stood open and is the same goes on, with all that it was."""
        person_id, mine = best.person, person_salt.c.person_id == best.person
        salt = salt or await connection.scalar(select(person_salt.c.salt).where(mine)) or b""
        if not salt:
            return None
        row = self.review_row(kind, arrival, person_id, salt, best.weight, best.evidence, reasons)
        same = ("kind", "person_id", "evidence", "reasons")
        known = next((one for one in before if all(getattr(one, name) == row[name] for name in same)), None)
        return row if known is None else known._mapping

    def review_row(
        self, kind: str, arrival: Arrival, person_id: str, salt: bytes, weight: float, evidence: Mapping[str, str],
        reasons: Sequence[str],
    ) -> dict[str, Any]:  # fmt: skip
        review_id, now = secrets.token_hex(16), self._clock.now()
        sealed = {
            column: self._sealer.seal(review_place(column, review_id), text, salt)
            for column, text in (("key_sealed", arrival.key), ("traits_sealed", written(arrival.traits, anchor=False)))
        }
        return {
            "review_id": review_id, "kind": kind, "record": arrival.record, "agency": arrival.agency,
            "person_id": person_id, "weight": round(weight, 3), "model": self.model.version,
            "evidence": packed(evidence), "reasons": " ".join(reasons),
            "high_impact": not HIGH_IMPACT.isdisjoint(reasons), "opened_at": now, "due_at": now + REVIEW_WITHIN,
            **sealed,
        }  # fmt: skip


_REVIEWS = select(review, person_salt.c.salt).outerjoin(person_salt, person_salt.c.person_id == review.c.person_id)


def _of_held(held: Held) -> Contender:
    return Contender(
        record=held.record,
        agency=held.agency,
        weight=held.state.weight or 0.0,
        number=held.traits.number if held.traits.verified else "",
        ordered=held.state.method in (ORDERED, "merge"),
    )


def _of_waiting(one: Waiting) -> Contender:
    return Contender(
        record=one.arrival.record,
        agency=one.arrival.agency,
        weight=one.weight,
        number=one.arrival.traits.number if one.arrival.traits.verified else "",
    )


def _stands(held: Held, verdict: Verdict) -> bool:
    """Whether a verdict leaves a link as it is."""
    same = verdict.outcome is Outcome.JOIN and verdict.best is not None and verdict.best.person == held.person_id
    return same and (held.state.method == ORDERED) == (verdict.method == ORDERED)
