"""What the person index needs of crypto; `bootstrap` hands in the real parts, so that nothing here can open at will."""

from collections.abc import Sequence
from typing import Protocol

from hub.crypto.envelope import Place


class Sealer(Protocol):
    def seal(self, place: Place, plaintext: str) -> bytes: ...


class Opener(Protocol):
    def open(self, place: Place, sealed: bytes) -> str: ...

    def open_many(self, values: Sequence[tuple[Place, bytes]]) -> list[str]: ...


class Indexer(Protocol):
    def of(self, value: str) -> int: ...


def number_place(person_id: str) -> Place:
    return Place(agency="hub", table="person", column="number_sealed", row=person_id)


def key_place(agency: str, person_id: str) -> Place:
    return Place(agency=agency, table="person_link", column="key_sealed", row=f"{person_id}/{agency}")
