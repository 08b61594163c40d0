"""Findings and their review: assigned, noted, concluded by one person, signed off by another. Each step is an entry."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import and_, func, insert, or_, select, update

from hub.audit.entry import EFFECTS, Draft, Outcome, asked_by, spell_out
from hub.audit.kinds import NUMBERS, Kind
from hub.audit.log import AuditLog
from hub.audit.tables import audit_entry
from hub.auditing.desk import AuditArgumentError, Reader
from hub.auditing.misuse import DAY_US, Facts, Found, Read, Rule, Use, detect
from hub.auditing.tables import audit_finding, audit_finding_step
from hub.auth.principal import Principal
from hub.clock import Clock
from hub.domain.grants import Grant
from hub.errors import ForbiddenError, StoreError
from hub.identity.grants import Grants
from hub.store.engine import Store

ACTIONS = {"assign": "ASSIGNED", "note": None, "conclude": "CONCLUDED", "return": "ASSIGNED", "sign-off": "CLOSED"}
"""Action → state after it; None: as before."""
FROM = {
    "assign": ("OPEN", "ASSIGNED"),
    "note": ("OPEN", "ASSIGNED", "CONCLUDED"),
    "conclude": ("ASSIGNED",),
    "return": ("CONCLUDED",),
    "sign-off": ("CONCLUDED",),
}
MOST_TEXT = 2_000
PAGE = 2_000
APPROVED = "approved"
"""The fact that an approval stood, as entries name it."""
GIVEN = tuple(effect for effect in EFFECTS if effect != "denied")


class StaleFindingError(AuditArgumentError):
    """Somebody else changed the finding meanwhile."""

    code = "BAD_REQUEST"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    finding_id: str
    rule: str
    found_us: int
    officer: str
    entries: Sequence[str]
    figures: dict[str, Any]
    state: str
    assignee: str
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    number: int
    time_us: int
    officer: str
    on_behalf_of: str
    action: str
    text: str


class Findings:
    def __init__(
        self, *, store: Store, log: AuditLog, clock: Clock, rules: Sequence[Rule], facts: Facts, grants: Grants
    ) -> None:
        self._store = store
        self._grants = grants
        self._log = log
        self._clock = clock
        self._facts = facts
        self.rules = {rule.name: rule for rule in rules}

    async def scan(self, *, from_us: int, to_us: int) -> int:
        """Look at all reads of a period; the number of findings that are new. Repeated, it finds nothing twice.

        Cost: the entries of the period, all in memory as reads.
        """
        reads = await self.reads(from_us=from_us, to_us=to_us)
        found = detect(self.rules.values(), self._facts, reads, now_us=self._now_us())
        return sum([await self._enter(one) for one in found])

    async def reads(self, *, from_us: int, to_us: int) -> list[Read]:
        """Operations of the period, in the order of the log, with the grants behind what was read under an approval.

        A grant counts if both say so: its row, and the entry of the approval by the officer whom the row names. That
        somebody else tried to approve it, the asker perhaps, is an entry too, and counts for nothing.
        """
        table = audit_entry.c
        reading = and_(table.kind == NUMBERS[Kind.OPERATION], table.time_us >= from_us)
        approving = and_(table.kind == NUMBERS[Kind.APPROVAL], table.time_us >= from_us - DAY_US)
        after, reads = 0, []
        approved: set[tuple[str, str]] = set()
        while True:
            chosen = (
                select(table.seq, table.entry_id, table.time_us, table.kind, table.body)
                .where(table.seq > after, table.time_us < to_us, or_(reading, approving), table.body.is_not(None))
                .order_by(table.seq)
                .limit(PAGE)
            )
            async with self._store.read() as connection:
                rows = (await connection.execute(chosen)).all()
            for seq, entry_id, time_us, kind, body in rows:
                after = seq
                said = spell_out(seq=seq, entry_id=entry_id, time_us=time_us, kind=kind, body=body)
                if kind == NUMBERS[Kind.OPERATION]:
                    reads.append((said, time_us))
                elif said.get("lookedAt", {}).get("decision") == "APPROVE":
                    approved.add((said["lookedAt"]["request"], f"{said['agency']}/{said['officer']}"))
            if len(rows) < PAGE:
                break
        grants = [one for one in await self._grants.between(from_us, to_us) if (one.request, one.approver) in approved]
        return [read_of(said, time_us, grants) for said, time_us in reads]

    async def _enter(self, found: Found) -> bool:
        row = {
            "finding_id": found.finding_id,
            "rule": found.rule,
            "found_us": self._now_us(),
            "officer": found.officer,
            "entries": orjson.dumps([read.entry for read in found.reads]).decode(),
            "why": orjson.dumps(dict(found.figures)).decode(),
            "state": "OPEN",
            "assignee": "",
            "version": 0,
        }
        known = await self.one(found.finding_id)
        if known is None:
            async with self._store.write() as connection:
                await connection.execute(insert(audit_finding).values(row))
            return True
        if len(found.reads) > len(known.entries):  # the day went on
            grown = update(audit_finding).where(audit_finding.c.finding_id == found.finding_id)
            async with self._store.write() as connection:
                await connection.execute(grown.values(entries=row["entries"], why=row["why"]))
        return False

    async def all(self, *, state: str | None = None, limit: int = 200) -> list[Finding]:
        """The newest findings."""
        statement = select(audit_finding).order_by(audit_finding.c.found_us.desc(), audit_finding.c.finding_id)
        if state is not None:
            statement = statement.where(audit_finding.c.state == state)
        async with self._store.read() as connection:
            return [_finding(row) for row in (await connection.execute(statement.limit(limit))).mappings()]

    async def one(self, finding_id: str) -> Finding | None:
        async with self._store.read() as connection:
            found = await connection.execute(select(audit_finding).where(audit_finding.c.finding_id == finding_id))
            row = found.mappings().one_or_none()
        return _finding(row) if row else None

    async def steps(self, finding_id: str) -> list[Step]:
        table = audit_finding_step.c
        chosen = select(audit_finding_step).where(table.finding_id == finding_id).order_by(table.number)
        async with self._store.read() as connection:
            rows = (await connection.execute(chosen)).mappings()
            return [Step(**{name: row[name] for name in Step.__dataclass_fields__}) for row in rows]

    async def act(self, reader: Reader, finding_id: str, action: str, text: str, *, version: int) -> None:
        """Take one step of the review. `version`: of the finding as it was shown. `text` of `assign`: to whom.

        Raises:
            AuditArgumentError: no such finding or action, or not in this state. StaleFindingError: changed meanwhile.
            ForbiddenError: the second person is the first, or the found one reviews themselves.
        """
        finding = await self.one(finding_id)
        if finding is None or action not in ACTIONS or not 0 < len(text.strip()) <= MOST_TEXT:
            raise AuditArgumentError("There is no such finding or action, or the text is missing.")
        if finding.state not in FROM[action]:
            raise AuditArgumentError(f"In state {finding.state} this cannot be done.")
        await self._check_person(reader.principal, finding, action, text.strip())
        principal = reader.principal
        draft = Draft(
            kind=Kind.FINDING_REVIEW,
            request_id=finding_id,
            **asked_by(principal),
            purpose=reader.purpose,
            outcome=Outcome.OK,
            looked_at={"finding": finding_id, "action": action, "rule": finding.rule},
        )
        await self._log.append(draft)
        change = {"version": version + 1, "state": ACTIONS[action] or finding.state}
        if action == "assign":
            change["assignee"] = text.strip()
        did = (principal.officer, principal.on_behalf_of or "", action, text.strip())
        await self._step(finding_id, version, change, did)

    async def _check_person(self, who: Principal, finding: Finding, action: str, text: str) -> None:
        """Who takes the step, and whom they stand in for, count as one person; so do those found, and for whom."""
        found = {finding.officer, *await self._stood_in_for(finding)}
        if who.is_behind(*found) or (action == "assign" and text.casefold() in map(str.casefold, found)):
            raise ForbiddenError("nobody reviews themselves")
        if action == "conclude" and not who.is_behind(finding.assignee):
            raise ForbiddenError("only the assignee concludes")
        if action in ("sign-off", "return"):
            concluded = [step for step in await self.steps(finding.finding_id) if step.action == "conclude"]
            if concluded and who.is_behind(concluded[-1].officer, concluded[-1].on_behalf_of):
                raise ForbiddenError("a second person signs off")

    async def _stood_in_for(self, finding: Finding) -> frozenset[str]:
        """On whose behalf the found reads were made."""
        table = audit_entry.c
        chosen = select(table.body).where(table.entry_id.in_(finding.entries), table.body.is_not(None))
        async with self._store.read() as connection:
            bodies = (await connection.scalars(chosen)).all()
        return frozenset(orjson.loads(body).get("onBehalfOf") for body in bodies) - {None}

    async def _step(self, finding_id: str, version: int, change: dict[str, Any], said: Sequence[str]) -> None:
        table, steps = audit_finding.c, audit_finding_step
        mine = update(audit_finding).where(table.finding_id == finding_id, table.version == version)
        async with self._store.write() as connection:
            done = await connection.execute(mine.values(**change))
            if done.rowcount != 1:
                raise StaleFindingError("Somebody else changed this finding; look again.")
            last = await connection.scalar(select(func.max(steps.c.number)).where(steps.c.finding_id == finding_id))
            names = ("officer", "on_behalf_of", "action", "text")
            row = {"finding_id": finding_id, "number": (last or 0) + 1, "time_us": self._now_us()}
            await connection.execute(insert(steps).values(**row, **dict(zip(names, said, strict=True))))

    def _now_us(self) -> int:
        return int(self._clock.now().timestamp() * 1_000_000)


def read_of(said: dict[str, Any], time_us: int, grants: Sequence[Grant] = ()) -> Read:
    """An entry of kind `operation` as rules see it."""
    persons = said.get("persons", ())
    asker = {name: said.get(name) or "" for name in ("agency", "officer", "role", "purpose")}
    asker["on_behalf_of"] = said.get("onBehalfOf") or ""
    return Read(
        entry=said["id"],
        seq=said["seq"],
        time_us=time_us,
        officer=asker["officer"],
        purpose=asker["purpose"],
        cases=tuple(said.get("case", ())),
        persons=tuple(one["person"] for one in persons),
        denied=said.get("outcome") == Outcome.DENIED,
        uses=tuple(
            Use(
                person=one["person"],
                grants=tuple(grant for grant in grants if grant.covers(**asker, person=one["person"], time_us=time_us)),
            )
            for one in persons
            if APPROVED in (one.get("facts") or "").split() and any(one[effect] for effect in GIVEN)
        ),
    )


def _finding(row: Any) -> Finding:
    names = ("finding_id", "rule", "found_us", "officer", "state", "assignee", "version")
    try:
        figures, entries = orjson.loads(row["why"]), orjson.loads(row["entries"])
    except ValueError as exc:
        raise StoreError("a finding cannot be read") from exc
    return Finding(**{name: row[name] for name in names}, figures=figures, entries=entries)
