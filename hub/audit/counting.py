"""Counts of operations, kept beside the index for those who look at long periods: a function of the index, at any time.

An hour is a whole number of hours since 1970 UTC; a day is one of China, in whole days since 1970.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Select, Table, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from hub.audit.kinds import NUMBERS, Kind
from hub.audit.tables import audit_hour, audit_index, audit_officer_day

HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US
CHINA_US = 8 * HOUR_US
_OPERATION = NUMBERS[Kind.OPERATION]


async def count_indexed(connection: AsyncConnection, rows: Iterable[Mapping[str, Any]]) -> None:
    """Add rows of the index, in the transaction that enters them."""
    hours: Counter[tuple[int, str]] = Counter()
    days: Counter[tuple[str, int]] = Counter()
    persons: Counter[tuple[str, int]] = Counter()
    for row in rows:
        if row["kind"] == _OPERATION:
            day = row["officer"], (row["time_us"] + CHINA_US) // DAY_US
            hours[row["time_us"] // HOUR_US, row["agency"]] += 1
            days[day] += 1
            persons[day] += row["persons"]
    by_hour = [{"hour": hour, "agency": agency, "operations": count} for (hour, agency), count in hours.items()]
    by_day = [
        {"officer": officer, "day": day, "operations": count, "persons": persons[officer, day]}
        for (officer, day), count in days.items()
    ]
    await _add(connection, audit_hour, by_hour)
    await _add(connection, audit_officer_day, by_day)


async def discount_indexed(connection: AsyncConnection, first: int, last: int) -> None:
    """Take back the rows from number `first` to `last`, in the transaction that deletes them."""
    for table, counted in ((audit_hour, _hours()), (audit_officer_day, _days())):
        found = await connection.execute(counted.where(audit_index.c.seq.between(first, last)))
        taken = [
            {name: -value if name in _COUNTS else value for name, value in row.items()} for row in found.mappings()
        ]
        await _add(connection, table, taken)
        await connection.execute(table.delete().where(table.c.operations <= 0))


async def counts_agree(connection: AsyncConnection) -> bool:
    """Whether the counts are those of the index. Cost: the whole index, twice."""
    for table, counted in ((audit_hour, _hours()), (audit_officer_day, _days())):
        kept = select(*table.c)
        for one, other in ((kept, counted), (counted, kept)):
            if (await connection.execute(one.except_(other).limit(1))).first() is not None:
                return False
    return True


_COUNTS = ("operations", "persons")


async def _add(connection: AsyncConnection, table: Table, rows: list[dict[str, Any]]) -> None:
    if not rows:
        return
    insert = (sqlite if connection.dialect.name == "sqlite" else postgresql).insert(table)
    sums = {name: table.c[name] + insert.excluded[name] for name in _COUNTS if name in table.c}
    keys = [column.name for column in table.primary_key]
    await connection.execute(insert.on_conflict_do_update(index_elements=keys, set_=sums), rows)


def _hours() -> Select[Any]:
    hour = (audit_index.c.time_us // HOUR_US).label("hour")
    counted = select(hour, audit_index.c.agency, func.count().label("operations"))
    return counted.where(audit_index.c.kind == _OPERATION).group_by(hour, audit_index.c.agency)


def _days() -> Select[Any]:
    day = ((audit_index.c.time_us + CHINA_US) // DAY_US).label("day")
    persons = func.sum(audit_index.c.persons).label("persons")
    counted = select(audit_index.c.officer, day, func.count().label("operations"), persons)
    return counted.where(audit_index.c.kind == _OPERATION).group_by(audit_index.c.officer, day)
