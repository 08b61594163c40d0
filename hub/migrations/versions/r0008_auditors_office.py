"""The auditors' office: exports, policy texts, findings and their reviews, samples, sessions of the console"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    _exports()
    _reviews()
    _rest()


def _exports() -> None:
    op.create_table(
        "audit_export",
        sa.Column("job_id", sa.String(length=40), nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("touched_us", sa.BigInteger(), nullable=False),
        sa.Column("agency", sa.String(length=40), nullable=False),
        sa.Column("client", sa.String(length=128), nullable=False),
        sa.Column("officer", sa.String(length=128), nullable=False),
        sa.Column("role", sa.String(length=40), nullable=False),
        sa.Column("purpose", sa.String(length=40), nullable=False),
        sa.Column("format", sa.String(length=12), nullable=False),
        sa.Column("wanted", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("entries", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_audit_export")),
    )
    op.create_index("ix_audit_export_state", "audit_export", ["state"])


def _reviews() -> None:
    op.create_table(
        "audit_finding",
        sa.Column("finding_id", sa.String(length=40), nullable=False),
        sa.Column("rule", sa.String(length=40), nullable=False),
        sa.Column("found_us", sa.BigInteger(), nullable=False),
        sa.Column("officer", sa.String(length=128), nullable=False),
        sa.Column("entries", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("assignee", sa.String(length=128), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("finding_id", name=op.f("pk_audit_finding")),
    )
    op.create_table(
        "audit_finding_step",
        sa.Column("finding_id", sa.String(length=40), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("time_us", sa.BigInteger(), nullable=False),
        sa.Column("officer", sa.String(length=128), nullable=False),
        sa.Column("action", sa.String(length=12), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("finding_id", "number", name=op.f("pk_audit_finding_step")),
    )


def _rest() -> None:
    op.create_table(
        "audit_policy",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("since_us", sa.BigInteger(), nullable=False),
        sa.Column("files", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_audit_policy")),
    )
    op.create_table(
        "audit_sample",
        sa.Column("sample_id", sa.String(length=40), nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("officer", sa.String(length=128), nullable=False),
        sa.Column("seed", sa.String(length=64), nullable=False),
        sa.Column("upto", sa.BigInteger(), nullable=False),
        sa.Column("wanted", sa.Text(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("entries", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("sample_id", name=op.f("pk_audit_sample")),
    )
    op.create_table(
        "audit_session",
        sa.Column("session", sa.String(length=64), nullable=False),
        sa.Column("principal", sa.Text(), nullable=False),
        sa.Column("csrf", sa.String(length=64), nullable=False),
        sa.Column("expires_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("session", name=op.f("pk_audit_session")),
    )


def downgrade() -> None:
    op.drop_table("audit_session")
    op.drop_table("audit_sample")
    op.drop_table("audit_finding_step")
    op.drop_table("audit_finding")
    op.drop_table("audit_policy")
    op.drop_table("audit_export")
