"""What the hub asks of an agency, and what an agency answers."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol, runtime_checkable

import msgspec

MAX_KEYS = 500  # per call


class SourceState(StrEnum):
    """How an agency took part in an answer."""

    OK = "OK"
    STALE = "STALE"
    TIMEOUT = "TIMEOUT"
    DOWN = "DOWN"
    INVALID = "INVALID"
    THROTTLED = "THROTTLED"
    NO_HISTORY = "NO_HISTORY"  # asked for an earlier time, of which nothing is kept


class Layout(msgspec.Struct, frozen=True, kw_only=True):
    """Where fields stand in the rows of one fetch: flat fields first, then nested ones, each in the catalogue's order.

    `nested` pairs a nested field's name with its own fields. A row may be longer than its layout; what a reader of it
    may rely on beyond is said by who makes it.
    """

    fields: tuple[str, ...]
    nested: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def slot(self, name: str) -> int:
        """Position of a field in a row. Raises ValueError for one that is not in the layout."""
        if name in self.fields:
            return self.fields.index(name)
        return len(self.fields) + [nested for nested, _ in self.nested].index(name)

    def covers(self, other: "Layout") -> bool:
        """Whether everything in `other` is in this layout, too."""
        inner = dict(self.nested)
        return {*other.fields} <= {*self.fields} and all(
            name in inner and {*fields} <= {*inner[name]} for name, fields in other.nested
        )

    def inner(self, name: str) -> tuple[str, ...]:
        """Fields of a nested field's rows, in order."""
        return dict(self.nested)[name]


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """Keys of one decision class and the canonical coordinates, nested ones included, that it may be asked for."""

    keys: tuple[str, ...]
    coordinates: frozenset[str]


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """A time that is asked about: what was so at `valid`, as it was known at `known`. None: now."""

    valid: datetime | None
    known: datetime | None


class Fetch(msgspec.Struct, frozen=True, kw_only=True):
    """One batched question in ONE round trip: at most `MAX_KEYS` keys over all parts, no key twice.

    Persons of different decision classes share the call, but no key is ever asked for a coordinate outside its part:
    a denied field is not fetched, not even for a neighbour's sake. All rows have `layout`, which names every
    coordinate of every part; what is not in a key's own part is None in its row. `at`: the time asked about; None: now.
    """

    parts: tuple[Part, ...]
    layout: Layout
    timeout_s: float
    at: Moment | None = None

    @property
    def keys(self) -> tuple[str, ...]:
        return tuple(key for part in self.parts for key in part.keys)


class SourceRecord(msgspec.Struct, frozen=True):
    """What one agency says about one person, in canonical types and codes.

    `values` is a row of the fetch's layout: a value, None where empty, a row for a nested record, a sequence of rows
    for a nested list. A sealed value stands as it was stored, in bytes; it is opened where it is released. A
    quarantined value is None and counted in `quarantined`. `received_at`: when the hub received it, where that was not
    in this very answer.
    """

    key: str
    record: str  # the source's own record id
    as_of: datetime
    values: Sequence[Any]
    quarantined: int = 0
    received_at: datetime | None = None


class ScannedRecord(msgspec.Struct, frozen=True):
    """One record of a scan: `values` by canonical field name, and what the mapping adds as `index.*`."""

    key: str
    record: str
    as_of: datetime
    values: Mapping[str, object]


class Fetched(msgspec.Struct, frozen=True, kw_only=True):
    """An agency's answer. `records` maps an asked key to its record; a key that the agency does not know is absent.

    Any state but OK and STALE comes with no records; never an exception.
    """

    agency: str
    state: SourceState
    as_of: datetime | None
    received_at: datetime
    latency_ms: int
    records: Mapping[str, SourceRecord]


class KeyKind(StrEnum):
    """What a connector's keys are: the person's identity number (18 characters, canonical), or the agency's own key."""

    IDENTITY_NUMBER = "identity-number"
    OWN = "own"


class Connector(Protocol):
    """The wire and the mapping of one agency, nothing else. Deadline, bulkhead and breaker are put around it."""

    @property
    def agency(self) -> str: ...

    @property
    def key_kind(self) -> KeyKind: ...

    async def fetch(self, fetch: Fetch) -> Mapping[str, SourceRecord]:
        """Answer `fetch` in one round trip.

        Raises:
            SourceFailure: nothing usable arrived; `state` says why.
        """
        ...

    def scan(self, coordinates: frozenset[str], *, batch: int) -> AsyncIterator[Sequence[ScannedRecord]]:
        """Every record the agency holds, in batches, for the person index; only where the mapping allows it."""
        ...

    def scan_vaulted(self, *, batch: int) -> AsyncIterator[Sequence[ScannedRecord]]:
        """Every record sealed by law that the agency holds, in batches, for the vault; none where it names none."""
        ...

    async def start(self) -> None:
        """Begin, in the background, what the first fetch would have to wait for."""
        ...

    async def close(self) -> None: ...


async def nothing_vaulted() -> AsyncIterator[Sequence[ScannedRecord]]:
    """The records sealed by law of a source that has none."""
    batches: tuple[Sequence[ScannedRecord], ...] = ()
    for batch in batches:
        yield batch


Stamp = tuple[Any, str]
"""A place in the order of changes: a time stamp as the source's driver gives and takes it, and a record id."""


@runtime_checkable
class Changes(Protocol):
    """A source that can be followed by the time stamps of its records."""

    async def newest(self) -> object:
        """The newest time stamp there is, None if there is no record.

        Raises:
            SourceFailure: nothing usable arrived.
        """
        ...

    async def changes(self, after: Stamp, *, batch: int) -> tuple[Sequence[str], Stamp | None]:
        """Keys of the next records after a place, as the source has them, and the place of the last one.

        Raises:
            SourceFailure: nothing usable arrived.
        """
        ...


@runtime_checkable
class Drops(Protocol):
    """A source that drops all its records now and then, each drop in a folder of its own."""

    async def drops(self) -> Mapping[str, int]:
        """Folder of every drop that is there → when its manifest was written, in nanoseconds."""
        ...

    def pinned(self, name: str) -> "Connector":
        """A connector that knows this drop alone. Whoever asks closes it."""
        ...

    async def created(self) -> datetime:
        """When the drop in use was made, by its manifest.

        Raises:
            SourceFailure: there is none, or it fails its manifest.
        """
        ...


class SourceFailure(Exception):
    """Nothing usable came from an agency. Data for the answer's `sources`, never an error of the request."""

    def __init__(self, agency: str, state: SourceState, text: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(f"{agency}: {text}")
        self.agency = agency
        self.state = state
        self.retry_after_s = retry_after_s


class Quarantine(Protocol):
    """Takes what does not fit the mapping; never blocks a read and never loses a report silently."""

    def report(self, *, agency: str, record: str, coordinate: str, value: str, reason: str) -> None: ...


class MemoryQuarantine:
    """A quarantine that keeps its reports in a list; the real one seals and stores them."""

    def __init__(self) -> None:
        self.reports: list[tuple[str, str, str, str, str]] = []

    def report(self, *, agency: str, record: str, coordinate: str, value: str, reason: str) -> None:
        self.reports.append((agency, record, coordinate, value, reason))
