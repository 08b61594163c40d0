"""What an event of a case costs the database, and that the tables read off it are the same however it got there."""

from contextlib import contextmanager

import pytest
from sqlalchemy import event as listening
from sqlalchemy import select

from hub.casework.case_store import NewEvent
from hub.casework.case_tables import case_deadline, case_office, case_record
from hub.casework.reach import put_reach
from hub.events.outbox import News, put_all
from hub.identity.tables import case_reference, jurisdiction
from tests.casework.cases import OTHER, event, journey
from tests.casework.test_killed_worker import case_store

READ_OFF = (case_record, case_office, case_deadline, case_reference, jurisdiction)
MOVING = [
    *journey(ENDED=event("TRANSFERRED", "2026-08-01", office=OTHER)),
    event("TRANSFER_ACCEPTED", "2026-08-02", OTHER),
    event("VISITED", "2026-08-20", OTHER),
    event("REOFFENDED", "2026-09-01", OTHER),
]


@contextmanager
def statements(store):
    """Statements that SQLAlchemy sends to the database in the block, each a round trip."""
    seen = []

    def note(_connection, _cursor, statement, *_):
        if statement != "BEGIN IMMEDIATE":
            seen.append(statement)

    listening.listen(store.engine.sync_engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        listening.remove(store.engine.sync_engine, "before_cursor_execute", note)


async def added(store, case, events):
    """Add events as a command does, in one transaction."""
    async with store.write() as connection:
        cases = case_store()
        before = await cases.load(connection, "p", case, lock=True)
        news = [NewEvent(event=each) for each in events]
        after = await cases.extend(connection, before, ("p", case), news, entry_id="e", now_us=1)
        await put_reach(connection, before, after)
        told = [News(recipient="justice", office=None, kind="case.VISITED", body={"case": case})] * 3
        await put_all(connection, "p", told, entry_id="e", happened_us=1)


async def test_an_event_that_moves_nobody_costs_eight_round_trips(store):
    await added(store, "c", journey(ENDED=None))
    with statements(store) as seen:
        await added(store, "c", [event("VISITED", "2026-08-05")])
    assert len(seen) <= 8, seen


@pytest.mark.parametrize("late", [False, True], ids=["in order", "late data first"])
async def test_tables_are_the_same_whether_events_come_one_by_one_or_at_once(store, late):
    """What is left as it was because an event did not change it is what all events together come to."""
    for each in [*MOVING[::2], *MOVING[1::2]] if late else MOVING:
        await added(store, "one", [each])
    await added(store, "all", MOVING)
    async with store.read() as connection:
        for table in READ_OFF:
            rows = [row._asdict() for row in await connection.execute(select(table))]
            told = [
                {tuple(_plain(row, case).items()) for row in rows if row.get("case_id", "").startswith(case)}
                for case in ("one", "all")
            ]
            assert told[0] == told[1], table.name


def _plain(row, case):
    """A row without what differs between the two cases by their names and ages."""
    kept = {name: value for name, value in row.items() if name not in ("task_id", "revision", "told", "next_day")}
    return {name: value.replace(case, "c") if isinstance(value, str) else value for name, value in kept.items()}
