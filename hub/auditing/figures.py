"""Counts for the console's charts, from the index alone; each is one grouped statement over a bounded period."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import func, select

from hub.audit.kinds import NUMBERS, Kind
from hub.audit.tables import audit_index, audit_index_person
from hub.clock import CHINA
from hub.store.engine import Store

HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US
CHINA_US = 8 * HOUR_US
MOST_EDGES = 200
_OPERATION = NUMBERS[Kind.OPERATION]


class Figures:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def by_hour(self, *, from_us: int, to_us: int) -> Sequence[tuple[str, int, int]]:
        """Agency, hour of the day in China (0 to 23), operations. Cost: the entries of the period."""
        hour = ((audit_index.c.time_us + CHINA_US) // HOUR_US % 24).label("hour")
        statement = (
            select(audit_index.c.agency, hour, func.count())
            .where(audit_index.c.time_us >= from_us, audit_index.c.time_us < to_us)
            .where(audit_index.c.kind == _OPERATION)
            .group_by(audit_index.c.agency, hour)
            .order_by(audit_index.c.agency, hour)
        )
        async with self._store.read() as connection:
            return [(agency, int(at), count) for agency, at, count in (await connection.execute(statement)).all()]

    async def by_day(self, officer: str, *, from_us: int, to_us: int) -> Sequence[tuple[str, int, int]]:
        """Day in China, operations and persons (counted as often as read) of one officer."""
        day = ((audit_index.c.time_us + CHINA_US) // DAY_US).label("day")
        statement = (
            select(day, func.count(), func.sum(audit_index.c.persons))
            .where(audit_index.c.officer == officer, audit_index.c.kind == _OPERATION)
            .where(audit_index.c.time_us >= from_us, audit_index.c.time_us < to_us)
            .group_by(day)
            .order_by(day)
        )
        async with self._store.read() as connection:
            rows = (await connection.execute(statement)).all()
        first = datetime(1970, 1, 1, tzinfo=UTC)
        days = [(first + timedelta(days=int(at))).date().isoformat() for at, _, _ in rows]
        return [(name, count, int(persons)) for name, (_, count, persons) in zip(days, rows, strict=True)]

    async def edges(self, *, from_us: int, to_us: int, officer: str | None = None) -> Sequence[tuple[str, str, int]]:
        """Officer, pseudonym, operations: the most frequent pairs of the period, at most `MOST_EDGES`."""
        count = func.count().label("count")
        statement = (
            select(audit_index.c.officer, audit_index_person.c.person, count)
            .join(audit_index_person, audit_index_person.c.seq == audit_index.c.seq)
            .where(audit_index.c.time_us >= from_us, audit_index.c.time_us < to_us)
            .where(audit_index.c.kind == _OPERATION)
            .group_by(audit_index.c.officer, audit_index_person.c.person)
            .order_by(count.desc(), audit_index.c.officer, audit_index_person.c.person)
            .limit(MOST_EDGES)
        )
        if officer is not None:
            statement = statement.where(audit_index.c.officer == officer)
        async with self._store.read() as connection:
            return [(name, person, number) for name, person, number in (await connection.execute(statement)).all()]


def day_us(text: str) -> int | None:
    """Begin of a day in China (`YYYY-MM-DD`) in microseconds; None: this is no day."""
    try:
        moment = datetime.fromisoformat(text).replace(tzinfo=CHINA)
    except ValueError:
        return None
    return int(moment.timestamp()) * 1_000_000
