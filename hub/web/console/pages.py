"""The pages of the console: what each shows. Each returns its template and what stands in it."""

import asyncio
import difflib
from base64 import b64encode
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from hub.audit.entry import EFFECTS
from hub.audit.leaf import pack_header
from hub.audit.note import VerifierKey
from hub.audit.queries import EntryFilter, Inclusion
from hub.auditing.desk import AuditArgumentError
from hub.auditing.exports import FORMATS, said
from hub.auditing.findings import FROM
from hub.auditing.misuse import explain
from hub.auditing.office import AuditOffice
from hub.auditing.steps import proof_steps
from hub.clock import Clock
from hub.web.console.visit import Visit, filter_from, instant, period

Shown = tuple[str, Mapping[str, Any]]
DAYS = 7
DAYS_OF_OFFICER = 30
PAGE = 20


class NotThereError(AuditArgumentError):
    """There is nothing under this address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pages:
    """`matrix` gives the policy in force as `hub policy matrix` prints it; asked once for a `digest`, in a thread."""

    office: AuditOffice
    clock: Clock
    key: VerifierKey
    digest: Callable[[], str]
    matrix: Callable[[], str]
    _rendered: dict[str, Sequence[Sequence[str]]] = field(default_factory=dict)

    async def search(self, visit: Visit) -> Shown:
        wanted = filter_from(visit.given)
        return "search.html", await self._list(visit, wanted)

    async def _list(self, visit: Visit, wanted: EntryFilter) -> dict[str, Any]:
        desk = self.office.desk
        found = await desk.entries(visit.who, wanted, visit.trace, first=PAGE, after=visit.after)
        return {"found": found, "next": visit.address(after=found.end)}

    async def entry(self, visit: Visit) -> Shown:
        desk, entry_id = self.office.desk, visit.request.path_params["entry"]
        shown = await desk.entry(visit.who, entry_id, visit.trace)
        proof = await desk.proof(visit.who, entry_id, visit.trace) if shown else None
        if shown is None or proof is None:
            raise NotThereError("There is no such entry.")
        for one in shown.get("persons", ()):
            visit.trace.persons[one["person"]] = "auditEntries"
        plain = [(name, _text(value)) for name, value in shown.items() if name != "persons" and value not in (None, [])]
        return "entry.html", {"shown": shown, "plain": plain, "effects": EFFECTS, "proof": self._proof(proof)}

    def _proof(self, proof: Inclusion) -> Mapping[str, Any]:
        row, checkpoint = proof.entry, proof.checkpoint
        header = b""
        if row.body is not None:
            header = pack_header(
                kind=row.kind, length=len(row.body), seq=row.seq, time_us=row.time_us, entry_id=row.entry_id
            )
        size = checkpoint.checkpoint.size
        own = [one.raw for one in checkpoint.note.signatures if one.is_by(self.key)]
        return {
            "header": _b64(header),
            "body": _b64(row.body or b""),
            "leaf": bytes(row.leaf).hex(),
            "steps": proof_steps(index=proof.index, size=size, leaf=bytes(row.leaf), hashes=proof.hashes),
            "root": checkpoint.checkpoint.root.hex(),
            "origin": f"{checkpoint.checkpoint.origin} · {size}",
            "text": _b64(checkpoint.note.text),
            "signature": _b64(own[0] if own else b""),
            "key": _b64(self.key.public),
        }

    async def person(self, visit: Visit) -> Shown:
        person = visit.given.get("person", "").strip()
        if not person:
            self.office.desk.demand(visit.who, "auditEntries")
            return "person.html", {"found": None}
        listed = await self._list(visit, EntryFilter(person=person))
        report = await self.office.desk.subject_report(visit.who, person, visit.trace)
        return "person.html", {**listed, "report": report}

    async def officer(self, visit: Visit) -> Shown:
        officer = visit.given.get("officer", "").strip()
        self.office.desk.demand(visit.who, "auditEntries")
        if not officer:
            return "officer.html", {"found": None}
        from_us, to_us = period(visit.given, self.clock.now(), DAYS_OF_OFFICER)
        listed = await self._list(visit, EntryFilter(officer=officer, from_us=from_us, to_us=to_us))
        days = await self.office.figures.by_day(officer, from_us=from_us, to_us=to_us)
        return "officer.html", {**listed, "days": days}

    async def hours(self, visit: Visit) -> Shown:
        self.office.desk.demand(visit.who, "auditEntries")
        from_us, to_us = period(visit.given, self.clock.now(), DAYS)
        visit.trace.looked_at |= {"from_us": str(from_us), "to_us": str(to_us)}
        rows: dict[str, list[int]] = defaultdict(lambda: [0] * 24)
        for agency, hour, count in await self.office.figures.by_hour(from_us=from_us, to_us=to_us):
            rows[agency][hour] = count
        return "hours.html", {"rows": list(rows.items())}

    async def graph(self, visit: Visit) -> Shown:
        self.office.desk.demand(visit.who, "auditEntries")
        officer = visit.given.get("officer", "").strip() or None
        from_us, to_us = period(visit.given, self.clock.now(), DAYS)
        edges = await self.office.figures.edges(from_us=from_us, to_us=to_us, officer=officer)
        visit.trace.looked_at |= {"from_us": str(from_us), "to_us": str(to_us)}
        visit.trace.looked_at |= {"officer": officer} if officer else {}
        visit.trace.persons |= {person: "auditEntries" for _, person, _ in edges}
        return "graph.html", {"edges": edges}

    async def findings(self, visit: Visit) -> Shown:
        self.office.desk.demand(visit.who, "findings")
        found = await self.office.findings.all()
        return "findings.html", {"found": [(one, self._why(visit, one)) for one in found]}

    def _why(self, visit: Visit, finding: Any) -> str:
        rule = self.office.findings.rules.get(finding.rule)
        return explain(rule, finding.figures)[0 if visit.lang == "zh" else 1] if rule else finding.rule

    async def finding(self, visit: Visit) -> Shown:
        self.office.desk.demand(visit.who, "findings")
        one = await self.office.findings.one(visit.request.path_params["finding"])
        if one is None:
            raise NotThereError("There is no such finding.")
        visit.trace.looked_at["finding"] = one.finding_id
        actions = [name for name, states in FROM.items() if one.state in states]
        steps = await self.office.findings.steps(one.finding_id)
        return "finding.html", {"one": one, "why": self._why(visit, one), "steps": steps, "actions": actions}

    async def samples(self, visit: Visit) -> Shown:
        self.office.desk.demand(visit.who, "samples")
        found = await self.office.samples.all()
        return "samples.html", {"found": [(one, _filter_text(one.wanted)) for one in found]}

    async def sample(self, visit: Visit) -> Shown:
        self.office.desk.demand(visit.who, "samples")
        one = await self.office.samples.one(visit.request.path_params["sample"])
        if one is None:
            raise NotThereError("There is no such sample.")
        entries = await self.office.desk.numbered(visit.who, one.entries, visit.trace)
        return "sample.html", {"one": one, "entries": entries}

    async def policy(self, visit: Visit) -> Shown:
        self.office.desk.demand(visit.who, "policy")
        digest = self.digest()
        if digest not in self._rendered:
            rendered = _table(await asyncio.to_thread(self.matrix))
            self._rendered.clear()
            self._rendered[digest] = rendered
        versions = await self.office.policies.versions()
        older, newer = visit.given.get("older"), visit.given.get("newer")
        difference = await self._difference(older, newer) if older and newer else None
        context = {"matrix": self._rendered[digest], "versions": versions, "difference": difference, "level": level}
        return "policy.html", context

    async def _difference(self, older: str, newer: str) -> list[str]:
        texts = await self.office.policies.of({older, newer})
        if older not in texts or newer not in texts:
            raise NotThereError("There is no such policy.")
        old, new = texts[older], texts[newer]
        lines: list[str] = []
        for name in sorted(old.keys() | new.keys()):
            pair = old.get(name, "").splitlines(), new.get(name, "").splitlines()
            lines += difflib.unified_diff(*pair, f"{older[:16]}/{name}", f"{newer[:16]}/{name}", lineterm="")
        return lines

    async def integrity(self, visit: Visit) -> Shown:
        status = await self.office.desk.status(visit.who)
        stored = await self.office.desk.checkpoint(visit.who)
        never = visit.t("never")
        times = {
            "first_entry": status.from_us,
            "last_entry": status.to_us,
            "checkpoint_time": status.checkpoint_us,
            "witness_time": status.witnessed_us,
        }
        rows = [("tree_size", status.entries), ("checkpointed", status.checkpointed), ("witnessed", status.witnessed)]
        shown = [("lag", status.lag), *((name, instant(us) if us else never) for name, us in times.items())]
        note = bytes(stored.note).decode() if stored else never
        return "integrity.html", {"rows": [*rows, *shown], "key": str(self.key), "note": note}

    async def exports(self, visit: Visit) -> Shown:
        self.office.desk.demand(visit.who, "exports")
        jobs = await self.office.exports.jobs()
        busy = any(job.state in ("WAITING", "RUNNING") for job in jobs)
        shown = [(job, _filter_text(job.wanted)) for job in jobs]
        return "exports.html", {"found": shown, "formats": FORMATS, "busy": busy}


Page = Callable[[Visit], Awaitable[Shown]]


def level(cell: str) -> int:
    """How much a cell of the matrix gives at its best: 3 full, 2 masked, 1 yes-or-no, 0 nothing."""
    parts = [part.split(": ")[-1].strip()[:1] for piece in cell.split("<br>") for part in piece.split(";")]
    return max(("–PMF".index(part) if part in "–PMF" and part else 0) for part in parts)


def _table(markdown: str) -> Sequence[Sequence[str]]:
    lines = [line for line in markdown.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if not line.startswith("| ---")]


def _filter_text(wanted: EntryFilter) -> str:
    return " ".join(f"{name}={text}" for name, text in sorted(said(wanted).items()))


def _text(value: object) -> str:
    return value if isinstance(value, str) else orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


def _b64(data: bytes) -> str:
    return b64encode(bytes(data)).decode()
