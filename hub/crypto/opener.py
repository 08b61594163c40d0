"""Opening sealed values. Only `gateway.release` and `bootstrap` may import this; others are handed an opener."""

from collections import OrderedDict
from collections.abc import Callable, Sequence

from cryptography.exceptions import InvalidTag

from hub.crypto.envelope import BODY, CLASSES, HEADER_BYTES, SHORTEST, Envelope, Place
from hub.crypto.keyring import KeyRing, sealing_purpose
from hub.crypto.suites import SUITES, Cipher
from hub.errors import SealedValueError

REMEMBERED = 1_024  # derived keys of persons lately seen


class Opener:
    def __init__(self, ring: KeyRing) -> None:
        self._ring = ring
        self._ciphers: dict[tuple[str, bytes], Cipher] = {}
        self._persons: OrderedDict[tuple[str, bytes, bytes], Cipher] = OrderedDict()
        self._generation = ring.generation

    def open(self, place: Place, sealed: bytes, salt: bytes = b"") -> str:
        """The plaintext of a value sealed for exactly this `place` and, with `salt`, for that salt's person.

        Raises:
            SealedValueError: damaged, moved, of an unknown key version or suite, or the person was erased.
        """
        envelope = Envelope.decode(sealed)
        head = sealed[:HEADER_BYTES]
        cipher = self._cipher_for(place.agency, head, salt) if salt else self._cipher(place.agency, head)
        return _opened(cipher, envelope.nonce, envelope.ciphertext, place.associated_data())

    def at(self, agency: str, table: str, column: str) -> Callable[[object, bytes], str]:
        """(name of the row, sealed value) → plaintext, for one column: what is constant is put together once."""
        place = Place(agency=agency, table=table, column=column, row="")
        prefix, suffix = place.associated_data_prefix(), place.associated_data_suffix()
        ciphers: dict[bytes, Cipher] = {}
        generation = self._ring.generation

        def opened(row: object, sealed: bytes) -> str:
            nonlocal generation
            if len(sealed) < SHORTEST:
                raise SealedValueError("envelope is too short")
            if generation != self._ring.generation:
                generation = self._ring.generation
                ciphers.clear()
            head = sealed[:HEADER_BYTES]
            cipher = ciphers.get(head)
            if cipher is None:
                cipher = ciphers[head] = self._cipher(agency, head)
            name = str(row).encode()
            data = b"".join((prefix, len(name).to_bytes(4, "big"), name, suffix))
            try:
                return cipher.decrypt(sealed[HEADER_BYTES:BODY], sealed[BODY:], data).decode()
            except InvalidTag as exc:
                raise SealedValueError("does not open here") from exc

        return opened

    def of_persons(
        self, agency: str, table: str, column: str, *, remember: bool = False
    ) -> Callable[[object, bytes, bytes], str]:
        """(name of the row, sealed value, person's salt) → plaintext, for one column.

        Without `remember` the person's key is derived each time, so that it does not show in the time who was lately
        seen. Cost: about 5 µs; of a remembered person 1.
        """
        place = Place(agency=agency, table=table, column=column, row="")
        prefix, suffix = place.associated_data_prefix(), place.associated_data_suffix()
        keyed = self._remembered if remember else self._cipher_for

        def opened(row: object, sealed: bytes, salt: bytes) -> str:
            if len(sealed) < SHORTEST or not salt:
                raise SealedValueError("envelope is too short, or the person was erased")
            name = str(row).encode()
            data = b"".join((prefix, len(name).to_bytes(4, "big"), name, suffix))
            cipher = keyed(agency, sealed[:HEADER_BYTES], salt)
            return _opened(cipher, sealed[HEADER_BYTES:BODY], sealed[BODY:], data)

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
                cipher = ciphers[named] = self._cipher_for(*named, salt) if salt else self._cipher(*named)
            plain.append(_opened(cipher, envelope.nonce, envelope.ciphertext, place.associated_data()))
        return plain

    def _cipher(self, agency: str, head: bytes) -> Cipher:
        self._settle()
        kept = self._ciphers.get((agency, head))
        if kept is None:
            kept = self._ciphers[agency, head] = self._cipher_for(agency, head, b"")
        return kept

    def _remembered(self, agency: str, head: bytes, salt: bytes) -> Cipher:
        self._settle()
        named = agency, head, salt
        kept = self._persons.get(named)
        if kept is None:
            kept = self._persons[named] = self._cipher_for(agency, head, salt)
            if len(self._persons) > REMEMBERED:
                self._persons.popitem(last=False)
        return kept

    def _cipher_for(self, agency: str, head: bytes, salt: bytes) -> Cipher:
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
        return suite.of(key, salt)

    def _settle(self) -> None:
        """Forget ciphers of keys that may have been retired or destroyed meanwhile."""
        if self._generation != self._ring.generation:
            self._generation = self._ring.generation
            self._ciphers.clear()
            self._persons.clear()


def _opened(cipher: Cipher, nonce: bytes, ciphertext: bytes, data: bytes) -> str:
    try:
        return cipher.decrypt(nonce, ciphertext, data).decode()
    except InvalidTag as exc:
        raise SealedValueError("does not open here") from exc
