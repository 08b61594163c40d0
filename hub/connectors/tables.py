"""Where values that did not fit their mapping are kept, sealed, for the data officer of the source."""

from sqlalchemy import Column, DateTime, LargeBinary, String, Table

from hub.store.metadata import METADATA

quarantine = Table(
    "quarantine",
    METADATA,
    Column("report_id", String(64), primary_key=True),
    Column("agency", String(40), nullable=False),
    Column("record", String(64), nullable=False),
    Column("coordinate", String(120), nullable=False),
    Column("reason", String(120), nullable=False),
    Column("value_sealed", LargeBinary, nullable=False),
    Column("first_seen", DateTime(timezone=True), nullable=False),
)
