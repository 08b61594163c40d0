"""Copies of agencies' records, sealed and bitemporal"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.create_table(
        "replica_subject",
        sa.Column("subject_id", sa.String(length=32), nullable=False),
        sa.Column("agency", sa.String(length=40), nullable=False),
        sa.Column("key_index", sa.BigInteger(), nullable=False),
        sa.Column("key_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("seen_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("subject_id", "agency", name=op.f("pk_replica_subject")),
    )
    op.create_index("ix_replica_subject_key", "replica_subject", ["key_index", "agency"])
    op.create_index("ix_replica_subject_seen", "replica_subject", ["agency", "seen_us"])
    op.create_table(
        "replica_salt",
        sa.Column("subject_id", sa.String(length=32), nullable=False),
        sa.Column("salt", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("subject_id", name=op.f("pk_replica_salt")),
    )
    op.create_table(
        "replica_version",
        sa.Column("subject_id", sa.String(length=32), nullable=False),
        sa.Column("agency", sa.String(length=40), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("valid_from_us", sa.BigInteger(), nullable=False),
        sa.Column("valid_to_us", sa.BigInteger(), nullable=False),
        sa.Column("recorded_us", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.String(length=32), nullable=False),
        sa.Column("personal_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("sensitive_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("special_sealed", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("subject_id", "agency", "version", name=op.f("pk_replica_version")),
    )
    op.create_table(
        "replica_state",
        sa.Column("agency", sa.String(length=40), nullable=False),
        sa.Column("as_of_us", sa.BigInteger(), nullable=False),
        sa.Column("copied_us", sa.BigInteger(), nullable=False),
        sa.Column("whole_us", sa.BigInteger(), nullable=False),
        sa.Column("next_us", sa.BigInteger(), nullable=False),
        sa.Column("turn", sa.String(length=32), nullable=False),
        sa.Column("trouble", sa.String(length=40), nullable=False),
        sa.Column("drops", sa.Text(), nullable=False),
        sa.Column("place_sealed", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("agency", name=op.f("pk_replica_state")),
    )


def downgrade() -> None:
    for table in ("replica_state", "replica_version", "replica_salt"):
        op.drop_table(table)
    op.drop_index("ix_replica_subject_seen", "replica_subject")
    op.drop_index("ix_replica_subject_key", "replica_subject")
    op.drop_table("replica_subject")
