"""What falls due, and what would if a rule were another: nothing is written, nobody is told."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import date

import msgspec

from hub.casework.calendar import WorkingCalendar
from hub.casework.deadline import Deadline, DeadlineRule, DeadlineRules, DueUnit
from hub.casework.docket import docket
from hub.casework.workflow import Course


class Forecast(msgspec.Struct, frozen=True, kw_only=True):
    """Deadlines of one step that fall due in a period, by day; `overdue` are those that were due before it."""

    step: str
    due: Mapping[date, int]
    overdue: int


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One deadline under the rules in force and under others; None where it does not exist."""

    case_id: str
    step: str
    anchor: str
    now: Deadline | None
    then: Deadline | None


def with_count(rules: DeadlineRules, step: str, region: str, count: int, unit: DueUnit) -> DeadlineRules:
    """The rules with other days for a step: every row whose region begins with `region` is changed.

    Raises:
        LookupError: there is no such row.
    """
    changed: list[DeadlineRule] = []
    hit = False
    for rule in rules.rules:
        mine = rule.step == step and rule.region.startswith(region)
        hit = hit or mine
        changed.append(replace(rule, count=count, unit=unit) if mine else rule)
    if not hit:
        raise LookupError(f"no rule for {step} in {region or 'any region'}")
    return DeadlineRules(changed, rules.terms)


def forecast(
    courses: Iterable[tuple[str, Course]], rules: DeadlineRules, calendar: WorkingCalendar, *, first: date, last: date
) -> tuple[Forecast, ...]:
    """What falls due from `first` to `last`, both in. Cost: a docket per course."""
    due: dict[str, dict[date, int]] = {}
    overdue: dict[str, int] = {}
    for _, course in courses:
        for made in docket(course, rules, calendar):
            if not made.open or made.due > last:
                continue
            if made.due < first:
                overdue[made.step] = overdue.get(made.step, 0) + 1
                continue
            days = due.setdefault(made.step, {})
            days[made.due] = days.get(made.due, 0) + 1
    steps = sorted(due.keys() | overdue.keys())
    return tuple(
        Forecast(step=step, due=dict(sorted(due.get(step, {}).items())), overdue=overdue.get(step, 0)) for step in steps
    )


def compare(
    courses: Iterable[tuple[str, Course]], rules: DeadlineRules, others: DeadlineRules, calendar: WorkingCalendar
) -> Iterator[Difference]:
    """Deadlines that would stand otherwise under `others`."""
    for case_id, course in courses:
        now = {(made.step, made.anchor): made for made in docket(course, rules, calendar)}
        then = {(made.step, made.anchor): made for made in docket(course, others, calendar)}
        for step, anchor in sorted(now.keys() | then.keys()):
            pair = now.get((step, anchor)), then.get((step, anchor))
            if pair[0] != pair[1]:
                yield Difference(case_id=case_id, step=step, anchor=anchor, now=pair[0], then=pair[1])
