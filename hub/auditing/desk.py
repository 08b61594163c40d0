"""What auditors ask of the log, for the API and the console alike: allowed or not, answered, and traced.

Whatever is looked at is noted in a `Trace`; whoever asked writes it into the log as an entry of its own kind.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from typing import Any

from hub.audit.checkpoints import Checkpoints, Stored
from hub.audit.entry import EFFECTS, Outcome, Pattern
from hub.audit.kinds import Kind
from hub.audit.queries import AuditQueries, EntryFilter, Inclusion, Page, Status
from hub.audit.reader import show
from hub.auditing.access import Rules, may_audit
from hub.auditing.subject import Access, Delayed, Words, accesses
from hub.auth.principal import Principal
from hub.clock import Clock
from hub.crypto.pairwise import PairwiseIds, Pseudonyms
from hub.domain.identity_number import IdentityNumber, IdentityNumberError
from hub.errors import ForbiddenError, RequestError

MAX_FIRST = 100


class InvalidAuditCursorError(RequestError):
    public = "This cursor does not belong to this list."


class AuditArgumentError(RequestError):
    """`public` says which argument is wrong."""

    def __init__(self, public: str) -> None:
        super().__init__(public)
        self.public = public  # type: ignore[misc]  # a template of our own, without the caller's value


@dataclass(slots=True, kw_only=True)
class Trace:
    """What an auditor looked at: the filter as given (persons by pseudonym), numbers of entries, persons."""

    kind: Kind = Kind.AUDITOR_READ
    looked_at: dict[str, str] = field(default_factory=dict)
    note: dict[str, int] = field(default_factory=dict)
    persons: dict[str, str] = field(default_factory=dict)  # pseudonym → name of the question

    def access(self) -> list[tuple[str, Pattern]]:
        return [(person, Pattern(full=(f"Query.{name}",))) for person, name in self.persons.items()]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Who looks, for what."""

    principal: Principal
    purpose: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryPage:
    """Entries as `hub audit dump` shows them, newest first, each with its cursor. `end`: where to go on."""

    entries: Sequence[Mapping[str, Any]]
    cursors: Sequence[str]
    end: str | None
    more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectReport:
    """`delayed`: classes that are told later; listed whether or not there is anything in them."""

    person: str
    accesses: Sequence[Access]
    delayed: Sequence[Delayed]
    end: str | None
    more: bool


