"""Finding a sealed value without opening the table: a keyed hash, cut short so that it names a few candidates.

A full-length hash would tell whoever holds the key and a list of numbers exactly who is in the table, and whoever sees
two tables which rows are the same person. Cut to N bits with sqrt(X) < 2^N < X / 2 for X expected rows, every value has
several candidates; they are opened and compared.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property

from hub.crypto.keyring import KeyRing, KeyState
from hub.crypto.suites import Digest, hasher
from hub.errors import KeyMaterialError

LEAST_BITS, MOST_BITS = 4, 40


@dataclass(frozen=True, kw_only=True)
class BlindIndex:
    """`field` is bound into the hash, so that equal values of two fields do not meet. 1 <= `bits` <= 63."""

    key: bytes
    field: str
    bits: int
    digest: Digest = Digest.SHA_256

    def of(self, value: str) -> int:
        """The first `bits` bits of the HMAC over field and normalised value. Source: RFC 2104."""
        hashed = self._hash(f"{self.field}\x00{value}".encode())
        return int.from_bytes(hashed[:8], "big") >> (64 - self.bits)

    def each(self, values: Iterable[str]) -> list[int]:
        return [self.of(value) for value in values]

    def every(self, value: str) -> tuple[int, ...]:
        """Every index under which a row with this value may stand."""
        return (self.of(value),)

    @cached_property
    def _hash(self) -> Callable[[bytes], bytes]:
        return hasher(self.digest, self.key)


class RingIndex:
    """The blind index of a field under the keys of a ring.

    While rows are moved to a new key, a row stands under one of the two; look-ups ask for both.
    """

    def __init__(self, ring: KeyRing, purpose: str, field: str, *, fewer_bits: int = 0) -> None:
        """`fewer_bits`: than an index over all persons has, for a field that only some of them bear."""
        self._ring = ring
        self._fewer_bits = fewer_bits
        self._purpose = purpose
        self._field = field
        self._generation = -1
        self._active: BlindIndex | None = None
        self._every: tuple[BlindIndex, ...] = ()
        self._settle()

    def of(self, value: str) -> int:
        """The index that new rows stand under."""
        (hashed,) = self.each((value,))
        return hashed

    def each(self, values: Iterable[str]) -> list[int]:
        """The indexes of many, in order, for one look at the keys."""
        self._settle()
        if self._active is None:
            raise KeyMaterialError("no such key", name=self._purpose)
        return self._active.each(values)

    def every(self, value: str) -> tuple[int, ...]:
        """Every index under which a row with this value may stand. Cost: 2 µs a key in use, and one stat."""
        self._settle()
        return tuple(index.of(value) for index in self._every)

    def _settle(self) -> None:
        self._ring.refresh()
        if self._generation == self._ring.generation:
            return
        self._generation = self._ring.generation
        made = {version: self._index(version, key) for version, key in self._ring.keys.get(self._purpose, {}).items()}
        known = {version: self._ring.known(self._purpose, version).state for version in made}
        active = [version for version, state in known.items() if state is KeyState.ACTIVE]
        self._active = made[max(active)] if active else None
        self._every = tuple(made[version] for version in sorted(made, reverse=True))

    def _index(self, version: int, key: bytes) -> BlindIndex:
        known = self._ring.known(self._purpose, version)
        return BlindIndex(
            key=key, field=self._field, bits=max(LEAST_BITS, known.bits - self._fewer_bits), digest=known.digest
        )


def bits_for(rows: int) -> int:
    """The longest index with 2^N < X / 2, and at least 2^N > sqrt(X) where X allows it. Source: SECURITY section 4."""
    return max(LEAST_BITS, min(MOST_BITS, (max(2, rows // 2) - 1).bit_length() - 1))
