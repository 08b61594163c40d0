"""What a replica needs of crypto and of the person index, and where its sealed values stand."""

from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncConnection

from hub.crypto.envelope import PERSONAL, SENSITIVE, SPECIAL, Place
from hub.domain.agencies import HUB

COLUMNS = {PERSONAL: "personal_sealed", SENSITIVE: "sensitive_sealed", SPECIAL: "special_sealed"}
"""The column of a version for each class of key."""

IsErased = Callable[[AsyncConnection, str, Sequence[str]], Awaitable[Collection[str]]]
"""(connection, agency, keys) → those among the keys whose person was erased; asked inside a transaction."""


class Sealer(Protocol):
    def seal(self, place: Place, plaintext: str, salt: bytes = b"") -> bytes: ...

    def seal_many(self, values: Sequence[tuple[Place, str]], salt: bytes = b"") -> list[bytes]: ...


class Opener(Protocol):
    def open(self, place: Place, sealed: bytes, salt: bytes = b"") -> str: ...

    def open_many(self, values: Sequence[tuple[Place, bytes]], salt: bytes = b"") -> list[str]: ...


class PersonsOpener(Protocol):
    def of_persons(self, agency: str, table: str, column: str) -> Callable[[object, bytes, bytes], str]: ...


class Indexer(Protocol):
    def of(self, value: str) -> int: ...

    def each(self, values: Iterable[str]) -> Sequence[int]: ...

    def every(self, value: str) -> tuple[int, ...]: ...


class Digests(Protocol):
    """Full keyed hashes, for what must be recognised and never read."""

    def of(self, kind: str, text: str) -> str: ...


def key_place(agency: str, subject_id: str) -> Place:
    return Place(agency=agency, table="replica_subject", column="key_sealed", row=subject_id, sensitivity=SENSITIVE)


def version_place(agency: str, subject_id: str, version: int, sensitivity: int) -> Place:
    """The place of one class of values of one statement."""
    return Place(
        agency=agency,
        table="replica_version",
        column=COLUMNS[sensitivity],
        row=version_row(subject_id, version),
        sensitivity=sensitivity,
    )


def version_row(subject_id: str, version: int) -> str:
    return f"{subject_id}/{version}"


def state_place(agency: str) -> Place:
    return Place(agency=HUB, table="replica_state", column="place_sealed", row=agency)
