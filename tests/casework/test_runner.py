"""Commands have one effect, however often and however parallel they are sent, and none without an entry."""

import asyncio
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from hub.audit.reader import dump
from hub.casework.tables import command
from hub.errors import AuditUnavailableError
from hub.events.tables import outbox
from hub.identity.tables import emergency_access
from tests.casework.parts import (
    NUMBER,
    asked,
    asking,
    code,
    deciding,
    officer,
    open_desk,
)
from tests.conftest import FULL


@pytest.fixture
async def desk(store, clock):
    one = open_desk(store, clock)
    yield one
    await one.log.close()


async def count(store, table) -> int:
    async with store.read() as connection:
        return (await connection.execute(select(func.count()).select_from(table))).scalar()


async def entries(desk) -> list[dict]:
    return [entry async for entry in dump(desk.store)]


async def test_parallel_repeats_have_one_effect_and_one_receipt(desk):
    done = await asyncio.gather(*(desk.runner.run(asking(id="same")) for _ in range(6)))
    assert len({json.dumps(item.receipt) for item in done}) == 1
    assert len({item.entry_id for item in done}) == 1
    assert done[0].receipt is not None
    assert await count(desk.store, emergency_access) == 1
    assert await count(desk.store, outbox) == 1


async def test_other_input_under_the_same_id_is_a_conflict_without_effect(desk):
    await desk.runner.run(asking(id="same"))
    done = await desk.runner.run(asking(id="same", minutes=31))
    assert code(done) == "IDEMPOTENCY_CONFLICT"
    assert await count(desk.store, emergency_access) == 1


async def test_the_same_id_of_another_officer_or_client_is_another_command(desk):
    ids = {await asked(desk, id="same", who=who) for who in (officer(), officer("2002"), officer(client="d"))}
    assert len(ids) == 3


async def test_a_problem_is_repeated_as_it_was(desk, clock):
    request = await asked(desk)
    first = await desk.runner.run(deciding(request, officer(), id="mine"))
    again = await desk.runner.run(deciding(request, officer(), id="mine"))
    assert code(first) == code(again) == "SAME_OFFICER"
    assert first.problem == again.problem


async def test_the_entry_is_in_the_log_before_the_effect_and_names_no_value(desk):
    done = await desk.runner.run(asking())
    (entry,) = [item for item in await entries(desk) if item["kind"] == "command"]
    assert entry["id"] == done.entry_id
    assert entry["operation"] == "requestEmergencyAccess"
    assert entry["policies"] == ["commands.requestEmergencyAccess"]
    assert entry["persons"][0]["full"] == ["JusticeRecord.riskClass", "Person.name"]
    assert NUMBER not in json.dumps(entry)
    assert "at the door" not in json.dumps(entry)
    async with desk.store.read() as connection:
        row = (await connection.execute(select(command))).one()
    assert row.entry_id == done.entry_id


async def test_without_an_entry_nothing_happens(desk, monkeypatch):
    async def broken(_draft):
        raise AuditUnavailableError("disk full")

    monkeypatch.setattr(desk.log, "append", broken)
    with pytest.raises(AuditUnavailableError):
        await desk.runner.run(asking())
    assert await count(desk.store, emergency_access) == 0
    assert await count(desk.store, command) == 0


async def test_nothing_personal_stands_in_clear(desk):
    await desk.runner.run(asking(reason="Zhang waits at the gate"))
    async with desk.store.read() as connection:
        rows = [*await connection.execute(select(emergency_access)), *await connection.execute(select(outbox))]
        rows += await connection.execute(select(command))
    held = repr([list(row) for row in rows])
    assert NUMBER not in held
    assert "Zhang" not in held


async def test_who_may_not_is_refused_before_anything_is_recorded_as_done(desk):
    done = await desk.runner.run(asking(who=officer("9101", "statistician", "audit")))
    assert code(done) == "FORBIDDEN"
    assert done.denied
    assert await count(desk.store, command) == 0
    assert await entries(desk) == []


@pytest.mark.parametrize("mutation_id", ["", "x" * 129])
async def test_a_mutation_id_has_bounds(desk, mutation_id):
    assert code(await desk.runner.run(asking(id=mutation_id))) == "INVALID_INPUT"


async def test_events_about_a_person_are_numbered_without_gaps_under_parallel_commands(desk):
    await asyncio.gather(*(asked(desk, id=str(number)) for number in range(8)))
    async with desk.store.read() as connection:
        numbers = [row.sequence for row in await connection.execute(select(outbox).order_by(outbox.c.sequence))]
    assert numbers == list(range(1, 9))


@settings(max_examples=100 if FULL else 6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(plan=st.lists(st.tuples(st.integers(0, 2), st.integers(1, 3)), min_size=1, max_size=8))
async def test_any_interleaving_of_repeats_has_one_effect_an_id(store, clock, plan):
    """`plan`: commands as (id, minutes), all sent at once; the first input that an id came with is its only effect."""
    desk = open_desk(store, clock)
    who = officer(client=f"c{id(plan)}{len(plan)}")  # a client of this example's own
    before = await count(store, emergency_access)
    done = await asyncio.gather(
        *(desk.runner.run(asking(id=str(number), minutes=minutes, who=who)) for number, minutes in plan)
    )
    for number in {number for number, _ in plan}:
        mine = [(minutes, item) for (other, minutes), item in zip(plan, done, strict=True) if other == number]
        receipts = {item.receipt["id"]: item.receipt["minutes"] for _, item in mine if item.receipt}
        assert len(receipts) == 1
        (kept,) = receipts.values()
        assert all((code(item) == "IDEMPOTENCY_CONFLICT") == (minutes != kept) for minutes, item in mine)
    assert await count(store, emergency_access) - before == len({number for number, _ in plan})
    await desk.log.close()
