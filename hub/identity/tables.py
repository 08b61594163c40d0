"""Tables of the person index. The person's key comes first everywhere; dates and regions are clear, numbers sealed."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Float,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
)

from hub.store.metadata import METADATA

person = Table(
    "person",
    METADATA,
    Column("person_id", String(32), primary_key=True),
    Column("number_sealed", LargeBinary),
    Column("number_index", BigInteger, index=True),
    Column("ambiguous", Boolean, nullable=False),
    Column("sex", String(12)),
    Column("term_start", Date),
    Column("term_end", Date),
    Column("key_person", Boolean, nullable=False),
    Column("vaulted", Boolean, nullable=False),
    Column("deceased", Boolean, nullable=False),
    Column("imported_at", DateTime(timezone=True), nullable=False),
    Column("merged_into", String(32)),  # whoever is merged is found by nobody, as a vaulted person is
)

link = Table(
    "person_link",
    METADATA,
    Column("person_id", String(32), primary_key=True),
    Column("agency", String(40), primary_key=True),
    # keyed hash of agency and key: names a record in events and orders; "" where nothing is matched
    Column("record", String(32), primary_key=True, index=True),
    Column("key_index", BigInteger, nullable=False),  # cut: two keys of one person may have the same
    Column("key_sealed", LargeBinary, nullable=False),
    Column("method", String(40), nullable=False),
    Column("linked_at", DateTime(timezone=True), nullable=False),
    Column("weight", Float),
    Column("model", String(16)),
    Column("evidence", Text),  # field → level
    Column("author", String(64)),
    Index("ix_person_link_key", "agency", "key_index"),
)

person_salt = Table(  # without its row nothing of the person that is sealed here opens again
    "person_salt",
    METADATA,
    Column("person_id", String(32), primary_key=True),
    Column("salt", LargeBinary, nullable=False),
)

person_name = Table(
    "person_name",
    METADATA,
    Column("person_id", String(32), primary_key=True),
    Column("kind", String(12), primary_key=True),
    Column("name_sealed", LargeBinary, nullable=False),
)

name_token = Table(
    "person_name_token",
    METADATA,
    Column("person_id", String(32), primary_key=True),
    Column("token", BigInteger, primary_key=True, autoincrement=False),
    Index("ix_person_name_token_token", "token", "person_id"),
)

erasure = Table(
    "erasure",
    METADATA,
    Column("erasure_id", String(32), primary_key=True),
    Column("person_id", String(32), nullable=False, index=True),
    Column("first_by", String(64), nullable=False),
    Column("first_reason_sealed", LargeBinary, nullable=False),
    Column("first_at", DateTime(timezone=True), nullable=False),
    Column("second_by", String(64)),
    Column("second_reason_sealed", LargeBinary),
    Column("done_at", DateTime(timezone=True)),
)

erased_key = Table(  # keyed hashes of agencies' keys of erased persons: an import passes over them
    "erased_key",
    METADATA,
    Column("digest", String(32), primary_key=True),
)
CASE_KIND = "case"
"""Kind of the rows of `person_jurisdiction` that a case makes; every other kind is the register's."""

jurisdiction = Table(
    "person_jurisdiction",
    METADATA,
    Column("person_id", String(32), primary_key=True),
    Column("region", String(12), primary_key=True),
    Column("kind", String(12), primary_key=True),
    Column("valid_from", Date),
    Column("valid_to", Date),
    Column("sex", String(12)),  # of the person, and whether vaulted, again: lists are read from this table alone
    Column("vaulted", Boolean, nullable=False),
    Index("ix_person_jurisdiction_region", "region", "person_id", "sex", "vaulted", "valid_to"),
)

case_reference = Table(
    "case_reference",
    METADATA,
    Column("person_id", String(32), primary_key=True),
    Column("case_id", String(64), primary_key=True),
    Column("agency", String(40), nullable=False),
    Column("region", String(12)),
    Column("open", Boolean, nullable=False),
    Index("ix_case_reference_case_id", "case_id"),
)

consent = Table(
    "consent",
    METADATA,
    Column("person_id", String(32), primary_key=True),
    Column("agency", String(40), primary_key=True),
    Column("purpose", String(40), primary_key=True),
    Column("given_at", DateTime(timezone=True), nullable=False),
    Column("withdrawn_at", DateTime(timezone=True)),
    Column("scope", Text),  # JSON list of field groups; null: every group that the purpose needs
    Column("valid_from", Date),
    Column("valid_to", Date),  # the first day on which it no longer holds
    Column("evidence_sealed", LargeBinary),  # where the signed paper is kept
    Column("recorded_by", String(110)),  # agency/officer
    Column("withdrawn_by", String(110)),
)

