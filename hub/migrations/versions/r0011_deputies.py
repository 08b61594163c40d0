"""Whom an officer stood in for when asking, approving, deciding or reviewing"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

COLUMNS = (
    ("emergency_access", "on_behalf_of", 64),
    ("emergency_access", "approver_on_behalf_of", 64),
    ("vault_query", "on_behalf_of", 64),
    ("audit_export", "on_behalf_of", 128),
    ("audit_finding_step", "on_behalf_of", 128),
)


def upgrade() -> None:
    for table, name, length in COLUMNS:
        op.add_column(table, sa.Column(name, sa.String(length=length), nullable=False, server_default=""))
    op.add_column("identity_review", sa.Column("first_on_behalf_of", sa.String(length=64)))


def downgrade() -> None:
    with op.batch_alter_table("identity_review", schema=None) as batch_op:
        batch_op.drop_column("first_on_behalf_of")
    for table, name, _ in reversed(COLUMNS):
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.drop_column(name)
