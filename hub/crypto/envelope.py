"""The sealed form of a value, byte by byte (docs/envelope.md, with test vectors).

    offset  length  meaning
    0       1       suite: 0x11 AES-256-GCM, 0x12 AES-256-GCM-SIV, 0x13 SM4-GCM
    1       1       class of the data key: 2 personal, 3 sensitive, 4 special
    2       3       version of the data key, unsigned, big-endian
    5       12      nonce, random
    17      n + 16  ciphertext and tag

Associated data is the value's place: each part as UTF-8, preceded by its length in four bytes, big-endian, in the order
owner agency, table, column, row, schema version. A value moved to any other place does not open; one whose suite, class
or version is altered meets another key.
"""

import struct
from dataclasses import dataclass
from functools import lru_cache

from hub.crypto.suites import NONCE_BYTES, SUITES, TAG_BYTES
from hub.errors import SealedValueError

HEADER_BYTES = 5
BODY = HEADER_BYTES + NONCE_BYTES
SHORTEST = BODY + TAG_BYTES
PERSONAL, SENSITIVE, SPECIAL = 2, 3, 4
CLASSES = (PERSONAL, SENSITIVE, SPECIAL)
MAX_VERSION = 2**24 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a sealed value stands. `schema_version` changes when the meaning of the column does.

    `sensitivity` is the class whose data key seals here; it is no part of the associated data.
    """

    agency: str
    table: str
    column: str
    row: str
    schema_version: int = 1
    sensitivity: int = SENSITIVE

    def associated_data(self) -> bytes:
        return self.associated_data_prefix() + _part(self.row) + self.associated_data_suffix()

    def associated_data_prefix(self) -> bytes:
        """What stands before the row: the same for all values of a column."""
        return _prefix(self.agency, self.table, self.column)

    def associated_data_suffix(self) -> bytes:
        return _suffix(self.schema_version)


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    suite: int
    sensitivity: int
    key_version: int
    nonce: bytes
    ciphertext: bytes

    def encode(self) -> bytes:
        return header(self.suite, self.sensitivity, self.key_version) + self.nonce + self.ciphertext

    @classmethod
    def decode(cls, raw: bytes) -> "Envelope":
        """Take an envelope apart without opening it.

        Raises:
            SealedValueError: too short, or a suite or class this program does not know.
        """
        if len(raw) < SHORTEST:
            raise SealedValueError("envelope is too short")
        suite, sensitivity = raw[0], raw[1]
        if suite not in SUITES:
            raise SealedValueError("unknown suite")
        if sensitivity not in CLASSES:
            raise SealedValueError("unknown class")
        return cls(
            suite=suite,
            sensitivity=sensitivity,
            key_version=int.from_bytes(raw[2:HEADER_BYTES], "big"),
            nonce=raw[HEADER_BYTES:BODY],
            ciphertext=raw[BODY:],
        )


def header(suite: int, sensitivity: int, key_version: int) -> bytes:
    return bytes((suite, sensitivity)) + key_version.to_bytes(3, "big")


@lru_cache(maxsize=1024)
def _prefix(agency: str, table: str, column: str) -> bytes:
    return _part(agency) + _part(table) + _part(column)


@lru_cache(maxsize=64)
def _suffix(schema_version: int) -> bytes:
    return _part(str(schema_version))


def _part(text: str) -> bytes:
    raw = text.encode()
    return struct.pack(">I", len(raw)) + raw
