"""Opening sealed values. Only `gateway.release` and `bootstrap` may import this; others are handed an opener."""

from collections.abc import Callable, Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from hub.crypto.envelope import HEADER_BYTES, NONCE_BYTES, SUITE_AES_256_GCM, TAG_BYTES, Envelope, Place
from hub.crypto.keyring import KeyRing
from hub.errors import SealedValueError

BODY = HEADER_BYTES + NONCE_BYTES
SHORTEST = BODY + TAG_BYTES


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

    def at(self, agency: str, table: str, column: str) -> Callable[[object, bytes], str]:
        """(name of the row, sealed value) → plaintext, for one column: what is constant is put together once."""
        prefix = Place(agency=agency, table=table, column=column, row="").associated_data_prefix()
        suffix = Place(agency=agency, table=table, column=column, row="").associated_data_suffix()
        ciphers: dict[bytes, AESGCM] = {}

        def opened(row: object, sealed: bytes) -> str:
            if len(sealed) < SHORTEST or sealed[0] != SUITE_AES_256_GCM:
                raise SealedValueError("not an envelope that this program knows")
            version = sealed[1:HEADER_BYTES]
            cipher = ciphers.get(version)
            if cipher is None:
                cipher = ciphers[version] = self._cipher(agency, int.from_bytes(version, "big"))
            name = str(row).encode()
            data = b"".join((prefix, len(name).to_bytes(4, "big"), name, suffix))
            try:
                return cipher.decrypt(sealed[HEADER_BYTES:BODY], sealed[BODY:], data).decode()
            except InvalidTag as exc:
                raise SealedValueError("does not open here") from exc

        return opened

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
