"""Who is told of what: pointers to a case, never its content. Pure.

An event goes to the offices that answer for the case or are to take it over, and to the agencies that `TOLD` names; an
alarm goes to the office and to every level that it has been raised to.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from hub.casework.alarms import Alarm, AlarmKind
from hub.casework.case_store import Case
from hub.casework.deadline import Deadline, Level
from hub.casework.office import region_of
from hub.casework.workflow import CaseEvent

TOLD: Mapping[str, tuple[str, ...]] = {
    "NOTIFIED": ("police-station",),
    "RELEASED": ("police-station", "social-security"),
    "UNCONNECTED": ("police-station",),
    "LOST_CONTACT": ("police-station",),
    "EMPLOYED": ("social-security",),
    "RELIEF_APPLIED": ("civil-affairs",),
    "DECEASED": ("social-security", "civil-affairs"),
    "REOFFENDED": ("social-security", "civil-affairs"),
}
"""Roles of other agencies that an event concerns, beside the offices of the case."""

_LEVELS = {
    Level.OFFICE: ("judicial-office", 9),
    Level.COUNTY: ("county-office", 6),
    Level.PREFECTURE: ("province-office", 4),
    Level.PROVINCE: ("province-office", 2),
    Level.PRISON_AUTHORITY: ("prison", 2),
}


MAX_BOUNCES = 2
"""Returns after which the province is told that nobody wants the case. [P] DOMAIN 1.1, row 6b."""


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """`office` is who shall know; `body` holds identifiers, codes and dates only."""

    office: str
    kind: str
    body: Mapping[str, Any]


def of_event(case: Case, event: CaseEvent) -> Iterator[Notice]:
    """Notices of an event that was added to `case` (as it is afterwards); its author is not told."""
    offices = [case.owned.accountable, case.owned.pending.office if case.owned.pending else None]
    offices += [joint.office for joint in case.owned.joint if joint.until is None]
    if not any(offices) and case.owned.tenures:
        offices.append(case.owned.tenures[-1].office)
    offices += [f"{role}/{case.facts.region[:6] or '000000'}" for role in TOLD.get(event.kind, ())]
    body = {"case": case.case_id, "event": event.event_id, "state": case.course.state}
    for office in dict.fromkeys(offices):
        if office is not None and office != event.office:
            yield Notice(office=office, kind=f"case.{event.kind}", body=body)
    if event.kind == "NOT_OURS" and case.owned.bounces > MAX_BOUNCES:
        province = level_office(Level.PROVINCE, case.facts.region)
        yield Notice(office=province, kind="case.bounced", body={**body, "bounces": case.owned.bounces})


def of_alarm(case: Case, deadline: Deadline, alarm: Alarm) -> Iterator[Notice]:
    """Notices of one alarm: a warning to the office, an alarm to the office, an escalation to its level."""
    office = case.owned.accountable or (case.owned.tenures[-1].office if case.owned.tenures else None)
    body = {
        "case": case.case_id,
        "step": deadline.step,
        "rule": deadline.rule_id,
        "due": deadline.due.isoformat(),
        "office": office,
    }
    if alarm.kind is AlarmKind.ESCALATED and alarm.level is not None:
        told = level_office(alarm.level, region_of(office))
        yield Notice(office=told, kind="deadline.escalated", body={**body, "level": alarm.level.value})
    elif office is not None and alarm.kind is not AlarmKind.AUTOMATIC:
        yield Notice(office=office, kind=f"deadline.{alarm.kind.value.lower()}", body=body)


def level_office(level: Level, region: str) -> str:
    """The office of a level above a region: the prefix of its code, filled up with zeros to six digits."""
    role, digits = _LEVELS[level]
    return f"{role}/{region[:digits].ljust(6, '0')}"
