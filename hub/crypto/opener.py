"""Opening sealed values. Only `gateway.release` and `bootstrap` may import this; others are handed an opener."""

from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from hub.crypto.envelope import Envelope, Place
from hub.crypto.keyring import KeyRing
from hub.errors import SealedValueError


class Opener:
    def __init__(self, ring: KeyRing) -> None:
        self._ring = ring
        self._ciphers: dict[tuple[str, int], AESGCM] = {}

    def open(self, place: Place, sealed: bytes) -> str:
        """The plaintext of a value sealed for exactly this `place`.

        Raises:
            SealedValueError: damaged, moved, of an unknown key version or suite.
        """
        envelope = Envelope.decode(sealed)
        cipher = self._cipher(place.agency, envelope.key_version)
        try:
            return cipher.decrypt(envelope.nonce, envelope.ciphertext, place.associated_data()).decode()
        except InvalidTag as exc:
            raise SealedValueError("does not open here") from exc

    def open_many(self, values: Sequence[tuple[Place, bytes]]) -> list[str]:
        return [self.open(place, sealed) for place, sealed in values]

    def _cipher(self, agency: str, version: int) -> AESGCM:
        kept = self._ciphers.get((agency, version))
        if kept is None:
            key = self._ring.keys.get(f"seal:{agency}", {}).get(version)
            if key is None:
                raise SealedValueError("unknown key version")
            kept = self._ciphers[agency, version] = AESGCM(key)
        return kept
