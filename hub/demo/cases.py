"""A few cases of the demo's shown persons, each in another state, with days relative to today."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select

from hub.bootstrap.desk import build_case_store
from hub.bootstrap.parts import Hub
from hub.casework.case_store import NewEvent
from hub.casework.case_tables import case_record
from hub.casework.reach import put_reach
from hub.casework.workflow import CaseEvent
from hub.clock import microseconds

PRISON, COUNTY, OFFICE = "prison/360000", "county-office/360700", "judicial-office/360702"
_Said = tuple[str, int, str, dict[str, Any]]
"""Kind, days from the release, office, what it says; `DAY` stands for the day of release."""
DAY = "DAY"

_CUSTODY: tuple[_Said, ...] = (
    ("ADMITTED", -600, PRISON, {"route": "PRISON", "plannedRelease": DAY, "termMonths": 20}),
    ("VERIFICATION_STARTED", -590, PRISON, {"office": OFFICE}),
    ("VERIFIED", -580, OFFICE, {"result": "TRUE"}),
    ("EXIT_EDUCATION", -95, PRISON, {"passed": True}),
    ("RISK_ASSESSED", -50, PRISON, {"riskClass": "GENERAL"}),
    ("NOTIFIED", -35, PRISON, {"county": COUNTY, "plannedRelease": DAY}),
)
_TAKEN: tuple[_Said, ...] = (
    *_CUSTODY,
    ("ACKNOWLEDGED", -34, COUNTY, {}),
    ("DISPATCHED", -33, COUNTY, {"office": OFFICE}),
    ("ACKNOWLEDGED", -32, OFFICE, {}),
    ("PICKUP_PLANNED", -10, OFFICE, {"mode": "OFFICE", "day": DAY}),
)
_HOME: tuple[_Said, ...] = (
    *_TAKEN,
    ("RELEASED", 0, PRISON, {"certificate": "DEMO"}),
    ("HANDED_OVER", 0, OFFICE, {"outcome": "OFFICE"}),
    ("REGISTERED", 2, OFFICE, {"fileNumber": "DEMO"}),
    ("PLAN_AGREED", 9, OFFICE, {}),
)
STORIES: tuple[tuple[int, tuple[_Said, ...]], ...] = (
    (20, _CUSTODY),  # notified, not yet acknowledged by the county
    (8, (*_TAKEN[:-2],)),  # dispatched, late to be acknowledged and without a plan
    (3, _TAKEN),  # to be picked up in three days
    (-2, (*_TAKEN, ("RELEASED", 0, PRISON, {"certificate": "DEMO"}))),  # released, nobody came
    (-40, _HOME),  # assisted
    (-400, (*_HOME, ("LOST_CONTACT", 380, OFFICE, {"attempts": 3, "policeTold": True}))),
)
"""Days from today to the release, and what has happened."""


async def open_cases(hub: Hub, persons: Sequence[str]) -> int:
    """A case for each of the first persons who has none yet; how many were made."""
    cases, now, made = build_case_store(), hub.clock.now(), 0
    for number, (person, (days, story)) in enumerate(zip(persons, STORIES, strict=False), 1):
        async with hub.store.write() as connection:
            known = select(case_record.c.case_id).where(case_record.c.person_id == person)
            if (await connection.execute(known)).first() is not None:
                continue
            case_id = f"C-DEMO-{number:02d}-{person[:6]}"
            release = now + timedelta(days=days)
            events = [NewEvent(event=_event(case_id, order, said, release)) for order, said in enumerate(story)]
            now_us = microseconds(now)
            _, case = await cases.add(connection, person, case_id, events, entry_id="demo", now_us=now_us)
            await put_reach(connection, None, case)
            made += 1
    return made


def _event(case_id: str, order: int, said: _Said, release: datetime) -> CaseEvent:
    kind, days, office, data = said
    moment = release + timedelta(days=days)
    day = release.date().isoformat()
    return CaseEvent(
        event_id=f"{case_id}/{order}",
        kind=kind,
        happened_at=moment,
        recorded_at=moment + timedelta(minutes=5),
        received_at=moment + timedelta(minutes=6),
        office=office,
        data={name: day if value == DAY else value for name, value in data.items()},
    )
