"""Counts for the console's charts: each costs about the same however large the log is."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, func, select

from hub.audit.counting import CHINA_US, DAY_US, HOUR_US
from hub.audit.kinds import NUMBERS, Kind
from hub.audit.tables import audit_hour, audit_index, audit_index_person, audit_officer_day
from hub.clock import CHINA
from hub.store.engine import Store

MOST_EDGES = 200
NEWEST = 10_000
"""Operations that the graph is counted over: a period with more is looked at from its end."""
_OPERATION = NUMBERS[Kind.OPERATION]


class Figures:
    """Periods are whole days of China, in microseconds, the end out."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def by_hour(self, *, from_us: int, to_us: int) -> Sequence[tuple[str, int, int]]:
        """Agency, hour of the day in China (0 to 23), operations. Cost: a row an hour and agency."""
        kept = audit_hour.c
        hour = ((kept.hour + CHINA_US // HOUR_US) % 24).label("of_day")
        statement = (
            select(kept.agency, hour, func.sum(kept.operations))
            .where(kept.hour >= from_us // HOUR_US, kept.hour < to_us // HOUR_US)
            .group_by(kept.agency, hour)
            .order_by(kept.agency, hour)
        )
        async with self._store.read() as connection:
            rows = (await connection.execute(statement)).all()
        return [(agency, int(at), int(count)) for agency, at, count in rows]

    async def by_day(self, officer: str, *, from_us: int, to_us: int) -> Sequence[tuple[str, int, int]]:
        """Day in China, operations and persons (counted as often as read) of one officer. Cost: a row a day."""
        kept = audit_officer_day.c
        statement = (
            select(kept.day, kept.operations, kept.persons)
            .where(kept.officer == officer)
            .where(kept.day >= (from_us + CHINA_US) // DAY_US, kept.day < (to_us + CHINA_US) // DAY_US)
            .order_by(kept.day)
        )
        async with self._store.read() as connection:
            rows = (await connection.execute(statement)).all()
        first = datetime(1970, 1, 1, tzinfo=UTC)
        return [
            ((first + timedelta(days=day)).date().isoformat(), operations, persons) for day, operations, persons in rows
        ]

    async def edges(self, *, from_us: int, to_us: int, officer: str | None = None) -> Sequence[tuple[str, str, int]]:
        """Officer, pseudonym, operations: the most frequent pairs, at most `MOST_EDGES`, of the newest `NEWEST`
        operations of the period, of one officer if given.
        """
        newest = (
            select(audit_index.c.seq, audit_index.c.officer)
            .where(audit_index.c.kind == _OPERATION)
            .where(audit_index.c.seq >= _first(from_us), audit_index.c.seq < _first(to_us))
            .order_by(audit_index.c.seq.desc())
            .limit(NEWEST)
        )
        if officer is not None:
            newest = newest.where(audit_index.c.officer == officer)
        cut, count = newest.cte("newest"), func.count().label("count")
        statement = (
            select(cut.c.officer, audit_index_person.c.person, count)
            .join(audit_index_person, audit_index_person.c.seq == cut.c.seq)
            .group_by(cut.c.officer, audit_index_person.c.person)
            .order_by(count.desc(), cut.c.officer, audit_index_person.c.person)
            .limit(MOST_EDGES)
        )
        async with self._store.read() as connection:
            return [(name, person, number) for name, person, number in (await connection.execute(statement)).all()]


def _first(at_us: int) -> ColumnElement[int]:
    """The number of the first entry at or after a time: numbers and times go up together."""
    time = audit_index.c.time_us
    found = select(audit_index.c.seq).where(time >= at_us).order_by(time, audit_index.c.seq).limit(1)
    return func.coalesce(found.scalar_subquery(), 1 << 62)


def day_us(text: str) -> int | None:
    """Begin of a day in China (`YYYY-MM-DD`) in microseconds; None: this is no day."""
    try:
        moment = datetime.fromisoformat(text).replace(tzinfo=CHINA)
    except ValueError:
        return None
    return int(moment.timestamp()) * 1_000_000
