"""Cases in the database: events are added, everything else is read off them again in the same transaction."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from hashlib import blake2b
from typing import Any

import msgspec
import orjson
from sqlalchemy import BigInteger, Table, and_, bindparam, delete, insert, literal, select, union_all, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from hub.casework.alarms import next_alarm
from hub.casework.calendar import WorkingCalendar
from hub.casework.case_tables import case_deadline, case_event, case_office, case_record
from hub.casework.deadline import Deadline, DeadlineRules, PersonClass
from hub.casework.docket import CaseFacts, case_facts, docket
from hub.casework.ownership import Ownership, ownership
from hub.casework.workflow import CaseEvent, Course, Workflow, fold

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """A case as its events make it. `told` counts, by (step, anchor), the alarms that have gone out."""

    person_id: str
    case_id: str
    revision: int
    course: Course
    owned: Ownership
    facts: CaseFacts
    docket: tuple[Deadline, ...]
    told: Mapping[tuple[str, str], int]


class NewEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event to be added, with its personal words sealed by the caller (None if it has none)."""

    event: CaseEvent
    words_sealed: bytes | None = None


class CaseStore:
    """Every method runs inside the caller's transaction. Cost of adding: a read and a few writes, some 1 ms."""

    def __init__(self, workflow: Workflow, rules: DeadlineRules, calendar: WorkingCalendar) -> None:
        self.workflow = workflow
        self.rules = rules
        self.calendar = calendar

    async def person_of(self, connection: AsyncConnection, case_id: str) -> str | None:
        """Whose case this is; None for a case that is unknown."""
        wanted = select(case_record.c.person_id).where(case_record.c.case_id == case_id)
        found: str | None = (await connection.execute(wanted)).scalar()
        return found

    async def load(self, connection: AsyncConnection, person_id: str, case_id: str, *, lock: bool) -> Case | None:
        """The case with all its events; `lock` keeps other writers of it waiting until the transaction ends."""
        whose = {"person": person_id, "case": case_id}
        revision = (await connection.execute(_LOCKED if lock else _REVISION, whose)).scalar()
        if revision is None:
            return None
        events: list[CaseEvent] = []
        told: dict[tuple[str, str], int] = {}
        for row in await connection.execute(_HELD, whose):
            if row.part == "d":
                told[row.event_id, row.kind] = row.happened_us
            else:
                events.append(_event(row))
        return self._case(person_id, case_id, revision, events, told)

    async def add(
        self,
        connection: AsyncConnection,
        person_id: str,
        case_id: str,
        events: Sequence[NewEvent],
        *,
        entry_id: str,
        now_us: int,
    ) -> tuple[Case | None, Case]:
        """Add events and bring every table that is read off them up to date; the case before and after.

        An event id that the case has already is left as it is, so that a repeated delivery has no effect.
        """
        before = await self.load(connection, person_id, case_id, lock=True)
        whose = (person_id, case_id)
        return before, await self.extend(connection, before, whose, events, entry_id=entry_id, now_us=now_us)

    async def extend(
        self,
        connection: AsyncConnection,
        before: Case | None,
        whose: tuple[str, str],
        events: Sequence[NewEvent],
        *,
        entry_id: str,
        now_us: int,
    ) -> Case:
        """As `add`, for a case loaded with `lock` in this transaction (None: it is new). `whose`: person, case."""
        person_id, case_id = whose
        known = {step.event.event_id for step in before.course.steps} if before else set()
        fresh = [new for new in events if new.event.event_id not in known]
        if before is not None and not fresh:
            return before
        await connection.execute(_ADD, [_event_row(person_id, case_id, new, entry_id) for new in fresh])
        all_events = [step.event for step in before.course.steps] if before else []
        all_events += [new.event for new in fresh]
        after = self._case(
            person_id, case_id, before.revision + 1 if before else 1, all_events, before.told if before else {}
        )
        await self._put(connection, before, after, now_us)
        return after

    def _case(
        self,
        person_id: str,
        case_id: str,
        revision: int,
        events: Sequence[CaseEvent],
        told: Mapping[tuple[str, str], int],
    ) -> Case:
        course = fold(self.workflow, events)
        owned = ownership(course)
        return Case(
            person_id=person_id,
            case_id=case_id,
            revision=revision,
            course=course,
            owned=owned,
            facts=case_facts(course, owned, self.rules),
            docket=docket(course, self.rules, self.calendar),
            told=told,
        )

    async def _put(self, connection: AsyncConnection, before: Case | None, after: Case, now_us: int) -> None:
        values = _record_row(after, now_us)
        if before is None:
            await connection.execute(_OPEN, {**values, "opened_us": now_us})
        else:
            whose = {"person": values.pop("person_id"), "case": values.pop("case_id")}
            await connection.execute(_CHANGE, {**values, **whose})
        if before is None or before.owned != after.owned:
            rows, kept = _office_rows(after), len(_office_rows(before)) if before else 0
            if rows:
                await connection.execute(_OFFICES[connection.dialect.name], rows)
            if len(rows) < kept:
                mine = _of(case_office, after.person_id, after.case_id)
                await connection.execute(delete(case_office).where(mine, case_office.c.place >= len(rows)))
        await self._put_deadlines(connection, before, after)

    async def _put_deadlines(self, connection: AsyncConnection, before: Case | None, after: Case) -> None:
        whose = {"person": after.person_id, "case": after.case_id}
        office, region = after.owned.accountable, after.facts.region
        moved = before is None or (before.owned.accountable, before.facts.region) != (office, region)
        old = {(made.step, made.anchor): made for made in before.docket} if before else {}
        new = {(made.step, made.anchor): made for made in after.docket}
        if gone := [{**whose, "its_step": step, "its_anchor": anchor} for step, anchor in old.keys() - new.keys()]:
            await connection.execute(_DROP, gone)
        rows: list[dict[str, Any]] = []
        for key, made in new.items():
            if old.get(key) == made and not moved:
                continue
            same_days = key in old and old[key].due == made.due
            rows.append(_deadline_row(after, made, after.told.get(key, 0) if same_days else 0))
        if rows:
            await connection.execute(_DEADLINES[connection.dialect.name], rows)


