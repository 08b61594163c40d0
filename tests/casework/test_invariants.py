"""Random commands, sent again and in parallel, with restarts between them: what must hold of every case holds."""

import asyncio
import tempfile
from datetime import timedelta
from pathlib import Path

import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from hub.auth.facts import Facts
from hub.casework.case_tables import case_deadline, case_event, case_office
from hub.casework.commands import Call, Subject
from hub.casework.workflow import Flag
from hub.events.outbox import Sequencer
from hub.events.tables import outbox
from hub.store.engine import open_store
from hub.store.migration import migrate
from tests.casework.cases import PRISON, event
from tests.casework.parts import officer
from tests.casework.test_oversight import HIGHER, OFFICER, PROVINCE, World
from tests.conftest import FULL

GAOL = officer("7001", "prison", regions=("36",))
OTHER_OFFICE = officer("2002", regions=("360702002",))
PLACES = ("judicial-office/360702001", "judicial-office/360702002")
STEPS = st.one_of(
    st.tuples(st.just("notifyRelease"), st.just(GAOL), st.just({"county": "county-office/360702", "plannedRelease": "2026-08-01"})),
    st.tuples(st.just("recordRelease"), st.just(GAOL), st.just({"certificate": "1"})),
    st.tuples(st.just("changeSentence"), st.just(GAOL), st.just({"change": "REDUCED", "plannedRelease": "2026-07-25"})),
    st.tuples(st.just("acknowledgeHandover"), st.sampled_from([HIGHER, OFFICER, OTHER_OFFICE]), st.just({})),
    st.tuples(st.just("dispatchCase"), st.just(HIGHER), st.builds(lambda place: {"office": place}, st.sampled_from(PLACES))),
    st.tuples(st.just("returnCase"), st.sampled_from([OFFICER, OTHER_OFFICE]), st.just({"reason": "MOVED"})),
    st.tuples(st.just("adjudicateCase"), st.just(PROVINCE), st.builds(lambda place: {"office": place}, st.sampled_from(PLACES))),
    st.tuples(st.just("recordPickup"), st.just(OFFICER), st.sampled_from([{"outcome": "SELF"}, {"outcome": "NOBODY"}])),
    st.tuples(st.just("registerPerson"), st.just(OFFICER), st.just({"fileNumber": "1"})),
    st.tuples(st.just("agreePlan"), st.just(OFFICER), st.sampled_from([{}, {"refused": True}])),
    st.tuples(st.just("transferCase"), st.sampled_from([OFFICER, OTHER_OFFICE]), st.builds(lambda place: {"office": place, "reason": "WORK"}, st.sampled_from(PLACES))),
    st.tuples(st.just("acceptTransfer"), st.sampled_from([OFFICER, OTHER_OFFICE]), st.just({})),
    st.tuples(st.just("rejectTransfer"), st.sampled_from([OFFICER, OTHER_OFFICE]), st.just({"reason": "OTHER"})),
    st.tuples(st.just("recordDeath"), st.just(OFFICER), st.just({"source": "FAMILY"})),
)  # fmt: skip
WHEN = st.tuples(st.integers(0, 60), st.integers(-5, 5))  # days ago; days between happening and writing it down
COMMANDS = st.lists(st.tuples(STEPS, WHEN, st.integers(1, 3), st.booleans()), min_size=1, max_size=12)


@settings(max_examples=200 if FULL else 12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(COMMANDS)
def test_random_commands_keep_the_invariants(commands):
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(play(f"sqlite+aiosqlite:///{Path(folder) / 'hub.db'}", commands))


async def play(url, commands):
    store = open_store(url)
    await migrate(store)
    world = World(store)
    await world.open("p1", [event("ADMITTED", "2024-03-01", PRISON, plannedRelease="2026-08-01")])
    effects = set()
    for number, ((verb, who, given_), (ago, gap), copies, restart) in enumerate(commands):
        happened = world.clock.now() - timedelta(days=ago)
        recorded = min(happened + timedelta(days=gap), world.clock.now())
        call = Call(
            name=verb,
            mutation_id=str(number),
            given={
                **given_,
                "case": "c-p1",
                "happenedAt": happened.isoformat(),
                "recordedAt": recorded.isoformat(),
            },
            principal=who,
            purpose="SUPERVISION" if who is PROVINCE else "HANDOVER",
            request_id="r",
            subject=Subject(key="k", member="p1", number=None, facts=Facts()),
        )
        done = await asyncio.gather(*(world.runner.run(call) for _ in range(copies)))
        assert len({orjson.dumps([each.receipt, each.problem]) for each in done}) == 1
        if done[0].receipt is not None:
            assert len({each.entry_id for each in done}) == 1
            effects.add(done[0].entry_id)
        await check(world, effects)
        world.clock.advance(3600)
        if restart:
            await world.runner._log.close()
            await store.close()
            store = open_store(url)
            before, world = world, World(store)
            world.clock.advance((before.clock.now() - world.clock.now()).total_seconds())
    await check(world, effects)
    await world.runner._log.close()
    await store.close()


async def check(world, effects):
    async with world.store.read() as connection:
        case = await world.cases.load(connection, "p1", "c-p1", lock=False)
        added = (await connection.execute(select(case_event.c.entry_id).where(case_event.c.entry_id != "e"))).scalars()
        kept = (await connection.execute(select(case_deadline))).all()
        held = (await connection.execute(select(case_office).where(case_office.c.role == "ACCOUNTABLE"))).all()
    assert sorted(added) == sorted(effects)  # no event lost, none doubled
    assert (case.owned.accountable is None) == case.course.ended  # exactly one office answers while it is open
    assert sum(row.until_us is None for row in held) == (not case.course.ended)
    for one, two in zip(case.owned.tenures, case.owned.tenures[1:], strict=False):
        assert one.until == two.since
    for row in kept:
        assert case.course.ended or row.office == case.owned.accountable  # no deadline without owner
        assert not case.course.ended or row.next_day is None  # an ended case has no timer
    assert {(row.step, row.anchor) for row in kept} == {(made.step, made.anchor) for made in case.docket}
    for step in case.course.steps:
        ordered = step.event.happened_at <= step.event.recorded_at <= step.event.received_at
        assert ordered != (Flag.TIMES_DISORDERED in step.flags)
    await Sequencer(world.store).run()
    async with world.store.read() as connection:
        told = (await connection.execute(select(outbox).order_by(outbox.c.position))).all()
    for person in {row.person_key for row in told}:
        numbers = [row.sequence for row in told if row.person_key == person]
        assert numbers == list(range(1, len(numbers) + 1))
