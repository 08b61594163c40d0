"""What forms of the console do. Each is checked before it comes here; each answers where to go next."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol
from urllib.parse import urlencode

from hub.audit.entry import Outcome
from hub.audit.kinds import Kind
from hub.auditing.desk import AuditArgumentError
from hub.web.console.pages import Pages
from hub.web.console.visit import Visit, filter_from

Action = Callable[[Visit, Mapping[str, str]], Awaitable[str]]


class Record(Protocol):
    def __call__(
        self, visit: Visit, kind: Kind, outcome: Outcome, code: str | None, **looked: str
    ) -> Awaitable[None]: ...


class Actions:
    """`record` writes the entry of what was done."""

    def __init__(self, pages: Pages, record: Record) -> None:
        self._pages = pages
        self._record = record

    async def find_person(self, visit: Visit, form: Mapping[str, str]) -> str:
        desk = self._pages.office.desk
        desk.demand(visit.who, "auditEntries")
        return "/console/person?" + urlencode({"person": desk.person_of(form.get("number", "").strip())})

    async def scan(self, visit: Visit, _form: Mapping[str, str]) -> str:
        pages = self._pages
        pages.office.desk.demand(visit.who, "findings")
        now_us = int(pages.clock.now().timestamp() * 1_000_000)
        fresh = await pages.office.findings.scan(from_us=now_us - 30 * 86_400_000_000, to_us=now_us + 1)
        visit.trace.note["findings"] = fresh
        await self._record(visit, Kind.AUDITOR_READ, Outcome.OK, None, page="scan")
        return "/console/findings"

    async def review(self, visit: Visit, form: Mapping[str, str]) -> str:
        office, finding = self._pages.office, visit.request.path_params["finding"]
        office.desk.demand(visit.who, "reviewFinding")
        version = _number(form.get("version"), "version")
        action, text = form.get("action", ""), form.get("text", "")
        await office.findings.act(visit.who, finding, action, text, version=version)
        return f"/console/findings/{finding}"

    async def draw(self, visit: Visit, form: Mapping[str, str]) -> str:
        office = self._pages.office
        office.desk.demand(visit.who, "samples")
        upto = _number(form["upto"], "upto") if form.get("upto") else None
        sample = await office.samples.take(
            visit.who.principal.officer,
            filter_from(form),
            _number(form.get("size"), "size"),
            seed=form.get("seed") or None,
            upto=upto,
        )
        visit.trace.looked_at["sample"] = sample
        await self._record(visit, Kind.AUDITOR_READ, Outcome.OK, None, page="draw")
        return f"/console/samples/{sample}"

    async def export(self, visit: Visit, form: Mapping[str, str]) -> str:
        office = self._pages.office
        office.desk.demand(visit.who, "exports")
        await office.exports.ask(visit.who, filter_from(form), form.get("format", ""))
        return "/console/exports"


def _number(text: str | None, name: str) -> int:
    if text is None or not text.isdecimal() or len(text) > 15:
        raise AuditArgumentError(f"`{name}` is a number.")
    return int(text)
