"""A case as offices see it: codes, dates and offices as plain JSON; personal words are not in it."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from hub.casework.case_store import Case
from hub.casework.deadline import Deadline


def case_view(case: Case, today: date) -> Mapping[str, Any]:
    """What a command answers with and `case` reads; keys as the fields of the graph."""
    facts, owned = case.facts, case.owned
    return {
        "id": case.case_id,
        "state": case.course.state,
        "ended": case.course.ended,
        "accountableOffice": owned.accountable,
        "pendingOffice": owned.pending.office if owned.pending else None,
        "bounces": owned.bounces,
        "route": facts.route,
        "keyPerson": "KEY" in facts.classes,
        "plannedRelease": _day(facts.planned_release),
        "released": _day(facts.released),
        "termStart": _day(facts.term.start) if facts.term else None,
        "termEnd": _day(facts.term.end) if facts.term else None,
        "offices": [
            *(_office(each.office, "ACCOUNTABLE", each.since, each.until) for each in owned.tenures),
            *(_office(each.office, each.role.value, each.since, each.until) for each in owned.joint),
        ],
        "events": [
            {
                "id": step.event.event_id,
                "kind": step.event.kind,
                "state": step.state,
                "happenedAt": _moment(step.event.happened_at),
                "recordedAt": _moment(step.event.recorded_at),
                "receivedAt": _moment(step.event.received_at),
                "office": step.event.office,
                "flags": sorted(step.flags),
                "data": dict(step.event.data),
            }
            for step in case.course.steps
        ],
        "deadlines": [deadline_view(each, today) for each in case.docket],
    }


def _office(office: str, role: str, since: datetime, until: datetime | None) -> Mapping[str, Any]:
    return {"office": office, "role": role, "since": _moment(since), "until": _moment(until)}


def deadline_view(made: Deadline, today: date) -> Mapping[str, Any]:
    return {
        "step": made.step,
        "rule": made.rule_id,
        "due": made.due.isoformat(),
        "warnFrom": made.yellow.isoformat(),
        "alarmFrom": made.red_day.isoformat(),
        "done": _day(made.done),
        "missed": _day(made.missed),
        "light": made.light(today).value,
        "assumed": made.assumed,
        "escalations": [{"level": level.value, "day": day.isoformat()} for level, day in made.escalations],
    }


def _day(value: date | None) -> str | None:
    return value.isoformat() if value else None


def _moment(value: datetime | None) -> str | None:
    return value.isoformat() if value else None
