"""The hash chain over the audit log: pure, so that a verifier needs nothing but the bytes.

chain(0) = 32 zero bytes; chain(n) = SHA-256(chain(n - 1) || n as 8 bytes big-endian || SHA-256(body n)).
"""

from hashlib import sha256

GENESIS = bytes(32)


def link(previous: bytes, seq: int, body: bytes) -> bytes:
    """The chain value after entry number `seq` (from 1)."""
    return sha256(previous + seq.to_bytes(8, "big") + sha256(body).digest()).digest()
