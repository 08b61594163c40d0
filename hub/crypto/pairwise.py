"""Opaque ids and pseudonyms: names for persons that tell nothing and differ for everyone who sees them."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from hub.crypto.suites import NONCE_BYTES, TAG_BYTES, Digest, Sm4Gcm, expand, hasher, keyed_hash

PLAIN_BYTES = 56
_SEPARATOR = b"\x00"


class Deterministic(Protocol):
    """Deterministic AEAD: equal plaintexts for one agency seal to equal texts. `decrypt` raises InvalidTag."""

    def encrypt(self, data: bytes, associated_data: list[bytes]) -> bytes: ...

    def decrypt(self, data: bytes, associated_data: list[bytes]) -> bytes: ...


class Sm4Deterministic:
    """SM4-GCM whose nonce is an HMAC-SM3, under a key of its own, over associated data and plaintext."""

    def __init__(self, key: bytes) -> None:
        self._cipher = Sm4Gcm(expand(Digest.SM3, key, b"hub pairwise id cipher", 16))
        self._nonces = expand(Digest.SM3, key, b"hub pairwise id nonce", 32)

    def encrypt(self, data: bytes, associated_data: list[bytes]) -> bytes:
        named = _joined(associated_data)
        nonce = keyed_hash(Digest.SM3, self._nonces, named + data)[:NONCE_BYTES]
        return nonce + self._cipher.encrypt(nonce, data, named)

    def decrypt(self, data: bytes, associated_data: list[bytes]) -> bytes:
        if len(data) < NONCE_BYTES + TAG_BYTES:
            raise InvalidTag
        return self._cipher.decrypt(data[:NONCE_BYTES], data[NONCE_BYTES:], _joined(associated_data))


class PairwiseIds:
    """Deterministic AEAD (AES-SIV, RFC 5297) of a padded payload, the agency as associated data.

    Deterministic, so that one agency sees one id for one person; bound to the agency, so that two agencies cannot join.
    """

    def __init__(self, key: bytes, digest: Digest = Digest.SHA_256) -> None:
        self._cipher: Deterministic = Sm4Deterministic(key) if digest is Digest.SM3 else AESSIV(_both_halves(key))

    def seal(self, agency: str, kind: str, payload: str) -> str:
        """URL-safe text, the same length for every payload of up to 46 bytes."""
        plain = kind.encode() + _SEPARATOR + payload.encode() + _SEPARATOR
        if len(plain) > PLAIN_BYTES:
            raise ValueError("payload is too long")
        sealed = self._cipher.encrypt(plain.ljust(PLAIN_BYTES, _SEPARATOR), [agency.encode()])
        return urlsafe_b64encode(sealed).decode()

    def open(self, agency: str, text: str) -> tuple[str, str] | None:
        """(kind, payload), or None for anything that was not sealed here for this agency."""
        try:
            raw = urlsafe_b64decode(text.encode("ascii"))
            if urlsafe_b64encode(raw).decode() != text:
                return None
            plain = self._cipher.decrypt(raw, [agency.encode()])
        except (Error, ValueError, InvalidTag):
            return None
        kind, payload, *_ = plain.split(_SEPARATOR)
        return kind.decode(), payload.decode()


SUBJECT_KIND = "p"
"""Kind of the ids that name the person concerned in that person's own token; payload: the identity number."""


def subject_of(ids: PairwiseIds, agency: str, text: str) -> str | None:
    """The identity number behind such an id; None for anything else."""
    opened = ids.open(agency, text)
    return opened[1] if opened is not None and opened[0] == SUBJECT_KIND else None


def _both_halves(key: bytes) -> bytes:
    """AES-SIV needs two independent keys, one for the IV and one for the cipher (RFC 5297, section 2.2)."""
    return HKDF(algorithm=SHA512(), length=64, salt=None, info=b"hub pairwise id").derive(key)


def _joined(parts: list[bytes]) -> bytes:
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


class Pseudonyms:
    """Stable keyed names (HMAC, 128 bits) for the audit log and for source records."""

    def __init__(self, key: bytes, digest: Digest = Digest.SHA_256) -> None:
        self._hash = hasher(digest, key)

    def of(self, kind: str, text: str) -> str:
        return self._hash(f"{kind}\x00{text}".encode())[:16].hex()
