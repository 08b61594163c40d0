"""Reads `rules/calendar.toml` and refuses a calendar that contradicts itself."""

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

from hub.casework.calendar import SATURDAY, WorkingCalendar, Year
from hub.domain.located import Document, load_toml
from hub.errors import CaseworkRulesError

CALENDAR_FILE = Path(__file__).with_name("rules") / "calendar.toml"


def read_calendar(path: Path = CALENDAR_FILE) -> WorkingCalendar:
    """Read the announced years.

    Raises:
        CaseworkRulesError: not TOML, a day that does not exist, off and worked at once, or a make-up day on a weekday;
            names file, line and year.
    """
    document = load_toml(path, CaseworkRulesError)
    years = [_year(document, name) for name in document.data]
    return WorkingCalendar(years={int(name): year for name, year in zip(document.data, years, strict=True)})


def _year(document: Document, name: str) -> Year:
    entry = document.data[name]
    try:
        year = int(name)
        off = frozenset(day for text in entry["off"] for day in _days(year, text))
        work = frozenset(date.fromisoformat(f"{year}-{text}") for text in entry["work"])
    except (ValueError, KeyError, TypeError) as exc:
        raise _error(document, name, f"is not a year of days off and worked: {exc}") from exc
    for day in sorted(work):
        if day in off:
            raise _error(document, name, f"{day} is both off and worked")
        if day.weekday() < SATURDAY:
            raise _error(document, name, f"{day} is worked anyway")
    return Year(off=off, work=work)


def _days(year: int, text: str) -> Iterator[date]:
    first, _, last = text.partition("..")
    day = date.fromisoformat(f"{year}-{first}")
    end = date.fromisoformat(f"{year}-{last or first}")
    if end < day:
        raise ValueError(f"{text} ends before it begins")
    while day <= end:
        yield day
        day += timedelta(days=1)


def _error(document: Document, name: str, text: str) -> CaseworkRulesError:
    return CaseworkRulesError(text, file=document.file, line=document.line(name), name=name)
