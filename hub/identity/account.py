"""What the hub can say for itself about who is who: the queue of open questions, and why a person's records are theirs.

Reads only, and opens nothing: levels of agreement by field stand in the clear, values do not.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
import orjson
from sqlalchemy import ColumnElement, and_, false, func, or_, select

from hub.clock import Clock, today
from hub.identity.conditions import PAST_JURISDICTION_DAYS
from hub.identity.links import aware
from hub.identity.merging import survivor_of
from hub.identity.tables import false_item, jurisdiction, link, link_event, link_order, person, review
from hub.store.engine import Store


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """An open question. `evidence`: level by field; `reasons`: the rules that stood against joining; `first_by`: who
    decided first where two must."""

    review_id: str
    kind: str
    agency: str
    record: str
    person_id: str
    other_person: str | None
    weight: float
    model: str
    evidence: Mapping[str, str]
    reasons: tuple[str, ...]
    high_impact: bool
    opened_at: datetime
    due_at: datetime
    overdue: bool
    first_by: str | None


class LinkFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Why a record is this person's. `evidence`: level by field between record and anchor."""

    agency: str
    record: str
    method: str
    weight: float | None
    model: str | None
    evidence: Mapping[str, str]
    author: str | None
    linked_at: datetime


class LinkChange(msgspec.Struct, frozen=True, kw_only=True):
    """One step of the ledger. `joined`: it brought a record to this person; else it took it away."""

    change_id: str
    kind: str
    agency: str
    record: str
    joined: bool
    author: str
    at: datetime
    undoes: str | None


class FalseItem(msgspec.Struct, frozen=True, kw_only=True):
    """An item that the household register has otherwise than the person stated it (三假人员)."""

    item: str
    level: str
    agency: str
    found_at: datetime


class Account(msgspec.Struct, frozen=True, kw_only=True):
    links: tuple[LinkFacts, ...]
    changes: tuple[LinkChange, ...]
    false_items: tuple[FalseItem, ...]


MAX_CHANGES = 50
"""Latest steps of the ledger that an account holds."""


