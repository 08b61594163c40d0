"""The log as a Merkle tree: leaf hashes and frontier in place of the chain, tiles, checkpoints, segments, index"""

import json

import sqlalchemy as sa
from alembic import op

from hub.audit.kinds import NUMBERS, Kind
from hub.audit.leaf import leaf_hash, pack_header
from hub.audit.merkle import add_leaf, join_frontier
from hub.errors import StoreError

revision = "0005"
down_revision = "0004"

PAGE = 1000
ENTRY = sa.table(
    "audit_entry",
    *(sa.column(name) for name in ("seq", "entry_id", "body", "time_us", "kind", "leaf")),
)
HEAD = sa.table("audit_head", sa.column("seq"), sa.column("frontier"))


def upgrade() -> None:
    with op.batch_alter_table("audit_entry") as batch:
        batch.drop_column("chain")
        batch.add_column(sa.Column("time_us", sa.BigInteger(), nullable=True))
        batch.add_column(sa.Column("kind", sa.SmallInteger(), nullable=True))
        batch.add_column(sa.Column("leaf", sa.LargeBinary(length=32), nullable=True))
        batch.alter_column("body", existing_type=sa.LargeBinary(), nullable=True)
    with op.batch_alter_table("audit_head") as batch:
        batch.drop_column("chain")
        batch.add_column(sa.Column("frontier", sa.LargeBinary(), nullable=True))
    frontier = _hash_entries(op.get_bind())
    op.execute(sa.update(HEAD).values(frontier=frontier))
    with op.batch_alter_table("audit_entry") as batch:
        batch.alter_column("time_us", existing_type=sa.BigInteger(), nullable=False)
        batch.alter_column("kind", existing_type=sa.SmallInteger(), nullable=False)
        batch.alter_column("leaf", existing_type=sa.LargeBinary(length=32), nullable=False)
    with op.batch_alter_table("audit_head") as batch:
        batch.alter_column("frontier", existing_type=sa.LargeBinary(), nullable=False)
    _create_around_the_log()
    _create_index()


def _hash_entries(connection: sa.Connection) -> bytes:
    """Give every entry that is there its leaf hash; the frontier of the tree of them."""
    frontier: list[bytes] = []
    size = 0
    while rows := connection.execute(
        sa.select(ENTRY.c.seq, ENTRY.c.entry_id, ENTRY.c.body)
        .where(ENTRY.c.seq > size)
        .order_by(ENTRY.c.seq)
        .limit(PAGE)
    ).all():
        for seq, entry_id, body in rows:
            said = json.loads(body)
            kind = NUMBERS[Kind(said["kind"])]
            header = pack_header(kind=kind, length=len(body), seq=seq, time_us=said["time"], entry_id=entry_id)
            leaf = leaf_hash(header, body)
            add_leaf(frontier, size, leaf)
            size += 1
            connection.execute(
                sa.update(ENTRY).where(ENTRY.c.seq == seq).values(time_us=said["time"], kind=kind, leaf=leaf)
            )
    return join_frontier(frontier)


def _create_around_the_log() -> None:
    op.create_table(
        "audit_tile",
        sa.Column("level", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("index", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("hashes", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("level", "index", name=op.f("pk_audit_tile")),
    )
    op.create_table(
        "audit_checkpoint",
        sa.Column("size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("time_us", sa.BigInteger(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("witnesses", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("size", name=op.f("pk_audit_checkpoint")),
    )
    op.create_table(
        "audit_segment",
        sa.Column("first", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.Column("hold", sa.String(length=200), nullable=True),
        sa.Column("removed_us", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("first", name=op.f("pk_audit_segment")),
    )
    follower = op.create_table(
        "audit_follower",
        sa.Column("name", sa.String(length=12), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_audit_follower")),
    )
    op.bulk_insert(follower, [{"name": "index", "seq": 0}, {"name": "tiles", "seq": 0}])


def _create_index() -> None:
    op.create_table(
        "audit_index",
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("time_us", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.SmallInteger(), nullable=False),
        sa.Column("agency", sa.String(length=40), nullable=False),
        sa.Column("officer", sa.String(length=128), nullable=False),
        sa.Column("role", sa.String(length=40), nullable=False),
        sa.Column("purpose", sa.String(length=40), nullable=False),
        sa.Column("outcome", sa.String(length=8), nullable=False),
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("persons", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_audit_index")),
    )
    op.create_index("ix_audit_index_time_us", "audit_index", ["time_us"])
    for column in ("kind", "agency", "officer", "purpose", "outcome"):
        op.create_index(f"ix_audit_index_{column}", "audit_index", [column, "seq"])
    op.create_table(
        "audit_index_person",
        sa.Column("person", sa.String(length=64), nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("pattern_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("person", "seq", name=op.f("pk_audit_index_person")),
    )
    op.create_table(
        "audit_index_case",
        sa.Column("case_id", sa.String(length=100), nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("case_id", "seq", name=op.f("pk_audit_index_case")),
    )
    op.create_table(
        "audit_index_pattern",
        sa.Column("pattern_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("pattern_id", "seq", name=op.f("pk_audit_index_pattern")),
    )
    for name in ("person", "case", "pattern"):
        op.create_index(f"ix_audit_index_{name}_seq", f"audit_index_{name}", ["seq"])
    op.create_table(
        "audit_pattern",
        sa.Column("coordinate", sa.String(length=120), nullable=False),
        sa.Column("decision", sa.String(length=10), nullable=False),
        sa.Column("pattern_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("coordinate", "decision", "pattern_id", name=op.f("pk_audit_pattern")),
    )


def downgrade() -> None:
    raise StoreError("the log does not go back to a chain: its checkpoints are signed over the tree")
