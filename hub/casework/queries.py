"""Lists of cases and tasks for an office: keyset pages over the tables that are read off cases.

A list holds what lies in the regions of the asker and nothing else; a page costs one statement, whatever its place.
"""

from collections.abc import Sequence
from datetime import date
from enum import StrEnum
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Date, Select, and_, case, false, func, literal, or_, select

from hub.casework.case_tables import case_deadline, case_office, case_record
from hub.casework.deadline import Light
from hub.store.engine import Store

FAR = literal(date(9999, 12, 31), Date)


class CaseOrder(StrEnum):
    """Orders of a caseload; cases without the date come last."""

    RELEASE_DATE = "RELEASE_DATE"
    TERM_END = "TERM_END"


_KEYS: dict[CaseOrder, ColumnElement[date]] = {
    CaseOrder.RELEASE_DATE: func.coalesce(case_record.c.released, case_record.c.planned_release, FAR),
    CaseOrder.TERM_END: func.coalesce(case_record.c.term_end, FAR),
}


class CaseRow(msgspec.Struct, frozen=True, kw_only=True):
    person_id: str
    case_id: str
    state: str | None
    ended: bool
    accountable: str | None
    region: str
    pending: str | None
    bounces: int
    route: str
    key_person: bool
    planned_release: date | None
    released: date | None
    term_start: date | None
    term_end: date | None
    flags: tuple[str, ...]
    place: tuple[date, str]  # of the row in its order: what the next page begins after


class TaskRow(msgspec.Struct, frozen=True, kw_only=True):
    """An open deadline of a case: what is to be done, by which office, until when."""

    task_id: str
    person_id: str
    case_id: str
    step: str
    anchor: str
    rule_id: str
    office: str | None
    region: str
    due: date
    light: Light
    assumed: bool
    place: tuple[date, str]


class CaseFilter(msgspec.Struct, frozen=True, kw_only=True):
    """`regions` are prefixes, one of which must hold; empty finds nothing (absence of a rule is no access)."""

    regions: tuple[str, ...]
    region: str | None = None
    states: tuple[str, ...] = ()
    ended: bool | None = None
    key_person: bool | None = None
    office: str | None = None
    joint: bool = False
    """Whether cases in which an office of the regions only helps (共同帮教) are listed as well."""


class TaskFilter(msgspec.Struct, frozen=True, kw_only=True):
    regions: tuple[str, ...]
    region: str | None = None
    steps: tuple[str, ...] = ()
    office: str | None = None
    role: str | None = None
    """Whose offices' tasks."""
    due_until: date | None = None
    lights: tuple[Light, ...] = ()


class CaseQueries:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def caseload(
        self, wanted: CaseFilter, order: CaseOrder, *, first: int, after: tuple[date, str] | None
    ) -> tuple[CaseRow, ...]:
        """A page of cases, one row more than `first` if there is a next page."""
        key = _KEYS[order]
        statement = select(case_record, key.label("key")).where(_cases(wanted))
        rows = await self._page(statement, key, case_record.c.case_id, first, after)
        return tuple(_case_row(row) for row in rows)

    async def count(self, wanted: CaseFilter) -> int:
        statement = select(func.count()).select_from(case_record).where(_cases(wanted))
        async with self._store.read() as connection:
            found: int = (await connection.execute(statement)).scalar_one()
        return found

    async def cases(self, case_ids: Sequence[str]) -> tuple[CaseRow, ...]:
        """Cases by id, whoever they concern: the caller decides who may see them."""
        return await self._all(case_record.c.case_id.in_(case_ids))

    async def of_persons(self, person_ids: Sequence[str]) -> tuple[CaseRow, ...]:
        """All cases of persons, the newest first."""
        return await self._all(case_record.c.person_id.in_(person_ids))

    async def tasks(
        self, wanted: TaskFilter, today: date, *, first: int, after: tuple[date, str] | None
    ) -> tuple[TaskRow, ...]:
        """A page of open deadlines by due day, one row more than `first` if there is a next page."""
        key = case_deadline.c.due
        statement = select(case_deadline, key.label("key")).where(_tasks(wanted, today))
        rows = await self._page(statement, key, case_deadline.c.task_id, first, after)
        return tuple(_task_row(row, today) for row in rows)

    async def lights(self, wanted: TaskFilter, today: date) -> dict[str, dict[Light, int]]:
        """How many open deadlines stand at each light, by step: what an office sees of its day."""
        red = func.sum(case((case_deadline.c.red <= today, 1), else_=0))
        amber = and_(case_deadline.c.yellow <= today, case_deadline.c.red > today)
        yellow = func.sum(case((amber, 1), else_=0))
        statement = (
            select(case_deadline.c.step, func.count(), yellow, red)
            .where(_tasks(wanted, today))
            .group_by(case_deadline.c.step)
            .order_by(case_deadline.c.step)
        )
        async with self._store.read() as connection:
            rows = (await connection.execute(statement)).all()
        return {
            step: {Light.GREEN: total - warned - raised, Light.YELLOW: warned, Light.RED: raised}
            for step, total, warned, raised in rows
        }

    async def _all(self, where: ColumnElement[bool]) -> tuple[CaseRow, ...]:
        key = _KEYS[CaseOrder.RELEASE_DATE]
        statement = select(case_record, key.label("key")).where(where).order_by(case_record.c.opened_us.desc())
        async with self._store.read() as connection:
            return tuple(_case_row(row) for row in await connection.execute(statement))

    async def _page(
        self,
        statement: Select[Any],
        key: ColumnElement[date],
        identity: ColumnElement[str],
        first: int,
        after: tuple[date, str] | None,
    ) -> Sequence[Any]:
        if after is not None:
            statement = statement.where(or_(key > after[0], and_(key == after[0], identity > after[1])))
        statement = statement.order_by(key, identity).limit(first + 1)
        async with self._store.read() as connection:
            return list(await connection.execute(statement))


