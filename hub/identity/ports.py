"""What the person index needs of crypto and of the justice connector; `bootstrap` hands in the real parts."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Protocol

from hub.crypto.envelope import Place


class Sealer(Protocol):
    def seal(self, place: Place, plaintext: str) -> bytes: ...


class Opener(Protocol):
    def open(self, place: Place, sealed: bytes) -> str: ...

    def at(self, agency: str, table: str, column: str) -> Callable[[object, bytes], str]: ...

    def open_many(self, values: Sequence[tuple[Place, bytes]]) -> list[str]: ...


class Indexer(Protocol):
    def of(self, value: str) -> int: ...


class IndexRecord(Protocol):
    """One record of the register of members. `values` holds `index.*` members as the source has them."""

    @property
    def key(self) -> str: ...

    @property
    def values(self) -> Mapping[str, object]: ...


class IndexSource(Protocol):
    """The register of members, read from beginning to end."""

    def scan(self, coordinates: frozenset[str], *, batch: int) -> AsyncIterator[Sequence[IndexRecord]]: ...


def number_place(person_id: str) -> Place:
    return Place(agency="hub", table="person", column="number_sealed", row=person_id)


def key_place(agency: str, person_id: str) -> Place:
    return Place(agency=agency, table="person_link", column="key_sealed", row=key_row(agency, person_id))


def key_row(agency: str, person_id: str) -> str:
    return f"{person_id}/{agency}"
