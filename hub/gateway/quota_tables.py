"""Tables of the quota: whom officers read in the last hour, and what each server may still count by itself.

Officers and persons stand under keyed names, rows live for an hour.
"""

from sqlalchemy import BigInteger, Column, Integer, String, Table

from hub.store.metadata import METADATA

quota_person = Table(
    "quota_person",
    METADATA,
    Column("officer", String(64), primary_key=True),
    Column("person", String(32), primary_key=True),
    Column("read_us", BigInteger, nullable=False),
)

quota_slice = Table(
    "quota_slice",
    METADATA,
    Column("officer", String(64), primary_key=True),
    Column("holder", String(32), primary_key=True),  # a server; empty: the row that servers queue at
    Column("room", Integer, nullable=False),
    Column("taken_us", BigInteger, nullable=False),
)
