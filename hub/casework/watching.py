"""What a change at an agency's system means for a case. Pure: no clock, no database, no agency is called here."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

import msgspec

from hub.casework.case_store import Case
from hub.casework.docket import day_of
from hub.connectors.base import Layout


class Shows(StrEnum):
    TRUE = "TRUE"
    REACHED = "REACHED"
    WITHIN = "WITHIN"
    CHANGED = "CHANGED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """One thing that is looked for; members as `rules/watchers.toml` explains them."""

    name: str
    field: str
    inner: str | None
    where: Mapping[str, str]
    test: Shows
    days: int
    needs: tuple[str, ...]
    day: str | None
    first: bool
    once: bool
    event: str
    says: Mapping[str, str]
    states: frozenset[str]
    source: str

    def looks_in(self, state: str | None) -> bool:
        """Whether what is seen counts in this state of the case."""
        return not self.states or state in self.states


@dataclass(frozen=True, slots=True, kw_only=True)
class AgencyWatch:
    """All watches at one agency. `coordinates` is everything that they need of a record, nothing else is asked for."""

    agency: str
    record: str
    every_s: int
    batch: int
    watches: tuple[Watch, ...]
    coordinates: frozenset[str]


class Sight(msgspec.Struct, frozen=True, kw_only=True):
    """What one look at a record came to: whether the test holds, and since when. `text` is digested, never kept."""

    text: str
    holds: bool
    day: date | None
    stated: date | None


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """An event to be added; `day` is when it happened, None: when it was seen."""

    kind: str
    day: date | None
    data: Mapping[str, Any]


def look(watch: Watch, layout: Layout, values: Mapping[str, Any] | None, today: date) -> Sight:
    """What `values` (by field name; None: the agency does not know the person) show."""
    if values is None:
        return Sight(text="", holds=False, day=None, stated=None)
    value = _latest(watch, layout, values) if watch.inner else values.get(watch.field)
    stated = value if isinstance(value, date) else None
    holds = _holds(watch, value, stated, today) and all(values.get(name) is not None for name in watch.needs)
    day = values.get(watch.day) if watch.day else None
    text = f"{value!s}|{holds}"
    return Sight(text=text, holds=holds, day=day if isinstance(day, date) else None, stated=stated)


def _holds(watch: Watch, value: Any, stated: date | None, today: date) -> bool:
    if watch.test is Shows.TRUE:
        return value is True
    if stated is None:
        return False
    if watch.test is Shows.REACHED:
        return stated <= today
    if watch.test is Shows.WITHIN:
        return 0 <= (stated - today).days <= watch.days
    return True


def _latest(watch: Watch, layout: Layout, values: Mapping[str, Any]) -> date | None:
    names = layout.inner(watch.field)
    rows = [dict(zip(names, row, strict=False)) for row in values.get(watch.field) or ()]
    fitting = [row for row in rows if all(str(row.get(name)) == wanted for name, wanted in watch.where.items())]
    days = [row[watch.inner] for row in fitting if watch.inner and isinstance(row.get(watch.inner), date)]
    return max(days, default=None)


def finding(watch: Watch, sight: Sight, case: Case, agency: str, *, first_sight: bool) -> Finding | None:
    """The event that a sight adds to a case; None if it adds nothing. Called when the sight is new or has changed."""
    if not sight.holds or (first_sight and not watch.first) or case.course.ended:
        return None
    if not watch.looks_in(case.course.state):
        return None
    said = {step.event.kind for step in case.course.steps}
    if watch.once and watch.event in said:
        return None
    began = day_of(case.course.steps[0].event.happened_at)
    if sight.day is not None and sight.day < began:
        return None  # of an earlier case
    data: dict[str, Any] = {**watch.says, "seenAt": agency}
    if watch.test is Shows.CHANGED:
        planned = case.facts.planned_release
        if sight.stated is None or sight.stated == planned or sight.stated < began:
            return None
        data["plannedRelease"] = sight.stated.isoformat()
        data["change"] = "MOVED" if planned is None else "REDUCED" if sight.stated < planned else "EXTENDED"
    return Finding(kind=watch.event, day=sight.day, data=data)
