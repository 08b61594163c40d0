"""Which days are worked, and counting in working days, calendar days, weeks, months and years.

Arithmetic on dates only; which days are off is data (`rules/calendar.toml`, read by `calendar_reader`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

SATURDAY = 5


class Unit(StrEnum):
    DAY = "day"
    WORKING_DAY = "working day"
    MONTH = "month"
    YEAR = "year"


@dataclass(frozen=True, slots=True, kw_only=True)
class Year:
    """One announced year: days off beside weekends, and weekend days that are worked (调休)."""

    off: frozenset[date]
    work: frozenset[date]


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkingCalendar:
    """Announced years. A year that is not announced has weekends only; `announced` tells."""

    years: Mapping[int, Year]

    def is_working_day(self, day: date) -> bool:
        year = self.years.get(day.year)
        if year is not None:
            if day in year.work:
                return True
            if day in year.off:
                return False
        return day.weekday() < SATURDAY

    def announced(self, first: date, last: date) -> bool:
        """Whether every year from `first` to `last` is announced."""
        low, high = min(first, last), max(first, last)
        return all(year in self.years for year in range(low.year, high.year + 1))

    def add(self, start: date, count: int, unit: Unit) -> date:
        """`start` plus `count` units; a negative count goes back.

        The first day is not counted. A month or year ends on the day with the same number, or on the last of the month
        where it has no such day. Source: Civil Code, articles 201 to 203 [R].

        Raises:
            ValueError: the result is outside the calendar of `datetime.date`.
        """
        try:
            if unit is Unit.DAY:
                return start + timedelta(days=count)
            if unit is Unit.WORKING_DAY:
                return self._worked(start, count)
            return add_months(start, count * (12 if unit is Unit.YEAR else 1))
        except OverflowError as exc:
            raise ValueError(f"{start} and {count} {unit.value} is outside the calendar") from exc

    def working_days(self, first: date, last: date) -> int:
        """Working days after `first` up to and with `last`; 0 if `last` is not after `first`. Cost: a step per day."""
        return sum(self.is_working_day(first + timedelta(days=offset)) for offset in range(1, (last - first).days + 1))

    def _worked(self, start: date, count: int) -> date:
        step = timedelta(days=1 if count >= 0 else -1)
        day, left = start, abs(count)
        while left:
            day += step
            left -= self.is_working_day(day)
        return day


def add_months(start: date, months: int) -> date:
    """The same day `months` later, or the last of that month where it has no such day (29 February).

    Raises:
        ValueError: the result is outside the calendar of `datetime.date`.
    """
    index = start.year * 12 + start.month - 1 + months
    year, month = divmod(index, 12)
    for day in range(start.day, start.day - 4, -1):
        try:
            return date(year, month + 1, day)
        except ValueError:
            continue
    raise ValueError(f"{start} and {months} months is outside the calendar")
