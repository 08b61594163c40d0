"""Tables of commands: what was commanded once and what came of it.

All times are microseconds since the epoch.
"""

from sqlalchemy import BigInteger, Column, Index, String, Table, Text

from hub.store.metadata import METADATA

command = Table(
    "command",
    METADATA,
    Column("agency", String(40), primary_key=True),
    Column("client", String(64), primary_key=True),
    Column("officer", String(64), primary_key=True),
    Column("mutation_id", String(128), primary_key=True),
    Column("name", String(64), nullable=False),
    Column("input_digest", String(32), nullable=False),  # keyed: the input itself is nowhere here
    Column("entry_id", String(40), nullable=False),  # the audit entry that was durable before anything happened
    Column("commanded_us", BigInteger, nullable=False),
    Column("result", Text, nullable=False),  # JSON, without personal values
    Index("ix_command_commanded_us", "commanded_us"),
)
