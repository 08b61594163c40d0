"""What the gateway is asked for and what it answers: values only, no I/O."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from hub.auth.decision import DecisionTable, DenialCode
from hub.auth.principal import Principal
from hub.connectors.base import SourceState


class LookupKind(StrEnum):
    ID = "id"
    IDENTITY_NUMBER = "identityNumber"
    CASE_NUMBER = "caseNumber"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup:
    kind: LookupKind
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A page of the persons in the asker's jurisdiction (DESIGN section 4, `people`)."""

    region: str | None
    sex: str | None
    first: int
    after: str | None
    offset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One root field: whom it names or lists, and the coordinates wanted of each person."""

    field: str
    lookups: tuple[Lookup, ...] = ()
    listing: Listing | None = None
    coordinates: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    principal: Principal
    purpose: str
    cases: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonRef:
    """A person as the gateway handles one inside a request; never leaves it.

    `member` is the index's own id, None for a person found through the registers. `identity_number` is canonical;
    None where the member has none that is valid.
    """

    member: str | None
    identity_number: str | None

    @property
    def key(self) -> str:
        return f"m:{self.member}" if self.member is not None else f"r:{self.identity_number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Where a record comes from. `record` is opaque and different for every asking agency."""

    agency: str
    record: str
    as_of: datetime
    received_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ConflictValue:
    agency: str
    value: str
    as_of: datetime
    chosen: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """Agencies disagree on one merged field; `values` in order of trust, as far as the asker may see them."""

    coordinate: str
    values: tuple[ConflictValue, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceUse:
    """How one agency took part. `quarantined` counts values withheld because they did not fit the mapping."""

    agency: str
    state: SourceState
    as_of: datetime | None
    latency_ms: int
    quarantined: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonView:
    """One person as released to one asker. `values` is keyed by GraphQL field name, records nested."""

    ref: PersonRef
    id: str
    table: DecisionTable
    values: Mapping[str, object]
    provenance: Mapping[str, Provenance]
    conflicts: tuple[Conflict, ...]
    sources: tuple[SourceUse, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    total_count: int
    has_next_page: bool
    cursors: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AskAnswer:
    """The persons of one root field, in the order of its lookups or of the page; None for unknown and not-yours."""

    persons: tuple[PersonView | None, ...]
    page: Page | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Denied:
    coordinate: str
    code: DenialCode


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessRecord:
    """What the audit entry says of one person: the pseudonym and the asked coordinates by effect."""

    person: str
    full: tuple[str, ...] = ()
    masked: tuple[str, ...] = ()
    predicate: tuple[str, ...] = ()
    sealed: tuple[str, ...] = ()
    denied: tuple[str, ...] = ()


@dataclass(slots=True, kw_only=True)
class Reading:
    """Everything an operation has read so far; the only mutable value here, owned by one request."""

    answers: dict[str, AskAnswer] = field(default_factory=dict)
    sources: dict[str, SourceUse] = field(default_factory=dict)
    denied: set[Denied] = field(default_factory=set)
    access: list[AccessRecord] = field(default_factory=list)
    policies: set[str] = field(default_factory=set)
    objects: int = 0