class Accounts:
    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def questions(
        self, regions: Sequence[str], *, overdue: bool, first: int, after: tuple[datetime, str] | None
    ) -> tuple[Question, ...]:
        """Open questions about persons of these regions, the most urgent first; of vaulted persons none.

        A merge is asked of those who are responsible for both persons. Cost: one statement.
        """
        now, mine, other = self._clock.now(), self._of_regions(regions), person.alias("other")
        both = and_(other.c.vaulted.is_(False), review.c.other_person.in_(mine))
        wanted = (
            select(review)
            .join(person, person.c.person_id == review.c.person_id)
            .outerjoin(other, other.c.person_id == review.c.other_person)
            .where(
                review.c.decided_at.is_(None),
                person.c.vaulted.is_(False),
                review.c.person_id.in_(mine),
                or_(review.c.other_person.is_(None), both),
            )
        )
        if overdue:
            wanted = wanted.where(review.c.due_at < now)
        if after is not None:
            moment, review_id = after
            wanted = wanted.where(
                or_(review.c.due_at > moment, and_(review.c.due_at == moment, review.c.review_id > review_id))
            )
        async with self._store.read() as connection:
            rows = await connection.execute(wanted.order_by(review.c.due_at, review.c.review_id).limit(first))
            return tuple(_question(row, now) for row in rows)

    async def persons_of(self, review_id: str) -> tuple[str, ...]:
        """Whom a question is about, decided or not: of a merge two, of one that was carried out the survivor."""
        asked = select(review.c.person_id, review.c.other_person).where(review.c.review_id == review_id)
        async with self._store.read() as connection:
            row = (await connection.execute(asked)).first()
            named = [] if row is None else [one for one in row if one is not None]
            return tuple(dict.fromkeys([await survivor_of(connection, one) for one in named]))

    async def bearer(self, record: str) -> str | None:
        """Whose this record is."""
        async with self._store.read() as connection:
            found: str | None = await connection.scalar(select(link.c.person_id).where(link.c.record == record))
        return found

    async def touched(self, change_id: str) -> tuple[str, ...]:
        """Persons whom a change concerns."""
        wanted = select(link_event.c.person_before, link_event.c.person_after).where(
            link_event.c.change_id == change_id
        )
        async with self._store.read() as connection:
            rows = await connection.execute(wanted)
            return tuple(sorted({one for row in rows for one in row if one is not None}))

    async def members(self) -> int:
        async with self._store.read() as connection:
            return await connection.scalar(select(func.count()).select_from(person)) or 0

    async def figures(self) -> dict[str, Any]:
        """Links by agency and method, open and overdue questions, orders in force."""
        now = self._clock.now()
        counted = select(link.c.agency, link.c.method, func.count()).group_by(link.c.agency, link.c.method)
        waiting = select(func.count()).select_from(review).where(review.c.decided_at.is_(None))
        standing = select(func.count()).select_from(link_order).where(
            link_order.c.withdrawn_at.is_(None), or_(link_order.c.expires_at.is_(None), link_order.c.expires_at > now)
        )  # fmt: skip
        links: dict[str, dict[str, int]] = {}
        async with self._store.read() as connection:
            for agency, method, count in await connection.execute(counted.order_by(link.c.agency, link.c.method)):
                links.setdefault(agency, {})[method] = count
            return {
                "links": links,
                "open": await connection.scalar(waiting) or 0,
                "overdue": await connection.scalar(waiting.where(review.c.due_at < now)) or 0,
                "orders": await connection.scalar(standing) or 0,
            }

    async def of(self, person_id: str) -> Account:
        """Links, their history and what was stated falsely, of one person."""
        touched = or_(link_event.c.person_before == person_id, link_event.c.person_after == person_id)
        newest = select(link_event).where(touched).order_by(link_event.c.at.desc(), link_event.c.order.desc())
        async with self._store.read() as connection:
            links = await connection.execute(select(link).where(link.c.person_id == person_id, link.c.record != ""))
            changes = await connection.execute(newest.limit(MAX_CHANGES))
            wrong = await connection.execute(select(false_item).where(false_item.c.person_id == person_id))
            return Account(
                links=tuple(sorted(map(_link, links), key=lambda one: (one.agency, one.record))),
                changes=tuple(_change(row, person_id) for row in changes),
                false_items=tuple(sorted(map(_false, wrong), key=lambda one: (one.item, one.found_at))),
            )

    def _of_regions(self, regions: Sequence[str]) -> Any:
        ended = today(self._clock) - timedelta(days=PAST_JURISDICTION_DAYS)
        return select(jurisdiction.c.person_id).where(
            or_(false(), *(_under(jurisdiction.c.region, prefix) for prefix in regions if prefix.isdigit())),
            or_(jurisdiction.c.valid_to.is_(None), jurisdiction.c.valid_to > ended),
        )


def _under(column: Any, prefix: str) -> ColumnElement[bool]:
    return and_(column >= prefix, column < prefix + ":")


def _question(row: Any, now: datetime) -> Question:
    due = aware(row.due_at)
    return Question(
        review_id=row.review_id,
        kind=row.kind,
        agency=row.agency,
        record=row.record,
        person_id=row.person_id,
        other_person=row.other_person,
        weight=row.weight,
        model=row.model,
        evidence=orjson.loads(row.evidence),
        reasons=tuple(row.reasons.split()),
        high_impact=row.high_impact,
        opened_at=aware(row.opened_at),
        due_at=due,
        overdue=due < now,
        first_by=row.first_by,
    )


def _link(row: Any) -> LinkFacts:
    return LinkFacts(
        agency=row.agency,
        record=row.record,
        method=row.method,
        weight=row.weight,
        model=row.model,
        evidence={} if row.evidence is None else orjson.loads(row.evidence),
        author=row.author,
        linked_at=aware(row.linked_at),
    )


def _change(row: Any, person_id: str) -> LinkChange:
    return LinkChange(
        change_id=row.change_id,
        kind=row.kind,
        agency=row.agency,
        record=row.record,
        joined=row.person_after == person_id,
        author=row.author,
        at=aware(row.at),
        undoes=row.undoes,
    )


def _false(row: Any) -> FalseItem:
    return FalseItem(item=row.item, level=row.level, agency=row.agency, found_at=aware(row.found_at))
