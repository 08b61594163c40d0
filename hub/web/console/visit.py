"""One visit to a page: who looks, in which language, with which filter; and how times and texts are shown."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request

from hub.audit.counting import DAY_US
from hub.audit.entry import EFFECTS, Outcome
from hub.audit.kinds import Kind
from hub.audit.queries import EntryFilter
from hub.auditing.desk import AuditArgumentError, Reader, Trace, checked
from hub.auditing.figures import day_us
from hub.clock import CHINA, moment_of
from hub.web.form_fields import form_fields

TEXTS: Mapping[str, tuple[str, str]] = {
    name: (zh, en)
    for name, (zh, en) in tomllib.loads(Path(__file__).with_name("texts.toml").read_text("utf-8")).items()
}
LANGUAGES = ("zh", "en")
FILTER = ("person", "officer", "agency", "coordinate", "decision", "purpose", "case", "outcome", "kind", "from", "to")
DECISIONS, OUTCOMES, KINDS = EFFECTS, tuple(Outcome.__members__), tuple(Kind)
LONGEST = 200


@dataclass(slots=True, kw_only=True)
class Visit:
    """`given`: what the address says. `reader` is None before the log-in."""

    request: Request
    lang: str
    reader: Reader | None = None
    csrf: str = ""
    trace: Trace = field(default_factory=Trace)
    given: Mapping[str, str] = field(default_factory=dict)

    def t(self, name: str) -> str:
        return TEXTS[name][LANGUAGES.index(self.lang)]

    @property
    def who(self) -> Reader:
        assert self.reader is not None
        return self.reader

    def address(self, **changed: str | None) -> str:
        """This page's address with other parameters."""
        said = {name: text for name, text in {**self.given, **changed}.items() if text}
        return f"{self.request.url.path}?{urlencode(said)}" if said else self.request.url.path

    @property
    def after(self) -> str | None:
        return self.given.get("after") or None


def visit_of(request: Request) -> Visit:
    """The language is the address's (`lang`), else the cookie's, else the browser's first that we have."""
    given = {name: text[:LONGEST] for name, text in request.query_params.items()}
    asked = [given.get("lang"), request.cookies.get("hub_lang")]
    accepted = request.headers.get("accept-language", "").lower()
    asked.append("en" if accepted.startswith("en") else "zh")
    return Visit(request=request, lang=next(one for one in asked if one in LANGUAGES), given=given)


def filter_from(given: Mapping[str, str]) -> EntryFilter:
    """Raises AuditArgumentError: a day, kind, decision or outcome that does not exist."""
    said = {name: given[name].strip() for name in FILTER if given.get(name, "").strip()}
    from_us, to_us = (_day(said.pop(name)) if name in said else None for name in ("from", "to"))
    kind = said.pop("kind", None)
    if kind is not None and kind not in KINDS:
        raise AuditArgumentError("`kind` is none of the catalogue.")
    plain: dict[str, Any] = said
    return checked(EntryFilter(**plain, kind=Kind(kind) if kind else None, from_us=from_us, to_us=to_us))


def _day(text: str) -> int:
    found = day_us(text)
    if found is None:
        raise AuditArgumentError("A day is written as YYYY-MM-DD.")
    return found


def period(given: Mapping[str, str], now: datetime, days: int) -> tuple[int, int]:
    """The wanted period in microseconds; by default the last `days`, to the end of today."""
    to_us = _day(given["to"]) if given.get("to") else day_us(f"{now.astimezone(CHINA):%Y-%m-%d}")
    assert to_us is not None
    to_us = to_us if given.get("to") else to_us + DAY_US
    return (_day(given["from"]) if given.get("from") else to_us - days * DAY_US), to_us


def moment(text: str) -> str:
    """A time of the log, as read in China."""
    return f"{datetime.fromisoformat(text).astimezone(CHINA):%Y-%m-%d %H:%M:%S}"


def instant(us: int) -> str:
    return f"{moment_of(us).astimezone(CHINA):%Y-%m-%d %H:%M:%S}"


async def read_form(request: Request) -> dict[str, str]:
    """The fields of a posted form.

    Raises:
        AuditArgumentError: it is no form, too large, or not UTF-8.
    """
    fields = await form_fields(request)
    if fields is None:
        raise AuditArgumentError("This is not a form of the console.")
    return fields
