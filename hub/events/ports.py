"""What events need of the rooms below, as they need it; `bootstrap` hands in the real parts."""

from typing import Protocol

from hub.crypto.envelope import Place


class Sealer(Protocol):
    def seal(self, place: Place, plaintext: str) -> bytes: ...


class Opener(Protocol):
    def open(self, place: Place, sealed: bytes) -> str: ...
