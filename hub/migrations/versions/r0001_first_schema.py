"""First schema: person index, audit log, quarantine"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "audit_entry",
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("entry_id", sa.String(length=40), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("chain", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_audit_entry")),
        sa.UniqueConstraint("entry_id", name=op.f("uq_audit_entry_entry_id")),
    )
    head = op.create_table(
        "audit_head",
        sa.Column("one", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("time_us", sa.BigInteger(), nullable=False),
        sa.Column("chain", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("one", name=op.f("pk_audit_head")),
    )
    # The head of an empty log. It stands from the start, so that writers always have a row to lock: two that had to
    # make the first one would race.
    op.bulk_insert(head, [{"one": 1, "seq": 0, "time_us": 0, "chain": bytes(32)}])
    op.create_table(
        "case_reference",
        sa.Column("person_id", sa.String(length=32), nullable=False),
        sa.Column("case_id", sa.String(length=64), nullable=False),
        sa.Column("agency", sa.String(length=40), nullable=False),
        sa.Column("region", sa.String(length=12), nullable=True),
        sa.Column("open", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("person_id", "case_id", name=op.f("pk_case_reference")),
    )
    with op.batch_alter_table("case_reference", schema=None) as batch_op:
        batch_op.create_index("ix_case_reference_case_id", ["case_id"], unique=False)

    op.create_table(
        "consent",
        sa.Column("person_id", sa.String(length=32), nullable=False),
        sa.Column("agency", sa.String(length=40), nullable=False),
        sa.Column("purpose", sa.String(length=40), nullable=False),
        sa.Column("given_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("person_id", "agency", "purpose", name=op.f("pk_consent")),
    )
    op.create_table(
        "import_finding",
        sa.Column("person_id", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("person_id", "kind", name=op.f("pk_import_finding")),
    )
    op.create_table(
        "person",
        sa.Column("person_id", sa.String(length=32), nullable=False),
        sa.Column("number_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("number_index", sa.BigInteger(), nullable=True),
        sa.Column("ambiguous", sa.Boolean(), nullable=False),
        sa.Column("sex", sa.String(length=12), nullable=True),
        sa.Column("term_start", sa.Date(), nullable=True),
        sa.Column("term_end", sa.Date(), nullable=True),
        sa.Column("key_person", sa.Boolean(), nullable=False),
        sa.Column("vaulted", sa.Boolean(), nullable=False),
        sa.Column("deceased", sa.Boolean(), nullable=False),
        sa.Column("imported_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("person_id", name=op.f("pk_person")),
    )
    with op.batch_alter_table("person", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_person_number_index"), ["number_index"], unique=False)

    op.create_table(
        "person_jurisdiction",
        sa.Column("person_id", sa.String(length=32), nullable=False),
        sa.Column("region", sa.String(length=12), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=True),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("sex", sa.String(length=12), nullable=True),
        sa.Column("vaulted", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("person_id", "region", "kind", name=op.f("pk_person_jurisdiction")),
    )
    with op.batch_alter_table("person_jurisdiction", schema=None) as batch_op:
        batch_op.create_index(
            "ix_person_jurisdiction_region", ["region", "person_id", "sex", "vaulted", "valid_to"], unique=False
        )

    op.create_table(
        "person_link",
        sa.Column("person_id", sa.String(length=32), nullable=False),
        sa.Column("agency", sa.String(length=40), nullable=False),
        sa.Column("key_index", sa.BigInteger(), nullable=False),
        sa.Column("key_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("method", sa.String(length=40), nullable=False),
        sa.Column("linked_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("person_id", "agency", "key_index", name=op.f("pk_person_link")),
    )
    op.create_table(
        "quarantine",
        sa.Column("report_id", sa.String(length=64), nullable=False),
        sa.Column("agency", sa.String(length=40), nullable=False),
        sa.Column("record", sa.String(length=64), nullable=False),
        sa.Column("coordinate", sa.String(length=120), nullable=False),
        sa.Column("reason", sa.String(length=120), nullable=False),
        sa.Column("value_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("first_seen", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("report_id", name=op.f("pk_quarantine")),
    )


def downgrade() -> None:
    op.drop_table("quarantine")
    op.drop_table("person_link")
    with op.batch_alter_table("person_jurisdiction", schema=None) as batch_op:
        batch_op.drop_index("ix_person_jurisdiction_region")

    op.drop_table("person_jurisdiction")
    with op.batch_alter_table("person", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_person_number_index"))

    op.drop_table("person")
    op.drop_table("import_finding")
    op.drop_table("consent")
    with op.batch_alter_table("case_reference", schema=None) as batch_op:
        batch_op.drop_index("ix_case_reference_case_id")

    op.drop_table("case_reference")
    op.drop_table("audit_head")
    op.drop_table("audit_entry")
