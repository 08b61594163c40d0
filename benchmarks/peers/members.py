"""The bench's 100,000 persons as members of the hub: sealed and indexed by the importer's own code, stored by COPY.

Member ids sort as identity numbers do, so that the hub lists a county in the same order as the peers, and tell nothing
else: a rank and random bits.
"""

import secrets
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import Any

import asyncpg
from sqlalchemy import Table

from hub.connectors.base import ScannedRecord
from hub.identity.importer import Importer, MemberRows
from hub.identity.tables import jurisdiction, link, person, person_salt

BATCH = 20_000
TABLES = (person, link, person_salt, jurisdiction)
KEY_PERSONS_PERCENT = 9
TERM_BEFORE_DAYS, TERM_AFTER_DAYS = 400, 1_400  # in force for every person, whenever the bench runs


async def import_members(
    source: asyncpg.Connection, store: asyncpg.Connection, importer: Importer, now: datetime, today: date
) -> int:
    """Replace all members by the persons of the peers' household register, in one transaction. Returns their number."""
    registered = await source.fetch("SELECT resident_id, county_code, sex FROM police.hukou ORDER BY resident_id")
    async with store.transaction():
        await store.execute(f"TRUNCATE {', '.join(table.name for table in TABLES)}")
        for start in range(0, len(registered), BATCH):
            batch = registered[start : start + BATCH]
            members = [_member(importer, start + place, row, now, today) for place, row in enumerate(batch)]
            await _copy(store, person, [member.person for member in members])
            await _copy(store, link, [member.link for member in members])
            await _copy(store, person_salt, [member.salt for member in members])
            await _copy(store, jurisdiction, [office for member in members for office in member.offices])
    return len(registered)


async def tidy(store: asyncpg.Connection) -> None:
    """What autovacuum, which the bench's server runs without, would do: statistics and visibility of rows."""
    for table in TABLES:
        await store.execute(f"VACUUM ANALYZE {table.name}")


def member_id(rank: int) -> str:
    """32 hexadecimal digits whose order is that of `rank`."""
    return f"{rank:08x}{secrets.token_hex(12)}"


def is_key_person(rank: int) -> bool:
    """9 in 100, spread evenly over any hundred persons of a county."""
    return rank * 19 % 100 < KEY_PERSONS_PERCENT


def _member(importer: Importer, rank: int, row: Sequence[Any], now: datetime, today: date) -> MemberRows:
    number, county, sex = row
    values = {
        "index.number": number,
        "index.sex": sex,
        "index.term_start": (today - timedelta(days=TERM_BEFORE_DAYS)).isoformat(),
        "index.term_end": (today + timedelta(days=TERM_AFTER_DAYS)).isoformat(),
        "index.risk_class": "01" if is_key_person(rank) else "02",
        "index.offices": [[county, "H", (today - timedelta(days=TERM_BEFORE_DAYS)).isoformat(), None]],
    }
    rows = importer.rows(member_id(rank), ScannedRecord(key=number, record=number, as_of=now, values=values), now)
    if rows.number is None or rows.number.text != number:
        raise AssertionError("a resident id of the bench is no canonical identity number")
    for own in (rows.person, *rows.offices):
        own["sex"] = sex  # the bench's own code list (codes/sex.toml)
    return rows


async def _copy(store: asyncpg.Connection, table: Table, rows: Sequence[dict[str, object]]) -> None:
    columns = [column.name for column in table.columns]
    await store.copy_records_to_table(table.name, records=_records(columns, rows), columns=columns)


def _records(columns: Sequence[str], rows: Sequence[dict[str, object]]) -> Iterator[tuple[object, ...]]:
    for row in rows:
        yield tuple(row.get(column) for column in columns)  # a column that the importer leaves out is null
