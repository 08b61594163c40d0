"""Counting in working days over make-up workdays, months and leap days."""

from datetime import date, timedelta

import chinese_calendar
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.casework.calendar import Unit, add_months
from hub.casework.calendar_reader import read_calendar
from hub.errors import CaseworkRulesError

CALENDAR = read_calendar()
DAYS = st.dates(date(2013, 1, 1), date(2026, 12, 31))


def test_every_day_is_as_a_calendar_kept_by_others_says():
    day = date(2013, 1, 1)
    while day <= date(2026, 12, 31):
        assert CALENDAR.is_working_day(day) == chinese_calendar.is_workday(day), day
        day += timedelta(days=1)


@pytest.mark.parametrize(
    ("start", "count", "due"),
    [
        ("2026-02-12", 3, "2026-02-24"),  # 13 Fri, 14 Sat is worked, the holiday ends on the 23rd
        ("2026-09-18", 1, "2026-09-20"),  # a Sunday that is worked
        ("2026-09-30", 1, "2026-10-08"),
        ("2026-10-09", 1, "2026-10-10"),  # a Saturday that is worked
        ("2026-10-10", -2, "2026-10-08"),
        ("2025-01-24", 15, "2025-02-20"),
        ("2026-05-08", 0, "2026-05-08"),
    ],
)
def test_working_days_over_holidays_and_make_up_days(start, count, due):
    assert CALENDAR.add(date.fromisoformat(start), count, Unit.WORKING_DAY) == date.fromisoformat(due)


@given(DAYS, st.integers(0, 60))
def test_working_days_counted_are_working_days_between(start, count):
    due = CALENDAR.add(start, count, Unit.WORKING_DAY)
    assert CALENDAR.working_days(start, due) == count
    assert count == 0 or CALENDAR.is_working_day(due)


@given(st.dates(date(1900, 1, 1), date(2200, 1, 1)), st.integers(-600, 600))
def test_a_month_keeps_its_day_or_takes_the_last(start, months):
    found = add_months(start, months)
    assert (found.year * 12 + found.month) - (start.year * 12 + start.month) == months
    assert found.day == start.day or (found.day < start.day and (found + timedelta(days=1)).day == 1)


def test_a_leap_day_ends_on_the_last_of_february():
    assert CALENDAR.add(date(2024, 2, 29), 5, Unit.YEAR) == date(2029, 2, 28)
    assert CALENDAR.add(date(2024, 2, 29), 4, Unit.YEAR) == date(2028, 2, 29)
    assert CALENDAR.add(date(2026, 3, 31), -1, Unit.MONTH) == date(2026, 2, 28)


def test_a_year_that_is_not_announced_has_weekends_only_and_says_so():
    assert not CALENDAR.is_working_day(date(2040, 5, 5))
    assert CALENDAR.is_working_day(date(2040, 5, 1))
    assert not CALENDAR.announced(date(2026, 12, 30), date(2027, 1, 4))


def test_a_day_outside_the_calendar_is_refused():
    with pytest.raises(ValueError, match="outside"):
        CALENDAR.add(date(9999, 12, 1), 2, Unit.MONTH)
    with pytest.raises(ValueError, match="outside"):
        CALENDAR.add(date(9999, 12, 1), 60, Unit.DAY)


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ('[2026]\noff = ["02-30"]\nwork = []\n', "not a year"),
        ('[2026]\noff = ["01-03..01-01"]\nwork = []\n', "before it begins"),
        ('[2026]\noff = ["02-14"]\nwork = ["02-14"]\n', "both off and worked"),
        ('[2026]\noff = []\nwork = ["02-13"]\n', "worked anyway"),
        ("[soon]\noff = []\nwork = []\n", "not a year"),
        ("[2026]\noff = []\n", "not a year"),
    ],
)
def test_a_calendar_that_contradicts_itself_is_refused(tmp_path, text, wrong):
    file = tmp_path / "calendar.toml"
    file.write_text(text)
    with pytest.raises(CaseworkRulesError, match=wrong):
        read_calendar(file)