emergency_access = Table(
    "emergency_access",
    METADATA,
    Column("person_key", String(32), primary_key=True),  # pseudonym: it does not tell who is a member
    Column("request_id", String(40), primary_key=True),
    Column("agency", String(40), nullable=False),
    Column("officer", String(64), nullable=False),
    Column("on_behalf_of", String(64), nullable=False, default="", server_default=""),  # empty: in their own name
    Column("client", String(64), nullable=False),
    Column("role", String(40), nullable=False),
    Column("purpose", String(40), nullable=False),
    Column("region", String(12), nullable=False),  # the officer's first region, and all of them as JSON
    Column("regions", Text, nullable=False),
    Column("coordinates", Text, nullable=False),  # JSON list
    Column("minutes", Integer, nullable=False),
    Column("reason_sealed", LargeBinary, nullable=False),
    Column("number_sealed", LargeBinary),
    Column("requested_us", BigInteger, nullable=False),  # all times: microseconds since the epoch
    Column("decided_us", BigInteger),
    Column("approved", Boolean),
    Column("approver_agency", String(40)),
    Column("approver", String(64)),
    Column("approver_on_behalf_of", String(64), nullable=False, default="", server_default=""),
    Column("decision_sealed", LargeBinary),
    Column("valid_until_us", BigInteger),
    Column("withdrawn_us", BigInteger),
    Column("review_due_us", BigInteger),
    Column("reviewed_us", BigInteger),
    Column("reviewer_agency", String(40)),
    Column("reviewer", String(64)),
    Column("finding", String(16)),
    Column("review_sealed", LargeBinary),
    Index("ix_emergency_access_officer", "agency", "officer", "valid_until_us"),
    Index("ix_emergency_access_request_id", "request_id", unique=True),
    Index("ix_emergency_access_review_due_us", "review_due_us"),
)

findings = Table(
    "import_finding",
    METADATA,
    Column("person_id", String(32), primary_key=True),
    Column("kind", String(40), primary_key=True),
    Column("count", Integer, nullable=False),
)

trait = Table(  # what linked records say of their person, sealed; matching opens candidates and compares
    "identity_trait",
    METADATA,
    Column("person_id", String(32), primary_key=True),
    Column("record", String(32), primary_key=True),
    Column("agency", String(40), nullable=False),
    Column("traits_sealed", LargeBinary, nullable=False),
    Index("ix_identity_trait_agency", "person_id", "agency"),
)

block = Table(
    "identity_block",
    METADATA,
    Column("person_id", String(32), primary_key=True),
    Column("token", BigInteger, primary_key=True, autoincrement=False),
    Index("ix_identity_block_token", "token", "person_id"),
)

link_event = Table(  # only added to
    "link_event",
    METADATA,
    Column("change_id", String(32), primary_key=True),
    Column("order", Integer, primary_key=True, autoincrement=False),
    Column("kind", String(12), nullable=False),
    Column("record", String(32), nullable=False, index=True),
    Column("agency", String(40), nullable=False),
    Column("person_before", String(32), index=True),
    Column("person_after", String(32), index=True),
    Column("before", Text),  # the link as it was, without its key
    Column("after", Text),
    Column("author", String(64), nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("undoes", String(32)),
    Column("reason_sealed", LargeBinary),
)

link_removed = Table(  # what is needed to put back a link that an event took away
    "link_removed",
    METADATA,
    Column("change_id", String(32), primary_key=True),
    Column("order", Integer, primary_key=True, autoincrement=False),
    Column("person_id", String(32), nullable=False, index=True),
    Column("key_sealed", LargeBinary, nullable=False),
    Column("traits_sealed", LargeBinary, nullable=False),
)

link_order = Table(
    "identity_order",
    METADATA,
    Column("order_id", String(32), primary_key=True),
    Column("kind", String(8), nullable=False),
    Column("record", String(32), nullable=False, index=True),
    Column("anchor", String(32), nullable=False, index=True),
    Column("author", String(64), nullable=False),
    Column("reason_sealed", LargeBinary, nullable=False),
    Column("made_at", DateTime(timezone=True), nullable=False),
    Column("expires_at", DateTime(timezone=True)),
    Column("withdrawn_at", DateTime(timezone=True)),
)

review = Table(
    "identity_review",
    METADATA,
    Column("review_id", String(32), primary_key=True),
    Column("kind", String(12), nullable=False),
    Column("record", String(32), nullable=False),
    Column("agency", String(40), nullable=False),
    Column("person_id", String(32), nullable=False, index=True),
    Column("other_person", String(32)),
    Column("weight", Float, nullable=False),
    Column("model", String(16), nullable=False),
    Column("evidence", Text, nullable=False),
    Column("reasons", Text, nullable=False),
    Column("high_impact", Boolean, nullable=False),
    Column("opened_at", DateTime(timezone=True), nullable=False),
    Column("due_at", DateTime(timezone=True), nullable=False, index=True),
    Column("key_sealed", LargeBinary),
    Column("traits_sealed", LargeBinary),
    Column("first_by", String(64)),
    Column("first_on_behalf_of", String(64)),
    Column("first_choice", String(8)),
    Column("first_reason_sealed", LargeBinary),
    Column("choice", String(8)),
    Column("decided_by", String(64)),
    Column("reason_sealed", LargeBinary),
    Column("decided_at", DateTime(timezone=True)),
    Index("ix_identity_review_record", "record", "person_id"),
)

false_item = Table(
    "identity_false_item",
    METADATA,
    Column("person_id", String(32), primary_key=True),
    Column("record", String(32), primary_key=True),
    Column("item", String(12), primary_key=True),
    Column("agency", String(40), nullable=False),
    Column("level", String(16), nullable=False),
    Column("found_at", DateTime(timezone=True), nullable=False),
)
