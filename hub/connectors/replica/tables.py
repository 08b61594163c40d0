"""Copies of agencies' records: who they are about, what was said of them when, and how far copying has come.

Nothing in clear but times: keys, record ids and values are sealed, each under the salt of the one it is about.
"""

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, String, Table, Text

from hub.store.metadata import METADATA

replica_subject = Table(
    "replica_subject",
    METADATA,
    Column("subject_id", String(32), primary_key=True),
    Column("agency", String(40), primary_key=True),
    Column("key_index", BigInteger, nullable=False),
    Column("key_sealed", LargeBinary, nullable=False),
    Column("seen_us", BigInteger, nullable=False),  # when a pass last met the record
    Index("ix_replica_subject_key", "key_index", "agency"),
    Index("ix_replica_subject_seen", "agency", "seen_us"),
)
"""One key at one agency. `subject_id` is random: the same person's keys at two agencies do not meet."""

replica_salt = Table(
    "replica_salt",
    METADATA,
    Column("subject_id", String(32), primary_key=True),
    Column("salt", LargeBinary, nullable=False),
)
"""Without its salt nothing of a subject opens: erasing a person begins here."""

replica_version = Table(
    "replica_version",
    METADATA,
    Column("subject_id", String(32), primary_key=True),
    Column("agency", String(40), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("valid_from_us", BigInteger, nullable=False),
    Column("valid_to_us", BigInteger, nullable=False),
    Column("recorded_us", BigInteger, nullable=False),
    Column("digest", String(32), nullable=False),
    Column("personal_sealed", LargeBinary),
    Column("sensitive_sealed", LargeBinary),
    Column("special_sealed", LargeBinary),
)
"""Statements (`timeline`). Only ever added to; a row's values stand in one envelope for each class of key."""

replica_state = Table(
    "replica_state",
    METADATA,
    Column("agency", String(40), primary_key=True),
    Column("as_of_us", BigInteger, nullable=False),  # state of the source that the copy shows; 0: there is none
    Column("copied_us", BigInteger, nullable=False),  # when a copy last ended well
    Column("whole_us", BigInteger, nullable=False),  # when a pass over everything last ended well
    Column("next_us", BigInteger, nullable=False),  # when to copy next; while copying, the lease
    Column("turn", String(32), nullable=False),  # whose turn it is or was: who has lost it writes no more
    Column("trouble", String(40), nullable=False),  # why the last copy did not end well
    Column("drops", Text, nullable=False),  # file drops that were looked at, as JSON
    Column("place_sealed", LargeBinary),  # how far the changes of the source have been followed
)
