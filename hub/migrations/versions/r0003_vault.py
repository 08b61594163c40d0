"""The vault: records sealed by law, statutory queries, notices to owners"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "vault_record",
        sa.Column("record_id", sa.String(length=32), nullable=False),
        sa.Column("agency", sa.String(length=40), nullable=False),
        sa.Column("number_index", sa.BigInteger(), nullable=True),
        sa.Column("key_index", sa.BigInteger(), nullable=False),
        sa.Column("content_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("imported_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("record_id", name=op.f("pk_vault_record")),
    )
    with op.batch_alter_table("vault_record", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_vault_record_number_index"), ["number_index"], unique=False)
        batch_op.create_index("ix_vault_record_agency_key_index", ["agency", "key_index"], unique=False)
    op.create_table(
        "vault_query",
        sa.Column("query_id", sa.String(length=32), nullable=False),
        sa.Column("agency", sa.String(length=40), nullable=False),
        sa.Column("officer", sa.String(length=64), nullable=False),
        sa.Column("case_id", sa.String(length=64), nullable=False),
        sa.Column("basis", sa.String(length=40), nullable=False),
        sa.Column("number_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("approver", sa.String(length=64), nullable=True),
        sa.Column("approved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("query_id", name=op.f("pk_vault_query")),
    )
    op.create_table(
        "vault_notice",
        sa.Column("notice_id", sa.String(length=32), nullable=False),
        sa.Column("agency", sa.String(length=40), nullable=False),
        sa.Column("record_id", sa.String(length=32), nullable=False),
        sa.Column("query_id", sa.String(length=32), nullable=False),
        sa.Column("noted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("notice_id", name=op.f("pk_vault_notice")),
    )
    with op.batch_alter_table("vault_notice", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_vault_notice_agency"), ["agency"], unique=False)


def downgrade() -> None:
    op.drop_table("vault_notice")
    op.drop_table("vault_query")
    op.drop_table("vault_record")
