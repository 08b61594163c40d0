"""Whom an officer stood in for when asking, approving, deciding or reviewing; counts of operations for the console"""

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
    op.create_table(
        "audit_hour",
        sa.Column("hour", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("agency", sa.String(length=40), nullable=False),
        sa.Column("operations", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("hour", "agency", name=op.f("pk_audit_hour")),
    )
    op.create_table(
        "audit_officer_day",
        sa.Column("officer", sa.String(length=128), nullable=False),
        sa.Column("day", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("operations", sa.BigInteger(), nullable=False),
        sa.Column("persons", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("officer", "day", name=op.f("pk_audit_officer_day")),
    )
    op.execute(
        "INSERT INTO audit_hour (hour, agency, operations) SELECT time_us / 3600000000, agency, count(*)"
        " FROM audit_index WHERE kind = 1 GROUP BY time_us / 3600000000, agency"
    )
    op.execute(  # days of China
        "INSERT INTO audit_officer_day (officer, day, operations, persons)"
        " SELECT officer, (time_us + 28800000000) / 86400000000, count(*), sum(persons)"
        " FROM audit_index WHERE kind = 1 GROUP BY officer, (time_us + 28800000000) / 86400000000"
    )


def downgrade() -> None:
    op.drop_table("audit_officer_day")
    op.drop_table("audit_hour")
    with op.batch_alter_table("identity_review", schema=None) as batch_op:
        batch_op.drop_column("first_on_behalf_of")
    for table, name, _ in reversed(COLUMNS):
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.drop_column(name)
