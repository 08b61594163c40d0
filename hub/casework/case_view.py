"""A case as offices see it: codes, dates and offices. Personal words are not in it.

The same values answer a command (and are kept as its receipt) and the query `case`.
"""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

import msgspec

from hub.casework.case_store import Case
from hub.casework.deadline import Deadline, Level, Light, PersonClass


class OfficeView(msgspec.Struct, frozen=True, kw_only=True):
    office: str
    role: str
    since: datetime
    until: datetime | None


class Said(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    value: str


class EventView(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    kind: str
    state: str | None
    happened_at: datetime
    recorded_at: datetime
    received_at: datetime
    office: str
    flags: tuple[str, ...]
    said: tuple[Said, ...]


class EscalationView(msgspec.Struct, frozen=True, kw_only=True):
    level: Level
    day: date


class DeadlineView(msgspec.Struct, frozen=True, kw_only=True):
    step: str
    rule: str
    due: date
    warn_from: date
    alarm_from: date
    done: date | None
    missed: date | None
    light: Light
    assumed: bool
    escalations: tuple[EscalationView, ...]


class CaseView(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    state: str | None
    ended: bool
    accountable_office: str | None
    pending_office: str | None
    bounces: int
    route: str
    key_person: bool
    planned_release: date | None
    released: date | None
    term_start: date | None
    term_end: date | None
    offices: tuple[OfficeView, ...]
    events: tuple[EventView, ...]
    deadlines: tuple[DeadlineView, ...]


def case_view(case: Case, today: date) -> CaseView:
    facts, owned = case.facts, case.owned
    held = [(each.office, "ACCOUNTABLE", each.since, each.until) for each in owned.tenures]
    held += [(each.office, each.role.value, each.since, each.until) for each in owned.joint]
    return CaseView(
        id=case.case_id,
        state=case.course.state,
        ended=case.course.ended,
        accountable_office=owned.accountable,
        pending_office=owned.pending.office if owned.pending else None,
        bounces=owned.bounces,
        route=facts.route,
        key_person=PersonClass.KEY in facts.classes,
        planned_release=facts.planned_release,
        released=facts.released,
        term_start=facts.term.start if facts.term else None,
        term_end=facts.term.end if facts.term else None,
        offices=tuple(
            OfficeView(office=office, role=role, since=since, until=until) for office, role, since, until in held
        ),
        events=tuple(
            EventView(
                id=step.event.event_id,
                kind=step.event.kind,
                state=step.state,
                happened_at=step.event.happened_at,
                recorded_at=step.event.recorded_at,
                received_at=step.event.received_at,
                office=step.event.office,
                flags=tuple(sorted(step.flags)),
                said=tuple(Said(name=name, value=str(value)) for name, value in sorted(step.event.data.items())),
            )
            for step in case.course.steps
        ),
        deadlines=tuple(deadline_view(each, today) for each in case.docket),
    )


def deadline_view(made: Deadline, today: date) -> DeadlineView:
    return DeadlineView(
        step=made.step,
        rule=made.rule_id,
        due=made.due,
        warn_from=made.yellow,
        alarm_from=made.red_day,
        done=made.done,
        missed=made.missed,
        light=made.light(today),
        assumed=made.assumed,
        escalations=tuple(EscalationView(level=level, day=day) for level, day in made.escalations),
    )


def kept(view: CaseView) -> Mapping[str, Any]:
    """As plain JSON, for the receipt of a command."""
    plain: Mapping[str, Any] = msgspec.to_builtins(view)
    return plain


def of_kept(plain: Mapping[str, Any]) -> CaseView:
    return msgspec.convert(plain, CaseView)
