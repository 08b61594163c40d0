"""Tables of what must be told to others, and to whom it has been told. Times are microseconds since the epoch."""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, LargeBinary, String, Table, Text

from hub.store.metadata import METADATA

outbox = Table(
    "outbox",
    METADATA,
    Column("person_key", String(32), primary_key=True),
    Column("sequence", Integer, primary_key=True, autoincrement=False),  # 1, 2, … for each person, without gaps
    Column("position", BigInteger, unique=True),  # 1, 2, … over all; None until the sequencer has seen it
    Column("kind", String(64), nullable=False),
    Column("recipient", String(40), nullable=False),  # agency
    Column("office", String(64)),  # of the recipient; None: the whole agency
    Column("body", Text, nullable=False),  # JSON: pointers and codes
    Column("body_sealed", LargeBinary),  # what of it is personal
    Column("entry_id", String(40), nullable=False),
    Column("happened_us", BigInteger, nullable=False),
    Index("ix_outbox_feed", "recipient", "position"),
)

event_head = Table(
    "event_head",
    METADATA,
    Column("one", Integer, primary_key=True, autoincrement=False),
    Column("position", BigInteger, nullable=False),
)
"""One row: the last position that was given out."""

webhook = Table(
    "webhook",
    METADATA,
    Column("webhook_id", String(32), primary_key=True),
    Column("agency", String(40), nullable=False),
    Column("url", Text, nullable=False),
    Column("kinds", Text, nullable=False),  # prefixes with spaces; empty: every kind
    Column(
        "regions", Text, nullable=False
    ),  # of who registered it, with spaces: offices elsewhere are not its business
    Column("secret_sealed", LargeBinary, nullable=False),
    Column("from_position", BigInteger, nullable=False),
    Column("failures", Integer, nullable=False),  # in a row
    Column("disabled_us", BigInteger),
    Column("created_us", BigInteger, nullable=False),
)

delivery = Table(
    "webhook_delivery",
    METADATA,
    Column("webhook_id", String(32), primary_key=True),
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("person_key", String(32), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_us", BigInteger),  # None: over
    Column("delivered_us", BigInteger),
    Column("dead", Boolean, nullable=False),
    Column("answer", String(40)),  # of the last attempt: a status or the name of a fault
    Index("ix_webhook_delivery_next", "webhook_id", "next_us"),
    Index("ix_webhook_delivery_person", "webhook_id", "person_key", "position"),
)