def _of(table: Any, person_id: Any, case_id: Any) -> Any:
    return and_(table.c.person_id == person_id, table.c.case_id == case_id)


def _held() -> Any:
    """All that a case rests on in one round trip: its events, and how many alarms of its deadlines have gone out."""
    event, alarm = case_event.c, case_deadline.c
    whose: Any = (bindparam("person"), bindparam("case"))
    events = select(
        literal("e").label("part"),
        event.event_id,
        event.kind,
        event.happened_us,
        event.recorded_us,
        event.received_us,
        event.office,
        event.data,
    ).where(_of(case_event, *whose))
    none, blank = literal(0, BigInteger), literal("")
    alarms = select(literal("d"), alarm.step, alarm.anchor, alarm.told, none, none, blank, blank)
    return union_all(events, alarms.where(_of(case_deadline, *whose)))


def _upsert(dialect: Any, table: Table) -> Any:
    put = dialect.insert(table)
    keys = [column.name for column in table.primary_key]
    rest = {column.name: put.excluded[column.name] for column in table.columns if column.name not in keys}
    return put.on_conflict_do_update(index_elements=keys, set_=rest)


# Statements are made once: SQLAlchemy needs as long for making one as the database for running it.
_REVISION = select(case_record.c.revision).where(_of(case_record, bindparam("person"), bindparam("case")))
_LOCKED = _REVISION.with_for_update()
_HELD = _held()
_ADD = insert(case_event)
_OPEN = insert(case_record)
_FIXED = ("person_id", "case_id", "opened_us")
_CHANGE = (
    update(case_record)
    .where(_of(case_record, bindparam("person"), bindparam("case")))
    .values({column.name: bindparam(column.name) for column in case_record.c if column.name not in _FIXED})
)
_DEADLINES = {"sqlite": _upsert(sqlite, case_deadline), "postgresql": _upsert(postgresql, case_deadline)}
_DROP = delete(case_deadline).where(
    _of(case_deadline, bindparam("person"), bindparam("case")),
    case_deadline.c.step == bindparam("its_step"),
    case_deadline.c.anchor == bindparam("its_anchor"),
)
_OFFICES = {"sqlite": _upsert(sqlite, case_office), "postgresql": _upsert(postgresql, case_office)}


