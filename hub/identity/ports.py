"""What the person index needs of crypto and of the justice connector; `bootstrap` hands in the real parts."""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from typing import Protocol

from hub.crypto.envelope import PERSONAL, Place


class Sealer(Protocol):
    def seal(self, place: Place, plaintext: str, salt: bytes = b"") -> bytes: ...


class Opener(Protocol):
    def open(self, place: Place, sealed: bytes, salt: bytes = b"") -> str: ...

    def of_persons(self, agency: str, table: str, column: str) -> Callable[[object, bytes, bytes], str]: ...


class Indexer(Protocol):
    def of(self, value: str) -> int: ...

    def each(self, values: Iterable[str]) -> Sequence[int]: ...

    def every(self, value: str) -> tuple[int, ...]: ...


class Digests(Protocol):
    """Full keyed hashes, for what must be recognised and never read."""

    def of(self, kind: str, text: str) -> str: ...


class NameIndexer(Protocol):
    def of(self, name: str) -> frozenset[int]: ...

    def of_bearers(self, bearers: Sequence[Sequence[str]]) -> Sequence[frozenset[int]]: ...


class IndexRecord(Protocol):
    """One record of the register of members. `values` holds `index.*` members as the source has them."""

    @property
    def key(self) -> str: ...

    @property
    def values(self) -> Mapping[str, object]: ...


class IndexSource(Protocol):
    """The register of members, read from beginning to end."""

    def scan(self, coordinates: frozenset[str], *, batch: int) -> AsyncIterator[Sequence[IndexRecord]]: ...


class VaultSource(Protocol):
    """Records sealed by law of an agency, read from beginning to end."""

    def scan_vaulted(self, *, batch: int) -> AsyncIterator[Sequence[IndexRecord]]: ...


def number_place(person_id: str) -> Place:
    return Place(agency="hub", table="person", column="number_sealed", row=person_id)


def key_place(agency: str, person_id: str) -> Place:
    row = key_row(agency, person_id)
    return Place(agency=agency, table="person_link", column="key_sealed", row=row, sensitivity=PERSONAL)


def name_place(person_id: str, kind: str) -> Place:
    row = name_row(person_id, kind)
    return Place(agency="hub", table="person_name", column="name_sealed", row=row, sensitivity=PERSONAL)


def reason_place(erasure_id: str, order: str) -> Place:
    return Place(agency="hub", table="erasure", column=f"{order}_reason_sealed", row=erasure_id)


def key_row(agency: str, person_id: str) -> str:
    return f"{person_id}/{agency}"


def name_row(person_id: str, kind: str) -> str:
    return f"{person_id}/{kind}"
