"""The outbox: what a transaction wants others to know stands in it when the transaction commits, and not before.

Events of one person are numbered without gaps; the sequencer then gives every event one place among all, so that a
reader who asks for what comes after a place misses nothing, however late a transaction committed.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
import orjson
from sqlalchemy import and_, bindparam, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from hub.events.tables import event_head, outbox
from hub.failpoints import failpoint
from hub.store.engine import Store

BATCH = 500


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """An event as a reader sees it: pointers and codes, never content."""

    position: int
    person_key: str
    sequence: int
    kind: str
    recipient: str
    office: str | None
    body: Mapping[str, Any]
    happened_us: int


class Pointer(msgspec.Struct, frozen=True, kw_only=True):
    """Where an event is, whom it concerns, and of what kind it is."""

    position: int
    recipient: str
    kind: str


async def put(
    connection: AsyncConnection,
    *,
    person_key: str,
    recipient: str,
    office: str | None,
    kind: str,
    body: Mapping[str, Any],
    entry_id: str,
    happened_us: int,
    seal: Callable[[str], bytes | None] = lambda _row: None,
) -> int:
    """Put an event into the outbox after every earlier one about this person; its number among them.

    `seal` seals what of it is personal, for its row. The time is never before that of an earlier event about the
    person, whatever the clock does.

    Raises:
        IntegrityError: another transaction was faster with this person; try the whole transaction again.
    """
    mine = select(outbox.c.sequence, outbox.c.happened_us).where(outbox.c.person_key == person_key)
    last = (await connection.execute(mine.order_by(outbox.c.sequence.desc()).limit(1))).first()
    sequence = last.sequence + 1 if last else 1
    await connection.execute(
        insert(outbox).values(
            person_key=person_key,
            sequence=sequence,
            kind=kind,
            recipient=recipient,
            office=office,
            body=orjson.dumps(body, option=orjson.OPT_SORT_KEYS).decode(),
            body_sealed=seal(f"{person_key}/{sequence}"),
            entry_id=entry_id,
            happened_us=max(happened_us, last.happened_us) if last else happened_us,
        )
    )
    return sequence


class Sequencer:
    """Gives places to events that have none. Any number of workers may run it: the head row lets one in at a time."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def run(self) -> int:
        """Give out places until no event is without one; how many were given."""
        given = 0
        while count := await self._batch():
            given += count
        return given

    async def _batch(self) -> int:
        waiting = (
            select(outbox.c.person_key, outbox.c.sequence)
            .where(outbox.c.position.is_(None))
            .order_by(outbox.c.happened_us, outbox.c.person_key, outbox.c.sequence)
            .limit(BATCH)
        )
        async with self._store.write() as connection:
            head = select(event_head.c.position).where(event_head.c.one == 1).with_for_update()
            place = (await connection.execute(head)).scalar_one()
            found = (await connection.execute(waiting)).all()
            if found:
                given = [
                    {"its_person": row.person_key, "its_sequence": row.sequence, "its_place": place + rank}
                    for rank, row in enumerate(found, 1)
                ]
                mine = and_(
                    outbox.c.person_key == bindparam("its_person"), outbox.c.sequence == bindparam("its_sequence")
                )
                await connection.execute(update(outbox).where(mine).values(position=bindparam("its_place")), given)
                place += len(found)
                await connection.execute(update(event_head).where(event_head.c.one == 1).values(position=place))
            failpoint("sequencer.before-commit")
        return len(found)


class Feed:
    """What has happened that concerns an agency, after a place: at least once, in order."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def head(self) -> int:
        """The last place that was given out."""
        async with self._store.read() as connection:
            found: int = (await connection.execute(select(event_head.c.position))).scalar_one()
        return found

    async def after(
        self, position: int, *, recipient: str, regions: Sequence[str] | None, first: int
    ) -> tuple[Event, ...]:
        """Up to `first` events. `regions`: prefixes of the offices that the reader stands for; None: every office."""
        conditions = [outbox.c.recipient == recipient, outbox.c.position > position]
        if regions is not None:
            mine = [outbox.c.office.like(f"%/{region}%") for region in regions if region.isdigit()]
            conditions.append(or_(outbox.c.office.is_(None), *mine))
        wanted = select(outbox).where(*conditions).order_by(outbox.c.position).limit(first)
        async with self._store.read() as connection:
            return tuple(event_of(row) for row in await connection.execute(wanted))

    async def pointers(self, position: int, *, first: int) -> tuple[Pointer, ...]:
        """Up to `first` events after a place, whoever they concern."""
        wanted = (
            select(outbox.c.position, outbox.c.recipient, outbox.c.kind)
            .where(outbox.c.position > position)
            .order_by(outbox.c.position)
            .limit(first)
        )
        async with self._store.read() as connection:
            rows = await connection.execute(wanted)
            return tuple(Pointer(position=row.position, recipient=row.recipient, kind=row.kind) for row in rows)


def event_of(row: Any) -> Event:
    return Event(
        position=row.position,
        person_key=row.person_key,
        sequence=row.sequence,
        kind=row.kind,
        recipient=row.recipient,
        office=row.office,
        body=orjson.loads(row.body),
        happened_us=row.happened_us,
    )
