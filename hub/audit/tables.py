"""The audit log's tables: the entries, and one row that says where the chain ends."""

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, String, Table

from hub.store.metadata import METADATA

audit_entry = Table(
    "audit_entry",
    METADATA,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("entry_id", String(40), nullable=False, unique=True),
    Column("body", LargeBinary, nullable=False),
    Column("chain", LargeBinary(32), nullable=False),
)

audit_head = Table(
    "audit_head",
    METADATA,
    Column("one", Integer, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, nullable=False),
    Column("time_us", BigInteger, nullable=False),
    Column("chain", LargeBinary(32), nullable=False),
)
