"""Sealing values for rest. Opening them is another module's right (`opener`)."""

import os
from collections.abc import Sequence

from hub.crypto.envelope import Place, header
from hub.crypto.keyring import KeyRing, sealing_purpose
from hub.crypto.suites import NONCE_BYTES, Cipher


class _Active:
    """The active key of one purpose, with the uses that this process has reserved and not yet used."""

    __slots__ = ("cipher", "generation", "header", "of", "purpose", "rest", "version")

    def __init__(self, ring: KeyRing, purpose: str, sensitivity: int) -> None:
        self.purpose = purpose
        self.version, key = ring.current(purpose)
        self.generation = ring.generation
        self.of = ring.suite.keyed(key)
        self.cipher = self.of(b"")
        self.header = header(ring.suite.byte, sensitivity, self.version)
        self.rest = 0


class Sealer:
    """Seals under the active key of the owner agency and class; one kept cipher object a key."""

    def __init__(self, ring: KeyRing) -> None:
        self._ring = ring
        self._keys: dict[tuple[str, int], _Active] = {}

    def seal(self, place: Place, plaintext: str, salt: bytes = b"") -> bytes:
        """Encode `plaintext` as UTF-8 and seal it for `place`; with `salt` under the key of that salt's person.

        Cost: about 3 µs, with salt 5, and one stat of the file of keys.

        Raises:
            KeyExhaustedError: the key has sealed as much as it may.
        """
        (sealed,) = self.seal_each(((place, plaintext, salt),))
        return sealed

    def seal_many(self, values: Sequence[tuple[Place, str]], salt: bytes = b"") -> list[bytes]:
        """Seal all with one cipher object a key; all are of one person if there is a `salt`."""
        self._ring.refresh()
        ciphers: dict[_Active, Cipher] = {}
        sealed = []
        for place, plaintext in values:
            key = self._key(place.agency, place.sensitivity)
            cipher = ciphers.get(key)
            if cipher is None:
                cipher = ciphers[key] = key.of(salt) if salt else key.cipher
            sealed.append(_sealed(key, cipher, place, plaintext, os.urandom(NONCE_BYTES)))
        return sealed

    def seal_each(self, values: Sequence[tuple[Place, str, bytes]]) -> list[bytes]:
        """`seal` of each (place, plaintext, salt), in order, for one look at the keys and one draw of nonces."""
        self._ring.refresh()
        nonces = os.urandom(NONCE_BYTES * len(values))
        sealed = []
        for start, (place, plaintext, salt) in zip(range(0, len(nonces), NONCE_BYTES), values, strict=True):
            key = self._key(place.agency, place.sensitivity)
            cipher = key.of(salt) if salt else key.cipher
            sealed.append(_sealed(key, cipher, place, plaintext, nonces[start : start + NONCE_BYTES]))
        return sealed

    def heading(self, agency: str, sensitivity: int) -> bytes:
        """The first bytes of what is sealed now: suite, class, version. What begins otherwise is to be sealed anew."""
        self._ring.refresh()
        version, _ = self._ring.current(sealing_purpose(agency, sensitivity))
        return header(self._ring.suite.byte, sensitivity, version)

    def _key(self, agency: str, sensitivity: int) -> _Active:
        key = self._keys.get((agency, sensitivity))
        if key is None or key.generation != self._ring.generation:
            key = _Active(self._ring, sealing_purpose(agency, sensitivity), sensitivity)
            self._keys[agency, sensitivity] = key
        if key.rest <= 0:
            self._ring.uses.reserve(key.purpose, key.version, self._ring.block)
            key.rest = self._ring.block
        key.rest -= 1
        return key


def _sealed(key: _Active, cipher: Cipher, place: Place, plaintext: str, nonce: bytes) -> bytes:
    return key.header + nonce + cipher.encrypt(nonce, plaintext.encode(), place.associated_data())
