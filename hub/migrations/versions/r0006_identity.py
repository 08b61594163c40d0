"""Matching: traits and blocks, events of links, orders, reviews, false items"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column("person", sa.Column("merged_into", sa.String(length=32), nullable=True))
    op.add_column("person_link", sa.Column("record", sa.String(length=32), nullable=True))
    op.add_column("person_link", sa.Column("weight", sa.Float(), nullable=True))
    op.add_column("person_link", sa.Column("model", sa.String(length=16), nullable=True))
    op.add_column("person_link", sa.Column("evidence", sa.Text(), nullable=True))
    op.add_column("person_link", sa.Column("author", sa.String(length=64), nullable=True))
    op.create_index("ix_person_link_record", "person_link", ["record"], unique=False)
    op.create_table(
        "identity_trait",
        sa.Column("person_id", sa.String(length=32), nullable=False),
        sa.Column("record", sa.String(length=32), nullable=False),
        sa.Column("agency", sa.String(length=40), nullable=False),
        sa.Column("traits_sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("person_id", "record", name=op.f("pk_identity_trait")),
    )
    op.create_table(
        "identity_block",
        sa.Column("person_id", sa.String(length=32), nullable=False),
        sa.Column("token", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("person_id", "token", name=op.f("pk_identity_block")),
    )
    op.create_index("ix_identity_block_token", "identity_block", ["token", "person_id"], unique=False)
    op.create_table(
        "link_event",
        sa.Column("change_id", sa.String(length=32), nullable=False),
        sa.Column("order", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("record", sa.String(length=32), nullable=False),
        sa.Column("agency", sa.String(length=40), nullable=False),
        sa.Column("person_before", sa.String(length=32), nullable=True),
        sa.Column("person_after", sa.String(length=32), nullable=True),
        sa.Column("before", sa.Text(), nullable=True),
        sa.Column("after", sa.Text(), nullable=True),
        sa.Column("author", sa.String(length=64), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("undoes", sa.String(length=32), nullable=True),
        sa.Column("reason_sealed", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("change_id", "order", name=op.f("pk_link_event")),
    )
    op.create_index(op.f("ix_link_event_person_after"), "link_event", ["person_after"], unique=False)
    op.create_index(op.f("ix_link_event_person_before"), "link_event", ["person_before"], unique=False)
    op.create_index(op.f("ix_link_event_record"), "link_event", ["record"], unique=False)
    op.create_table(
        "link_removed",
        sa.Column("change_id", sa.String(length=32), nullable=False),
        sa.Column("order", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("person_id", sa.String(length=32), nullable=False),
        sa.Column("key_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("traits_sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("change_id", "order", name=op.f("pk_link_removed")),
    )
    op.create_index("ix_link_removed_person_id", "link_removed", ["person_id"], unique=False)
    op.create_table(
        "identity_order",
        sa.Column("order_id", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("record", sa.String(length=32), nullable=False),
        sa.Column("anchor", sa.String(length=32), nullable=False),
        sa.Column("author", sa.String(length=64), nullable=False),
        sa.Column("reason_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("order_id", name=op.f("pk_identity_order")),
    )
    op.create_index(op.f("ix_identity_order_anchor"), "identity_order", ["anchor"], unique=False)
    op.create_index(op.f("ix_identity_order_record"), "identity_order", ["record"], unique=False)
    op.create_table(
        "identity_review",
        sa.Column("review_id", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("record", sa.String(length=32), nullable=False),
        sa.Column("agency", sa.String(length=40), nullable=False),
        sa.Column("person_id", sa.String(length=32), nullable=False),
        sa.Column("other_person", sa.String(length=32), nullable=True),
        sa.Column("weight", sa.Float(), nullable=False),
        sa.Column("model", sa.String(length=16), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.Column("reasons", sa.Text(), nullable=False),
        sa.Column("high_impact", sa.Boolean(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("key_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("traits_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("first_by", sa.String(length=64), nullable=True),
        sa.Column("first_choice", sa.String(length=8), nullable=True),
        sa.Column("first_reason_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("choice", sa.String(length=8), nullable=True),
        sa.Column("decided_by", sa.String(length=64), nullable=True),
        sa.Column("reason_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("review_id", name=op.f("pk_identity_review")),
    )
    op.create_index(op.f("ix_identity_review_due_at"), "identity_review", ["due_at"], unique=False)
    op.create_index(op.f("ix_identity_review_person_id"), "identity_review", ["person_id"], unique=False)
    op.create_index("ix_identity_review_record", "identity_review", ["record", "person_id"], unique=False)
    op.create_table(
        "identity_false_item",
        sa.Column("person_id", sa.String(length=32), nullable=False),
        sa.Column("record", sa.String(length=32), nullable=False),
        sa.Column("item", sa.String(length=12), nullable=False),
        sa.Column("agency", sa.String(length=40), nullable=False),
        sa.Column("level", sa.String(length=16), nullable=False),
        sa.Column("found_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("person_id", "record", "item", name=op.f("pk_identity_false_item")),
    )


def downgrade() -> None:
    op.drop_table("identity_false_item")
    op.drop_table("identity_review")
    op.drop_table("identity_order")
    op.drop_table("link_removed")
    op.drop_table("link_event")
    op.drop_table("identity_block")
    op.drop_table("identity_trait")
    op.drop_index("ix_person_link_record", table_name="person_link")
    with op.batch_alter_table("person_link") as table:
        for name in ("author", "evidence", "model", "weight", "record"):
            table.drop_column(name)
    with op.batch_alter_table("person") as table:
        table.drop_column("merged_into")