class AuditDesk:
    def __init__(
        self,
        *,
        rules: Rules,
        queries: AuditQueries,
        checkpoints: Checkpoints,
        pseudonyms: Pseudonyms,
        ids: PairwiseIds,
        words: Words,
        clock: Clock,
    ) -> None:
        self._rules = rules
        self._queries = queries
        self._checkpoints = checkpoints
        self._pseudonyms = pseudonyms
        self._ids = ids
        self._clock = clock
        self.words = words

    def allows(self, reader: Reader, name: str) -> tuple[str, ...]:
        """Ids of the rules that let `reader` do `name`; none: it is refused."""
        return may_audit(self._rules, reader.principal, reader.purpose, name)

    def demand(self, reader: Reader, name: str) -> None:
        """Raises ForbiddenError: `reader` may not do `name`."""
        if not self.allows(reader, name):
            raise ForbiddenError(name)

    def person_of(self, text: str) -> str:
        """The pseudonym under which the log holds the bearer of an identity number.

        Raises:
            AuditArgumentError: this is no identity number.
        """
        try:
            return self._pseudonyms.of("number", IdentityNumber.parse(text).text)
        except IdentityNumberError as exc:
            raise AuditArgumentError("This is not a valid identity number.") from exc

    async def entries(
        self, reader: Reader, wanted: EntryFilter, trace: Trace, *, first: int = 20, after: str | None = None
    ) -> EntryPage:
        """A page of entries that meet `wanted`.

        Raises:
            ForbiddenError, AuditArgumentError, InvalidAuditCursorError. StoreError: the database does not answer.
        """
        self.demand(reader, "auditEntries")
        page, entries = await self._page(reader, "auditEntries", wanted, trace, first, after)
        scope = _scope("auditEntries", wanted)
        seal = self._ids.seal
        agency = reader.principal.agency
        for shown in entries:
            for one in shown.get("persons", ()):
                trace.persons.setdefault(one["person"], "auditEntries")
        return EntryPage(
            entries=entries,
            cursors=[seal(agency, scope, str(shown["seq"])) for shown in entries],
            end=seal(agency, scope, str(page.end)) if page.end is not None else None,
            more=page.more,
        )

    async def _page(
        self, reader: Reader, name: str, wanted: EntryFilter, trace: Trace, first: int, after: str | None
    ) -> tuple[Page, list[dict[str, Any]]]:
        if not 1 <= first <= MAX_FIRST:
            raise AuditArgumentError(f"`first` is from 1 to {MAX_FIRST}.")
        before = self._opened(reader, _scope(name, wanted), after)
        page = await self._queries.find(wanted, first=first, before=before)
        trace.looked_at |= {name: str(value) for name, value in asdict(wanted).items() if value is not None}
        trace.note["entries"] = trace.note.get("entries", 0) + len(page.entries)
        if wanted.person is not None:
            trace.persons[wanted.person] = name
        return page, [show(row) for row in page.entries]

    def _opened(self, reader: Reader, scope: str, after: str | None) -> int | None:
        if after is None:
            return None
        opened = self._ids.open(reader.principal.agency, after)
        if opened is None or opened[0] != scope or not opened[1].isdigit():
            raise InvalidAuditCursorError("cursor of another agency or query")
        return int(opened[1])

    async def entry(self, reader: Reader, entry_id: str, trace: Trace) -> Mapping[str, Any] | None:
        """One entry by its id. Raises ForbiddenError."""
        self.demand(reader, "auditEntries")
        row = await self._queries.by_id(entry_id)
        trace.looked_at["entry"] = entry_id[:40]
        return show(row) if row is not None else None

    async def numbered(self, reader: Reader, numbers: Sequence[int], trace: Trace) -> list[Mapping[str, Any]]:
        """Entries by their numbers, in order. Raises ForbiddenError."""
        self.demand(reader, "auditEntries")
        entries = [show(row) for row in await self._queries.numbered(numbers)]
        for shown in entries:
            for one in shown.get("persons", ()):
                trace.persons.setdefault(one["person"], "auditEntries")
        trace.note["entries"] = trace.note.get("entries", 0) + len(entries)
        return list(entries)

    async def proof(self, reader: Reader, entry_id: str, trace: Trace) -> Inclusion | None:
        """That an entry is in the log. Raises ForbiddenError; StoreError; LogBrokenError."""
        self.demand(reader, "auditProof")
        trace.looked_at["entry"] = entry_id[:40]
        return await self._queries.proof(entry_id)

    async def checkpoint(self, reader: Reader) -> Stored | None:
        self.demand(reader, "auditCheckpoint")
        return await self._checkpoints.latest()

    async def status(self, reader: Reader) -> Status:
        self.demand(reader, "auditStatus")
        return await self._queries.status()

    async def statistics(
        self, reader: Reader, trace: Trace, *, from_us: int, to_us: int
    ) -> Sequence[tuple[str, str, str, int, int]]:
        """Agency, purpose, outcome, entries, persons. Raises ForbiddenError; AuditArgumentError: an empty period."""
        self.demand(reader, "auditStatistics")
        if from_us >= to_us:
            raise AuditArgumentError("`from` must be before `to`.")
        trace.looked_at |= {"from_us": str(from_us), "to_us": str(to_us)}
        return await self._queries.statistics(from_us=from_us, to_us=to_us)

    async def subject_report(
        self, reader: Reader, person: str, trace: Trace, *, after: str | None = None
    ) -> SubjectReport:
        """Who saw the person with this pseudonym, as the person may know it now; newest first, in pages.

        Raises:
            ForbiddenError, InvalidAuditCursorError. StoreError: the database does not answer.
        """
        self.demand(reader, "subjectReport")
        trace.kind = Kind.SUBJECT_REPORT
        wanted = EntryFilter(person=person, kind=Kind.OPERATION)
        page, entries = await self._page(reader, "subjectReport", wanted, trace, MAX_FIRST, after)
        scope = _scope("subjectReport", wanted)
        end = self._ids.seal(reader.principal.agency, scope, str(page.end)) if page.end is not None else None
        told = accesses(self.words, person, entries, self._clock.now())
        return SubjectReport(person=person, accesses=told, delayed=self.words.delayed, end=end, more=page.more)


def checked(wanted: EntryFilter) -> EntryFilter:
    """`wanted`, if its decision and outcome exist. Raises AuditArgumentError."""
    if wanted.decision is not None and wanted.decision not in EFFECTS:
        raise AuditArgumentError("`decision` is one of " + ", ".join(EFFECTS) + ".")
    if wanted.outcome is not None and wanted.outcome not in Outcome.__members__:
        raise AuditArgumentError("`outcome` is one of " + ", ".join(Outcome.__members__) + ".")
    return wanted


def _scope(name: str, wanted: EntryFilter) -> str:
    """Binds a cursor to its list and filter."""
    said = f"{name}/{sorted((key, str(value)) for key, value in asdict(wanted).items() if value is not None)}"
    return "a" + sha256(said.encode()).hexdigest()[:12]
