"""The audit log's tables.

`audit_entry` and `audit_head` are the log: the head says where it ends. Everything else can be made again from them,
but `audit_checkpoint` (signatures) and `audit_segment` (holds).
"""

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, SmallInteger, String, Table, Text

from hub.store.metadata import METADATA

audit_entry = Table(
    "audit_entry",
    METADATA,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("entry_id", String(40), nullable=False, unique=True),
    Column("time_us", BigInteger, nullable=False),
    Column("kind", SmallInteger, nullable=False),
    Column("leaf", LargeBinary(32), nullable=False),
    Column("body", LargeBinary, nullable=True),  # null: removed with its segment, the hash stays
)

audit_head = Table(
    "audit_head",
    METADATA,
    Column("one", Integer, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, nullable=False),
    Column("time_us", BigInteger, nullable=False),
    Column("frontier", LargeBinary, nullable=False),
)

audit_tile = Table(
    "audit_tile",
    METADATA,
    Column("level", SmallInteger, primary_key=True, autoincrement=False),
    Column("index", BigInteger, primary_key=True, autoincrement=False),
    Column("hashes", LargeBinary, nullable=False),  # level 0: full tiles only; above: what is complete below
)

audit_checkpoint = Table(
    "audit_checkpoint",
    METADATA,
    Column("size", BigInteger, primary_key=True, autoincrement=False),
    Column("time_us", BigInteger, nullable=False),
    Column("note", Text, nullable=False),
    Column("witnesses", Integer, nullable=False),
)

audit_segment = Table(
    "audit_segment",
    METADATA,
    Column("first", BigInteger, primary_key=True, autoincrement=False),
    Column("last", BigInteger, nullable=False),
    Column("hold", String(200), nullable=True),
    Column("removed_us", BigInteger, nullable=True),
)

audit_follower = Table(
    "audit_follower",
    METADATA,
    Column("name", String(12), primary_key=True),
    Column("seq", BigInteger, nullable=False),
)

audit_index = Table(
    "audit_index",
    METADATA,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("time_us", BigInteger, nullable=False),
    Column("kind", SmallInteger, nullable=False),
    Column("agency", String(40), nullable=False),
    Column("officer", String(128), nullable=False),
    Column("role", String(40), nullable=False),
    Column("purpose", String(40), nullable=False),
    Column("outcome", String(8), nullable=False),
    Column("code", String(40), nullable=False),
    Column("persons", Integer, nullable=False),
    Index("ix_audit_index_time_us", "time_us"),
    Index("ix_audit_index_kind", "kind", "seq"),
    Index("ix_audit_index_agency", "agency", "seq"),
    Index("ix_audit_index_officer", "officer", "seq"),
    Index("ix_audit_index_purpose", "purpose", "seq"),
    Index("ix_audit_index_outcome", "outcome", "seq"),
)

audit_index_person = Table(
    "audit_index_person",
    METADATA,
    Column("person", String(64), primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("pattern_id", BigInteger, nullable=False),
    Index("ix_audit_index_person_seq", "seq"),
)

audit_index_case = Table(
    "audit_index_case",
    METADATA,
    Column("case_id", String(100), primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Index("ix_audit_index_case_seq", "seq"),
)

audit_index_pattern = Table(
    "audit_index_pattern",
    METADATA,
    Column("pattern_id", BigInteger, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Index("ix_audit_index_pattern_seq", "seq"),
)

audit_pattern = Table(
    "audit_pattern",
    METADATA,
    Column("coordinate", String(120), primary_key=True),
    Column("decision", String(10), primary_key=True),
    Column("pattern_id", BigInteger, primary_key=True, autoincrement=False),
)

audit_hour = Table(
    "audit_hour",
    METADATA,
    Column("hour", BigInteger, primary_key=True, autoincrement=False),
    Column("agency", String(40), primary_key=True),
    Column("operations", BigInteger, nullable=False),
)

audit_officer_day = Table(
    "audit_officer_day",
    METADATA,
    Column("officer", String(128), primary_key=True),
    Column("day", BigInteger, primary_key=True, autoincrement=False),
    Column("operations", BigInteger, nullable=False),
    Column("persons", BigInteger, nullable=False),
)
