"""Opening sealed values. Only `gateway.release` and `bootstrap` may import this; others are handed an opener."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from cryptography.exceptions import InvalidTag

from hub.crypto.envelope import BODY, CLASSES, HEADER_BYTES, SHORTEST, Envelope, Place
from hub.crypto.keyring import KeyRing, sealing_purpose
from hub.crypto.suites import SUITES, Cipher
from hub.errors import SealedValueError


class _Key(NamedTuple):
    """A data key as one suite uses it: its own cipher, and that of a person by salt."""

    cipher: Cipher
    of: Callable[[bytes], Cipher]


class Opener:
    """Remembers ciphers of data keys until keys change, and of no person: who was lately seen must not show in time."""

    def __init__(self, ring: KeyRing) -> None:
        self._ring = ring
        self._kept: dict[tuple[str, bytes], _Key] = {}
        self._generation = ring.generation

    def open(self, place: Place, sealed: bytes, salt: bytes = b"") -> str:
        """The plaintext of a value sealed for exactly this `place` and, with `salt`, for that salt's person.

        Raises:
            SealedValueError: damaged, moved, of an unknown key version or suite, or the person was erased.
        """
        if len(sealed) < SHORTEST:
            raise SealedValueError("envelope is too short")
        key = self._key(place.agency, sealed[:HEADER_BYTES])
        cipher = key.of(salt) if salt else key.cipher
        return _opened(cipher, sealed[HEADER_BYTES:BODY], sealed[BODY:], place.associated_data())

    def at(self, agency: str, table: str, column: str) -> Callable[[object, bytes], str]:
        """(name of the row, sealed value) → plaintext, for one column: what is constant is put together once."""
        place = Place(agency=agency, table=table, column=column, row="")
        prefix, suffix = place.associated_data_prefix(), place.associated_data_suffix()
        keyed = self._keyed(agency)

        def opened(row: object, sealed: bytes) -> str:
            if len(sealed) < SHORTEST:
                raise SealedValueError("envelope is too short")
            name = str(row).encode()
            data = b"".join((prefix, len(name).to_bytes(4, "big"), name, suffix))
            try:
                key = keyed(sealed[:HEADER_BYTES])
                return key.cipher.decrypt(sealed[HEADER_BYTES:BODY], sealed[BODY:], data).decode()
            except InvalidTag as exc:
                raise SealedValueError("does not open here") from exc

        return opened

    def of_persons(self, agency: str, table: str, column: str) -> Callable[[object, bytes, bytes], str]:
        """(name of the row, sealed value, person's salt) → plaintext, for one column.

        The person's key is derived each time. Cost: about 3 µs.
        """
        place = Place(agency=agency, table=table, column=column, row="")
        prefix, suffix = place.associated_data_prefix(), place.associated_data_suffix()
        keyed = self._keyed(agency)

        def opened(row: object, sealed: bytes, salt: bytes) -> str:
            if len(sealed) < SHORTEST or not salt:
                raise SealedValueError("envelope is too short, or the person was erased")
            name = str(row).encode()
            data = b"".join((prefix, len(name).to_bytes(4, "big"), name, suffix))
            try:
                cipher = keyed(sealed[:HEADER_BYTES]).of(salt)
                return cipher.decrypt(sealed[HEADER_BYTES:BODY], sealed[BODY:], data).decode()
            except InvalidTag as exc:
                raise SealedValueError("does not open here") from exc

        return opened

    def open_many(self, values: Sequence[tuple[Place, bytes]], salt: bytes = b"") -> list[str]:
        """Open all; all are of one person if there is a `salt`. One cipher object a key."""
        ciphers: dict[tuple[str, bytes], Cipher] = {}
        plain = []
        for place, sealed in values:
            envelope = Envelope.decode(sealed)
            named = place.agency, sealed[:HEADER_BYTES]
            cipher = ciphers.get(named)
            if cipher is None:
                key = self._key(*named)
                cipher = ciphers[named] = key.of(salt) if salt else key.cipher
            plain.append(_opened(cipher, envelope.nonce, envelope.ciphertext, place.associated_data()))
        return plain

    def _keyed(self, agency: str) -> Callable[[bytes], _Key]:
        """Head of an envelope → the data key that it names, of one agency."""
        ring, kept, generation = self._ring, dict[bytes, _Key](), self._ring.generation

        def keyed(head: bytes) -> _Key:
            nonlocal generation
            if generation != ring.generation:
                generation = ring.generation
                kept.clear()
            key = kept.get(head)
            if key is None:
                key = kept[head] = self._key(agency, head)
            return key

        return keyed

    def _key(self, agency: str, head: bytes) -> _Key:
        if self._generation != self._ring.generation:  # keys may have been retired or destroyed meanwhile
            self._generation = self._ring.generation
            self._kept.clear()
        key = self._kept.get((agency, head))
        if key is None:
            key = self._kept[agency, head] = self._found(agency, head)
        return key

    def _found(self, agency: str, head: bytes) -> _Key:
        suite = SUITES.get(head[0])
        if suite is None or head[1] not in CLASSES:
            raise SealedValueError("not an envelope that this program knows")
        version = int.from_bytes(head[2:], "big")
        purpose = sealing_purpose(agency, head[1])
        key = self._ring.keys.get(purpose, {}).get(version)
        if key is None and self._ring.refresh():
            key = self._ring.keys.get(purpose, {}).get(version)
        if key is None:
            raise SealedValueError("unknown key version, or a key that is retired or destroyed")
        of = suite.keyed(key)
        return _Key(cipher=of(b""), of=of)


def _opened(cipher: Cipher, nonce: bytes, ciphertext: bytes, data: bytes) -> str:
    try:
        return cipher.decrypt(nonce, ciphertext, data).decode()
    except InvalidTag as exc:
        raise SealedValueError("does not open here") from exc
