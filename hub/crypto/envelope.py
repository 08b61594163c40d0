"""The sealed form of a value, version 1, byte by byte.

    offset  length  meaning
    0       1       suite: 0x01 = AES-256-GCM
    1       4       key version, unsigned, big-endian
    5       12      nonce, random
    17      n + 16  ciphertext and tag

Associated data is the value's place: each part as UTF-8, preceded by its length in four bytes, big-endian, in the order
owner agency, table, column, row, schema version. A value moved to any other place does not open.
"""

import struct
from dataclasses import dataclass

from hub.errors import SealedValueError

SUITE_AES_256_GCM = 1
HEADER_BYTES = 5
NONCE_BYTES = 12
TAG_BYTES = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a sealed value stands. `schema_version` changes when the meaning of the column does."""

    agency: str
    table: str
    column: str
    row: str
    schema_version: int = 1

    def associated_data(self) -> bytes:
        return self.associated_data_prefix() + _part(self.row) + self.associated_data_suffix()

    def associated_data_prefix(self) -> bytes:
        """What stands before the row: the same for all values of a column."""
        return _part(self.agency) + _part(self.table) + _part(self.column)

    def associated_data_suffix(self) -> bytes:
        return _part(str(self.schema_version))


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    suite: int
    key_version: int
    nonce: bytes
    ciphertext: bytes

    def encode(self) -> bytes:
        return struct.pack(">BI", self.suite, self.key_version) + self.nonce + self.ciphertext

    @classmethod
    def decode(cls, raw: bytes) -> "Envelope":
        """Take an envelope apart without opening it.

        Raises:
            SealedValueError: too short, or a suite this program does not know.
        """
        if len(raw) < HEADER_BYTES + NONCE_BYTES + TAG_BYTES:
            raise SealedValueError("envelope is too short")
        suite, key_version = struct.unpack_from(">BI", raw)
        if suite != SUITE_AES_256_GCM:
            raise SealedValueError("unknown suite")
        body = HEADER_BYTES + NONCE_BYTES
        return cls(suite=suite, key_version=key_version, nonce=raw[HEADER_BYTES:body], ciphertext=raw[body:])


def _part(text: str) -> bytes:
    raw = text.encode()
    return struct.pack(">I", len(raw)) + raw