def _cases(wanted: CaseFilter) -> ColumnElement[bool]:
    columns = case_record.c
    here = _within(columns.region, wanted.regions)
    if wanted.joint:
        helped = select(case_office.c.case_id).where(
            case_office.c.person_id == columns.person_id,
            case_office.c.case_id == columns.case_id,
            case_office.c.role != "ACCOUNTABLE",
            case_office.c.until_us.is_(None),
            or_(*(case_office.c.office.like(f"%/{region}%") for region in wanted.regions)),
        )
        here = or_(here, helped.exists())
    conditions = [here]
    if wanted.region:
        conditions.append(_within(columns.region, (wanted.region,)))
    if wanted.states:
        conditions.append(columns.state.in_(wanted.states))
    if wanted.ended is not None:
        conditions.append(columns.ended.is_(wanted.ended))
    if wanted.key_person is not None:
        conditions.append(columns.key_person.is_(wanted.key_person))
    if wanted.office:
        conditions.append(columns.accountable == wanted.office)
    return and_(*conditions)


def _tasks(wanted: TaskFilter, today: date) -> ColumnElement[bool]:
    columns = case_deadline.c
    conditions = [columns.done.is_(None), columns.missed.is_(None), _within(columns.region, wanted.regions)]
    if wanted.region:
        conditions.append(_within(columns.region, (wanted.region,)))
    if wanted.steps:
        conditions.append(columns.step.in_(wanted.steps))
    if wanted.office:
        conditions.append(columns.office == wanted.office)
    if wanted.role:
        conditions.append(columns.office.startswith(f"{wanted.role}/"))
    if wanted.due_until:
        conditions.append(columns.due <= wanted.due_until)
    if wanted.lights:
        lights = {
            Light.GREEN: columns.yellow > today,
            Light.YELLOW: and_(columns.yellow <= today, columns.red > today),
            Light.RED: columns.red <= today,
        }
        conditions.append(or_(false(), *(lights[light] for light in wanted.lights if light in lights)))
    return and_(*conditions)


def _within(column: Any, prefixes: Sequence[str]) -> ColumnElement[bool]:
    """Codes that begin with one of the prefixes, as ranges that an index serves."""
    return or_(false(), *(and_(column >= prefix, column < prefix + ":") for prefix in prefixes if prefix.isdigit()))


def _case_row(row: Any) -> CaseRow:
    return CaseRow(
        person_id=row.person_id,
        case_id=row.case_id,
        state=row.state,
        ended=row.ended,
        accountable=row.accountable,
        region=row.region,
        pending=row.pending,
        bounces=row.bounces,
        route=row.route,
        key_person=row.key_person,
        planned_release=row.planned_release,
        released=row.released,
        term_start=row.term_start,
        term_end=row.term_end,
        flags=tuple(row.flags.split()),
        place=(row.key, row.case_id),
    )


def _task_row(row: Any, today: date) -> TaskRow:
    light = Light.RED if today >= row.red else Light.YELLOW if today >= row.yellow else Light.GREEN
    return TaskRow(
        task_id=row.task_id,
        person_id=row.person_id,
        case_id=row.case_id,
        step=row.step,
        anchor=row.anchor,
        rule_id=row.rule_id,
        office=row.office,
        region=row.region,
        due=row.due,
        light=light,
        assumed=row.assumed,
        place=(row.due, row.task_id),
    )
