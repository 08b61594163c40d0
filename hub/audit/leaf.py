"""The bytes of one entry that the tree covers: a fixed header and an opaque body. Pure; a verifier needs nothing else.

Header, 48 bytes, big-endian: version (1 byte, now 1), kind (1 byte, `hub.audit.kinds`), zero (2), length of the body
(4), sequence from 1 (8), time in microseconds since 1970 UTC (8), id of the entry in ASCII (24, padded with NUL).
"""

from hashlib import sha256
from struct import Struct
from typing import NamedTuple

VERSION = 1
HEADER = Struct(">BBHIQQ24s")
HEADER_BYTES = HEADER.size


class Header(NamedTuple):
    version: int
    kind: int
    zero: int
    length: int
    seq: int
    time_us: int
    entry_id: bytes


def pack_header(*, kind: int, length: int, seq: int, time_us: int, entry_id: str) -> bytes:
    """Raises struct.error where a number does not fit."""
    return HEADER.pack(VERSION, kind, 0, length, seq, time_us, entry_id.encode("ascii", "replace"))


def unpack_header(data: bytes) -> Header:
    """Raises struct.error unless `data` has exactly `HEADER_BYTES` bytes."""
    return Header(*HEADER.unpack(data))


def leaf_hash(header: bytes, body: bytes) -> bytes:
    """Source: RFC 9162, section 2.1.1 (`HASH(0x00 || d)`, d = header and body)."""
    return sha256(b"\x00" + header + body).digest()
