"""Lists above cases: supervision orders, corrections, bases, and what falls due."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

import msgspec
import orjson
from sqlalchemy import ColumnElement, and_, false, func, or_, select

from hub.casework.bases import base_rows
from hub.casework.case_store import CaseStore, moment
from hub.casework.case_tables import case_deadline, case_event, case_record
from hub.casework.deadline import DueUnit, Light
from hub.casework.oversight_tables import base, correction, supervision_order
from hub.casework.ports import Opener
from hub.casework.simulation import compare, with_count
from hub.casework.workflow import CaseEvent, fold
from hub.crypto.envelope import Place
from hub.domain.agencies import HUB
from hub.store.engine import Store

MAX_LIST = 500
MAX_SIMULATED = 2_000
"""Open cases that a simulation takes; it folds each of them twice."""


class OrderView(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    person_id: str
    case_id: str
    step: str
    office: str
    issuer: str
    text: str
    issued_at: datetime
    due: date
    overdue: bool
    reply: str | None
    replied_at: datetime | None


class CorrectionView(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    person_id: str
    case_id: str
    agency: str
    coordinate: str
    office: str
    state: str
    reason: str
    asked_at: datetime
    due: date
    overdue: bool
    answer: str | None
    answered_at: datetime | None


class BaseView(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    name: str
    region: str
    capacity: int
    occupied: int
    waiting: int
    certified_until: date | None


class DueDay(msgspec.Struct, frozen=True, kw_only=True):
    day: date
    count: int


class DueStep(msgspec.Struct, frozen=True, kw_only=True):
    step: str
    overdue: int
    days: tuple[DueDay, ...]


class WhatIfView(msgspec.Struct, frozen=True, kw_only=True):
    """`cases` were looked at; deadlines that would fall due earlier or later, and those red now and then."""

    cases: int
    earlier: int
    later: int
    red_now: int
    red_then: int


class TooManyError(ValueError):
    """A simulation over more cases than it takes."""


class OversightLists:
    """`regions` are the caller's; empty finds nothing."""

    def __init__(self, store: Store, cases: CaseStore, opener: Opener) -> None:
        self._store = store
        self._cases = cases
        self._opener = opener

    async def orders(self, regions: Sequence[str], *, only_open: bool, today: date) -> tuple[OrderView, ...]:
        """Orders of the caller's regions, the next due first."""
        wanted = select(supervision_order).where(_within(supervision_order.c.region, regions))
        if only_open:
            wanted = wanted.where(supervision_order.c.replied_us.is_(None))
        rows = await self._rows(wanted.order_by(supervision_order.c.due, supervision_order.c.order_id))
        return tuple(
            OrderView(
                id=row.order_id,
                person_id=row.person_id,
                case_id=row.case_id,
                step=row.step,
                office=row.office,
                issuer=row.issuer,
                text=self._opened("supervision_order", "text_sealed", row.order_id, row.text_sealed) or "",
                issued_at=moment(row.issued_us),
                due=row.due,
                overdue=row.replied_us is None and row.due < today,
                reply=self._opened("supervision_order", "reply_sealed", row.order_id, row.reply_sealed),
                replied_at=_moment(row.replied_us),
            )
            for row in rows
        )

    async def corrections(
        self, agency: str, role: str, regions: Sequence[str], *, only_open: bool, today: date
    ) -> tuple[CorrectionView, ...]:
        """Requests to the caller's agency, and those that its offices made, the next due first."""
        mine = or_(correction.c.agency == agency, correction.c.office.startswith(f"{role}/"))
        wanted = select(correction).where(_within(correction.c.region, regions), mine)
        if only_open:
            wanted = wanted.where(correction.c.state == "OPEN")
        rows = await self._rows(wanted.order_by(correction.c.due, correction.c.correction_id))
        return tuple(
            CorrectionView(
                id=row.correction_id,
                person_id=row.person_id,
                case_id=row.case_id,
                agency=row.agency,
                coordinate=row.coordinate,
                office=row.office,
                state=row.state,
                reason=self._opened("correction", "reason_sealed", row.correction_id, row.reason_sealed) or "",
                asked_at=moment(row.asked_us),
                due=row.due,
                overdue=row.state == "OPEN" and row.due < today,
                answer=self._opened("correction", "answer_sealed", row.correction_id, row.answer_sealed),
                answered_at=_moment(row.answered_us),
            )
            for row in rows
        )

    async def bases(self, region: str) -> tuple[BaseView, ...]:
        async with self._store.read() as connection:
            rows = await base_rows(connection, _within(base.c.region, (region,)))
        return tuple(msgspec.convert(row, BaseView) for row in rows)

    async def due(self, regions: Sequence[str], region: str, today: date, days: int) -> tuple[DueStep, ...]:
        """Open deadlines of a region by step and day, from today for `days` days; one statement."""
        columns = case_deadline.c
        wanted = (
            select(columns.step, columns.due, func.count())
            .where(columns.done.is_(None), columns.missed.is_(None), columns.due < today + timedelta(days=days))
            .where(_within(columns.region, regions), _within(columns.region, (region,)))
            .group_by(columns.step, columns.due)
            .order_by(columns.step, columns.due)
        )
        async with self._store.read() as connection:
            rows = (await connection.execute(wanted)).all()
        steps: dict[str, list[tuple[date, int]]] = {}
        for step, day, count in rows:
            steps.setdefault(step, []).append((day, count))
        return tuple(
            DueStep(
                step=step,
                overdue=sum(count for day, count in found if day < today),
                days=tuple(DueDay(day=day, count=count) for day, count in found if day >= today),
            )
            for step, found in steps.items()
        )

    async def what_if(
        self, regions: Sequence[str], region: str, step: str, count: int, unit: DueUnit, today: date
    ) -> WhatIfView:
        """What changes if a step had other days in a region. Nothing is written.

        Raises:
            TooManyError: more than `MAX_SIMULATED` open cases.
            LookupError: there is no such step.
        """
        here = (_within(case_record.c.region, regions), _within(case_record.c.region, (region,)))
        opened = select(case_record.c.case_id).where(*here, case_record.c.ended.is_(False))
        async with self._store.read() as connection:
            cases = (await connection.execute(opened.limit(MAX_SIMULATED + 1))).scalars().all()
            if len(cases) > MAX_SIMULATED:
                raise TooManyError
            rows = (await connection.execute(select(case_event).where(case_event.c.case_id.in_(opened)))).all()
        events: dict[str, list[CaseEvent]] = {}
        for row in rows:
            events.setdefault(row.case_id, []).append(_event(row))
        others = with_count(self._cases.rules, step, "", count, unit)
        courses = [(case, fold(self._cases.workflow, events[case])) for case in cases]
        earlier = later = red_now = red_then = 0
        for made in compare(courses, self._cases.rules, others, self._cases.calendar):
            if made.now is not None and made.then is not None:
                earlier += made.then.due < made.now.due
                later += made.then.due > made.now.due
            red_now += made.now is not None and made.now.light(today) is Light.RED
            red_then += made.then is not None and made.then.light(today) is Light.RED
        return WhatIfView(cases=len(cases), earlier=earlier, later=later, red_now=red_now, red_then=red_then)

    async def _rows(self, wanted: Any) -> Sequence[Any]:
        async with self._store.read() as connection:
            return (await connection.execute(wanted.limit(MAX_LIST))).all()

    def _opened(self, table: str, column: str, row: str, sealed: bytes | None) -> str | None:
        if sealed is None:
            return None
        return self._opener.open(Place(agency=HUB, table=table, column=column, row=row), sealed)


def _within(column: Any, prefixes: Sequence[str]) -> ColumnElement[bool]:
    """Codes that begin with one of the prefixes, as ranges that an index serves."""
    return or_(false(), *(and_(column >= prefix, column < prefix + ":") for prefix in prefixes if prefix.isdigit()))


def _moment(value_us: int | None) -> datetime | None:
    return None if value_us is None else moment(value_us)


def _event(row: Any) -> CaseEvent:
    return CaseEvent(
        event_id=row.event_id,
        kind=row.kind,
        happened_at=moment(row.happened_us),
        recorded_at=moment(row.recorded_us),
        received_at=moment(row.received_us),
        office=row.office,
        data=orjson.loads(row.data),
    )
