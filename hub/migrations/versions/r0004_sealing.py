"""Salts of persons, names with their tokens, erasures"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "person_salt",
        sa.Column("person_id", sa.String(length=32), nullable=False),
        sa.Column("salt", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("person_id", name=op.f("pk_person_salt")),
    )
    op.create_table(
        "person_name",
        sa.Column("person_id", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("name_sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("person_id", "kind", name=op.f("pk_person_name")),
    )
    op.create_table(
        "person_name_token",
        sa.Column("person_id", sa.String(length=32), nullable=False),
        sa.Column("token", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("person_id", "token", name=op.f("pk_person_name_token")),
    )
    op.create_index("ix_person_name_token_token", "person_name_token", ["token", "person_id"], unique=False)
    op.create_table(
        "erasure",
        sa.Column("erasure_id", sa.String(length=32), nullable=False),
        sa.Column("person_id", sa.String(length=32), nullable=False),
        sa.Column("first_by", sa.String(length=64), nullable=False),
        sa.Column("first_reason_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("first_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("second_by", sa.String(length=64), nullable=True),
        sa.Column("second_reason_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("erasure_id", name=op.f("pk_erasure")),
    )
    op.create_index("ix_erasure_person_id", "erasure", ["person_id"], unique=False)
    op.create_table(
        "erased_key",
        sa.Column("digest", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_erased_key")),
    )


def downgrade() -> None:
    op.drop_table("erased_key")
    op.drop_index("ix_erasure_person_id", table_name="erasure")
    op.drop_table("erasure")
    op.drop_index("ix_person_name_token_token", table_name="person_name_token")
    op.drop_table("person_name_token")
    op.drop_table("person_name")
    op.drop_table("person_salt")
