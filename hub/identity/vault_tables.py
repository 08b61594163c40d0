"""Tables of the vault: records sealed by law, statutory queries for them, and what their owners are told.

Nothing here can be joined with the person index: ids are drawn apart, blind indexes have keys of their own, and which
persons have a record stands in sealed columns only.
"""

from sqlalchemy import BigInteger, Column, DateTime, Index, LargeBinary, String, Table

from hub.store.metadata import METADATA

vault_record = Table(
    "vault_record",
    METADATA,
    Column("record_id", String(32), primary_key=True),
    Column("agency", String(40), nullable=False),  # owner
    Column("number_index", BigInteger, index=True),
    Column("key_index", BigInteger, nullable=False),
    Column("content_sealed", LargeBinary, nullable=False),
    Column("imported_at", DateTime(timezone=True), nullable=False),
    Index("ix_vault_record_agency_key_index", "agency", "key_index"),
)

vault_query = Table(
    "vault_query",
    METADATA,
    Column("query_id", String(32), primary_key=True),
    Column("agency", String(40), nullable=False),
    Column("officer", String(64), nullable=False),
    Column("on_behalf_of", String(64), nullable=False, server_default=""),  # empty: in their own name
    Column("role", String(40), nullable=False, server_default=""),
    Column("purpose", String(40), nullable=False, server_default=""),
    Column("case_id", String(64), nullable=False),  # empty where the person concerned asks
    Column("basis", String(40), nullable=False),
    Column("number_sealed", LargeBinary, nullable=False),
    Column("asked_at", DateTime(timezone=True), nullable=False),
    Column("approver_agency", String(40)),
    Column("approver", String(64)),
    Column("approved_at", DateTime(timezone=True)),
    Column("answered_at", DateTime(timezone=True)),
    Column("asked_entry", String(40)),
    Column("approved_entry", String(40)),
)

vault_notice = Table(
    "vault_notice",
    METADATA,
    Column("notice_id", String(32), primary_key=True),
    Column("agency", String(40), nullable=False, index=True),  # owner, who is told
    Column("record_id", String(32), nullable=False),
    Column("query_id", String(32), nullable=False),
    Column("noted_at", DateTime(timezone=True), nullable=False),
    Column("seen_at", DateTime(timezone=True)),
)
