"""Finding a sealed value without opening the table: a keyed hash, cut short so that it names a few candidates.

A full-length hash would tell whoever holds the key and a list of numbers exactly who is in the table, and whoever sees
two tables which rows are the same person. Cut to N bits with sqrt(X) < 2^N < X / 2 for X expected rows, every value has
several candidates; they are opened and compared.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from hub.crypto.mac import keyed_hash


@dataclass(frozen=True, kw_only=True)
class BlindIndex:
    """`field` is bound into the hash, so that equal values of two fields do not meet. 1 <= `bits` <= 64."""

    key: bytes
    field: str
    bits: int

    def of(self, value: str) -> int:
        """The first `bits` bits of HMAC-SHA-256 over field and normalised value. Source: RFC 2104."""
        digest = self._hash(f"{self.field}\x00{value}".encode())
        return int.from_bytes(digest[:8], "big") >> (64 - self.bits)

    @cached_property
    def _hash(self) -> Callable[[bytes], bytes]:
        return keyed_hash(self.key)
