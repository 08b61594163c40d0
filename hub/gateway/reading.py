"""What the gateway is asked for and what it answers: values only, no I/O."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec

from hub.audit.entry import Pattern
from hub.audit.kinds import Kind
from hub.auth.decision import DenialCode, Effect, Judge
from hub.auth.facts import Facts
from hub.auth.principal import Principal
from hub.connectors.base import Moment, SourceState
from hub.gateway.plan import BoundPlan
from hub.identity.index import Known


class LookupKind(StrEnum):
    ID = "id"
    IDENTITY_NUMBER = "identityNumber"
    CASE_NUMBER = "caseNumber"


class Lookup(msgspec.Struct, frozen=True, kw_only=True):
    """One way to name a person. The text of an identity number is canonical, of the others as the caller sent it."""

    kind: LookupKind
    text: str


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """A page of the persons in the asker's jurisdiction (DESIGN section 4, `people`)."""

    region: str | None
    sex: str | None
    first: int
    after: str | None
    offset: int


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """One root field: whom it names or lists, and all coordinates asked for below it, a list's own included.

    `at`: the time that is asked about; None: now.
    """

    field: str
    lookups: tuple[Lookup, ...] = ()
    listing: Listing | None = None
    coordinates: frozenset[str]
    at: Moment | None = None


class Asker(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks what for. `judge` decides the whole operation, whatever comes into force meanwhile.

    `together` is every coordinate that the whole operation asks for, deferred parts included.
    """

    principal: Principal
    purpose: str
    cases: tuple[str, ...]
    judge: Judge
    together: frozenset[str] = frozenset()


class PersonRef(msgspec.Struct, frozen=True, kw_only=True):
    """A person as the gateway handles one inside a request; never leaves it.

    `known` is what the index says of a member, None for a person found through the registers. `identity_number` is
    canonical; None where the member has none that is valid.
    """

    key: str  # distinct for distinct persons of one request
    known: Known | None
    identity_number: str | None
    facts: Facts


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Where a record comes from. `record` is opaque and different for every asking agency.

    `stale`: it is the last that was known, because its agency does not answer or has not been copied for long.
    """

    agency: str
    record: str
    as_of: datetime
    received_at: datetime
    stale: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldProvenance(Provenance):
    """Where the value of one merged field comes from. `verified_by`: other agencies that say the same."""

    field: str
    verified_by: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldAccess:
    """What the asker may see of one field, of this person or at best. `remedy`: what would open it."""

    coordinate: str
    effect: Effect
    code: DenialCode | None
    remedy: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConflictValue:
    agency: str
    value: str
    record: str
    as_of: datetime
    received_at: datetime
    verified_by: tuple[str, ...]
    chosen: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """Agencies disagree on one merged field; `values` in order of trust, as far as the asker may see them."""

    coordinate: str
    values: tuple[ConflictValue, ...]


class SourceUse(msgspec.Struct, frozen=True, kw_only=True):
    """How one agency took part. `quarantined` counts values withheld because they did not fit the mapping."""

    agency: str
    state: SourceState
    as_of: datetime | None
    latency_ms: int
    quarantined: int = 0


class PersonView:
    """One person as released to one asker.

    `rows` are the agencies' canonical rows in the order of `bound.agencies`, None where there is no record; what of
    them may leave, and masked how, is said by the release tree of `bound` alone. `merged` and `composed` stand in the
    order of the plan's fields. What the operation did not ask for is empty.
    """

    __slots__ = (
        "access",
        "bound",
        "composed",
        "conflicts",
        "id",
        "merged",
        "predicates",
        "provenance",
        "record_provenance",
        "rows",
        "sources",
    )

    def __init__(self, bound: BoundPlan, rows: Sequence[Any], merged: Sequence[Any]) -> None:
        self.bound = bound
        self.rows = rows
        self.merged = merged
        self.composed: Sequence[Any] = ()
        self.predicates: Sequence[Any] = ()
        self.id = ""
        self.provenance: Sequence[FieldProvenance] = ()
        self.record_provenance: Sequence[Provenance | None] = ()
        self.conflicts: Sequence[Conflict] = ()
        self.sources: Sequence[SourceUse] = ()
        self.access: Sequence[FieldAccess] = ()

    @property
    def shape(self) -> Any:
        """How the rooms above read this view; they set it once per bound plan."""
        return self.bound.shape


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """`total_count` is None, and cursors are empty, where they were not asked for."""

    total_count: int | None
    has_next_page: bool
    cursors: tuple[str, ...]


class AskAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The persons of one root field, in the order of its lookups or of the page; None for unknown and not-yours."""

    persons: Sequence[PersonView | None]
    page: Page | None = None


class Denied(msgspec.Struct, frozen=True, kw_only=True):
    """`remedy`: what the policy itself lets the asker be told about how to get it."""

    coordinate: str
    code: DenialCode
    remedy: str | None = None


@dataclass(slots=True, kw_only=True)
class Reading:
    """Everything an operation has read so far; the only mutable value here, owned by one request."""

    sources: dict[str, SourceUse] = field(default_factory=dict)
    calls: dict[str, int] = field(default_factory=dict)  # questions put to each agency
    asked: dict[str, int] = field(default_factory=dict)  # persons whom each agency was asked for
    denied: set[Denied] = field(default_factory=set)
    access: list[tuple[str, Pattern]] = field(default_factory=list)  # (pseudonym, what was asked of this person)
    policies: set[str] = field(default_factory=set)
    approvers: set[str] = field(default_factory=set)  # whose approvals opened something of somebody: AGENCY/OFFICER
    explained: set[str] = field(default_factory=set)  # coordinates that were explained, not read
    objects: int = 0
    kind: Kind = Kind.OPERATION  # an auditor's read is an entry of its own kind
    looked_at: dict[str, str] = field(default_factory=dict)  # what an auditor asked of the log
    note: dict[str, int] = field(default_factory=dict)
