"""Quotas that several servers share; who asks and who approves a statutory query"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.create_table(
        "quota_person",
        sa.Column("officer", sa.String(length=64), nullable=False),
        sa.Column("person", sa.String(length=32), nullable=False),
        sa.Column("read_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("officer", "person", name=op.f("pk_quota_person")),
    )
    op.create_table(
        "quota_slice",
        sa.Column("officer", sa.String(length=64), nullable=False),
        sa.Column("holder", sa.String(length=32), nullable=False),
        sa.Column("room", sa.Integer(), nullable=False),
        sa.Column("taken_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("officer", "holder", name=op.f("pk_quota_slice")),
    )
    op.add_column("vault_query", sa.Column("role", sa.String(length=40), nullable=False, server_default=""))
    op.add_column("vault_query", sa.Column("purpose", sa.String(length=40), nullable=False, server_default=""))
    for name in ("approver_agency", "asked_entry", "approved_entry"):
        op.add_column("vault_query", sa.Column(name, sa.String(length=40)))


def downgrade() -> None:
    with op.batch_alter_table("vault_query", schema=None) as batch_op:
        for name in ("approved_entry", "asked_entry", "approver_agency", "purpose", "role"):
            batch_op.drop_column(name)
    op.drop_table("quota_slice")
    op.drop_table("quota_person")
