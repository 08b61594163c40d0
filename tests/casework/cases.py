"""Courses of cases in few words, for the tests of casework."""

from datetime import datetime, timedelta

from hub.casework.workflow import CaseEvent
from hub.clock import CHINA

PRISON = "prison/360000"
COUNTY = "county-office/360702"
OFFICE = "judicial-office/360702001"
OTHER = "judicial-office/360702002"


def at(day: str, hour: int = 10) -> datetime:
    return datetime.fromisoformat(day).replace(hour=hour, tzinfo=CHINA)


def event(kind: str, day: str, office: str = OFFICE, /, *, late: int = 0, name: str = "", **data) -> CaseEvent:
    """`late` days between happening and receipt."""
    happened = at(day)
    return CaseEvent(
        event_id=name or f"{kind}@{day}",
        kind=kind,
        happened_at=happened,
        recorded_at=happened + timedelta(hours=1) + timedelta(days=late),
        received_at=happened + timedelta(hours=2) + timedelta(days=late),
        office=office,
        data=data,
    )


def journey(**changes) -> list[CaseEvent]:
    """From prison to the end of term, each step in time; `changes` replace an event by its kind, None leaves it out."""
    events = [
        event("ADMITTED", "2024-03-01", PRISON, plannedRelease="2026-06-30", termMonths=28),
        event("VERIFICATION_STARTED", "2024-03-05", PRISON),
        event("VERIFIED", "2024-03-12"),
        event("EXIT_EDUCATION", "2026-03-20", PRISON),
        event("RISK_ASSESSED", "2026-05-10", PRISON, riskClass="GENERAL"),
        event("NOTIFIED", "2026-05-25", PRISON, county=COUNTY),
        event("ACKNOWLEDGED", "2026-05-26", COUNTY),
        event("DISPATCHED", "2026-05-27", COUNTY, office=OFFICE),
        event("ACKNOWLEDGED", "2026-05-28"),
        event("FAMILY_TOLD", "2026-05-28", name="told"),
        event("PICKUP_PLANNED", "2026-06-20"),
        event("RELEASED", "2026-06-30", PRISON),
        event("HANDED_OVER", "2026-06-30", late=0, name="handed"),
        event("REGISTERED", "2026-07-02"),
        event("RESPONSIBILITY_SIGNED", "2026-07-03"),
        event("VISITED", "2026-07-05"),
        event("HOUSEHOLD_RESTORED", "2026-07-06"),
        event("PLAN_AGREED", "2026-07-10"),
        event("ENDED", "2031-07-01"),
    ]
    kept = [changes.get(each.kind, each) for each in events]
    return [each for each in kept if each is not None]
