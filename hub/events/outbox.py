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


class News(msgspec.Struct, frozen=True, kw_only=True):
    """What one recipient is to be told. `body` holds pointers and codes; `seal` seals what is personal, for its row."""

    recipient: str
    office: str | None
    kind: str
    body: Mapping[str, Any]
    seal: Callable[[str], bytes | None] = lambda _row: None


_LAST = (
    select(outbox.c.sequence, outbox.c.happened_us)
    .where(outbox.c.person_key == bindparam("person"))
    .order_by(outbox.c.sequence.desc())
    .limit(1)
)
_PUT = insert(outbox)


async def put_all(
    connection: AsyncConnection, person_key: str, news: Sequence[News], *, entry_id: str, happened_us: int
) -> int:
    """Put events into the outbox, in their order, after every earlier one about this person; the last one's number.

    Cost: two round trips, none for no news (the number is then 0). The time is never before that of an earlier event
    about the person, whatever the clock does.

    Raises:
        IntegrityError: another transaction was faster with this person; try the whole transaction again.
    """
    if not news:
        return 0
    last = (await connection.execute(_LAST, {"person": person_key})).first()
    first, moment = (last.sequence + 1, max(happened_us, last.happened_us)) if last else (1, happened_us)
    rows = [
        {
            "person_key": person_key,
            "sequence": sequence,
            "position": None,
            "kind": each.kind,
            "recipient": each.recipient,
            "office": each.office,
            "body": orjson.dumps(each.body, option=orjson.OPT_SORT_KEYS).decode(),
            "body_sealed": each.seal(f"{person_key}/{sequence}"),
            "entry_id": entry_id,
            "happened_us": moment,
        }
        for sequence, each in enumerate(news, first)
    ]
    await connection.execute(_PUT, rows)
    return first + len(rows) - 1


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
) -> int:
    """As `put_all`, one event."""
    news = News(recipient=recipient, office=office, kind=kind, body=body)
    return await put_all(connection, person_key, [news], entry_id=entry_id, happened_us=happened_us)


_ANY = select(outbox.c.sequence).where(outbox.c.position.is_(None)).limit(1)
_HEAD = select(event_head.c.position).where(event_head.c.one == 1).with_for_update()
_WAITING = (
    select(outbox.c.person_key, outbox.c.sequence)
    .where(outbox.c.position.is_(None))
    .order_by(outbox.c.happened_us, outbox.c.person_key, outbox.c.sequence)
    .limit(BATCH)
)
_PLACE = (
    update(outbox)
    .where(and_(outbox.c.person_key == bindparam("its_person"), outbox.c.sequence == bindparam("its_sequence")))
    .values(position=bindparam("its_place"))
)
_ADVANCE = update(event_head).where(event_head.c.one == 1).values(position=bindparam("its_place"))


class Sequencer:
    """Gives places to events that have none. Any number of workers may run it: the head row lets one in at a time."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._any = store.driver.prepare(_ANY)

    async def run(self) -> int:
        """Give out places until no event is without one; how many were given."""
        given = 0
        while count := await self._batch():
            given += count
        return given

    async def _batch(self) -> int:
        if not await self._store.driver.rows(self._any, {}):
            return 0  # most of the time: one read, and no worker keeps another waiting
        async with self._store.write() as connection:
            place = (await connection.execute(_HEAD)).scalar_one()
            found = (await connection.execute(_WAITING)).all()
            if found:
                given = [
                    {"its_person": row.person_key, "its_sequence": row.sequence, "its_place": place + rank}
                    for rank, row in enumerate(found, 1)
                ]
                await connection.execute(_PLACE, given)
                await connection.execute(_ADVANCE, {"its_place": place + len(found)})
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
