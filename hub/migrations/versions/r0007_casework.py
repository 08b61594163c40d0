"""Cases: events, what is read off them, the outbox with its order, webhooks"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.create_table(
        "case_deadline",
        sa.Column("person_id", sa.String(length=32), nullable=False),
        sa.Column("case_id", sa.String(length=64), nullable=False),
        sa.Column("step", sa.String(length=40), nullable=False),
        sa.Column("anchor", sa.String(length=64), nullable=False),
        sa.Column("task_id", sa.String(length=24), nullable=False),
        sa.Column("rule_id", sa.String(length=80), nullable=False),
        sa.Column("office", sa.String(length=64), nullable=True),
        sa.Column("region", sa.String(length=12), nullable=False),
        sa.Column("due", sa.Date(), nullable=False),
        sa.Column("yellow", sa.Date(), nullable=False),
        sa.Column("red", sa.Date(), nullable=False),
        sa.Column("done", sa.Date(), nullable=True),
        sa.Column("missed", sa.Date(), nullable=True),
        sa.Column("assumed", sa.Boolean(), nullable=False),
        sa.Column("told", sa.Integer(), nullable=False),
        sa.Column("next_day", sa.Date(), nullable=True),
        sa.PrimaryKeyConstraint("person_id", "case_id", "step", "anchor", name=op.f("pk_case_deadline")),
    )
    with op.batch_alter_table("case_deadline", schema=None) as batch_op:
        batch_op.create_index("ix_case_deadline_next_day", ["next_day"], unique=False)
        batch_op.create_index("ix_case_deadline_office", ["office", "done", "missed", "due"], unique=False)
        batch_op.create_index("ix_case_deadline_region", ["region", "done", "missed", "due"], unique=False)

    op.create_table(
        "case_event",
        sa.Column("person_id", sa.String(length=32), nullable=False),
        sa.Column("case_id", sa.String(length=64), nullable=False),
        sa.Column("event_id", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("happened_us", sa.BigInteger(), nullable=False),
        sa.Column("recorded_us", sa.BigInteger(), nullable=False),
        sa.Column("received_us", sa.BigInteger(), nullable=False),
        sa.Column("office", sa.String(length=64), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.Column("words_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("entry_id", sa.String(length=40), nullable=False),
        sa.PrimaryKeyConstraint("person_id", "case_id", "event_id", name=op.f("pk_case_event")),
    )
    op.create_table(
        "case_office",
        sa.Column("person_id", sa.String(length=32), nullable=False),
        sa.Column("case_id", sa.String(length=64), nullable=False),
        sa.Column("place", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("office", sa.String(length=64), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("since_us", sa.BigInteger(), nullable=False),
        sa.Column("until_us", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("person_id", "case_id", "place", name=op.f("pk_case_office")),
    )
    with op.batch_alter_table("case_office", schema=None) as batch_op:
        batch_op.create_index("ix_case_office_office", ["office", "until_us"], unique=False)

    op.create_table(
        "case_record",
        sa.Column("person_id", sa.String(length=32), nullable=False),
        sa.Column("case_id", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=24), nullable=True),
        sa.Column("ended", sa.Boolean(), nullable=False),
        sa.Column("accountable", sa.String(length=64), nullable=True),
        sa.Column("region", sa.String(length=12), nullable=False),
        sa.Column("pending", sa.String(length=64), nullable=True),
        sa.Column("bounces", sa.Integer(), nullable=False),
        sa.Column("route", sa.String(length=16), nullable=False),
        sa.Column("key_person", sa.Boolean(), nullable=False),
        sa.Column("planned_release", sa.Date(), nullable=True),
        sa.Column("released", sa.Date(), nullable=True),
        sa.Column("term_start", sa.Date(), nullable=True),
        sa.Column("term_end", sa.Date(), nullable=True),
        sa.Column("flags", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("opened_us", sa.BigInteger(), nullable=False),
        sa.Column("changed_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("person_id", "case_id", name=op.f("pk_case_record")),
    )
    with op.batch_alter_table("case_record", schema=None) as batch_op:
        batch_op.create_index("ix_case_record_case_id", ["case_id"], unique=False)
        batch_op.create_index("ix_case_record_region", ["region", "ended", "state"], unique=False)

    op.create_table(
        "event_head",
        sa.Column("one", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("one", name=op.f("pk_event_head")),
    )
    op.create_table(
        "outbox",
        sa.Column("person_key", sa.String(length=32), nullable=False),
        sa.Column("sequence", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=True),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("recipient", sa.String(length=40), nullable=False),
        sa.Column("office", sa.String(length=64), nullable=True),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("body_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("entry_id", sa.String(length=40), nullable=False),
        sa.Column("happened_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("person_key", "sequence", name=op.f("pk_outbox")),
        sa.UniqueConstraint("position", name=op.f("uq_outbox_position")),
    )
    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.create_index("ix_outbox_feed", ["recipient", "position"], unique=False)

    op.create_table(
        "watch_state",
        sa.Column("person_id", sa.String(length=32), nullable=False),
        sa.Column("case_id", sa.String(length=64), nullable=False),
        sa.Column("agency", sa.String(length=40), nullable=False),
        sa.Column("watch", sa.String(length=40), nullable=False),
        sa.Column("digest", sa.String(length=32), nullable=False),
        sa.Column("turns", sa.Integer(), nullable=False),
        sa.Column("seen_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("person_id", "case_id", "agency", "watch", name=op.f("pk_watch_state")),
    )
    op.create_table(
        "watch_turn",
        sa.Column("agency", sa.String(length=40), nullable=False),
        sa.Column("next_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("agency", name=op.f("pk_watch_turn")),
    )
    op.create_table(
        "webhook",
        sa.Column("webhook_id", sa.String(length=32), nullable=False),
        sa.Column("agency", sa.String(length=40), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("kinds", sa.Text(), nullable=False),
        sa.Column("regions", sa.Text(), nullable=False),
        sa.Column("secret_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("from_position", sa.BigInteger(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("disabled_us", sa.BigInteger(), nullable=True),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("webhook_id", name=op.f("pk_webhook")),
    )
    op.create_table(
        "webhook_delivery",
        sa.Column("webhook_id", sa.String(length=32), nullable=False),
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("person_key", sa.String(length=32), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_us", sa.BigInteger(), nullable=True),
        sa.Column("delivered_us", sa.BigInteger(), nullable=True),
        sa.Column("dead", sa.Boolean(), nullable=False),
        sa.Column("answer", sa.String(length=40), nullable=True),
        sa.PrimaryKeyConstraint("webhook_id", "position", name=op.f("pk_webhook_delivery")),
    )
    with op.batch_alter_table("webhook_delivery", schema=None) as batch_op:
        batch_op.create_index("ix_webhook_delivery_next", ["webhook_id", "next_us"], unique=False)
        batch_op.create_index("ix_webhook_delivery_person", ["webhook_id", "person_key", "position"], unique=False)
    op.create_table(
        "base_stay",
        sa.Column("person_id", sa.String(length=32), nullable=False),
        sa.Column("case_id", sa.String(length=64), nullable=False),
        sa.Column("event_id", sa.String(length=64), nullable=False),
        sa.Column("base_id", sa.String(length=40), nullable=False),
        sa.Column("since_us", sa.BigInteger(), nullable=False),
        sa.Column("until_us", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("person_id", "case_id", "event_id", name=op.f("pk_base_stay")),
    )
    with op.batch_alter_table("base_stay", schema=None) as batch_op:
        batch_op.create_index("ix_base_stay_base_id", ["base_id", "until_us"], unique=False)

    op.create_table(
        "base_wait",
        sa.Column("person_id", sa.String(length=32), nullable=False),
        sa.Column("case_id", sa.String(length=64), nullable=False),
        sa.Column("base_id", sa.String(length=40), nullable=False),
        sa.Column("asked_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("person_id", "case_id", "base_id", name=op.f("pk_base_wait")),
    )
    with op.batch_alter_table("base_wait", schema=None) as batch_op:
        batch_op.create_index("ix_base_wait_base_id", ["base_id", "asked_us"], unique=False)

    op.create_table(
        "correction",
        sa.Column("person_id", sa.String(length=32), nullable=False),
        sa.Column("correction_id", sa.String(length=40), nullable=False),
        sa.Column("case_id", sa.String(length=64), nullable=False),
        sa.Column("agency", sa.String(length=40), nullable=False),
        sa.Column("coordinate", sa.String(length=120), nullable=False),
        sa.Column("office", sa.String(length=64), nullable=False),
        sa.Column("region", sa.String(length=12), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reason_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("asked_us", sa.BigInteger(), nullable=False),
        sa.Column("due", sa.Date(), nullable=False),
        sa.Column("answer_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("answered_us", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("person_id", "correction_id", name=op.f("pk_correction")),
    )
    with op.batch_alter_table("correction", schema=None) as batch_op:
        batch_op.create_index("ix_correction_agency", ["agency", "region", "due"], unique=False)
        batch_op.create_index("ix_correction_correction_id", ["correction_id"], unique=True)

    op.create_table(
        "placement_base",
        sa.Column("base_id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("region", sa.String(length=12), nullable=False),
        sa.Column("capacity", sa.Integer(), nullable=False),
        sa.Column("certified_until", sa.Date(), nullable=True),
        sa.Column("office", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("base_id", name=op.f("pk_placement_base")),
    )
    with op.batch_alter_table("placement_base", schema=None) as batch_op:
        batch_op.create_index("ix_placement_base_region", ["region"], unique=False)

    op.create_table(
        "supervision_order",
        sa.Column("person_id", sa.String(length=32), nullable=False),
        sa.Column("order_id", sa.String(length=40), nullable=False),
        sa.Column("case_id", sa.String(length=64), nullable=False),
        sa.Column("step", sa.String(length=40), nullable=False),
        sa.Column("office", sa.String(length=64), nullable=False),
        sa.Column("issuer", sa.String(length=64), nullable=False),
        sa.Column("region", sa.String(length=12), nullable=False),
        sa.Column("text_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("issued_us", sa.BigInteger(), nullable=False),
        sa.Column("due", sa.Date(), nullable=False),
        sa.Column("reply_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("replied_us", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("person_id", "order_id", name=op.f("pk_supervision_order")),
    )
    with op.batch_alter_table("supervision_order", schema=None) as batch_op:
        batch_op.create_index("ix_supervision_order_region", ["region", "due"], unique=False)
    op.bulk_insert(sa.table("event_head", sa.column("one"), sa.column("position")), [{"one": 1, "position": 0}])


def downgrade() -> None:
    with op.batch_alter_table("supervision_order", schema=None) as batch_op:
        batch_op.drop_index("ix_supervision_order_region")

    op.drop_table("supervision_order")
    with op.batch_alter_table("placement_base", schema=None) as batch_op:
        batch_op.drop_index("ix_placement_base_region")

    op.drop_table("placement_base")
    with op.batch_alter_table("correction", schema=None) as batch_op:
        batch_op.drop_index("ix_correction_correction_id")
        batch_op.drop_index("ix_correction_agency")

    op.drop_table("correction")
    with op.batch_alter_table("base_wait", schema=None) as batch_op:
        batch_op.drop_index("ix_base_wait_base_id")

    op.drop_table("base_wait")
    with op.batch_alter_table("base_stay", schema=None) as batch_op:
        batch_op.drop_index("ix_base_stay_base_id")

    op.drop_table("base_stay")
    with op.batch_alter_table("webhook_delivery", schema=None) as batch_op:
        batch_op.drop_index("ix_webhook_delivery_person")
        batch_op.drop_index("ix_webhook_delivery_next")

    op.drop_table("webhook_delivery")
    op.drop_table("webhook")
    op.drop_table("watch_turn")
    op.drop_table("watch_state")
    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.drop_index("ix_outbox_feed")

    op.drop_table("outbox")
    op.drop_table("event_head")
    with op.batch_alter_table("case_record", schema=None) as batch_op:
        batch_op.drop_index("ix_case_record_region")
        batch_op.drop_index("ix_case_record_case_id")

    op.drop_table("case_record")
    with op.batch_alter_table("case_office", schema=None) as batch_op:
        batch_op.drop_index("ix_case_office_office")

    op.drop_table("case_office")
    op.drop_table("case_event")
    with op.batch_alter_table("case_deadline", schema=None) as batch_op:
        batch_op.drop_index("ix_case_deadline_region")
        batch_op.drop_index("ix_case_deadline_office")
        batch_op.drop_index("ix_case_deadline_next_day")

    op.drop_table("case_deadline")
