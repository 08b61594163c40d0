"""Cases in both databases, and alarms that go out once, in order, whatever stops in between."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select

from hub.casework.calendar_reader import read_calendar
from hub.casework.case_store import CaseStore, NewEvent
from hub.casework.case_tables import case_deadline, case_event, case_office, case_record
from hub.casework.deadline_reader import read_deadlines
from hub.casework.supervision import Supervision
from hub.casework.workflow_reader import read_workflow
from hub.clock import CHINA, FixedClock
from tests.casework.cases import OFFICE, OTHER, PRISON, event, journey

WORKFLOW = read_workflow()
PERSON, CASE = "p" * 32, "c-1"


@pytest.fixture
async def cases(store):
    return CaseStore(WORKFLOW, read_deadlines(WORKFLOW), read_calendar())


async def add(store, cases, events, case=CASE):
    async with store.write() as connection:
        news = [NewEvent(event=each) for each in events]
        return await cases.add(connection, PERSON, case, news, entry_id="e1", now_us=1)


async def rows(store, table):
    async with store.read() as connection:
        return (await connection.execute(select(table))).all()


async def record(_person, kind):
    return f"entry-of-{kind}"


def supervision(store, cases, clock, sent):
    async def tell(_connection, _person, notice):
        sent.append((notice.kind, notice.office, notice.body.get("step")))

    return Supervision(store, cases, tell, clock, record=record)


def clock_at(day):
    return FixedClock(datetime.fromisoformat(day).replace(hour=9, tzinfo=CHINA))


async def test_a_case_added_event_by_event_is_the_case_added_at_once(store, cases):
    for each in journey():
        await add(store, cases, [each])
    await add(store, cases, journey(), case="c-2")
    async with store.read() as connection:
        one = await cases.load(connection, PERSON, CASE, lock=False)
        two = await cases.load(connection, PERSON, "c-2", lock=False)
    assert (one.course, one.owned, one.docket) == (two.course, two.owned, two.docket)
    assert one.revision == len(journey())
    for table in (case_deadline, case_office):
        kept = [
            [row._asdict() | {"case_id": "", "task_id": ""} for row in await rows(store, table) if row.case_id == case]
            for case in (CASE, "c-2")
        ]
        assert sorted(map(str, kept[0])) == sorted(map(str, kept[1]))


async def test_an_event_that_comes_twice_has_one_effect(store, cases):
    await add(store, cases, journey()[:3])
    before, after = await add(store, cases, journey()[:3])
    assert before is after
    assert len(await rows(store, case_event)) == 3


async def test_alarms_go_out_once_and_in_order_though_days_were_slept_through(store, cases):
    await add(store, cases, journey()[:12])  # released, nobody came
    sent = []
    clock = clock_at("2026-07-01")
    sweep = supervision(store, cases, clock, sent).sweep
    await sweep()
    sent.clear()
    clock.advance(60 * 86_400)
    await sweep()
    mine = [(kind, office) for kind, office, step in sent if step == "PICKUP_OUTCOME"]
    assert mine == [
        ("deadline.red", OFFICE),
        ("deadline.escalated", "county-office/360702"),
        ("deadline.escalated", "province-office/360700"),
        ("deadline.escalated", "province-office/360000"),
    ]
    assert ("case.UNCONNECTED", OFFICE, None) in sent
    sent.clear()
    assert await sweep() == 0
    assert not sent
    assert next(row.state for row in await rows(store, case_record)) == "UNCONNECTED"
    made = next(row for row in await rows(store, case_event) if row.kind == "UNCONNECTED")
    assert made.entry_id == "entry-of-UNCONNECTED"


async def test_a_clock_that_jumps_back_tells_nothing_twice(store, cases):
    await add(store, cases, journey()[:12])
    sent = []
    clock = clock_at("2026-07-05")
    await supervision(store, cases, clock, sent).sweep()
    told = len(sent)
    clock.advance(-10 * 86_400)
    await supervision(store, cases, clock, sent).sweep()
    clock.advance(10 * 86_400)
    await supervision(store, cases, clock, sent).sweep()
    assert len(sent) == told > 0


async def test_a_deadline_that_moved_is_told_anew(store, cases):
    await add(store, cases, journey(NOTIFIED=None)[:5])
    sent = []
    clock = clock_at("2026-06-05")
    await supervision(store, cases, clock, sent).sweep()
    assert ("deadline.red", PRISON, "RELEASE_NOTICE") in sent
    await add(store, cases, [event("SENTENCE_CHANGED", "2026-06-05", PRISON, plannedRelease="2027-06-30")])
    sent.clear()
    await supervision(store, cases, clock, sent).sweep()
    assert not sent
    clock.advance(timedelta(days=365).total_seconds())
    await supervision(store, cases, clock, sent).sweep()
    assert ("deadline.red", PRISON, "RELEASE_NOTICE") in sent


async def test_a_failed_transaction_leaves_the_alarm_for_the_next_sweep(store, cases):
    await add(store, cases, journey()[:12])
    clock = clock_at("2026-07-03")

    async def failing(_connection, _person, _notice):
        raise RuntimeError("the wire broke")

    with pytest.raises(RuntimeError, match="wire"):
        await Supervision(store, cases, failing, clock, record=record).sweep()
    sent = []
    await supervision(store, cases, clock, sent).sweep()
    assert ("deadline.red", OFFICE, "PICKUP_OUTCOME") in sent


async def test_deadlines_follow_the_office_that_takes_over(store, cases):
    await add(store, cases, journey(ENDED=None))
    await add(
        store,
        cases,
        [event("TRANSFERRED", "2026-09-01", OFFICE, office=OTHER), event("TRANSFER_ACCEPTED", "2026-09-02", OTHER)],
    )
    offices = {row.office for row in await rows(store, case_deadline) if row.done is None and row.missed is None}
    assert offices == {OTHER}
    async with store.read() as connection:
        held = await connection.execute(
            select(func.count())
            .select_from(case_office)
            .where(case_office.c.role == "ACCOUNTABLE", case_office.c.until_us.is_(None))
        )
        assert held.scalar() == 1
