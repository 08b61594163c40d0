"""Tables of supervision orders, requests for correction, and bases of transitional placement.

Words are sealed; codes, dates and offices are clear. Times are microseconds since the epoch.
"""

from sqlalchemy import BigInteger, Column, Date, Index, Integer, LargeBinary, String, Table

from hub.store.metadata import METADATA

supervision_order = Table(
    "supervision_order",
    METADATA,
    Column("person_id", String(32), primary_key=True),
    Column("order_id", String(40), primary_key=True),
    Column("case_id", String(64), nullable=False),
    Column("step", String(40), nullable=False),
    Column("office", String(64), nullable=False),  # who shall answer
    Column("issuer", String(64), nullable=False),
    Column("region", String(12), nullable=False),
    Column("text_sealed", LargeBinary, nullable=False),
    Column("issued_us", BigInteger, nullable=False),
    Column("due", Date, nullable=False),
    Column("reply_sealed", LargeBinary),
    Column("replied_us", BigInteger),
    Index("ix_supervision_order_region", "region", "due"),
)

correction = Table(
    "correction",
    METADATA,
    Column("person_id", String(32), primary_key=True),
    Column("correction_id", String(40), primary_key=True),
    Column("case_id", String(64), nullable=False),
    Column("agency", String(40), nullable=False),  # that owns the field
    Column("coordinate", String(120), nullable=False),
    Column("office", String(64), nullable=False),  # that asks
    Column("region", String(12), nullable=False),
    Column("state", String(16), nullable=False),  # OPEN, CORRECTED, REJECTED
    Column("reason_sealed", LargeBinary, nullable=False),
    Column("asked_us", BigInteger, nullable=False),
    Column("due", Date, nullable=False),
    Column("answer_sealed", LargeBinary),
    Column("answered_us", BigInteger),
    Index("ix_correction_agency", "agency", "region", "due"),
    Index("ix_correction_correction_id", "correction_id", unique=True),
)

base = Table(
    "placement_base",
    METADATA,
    Column("base_id", String(40), primary_key=True),
    Column("name", String(120), nullable=False),
    Column("region", String(12), nullable=False),
    Column("capacity", Integer, nullable=False),
    Column("certified_until", Date),  # the first day on which it is certified no longer; None: it is not
    Column("office", String(64), nullable=False),
    Index("ix_placement_base_region", "region"),
)

base_stay = Table(
    "base_stay",
    METADATA,
    Column("person_id", String(32), primary_key=True),
    Column("case_id", String(64), primary_key=True),
    Column("event_id", String(64), primary_key=True),
    Column("base_id", String(40), nullable=False),
    Column("since_us", BigInteger, nullable=False),
    Column("until_us", BigInteger),
    Index("ix_base_stay_base_id", "base_id", "until_us"),
)

base_wait = Table(
    "base_wait",
    METADATA,
    Column("person_id", String(32), primary_key=True),
    Column("case_id", String(64), primary_key=True),
    Column("base_id", String(40), primary_key=True),
    Column("asked_us", BigInteger, nullable=False),
    Index("ix_base_wait_base_id", "base_id", "asked_us"),
)
