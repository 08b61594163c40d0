"""Sealing values for rest. Opening them is another module's right (`opener`)."""

import os
from collections.abc import Sequence

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from hub.crypto.envelope import NONCE_BYTES, SUITE_AES_256_GCM, Envelope, Place
from hub.crypto.keyring import KeyRing


class Sealer:
    """Seals under the owner agency's newest key; one kept cipher object a key."""

    def __init__(self, ring: KeyRing) -> None:
        self._ring = ring
        self._ciphers: dict[str, tuple[int, AESGCM]] = {}

    def seal(self, place: Place, plaintext: str) -> bytes:
        """Encode `plaintext` as UTF-8 and seal it for `place`. Cost: about 1 µs."""
        version, cipher = self._cipher(place.agency)
        nonce = os.urandom(NONCE_BYTES)
        ciphertext = cipher.encrypt(nonce, plaintext.encode(), place.associated_data())
        return Envelope(suite=SUITE_AES_256_GCM, key_version=version, nonce=nonce, ciphertext=ciphertext).encode()

    def seal_many(self, values: Sequence[tuple[Place, str]]) -> list[bytes]:
        return [self.seal(place, plaintext) for place, plaintext in values]

    def _cipher(self, agency: str) -> tuple[int, AESGCM]:
        kept = self._ciphers.get(agency)
        if kept is None:
            version, key = self._ring.current(f"seal:{agency}")
            kept = self._ciphers[agency] = (version, AESGCM(key))
        return kept
