"""How long help lasts, and when a step of a case is due, warned of and raised to a higher office.

Rules are data (`rules/deadlines.toml`): step, region prefix, class of person, dates from which they hold. Arithmetic on
dates only; the caller passes `today`. Everything is computed anew from the course of the case, so that a changed
sentence, a restart or a clock that jumped cannot lose a deadline.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

import msgspec

from hub.casework.calendar import Unit, WorkingCalendar, add_months


class PersonClass(StrEnum):
    ANY = "ANY"
    KEY = "KEY"  # 重点帮教对象
    GENERAL = "GENERAL"  # 一般帮教对象
    SHORT_TERM = "SHORT_TERM"  # a term of 3 to 12 months


class DueUnit(StrEnum):
    DAY = "day"
    WORKING_DAY = "working day"
    MONTH = "month"
    YEAR = "year"
    DAY_OF_MONTH = "day of month"
    CERTIFICATE_DAY = "certificate day"


class Level(StrEnum):
    """Who hears of an alarm, from near to far."""

    OFFICE = "OFFICE"
    COUNTY = "COUNTY"
    PREFECTURE = "PREFECTURE"
    PROVINCE = "PROVINCE"
    PRISON_AUTHORITY = "PRISON_AUTHORITY"


@dataclass(frozen=True, slots=True, kw_only=True)
class AssistancePeriod:
    """Days on which a released person is entitled to help (安置帮教期): `start` is in, `end` is out."""

    start: date
    end: date

    def __post_init__(self) -> None:
        if self.end <= self.start:
            raise ValueError(f"empty assistance period: {self.start} to {self.end}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Escalation:
    level: Level
    after: int  # days after the alarm


@dataclass(frozen=True, slots=True, kw_only=True)
class Automatic:
    """An event that the hub itself makes when a step is `after` days beyond its due day."""

    event: str
    after: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadlineRule:
    """One row of the rules. `yellow` and `red` are days from the due day; `starts` in, `stops` in (None: open)."""

    rule_id: str
    step: str
    region: str
    person_class: PersonClass
    starts: date | None
    stops: date | None
    anchor: str
    again: str | None  # a kind of event that starts the same deadline anew
    field: str | None  # of the anchor event, for certificate days
    count: int
    unit: DueUnit
    yellow: int
    red: int
    done: frozenset[str]
    moot: frozenset[str]  # events after which the step comes too late for any use
    received: bool  # whether the time of receipt counts, not the time of happening
    within: int | None  # a step done earlier than so many days before the due day does not count
    escalations: tuple[Escalation, ...]
    automatic: Automatic | None
    source: str

    def holds_on(self, day: date) -> bool:
        return (self.starts is None or self.starts <= day) and (self.stops is None or day <= self.stops)


@dataclass(frozen=True, slots=True, kw_only=True)
class TermRule:
    region: str
    route: str
    years: int
    source: str


class DeadlineRules:
    """All rules; `choose` is the one place where a rule is selected."""

    def __init__(self, rules: Iterable[DeadlineRule], terms: Iterable[TermRule]) -> None:
        self.rules = tuple(rules)
        self.terms = tuple(terms)
        by_step: dict[str, list[DeadlineRule]] = {}
        for rule in self.rules:
            by_step.setdefault(rule.step, []).append(rule)
        self._by_step: Mapping[str, tuple[DeadlineRule, ...]] = {
            step: tuple(sorted(rules, key=_precedence, reverse=True)) for step, rules in by_step.items()
        }

    @property
    def steps(self) -> tuple[str, ...]:
        return tuple(self._by_step)

    def candidates(self, step: str, *, region: str, classes: frozenset[PersonClass]) -> tuple[DeadlineRule, ...]:
        """Rules of a step that bear on a region and a person, the most particular first."""
        return tuple(
            rule
            for rule in self._by_step[step]
            if region.startswith(rule.region) and (rule.person_class is PersonClass.ANY or rule.person_class in classes)
        )

    def term(self, *, region: str, route: str, released: date) -> AssistancePeriod:
        """The assistance term of one released on `released`; the same day `years` later is the first day without.

        Raises:
            LookupError: no rule for the region and route.
        """
        fitting = [rule for rule in self.terms if region.startswith(rule.region) and rule.route in ("ANY", route)]
        if not fitting:
            raise LookupError(f"no assistance term for {region} and {route}")
        rule = max(fitting, key=lambda rule: (len(rule.region), rule.route != "ANY"))
        return AssistancePeriod(start=released, end=add_months(released, 12 * rule.years))


def _precedence(rule: DeadlineRule) -> tuple[int, bool, date]:
    return len(rule.region), rule.person_class is not PersonClass.ANY, rule.starts or date.min


class Light(StrEnum):
    """How a deadline stands: DONE, LATE and MISSED are over, the others wait."""

    GREEN = "GREEN"
    YELLOW = "YELLOW"
    RED = "RED"
    DONE = "DONE"
    LATE = "LATE"
    MISSED = "MISSED"


class Deadline(msgspec.Struct, frozen=True, kw_only=True):
    """One step of one case with its days. `anchor` tells instances of a repeated step apart.

    `assumed` says that a year of the calendar is not announced yet, so that holidays in it are not known.
    """

    step: str
    rule_id: str
    anchor: str
    due: date
    yellow: date
    red: date
    done: date | None
    missed: date | None  # the day on which the step became of no use, undone
    assumed: bool
    escalations: tuple[tuple[Level, date], ...]
    automatic: tuple[str, date] | None

    def light(self, today: date) -> Light:
        if self.done is not None:
            return Light.DONE if self.done <= self.due else Light.LATE
        if self.missed is not None:
            return Light.MISSED
        if today >= self.red_day:
            return Light.RED
        return Light.YELLOW if today >= self.yellow else Light.GREEN

    def next_change(self, today: date) -> date | None:
        """The next day after `today` on which an alarm, escalation or automatic event falls; None if none is left."""
        if not self.open:
            return None
        days = [self.yellow, self.red_day, *(day for _, day in self.escalations)]
        if self.automatic is not None:
            days.append(self.automatic[1])
        return min((day for day in days if day > today), default=None)

    @property
    def open(self) -> bool:
        return self.done is None and self.missed is None

    @property
    def red_day(self) -> date:
        """The first day that shows red: a step may still be done on its due day."""
        return max(self.red, self.due + timedelta(days=1))


def due_day(rule: DeadlineRule, anchor: date, certificate_days: int | None, calendar: WorkingCalendar) -> date | None:
    """The day on which a step is due; None where the certificate states no period.

    Raises:
        ValueError: the day is outside the calendar.
    """
    if rule.unit is DueUnit.CERTIFICATE_DAY:
        return None if certificate_days is None else anchor + timedelta(days=certificate_days)
    if rule.unit is DueUnit.DAY_OF_MONTH:
        return _day_of_month(anchor, rule.count)
    return calendar.add(anchor, rule.count, Unit(rule.unit.value))


def _day_of_month(anchor: date, number: int) -> date:
    """The next day with this number, the anchor's own included; 31 is the last day of its month."""
    if anchor.day > number:
        anchor = add_months(anchor.replace(day=1), 1)
    first_of_next = add_months(anchor.replace(day=1), 1)
    return min(anchor.replace(day=1) + timedelta(days=number - 1), first_of_next - timedelta(days=1))


def deadline(
    rule: DeadlineRule,
    *,
    anchor: str,
    due: date,
    began: date,
    done: date | None,
    missed: date | None,
    calendar: WorkingCalendar,
) -> Deadline:
    """The days of one instance of a rule."""
    red = due + timedelta(days=rule.red)
    first_red = max(red, due + timedelta(days=1))
    return Deadline(
        step=rule.step,
        rule_id=rule.rule_id,
        anchor=anchor,
        due=due,
        yellow=due + timedelta(days=rule.yellow),
        red=red,
        done=done,
        missed=missed if done is None else None,
        assumed=rule.unit is DueUnit.WORKING_DAY and not calendar.announced(began, due),
        escalations=tuple((step.level, first_red + timedelta(days=step.after)) for step in rule.escalations),
        automatic=(rule.automatic.event, due + timedelta(days=rule.automatic.after)) if rule.automatic else None,
    )
