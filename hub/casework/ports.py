"""What commands need of the rooms below, as they need it; `bootstrap` hands in the real parts."""

from collections.abc import Mapping
from typing import Protocol

from hub.auth.facts import Facts
from hub.crypto.envelope import Place


class Sealer(Protocol):
    def seal(self, place: Place, plaintext: str) -> bytes: ...


class Opener(Protocol):
    def open(self, place: Place, sealed: bytes) -> str: ...


class Names(Protocol):
    def of(self, kind: str, text: str) -> str:
        """A keyed name for something that must not be named."""
        ...


class Rules(Protocol):
    """The part of the judge that commands ask."""

    @property
    def policy_digest(self) -> str: ...

    def may(
        self, command: str, *, agency: str, role: str, purpose: str, facts: Facts, own: bool
    ) -> tuple[str, ...]: ...


Owners = Mapping[str, frozenset[str]]
"""Coordinate → the agencies whose facts it tells."""
