"""Commands: what was commanded, emergency access, consent in full"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_CONSENT = (
    ("scope", sa.Text()),
    ("valid_from", sa.Date()),
    ("valid_to", sa.Date()),
    ("evidence_sealed", sa.LargeBinary()),
    ("recorded_by", sa.String(length=110)),
    ("withdrawn_by", sa.String(length=110)),
)


def upgrade() -> None:
    op.create_table(
        "command",
        sa.Column("agency", sa.String(length=40), nullable=False),
        sa.Column("client", sa.String(length=64), nullable=False),
        sa.Column("officer", sa.String(length=64), nullable=False),
        sa.Column("mutation_id", sa.String(length=128), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("input_digest", sa.String(length=32), nullable=False),
        sa.Column("entry_id", sa.String(length=40), nullable=False),
        sa.Column("commanded_us", sa.BigInteger(), nullable=False),
        sa.Column("result", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("agency", "client", "officer", "mutation_id", name=op.f("pk_command")),
    )
    with op.batch_alter_table("command", schema=None) as batch_op:
        batch_op.create_index("ix_command_commanded_us", ["commanded_us"], unique=False)
    _emergency_access()
    with op.batch_alter_table("consent", schema=None) as batch_op:
        for name, kind in _CONSENT:
            batch_op.add_column(sa.Column(name, kind, nullable=True))


def _emergency_access() -> None:
    op.create_table(
        "emergency_access",
        sa.Column("person_key", sa.String(length=32), nullable=False),
        sa.Column("request_id", sa.String(length=40), nullable=False),
        sa.Column("agency", sa.String(length=40), nullable=False),
        sa.Column("officer", sa.String(length=64), nullable=False),
        sa.Column("client", sa.String(length=64), nullable=False),
        sa.Column("role", sa.String(length=40), nullable=False),
        sa.Column("purpose", sa.String(length=40), nullable=False),
        sa.Column("region", sa.String(length=12), nullable=False),
        sa.Column("regions", sa.Text(), nullable=False),
        sa.Column("coordinates", sa.Text(), nullable=False),
        sa.Column("minutes", sa.Integer(), nullable=False),
        sa.Column("reason_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("number_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("requested_us", sa.BigInteger(), nullable=False),
        sa.Column("decided_us", sa.BigInteger(), nullable=True),
        sa.Column("approved", sa.Boolean(), nullable=True),
        sa.Column("approver_agency", sa.String(length=40), nullable=True),
        sa.Column("approver", sa.String(length=64), nullable=True),
        sa.Column("decision_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("valid_until_us", sa.BigInteger(), nullable=True),
        sa.Column("withdrawn_us", sa.BigInteger(), nullable=True),
        sa.Column("review_due_us", sa.BigInteger(), nullable=True),
        sa.Column("reviewed_us", sa.BigInteger(), nullable=True),
        sa.Column("reviewer_agency", sa.String(length=40), nullable=True),
        sa.Column("reviewer", sa.String(length=64), nullable=True),
        sa.Column("finding", sa.String(length=16), nullable=True),
        sa.Column("review_sealed", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("person_key", "request_id", name=op.f("pk_emergency_access")),
    )
    with op.batch_alter_table("emergency_access", schema=None) as batch_op:
        batch_op.create_index("ix_emergency_access_officer", ["agency", "officer", "valid_until_us"], unique=False)
        batch_op.create_index("ix_emergency_access_request_id", ["request_id"], unique=True)
        batch_op.create_index("ix_emergency_access_review_due_us", ["review_due_us"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("consent", schema=None) as batch_op:
        for name, _ in reversed(_CONSENT):
            batch_op.drop_column(name)
    op.drop_table("emergency_access")
    op.drop_table("command")