def moment(microseconds: int) -> datetime:
    return EPOCH + timedelta(microseconds=microseconds)


def _us(value: datetime) -> int:
    passed = value - EPOCH
    return (passed.days * 86_400 + passed.seconds) * 1_000_000 + passed.microseconds


def _event(row: Row[Any]) -> CaseEvent:
    return CaseEvent(
        event_id=row.event_id,
        kind=row.kind,
        happened_at=moment(row.happened_us),
        recorded_at=moment(row.recorded_us),
        received_at=moment(row.received_us),
        office=row.office,
        data=orjson.loads(row.data),
    )


def _event_row(person_id: str, case_id: str, new: NewEvent, entry_id: str) -> dict[str, Any]:
    event = new.event
    return {
        "person_id": person_id,
        "case_id": case_id,
        "event_id": event.event_id,
        "kind": event.kind,
        "happened_us": _us(event.happened_at),
        "recorded_us": _us(event.recorded_at),
        "received_us": _us(event.received_at),
        "office": event.office,
        "data": orjson.dumps(event.data, option=orjson.OPT_SORT_KEYS).decode(),
        "words_sealed": new.words_sealed,
        "entry_id": entry_id,
    }


def _record_row(case: Case, now_us: int) -> dict[str, Any]:
    facts, owned = case.facts, case.owned
    return {
        "person_id": case.person_id,
        "case_id": case.case_id,
        "state": case.course.state,
        "ended": case.course.ended,
        "accountable": owned.accountable,
        "region": facts.region,
        "pending": owned.pending.office if owned.pending else None,
        "bounces": owned.bounces,
        "route": facts.route,
        "key_person": PersonClass.KEY in facts.classes,
        "planned_release": facts.planned_release,
        "released": facts.released,
        "term_start": facts.term.start if facts.term else None,
        "term_end": facts.term.end if facts.term else None,
        "flags": " ".join(sorted(case.course.flags)),
        "revision": case.revision,
        "changed_us": now_us,
    }


def _office_rows(case: Case) -> list[dict[str, Any]]:
    held = [(tenure.office, "ACCOUNTABLE", tenure.since, tenure.until) for tenure in case.owned.tenures]
    held += [(joint.office, joint.role.value, joint.since, joint.until) for joint in case.owned.joint]
    return [
        {
            "person_id": case.person_id,
            "case_id": case.case_id,
            "place": place,
            "office": office,
            "role": role,
            "since_us": _us(since),
            "until_us": _us(until) if until is not None else None,
        }
        for place, (office, role, since, until) in enumerate(held)
    ]


def task_id(case_id: str, made: Deadline) -> str:
    """The name of a deadline as a task of an office."""
    return blake2b(f"{case_id}/{made.step}/{made.anchor}".encode(), digest_size=12).hexdigest()


def _deadline_row(case: Case, made: Deadline, told: int) -> dict[str, Any]:
    days: dict[str, date | None] = {"due": made.due, "yellow": made.yellow, "red": made.red_day}
    return {
        "person_id": case.person_id,
        "case_id": case.case_id,
        "step": made.step,
        "anchor": made.anchor,
        "task_id": task_id(case.case_id, made),
        "rule_id": made.rule_id,
        "office": case.owned.accountable,
        "region": case.facts.region,
        **days,
        "done": made.done,
        "missed": made.missed,
        "assumed": made.assumed,
        "told": told,
        "next_day": next_alarm(made, told),
    }
