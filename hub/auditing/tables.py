"""Tables of the auditors' office: exports, findings, samples, policy texts, sessions of the console."""

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table, Text

from hub.store.metadata import METADATA

audit_export = Table(
    "audit_export",
    METADATA,
    Column("job_id", String(40), primary_key=True),
    Column("created_us", BigInteger, nullable=False),
    Column("touched_us", BigInteger, nullable=False),  # of a running job: last sign of life
    Column("agency", String(40), nullable=False),
    Column("client", String(128), nullable=False),
    Column("officer", String(128), nullable=False),
    Column("on_behalf_of", String(128), nullable=False, server_default=""),  # empty: in their own name
    Column("role", String(40), nullable=False),
    Column("purpose", String(40), nullable=False),
    Column("format", String(12), nullable=False),
    Column("wanted", Text, nullable=False),  # the filter, JSON
    Column("note", Text, nullable=False),  # the checkpoint up to which entries are exported
    Column("state", String(8), nullable=False),
    Column("done", Integer, nullable=False),
    Column("entries", Integer, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("code", String(40), nullable=False),
    Index("ix_audit_export_state", "state"),
)

audit_policy = Table(
    "audit_policy",
    METADATA,
    Column("digest", String(64), primary_key=True),
    Column("since_us", BigInteger, nullable=False),
    Column("files", Text, nullable=False),  # JSON: name → text
)

audit_finding = Table(
    "audit_finding",
    METADATA,
    Column("finding_id", String(40), primary_key=True),
    Column("rule", String(40), nullable=False),
    Column("found_us", BigInteger, nullable=False),
    Column("officer", String(128), nullable=False),
    Column("entries", Text, nullable=False),  # JSON: ids of entries, oldest first
    Column("why", Text, nullable=False),  # JSON: figures that the rule's text names
    Column("state", String(10), nullable=False),
    Column("assignee", String(128), nullable=False),
    Column("version", Integer, nullable=False),
)

audit_finding_step = Table(
    "audit_finding_step",
    METADATA,
    Column("finding_id", String(40), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("time_us", BigInteger, nullable=False),
    Column("officer", String(128), nullable=False),
    Column("on_behalf_of", String(128), nullable=False, server_default=""),
    Column("action", String(12), nullable=False),
    Column("text", Text, nullable=False),
)

audit_sample = Table(
    "audit_sample",
    METADATA,
    Column("sample_id", String(40), primary_key=True),
    Column("created_us", BigInteger, nullable=False),
    Column("officer", String(128), nullable=False),
    Column("seed", String(64), nullable=False),
    Column("upto", BigInteger, nullable=False),
    Column("wanted", Text, nullable=False),
    Column("size", Integer, nullable=False),
    Column("entries", Text, nullable=False),  # JSON: numbers of entries
)

audit_session = Table(
    "audit_session",
    METADATA,
    Column("session", String(64), primary_key=True),  # SHA-256 of what the cookie holds
    Column("principal", Text, nullable=False),
    Column("csrf", String(64), nullable=False),
    Column("expires_us", BigInteger, nullable=False),
)
