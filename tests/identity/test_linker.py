import pytest
from sqlalchemy import func, select

from hub.identity.matching.decision import Order
from hub.identity.matching.traits import traits_of
from hub.identity.matching.weights import WEIGHTS_FILE, read_model
from hub.identity.tables import block, link, link_event, review, trait
from tests.identity.parts import Source, clusters, linking, members, number, person_record, state


@pytest.fixture
async def people(store, clock):
    return await members(store, clock, [person_record(f"J{n}", n) for n in range(30)])


def register(*others):
    """Records of thirty members and thirty strangers, a few of them faulty."""
    slips = {3: {"number": ""}, 4: {"number": number(4)[:10] + "9" + number(4)[11:]}, 5: {"number": number(99)}}
    return Source([*(person_record(f"R{n}", n, **slips.get(n, {})) for n in range(60)), *others])


async def test_records_of_members_are_linked_and_nothing_is_kept_of_others(store, clock, people):
    parts = linking(store, clock)
    seen = []
    report = await parts.linker.run("police", register(), seen.append)
    assert (report.seen, report.linked, report.asked) == (60, 29, 1)
    assert seen == [60]
    async with store.read() as connection:
        counts = [await connection.scalar(select(func.count()).select_from(one)) for one in (link, trait, review)]
    assert counts == [59, 59, 1]


async def test_importing_again_changes_nothing(store, clock, people):
    parts = linking(store, clock)
    await parts.linker.run("police", register())
    before = await state(store, clock)
    async with store.read() as connection:
        events = await connection.scalar(select(func.count()).select_from(link_event))
    report = await parts.linker.run("police", register())
    assert (report.linked, report.kept) == (0, 29)
    assert await state(store, clock) == before
    async with store.read() as connection:
        assert await connection.scalar(select(func.count()).select_from(link_event)) == events


async def test_an_import_and_single_arrivals_agree(store, clock, people):
    parts = linking(store, clock)
    source = register(person_record("twice", 7), person_record("late", 8, number=""))
    await parts.linker.run("police", source)
    bulk = await clusters(store, clock)
    for record in [name for name in bulk if name not in {one for one in bulk if await is_anchor(parts, store, one)}]:
        await parts.ledger.unlink(record, author="test", reason="again")
    for one in reversed(source.records):
        await parts.placing.place(parts.placing.arrival("police", one.key, traits_of(one.values)))
    assert await clusters(store, clock) == bulk


async def is_anchor(parts, store, record) -> bool:
    async with store.read() as connection:
        held = await parts.ledger.of_record(connection, record)
    return held.anchor


async def test_orders_hold_in_an_import(store, clock, people):
    parts = linking(store, clock)
    anchor = next(one.record for one in await parts.ledger.links(people["J9"]) if one.anchor)
    mine = next(one.record for one in await parts.ledger.links(people["J1"]) if one.anchor)
    moved = parts.placing.arrival("police", "R20", traits_of(person_record("", 20).values))
    never = parts.placing.arrival("police", "R1", traits_of(person_record("", 1).values))
    await parts.placing.order(Order.ALWAYS, moved, anchor, author="ann", reason="seen")
    await parts.placing.order(Order.NEVER, never, mine, author="ann", reason="seen")
    await parts.linker.run("police", register())
    found = await clusters(store, clock)
    assert found[moved.record] == people["J9"]
    assert never.record not in found


async def test_a_shadow_run_tells_what_would_change_and_changes_nothing(store, clock, people, tmp_path):
    parts = linking(store, clock)
    await parts.linker.run("police", register())
    before = await state(store, clock)
    path = tmp_path / "weights.toml"
    path.write_text(
        WEIGHTS_FILE.read_text("utf-8").replace("join = 10.0", "join = 90.0").replace('version = "2"', 'version = "3"'),
        "utf-8",
    )
    stricter = read_model(path)
    found = await parts.linker.shadow("police", register(), stricter)
    assert (found.version, found.joined, found.same + found.parted) == ("3", 0, 60)
    assert await state(store, clock) == before
    same = await parts.linker.shadow("police", register(), parts.placing.model)
    assert (same.moved, same.same) == ([], 60)


async def test_what_is_stored_for_matching_holds_no_value_in_clear(store, clock, people):
    parts = linking(store, clock)
    await parts.linker.run("police", register())
    text = ""
    async with store.read() as connection:
        for table in (link, trait, block, link_event, review):
            text += "\n".join(str(tuple(row)) for row in await connection.execute(select(table)))
    for secret in (number(3), "1980-03-05", "红旗大道", "13800000003", "R3'"):
        assert secret not in text
