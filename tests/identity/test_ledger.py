import random

import pytest
from sqlalchemy import func, select

from hub.crypto.blind_index import BlindIndex
from hub.identity.leaving import retire
from hub.identity.links import LinkError
from hub.identity.matching.decision import Order
from hub.identity.matching.traits import traits_of
from hub.identity.references import CaseReference, References
from hub.identity.tables import block, case_reference, name_token, person, person_salt, trait
from hub.identity.vault_tables import vault_record
from tests.conftest import FULL
from tests.identity.parts import SECRETS, Source, clusters, importer, linking, members, person_record, state

AGENCIES = ("police", "social-security", "tax", "civil-affairs")


@pytest.fixture
async def linked(store, clock):
    """Five members, each with records of several agencies linked."""
    people = await members(store, clock, [person_record(f"J{n}", n) for n in range(5)])
    parts = linking(store, clock)
    for n in range(5):
        for agency in AGENCIES[: 2 + n % 3]:
            await parts.placing.place(arrival(parts, agency, n))
    return parts, people


def arrival(parts, agency, n, **slip):
    return parts.placing.arrival(agency, f"{agency}-{n}", traits_of(person_record("", n, **slip).values))


async def test_a_link_tells_how_it_came_and_holds_no_value_in_clear(linked, store, clock):
    parts, people = linked
    (held,) = [one for one in await parts.ledger.links(people["J1"]) if one.agency == "police"]
    assert held.key == "police-1"
    assert (held.state.method, held.state.author, held.state.model) == ("number", "hub", parts.placing.model.version)
    assert held.state.evidence["name"] == "equal"
    (event,) = await parts.ledger.history(record=held.record)
    assert (event.kind, event.person_before, event.person_after) == ("LINK", None, people["J1"])
    assert "police-1" not in str(event)


async def test_changes_and_their_undoing_leave_the_state_as_it_was(linked, store, clock):
    """Random sequences of merges and unlinks, undone in reverse; undoing is undone as well."""
    parts, people = linked
    start = await state(store, clock)
    for seed in range(40 if FULL else 6):
        dice = random.Random(seed)
        changes, states = [], []
        for _ in range(dice.randrange(1, 6)):
            states.append(await state(store, clock))
            change = await attempt(parts, people, dice, states[-1])
            if change is None:
                states.pop()
            else:
                changes.append(change)
        while changes:
            undone = await parts.ledger.undo(changes[-1], author="officer", reason="test")
            assert await state(store, clock) == states[-1]
            if dice.random() < 0.3:
                again = await parts.ledger.undo(undone, author="officer", reason="test")
                await parts.ledger.undo(again, author="officer", reason="test")
                assert await state(store, clock) == states[-1]
            changes.pop()
            states.pop()
        assert await state(store, clock) == start


async def attempt(parts, people, dice, now) -> str | None:
    live = [person for person, (_, into) in now["people"].items() if into is None]
    if dice.random() < 0.6 and len(live) > 1:
        one, two = dice.sample(sorted(live), 2)
        return await parts.ledger.merge(one, two, author="officer", reason="one person")
    free = sorted(name for name, held in now["links"].items() if not held.anchor)
    return await parts.ledger.unlink(dice.choice(free), author="officer", reason="wrong") if free else None


async def test_whoever_is_merged_is_found_again_after_unmerging_with_cases(linked, store, clock):
    parts, people = linked
    cases = References(store, clock)
    case = CaseReference(case_id="C1", person_id=people["J1"], agency="police", region="360702")
    await cases.put_cases([case])
    change = await parts.ledger.merge(people["J0"], people["J1"], author="officer", reason="one person")
    assert (await state(store, clock))["people"][people["J1"]] == (True, people["J0"])
    assert {one.person_id for one in await parts.ledger.links(people["J0"])} == {people["J0"]}
    await parts.ledger.undo(change, author="officer", reason="two")
    assert (await state(store, clock))["people"][people["J1"]] == (False, None)


async def test_a_change_under_a_later_one_is_not_undone(linked, store, clock):
    parts, people = linked
    first = await parts.ledger.merge(people["J0"], people["J1"], author="officer", reason="one person")
    await parts.ledger.merge(people["J2"], people["J0"], author="officer", reason="one person")
    before = await state(store, clock)
    with pytest.raises(LinkError):
        await parts.ledger.undo(first, author="officer", reason="two")
    assert await state(store, clock) == before


async def test_keys_of_one_blind_index_do_not_stand_in_the_way_of_a_merge(store, clock, monkeypatch):
    monkeypatch.setattr(SECRETS, "keys", BlindIndex(key=b"k" * 32, field="agencyKey", bits=1))
    people = await members(store, clock, [person_record(f"J{n}", n) for n in range(3)])
    parts = linking(store, clock)
    for n in range(3):
        await parts.placing.place(arrival(parts, "police", n))
    for n in (1, 2):
        await parts.ledger.merge(people["J0"], people[f"J{n}"], author="officer", reason="test")
    held = await parts.ledger.links(people["J0"])
    assert {one.key for one in held} >= {"J0", "J1", "J2", "police-0"}


async def test_an_anchor_is_not_unlinked_and_nobody_merges_with_themselves(linked):
    parts, people = linked
    (anchor,) = [one for one in await parts.ledger.links(people["J0"]) if one.anchor]
    with pytest.raises(LinkError):
        await parts.ledger.unlink(anchor.record, author="officer", reason="x")
    with pytest.raises(LinkError):
        await parts.ledger.merge(people["J0"], people["J0"], author="officer", reason="x")
    await parts.ledger.merge(people["J0"], people["J1"], author="officer", reason="x")
    with pytest.raises(LinkError):
        await parts.ledger.merge(people["J2"], people["J1"], author="officer", reason="merged before")


async def test_importing_again_after_a_merge_keeps_it(linked, store, clock):
    parts, people = linked
    await parts.ledger.merge(people["J0"], people["J1"], author="officer", reason="one person")
    before = await state(store, clock)
    again = await members(store, clock, [person_record(f"J{n}", n) for n in range(5)])
    assert again == {**people, "J1": people["J0"]}
    after = await state(store, clock)
    assert after["people"] == before["people"]
    assert after["links"].keys() == before["links"].keys()


async def test_whoever_others_were_merged_into_stays_when_one_of_the_records_is_gone(linked, store, clock):
    parts, people = linked
    await parts.ledger.merge(people["J0"], people["J1"], author="officer", reason="one person")
    clock.advance(60)
    since, left = clock.now(), importer(store, clock)
    await left.run(Source([person_record(f"J{n}", n) for n in (1, 2)]))  # neither J0, J3 nor J4
    assert await retire(store, since) == 2
    async with store.read() as connection:
        held = set(await connection.scalars(select(person.c.person_id)))
    assert held == {people["J0"], people["J1"], people["J2"]}


OTHER_NAME = {"birth": "1971-07-09", "county": "360428", "address": "江西省九江市都昌县石塘乡解放路1号"}
"""What one who lives under two identities states the second time."""


@pytest.mark.parametrize("turned", [False, True], ids=["first survives", "second survives"])
async def test_an_import_takes_nothing_from_whoever_two_identities_were_merged_into(store, clock, turned):
    """Both anchors go on finding records, one by one and by import."""
    register = [person_record("J1", 1), person_record("J2", 25, **OTHER_NAME)]
    people = await members(store, clock, register)
    parts = linking(store, clock)
    second = person_record("R2", 25, **OTHER_NAME)
    await parts.placing.place(parts.placing.arrival("police", "R2", traits_of(second.values)))
    survivor, other = sorted(people.values(), key=lambda one: (one == people["J1"]) == turned)
    await parts.ledger.merge(survivor, other, author="officer", reason="one person")
    before = await clusters(store, clock)
    assert set(before.values()) == {survivor}
    await members(store, clock, register)
    done = await parts.linker.run("police", Source([second]))
    assert (done.seen, done.kept) == (1, 1)
    await parts.placing.place(parts.placing.arrival("police", "R2", traits_of(second.values)))
    assert await clusters(store, clock) == before
    later = (person_record("T1", 1, number=""), person_record("T2", 25, number="", **OTHER_NAME))
    for agency, record in zip(("tax", "civil-affairs"), later, strict=True):
        verdict = await parts.placing.place(parts.placing.arrival(agency, record.key, traits_of(record.values)))
        assert verdict.best is not None
        assert verdict.best.person == survivor


async def test_a_sealed_record_of_whoever_was_merged_takes_nothing_else_from_the_survivor(linked, store, clock):
    """A juvenile record, and an adult one, that officers found to be one person's: the first is sealed by law."""
    parts, people = linked
    await References(store, clock).put_cases(
        [CaseReference(case_id="C1", person_id=people["J0"], agency="tax", region="360702")]
    )
    merged = await parts.ledger.merge(people["J0"], people["J1"], author="officer", reason="one person")
    before = await state(store, clock)
    sealed = parts.placing.arrival("justice", "J1", traits_of({})).record
    await members(store, clock, [person_record(f"J{n}", n, vaulted="1" if n == 1 else "0") for n in range(5)])
    after = await state(store, clock)
    assert after["links"].keys() == before["links"].keys() - {sealed}
    assert after["people"] == {one: held for one, held in before["people"].items() if one != people["J1"]}
    async with store.read() as connection:
        assert await connection.scalar(select(case_reference.c.person_id)) == people["J0"]
        for table in (person_salt, trait, block, name_token):
            held = set((await connection.execute(select(table.c.person_id))).scalars())
            assert people["J1"] not in held
        assert await connection.scalar(select(func.count()).select_from(vault_record)) == 1
        found = await connection.execute(select(block.c.token).where(block.c.person_id == people["J0"]))
        tokens = set(found.scalars())
    assert tokens == set(SECRETS.matching.tokens(traits_of(person_record("J0", 0).values)))
    with pytest.raises(LinkError):
        await parts.ledger.undo(merged, author="officer", reason="two")


async def test_whoever_was_merged_into_somebody_whose_record_is_sealed_is_a_member_again(linked, store, clock):
    parts, people = linked
    await parts.ledger.merge(people["J0"], people["J1"], author="officer", reason="one person")
    again = await members(store, clock, [person_record(f"J{n}", n, vaulted="0" if n else "1") for n in range(5)])
    assert again.keys() == people.keys() - {"J0"}
    assert again["J1"] not in people.values()
    async with store.read() as connection:
        rows = (await connection.execute(select(person.c.person_id, person.c.vaulted, person.c.merged_into))).all()
    assert {tuple(row) for row in rows} == {(one, False, None) for one in again.values()}
    assert (await clusters(store, clock))[parts.placing.arrival("justice", "J1", traits_of({})).record] == again["J1"]


async def anchor_of(parts, person) -> str:
    return next(one.record for one in await parts.ledger.links(person) if one.anchor)


@pytest.mark.parametrize("seed", range(12 if FULL else 3))
async def test_orders_hold_under_any_order_of_arrival(store, clock, seed):
    """Two records and their orders, in any order: the same clusters, and as the orders say."""
    people = await members(store, clock, [person_record(f"J{n}", n) for n in range(4)])
    parts = linking(store, clock)
    anchors = {n: await anchor_of(parts, people[f"J{n}"]) for n in range(4)}
    mine, never = arrival(parts, "police", 0), arrival(parts, "tax", 1)
    rival = arrival(parts, "police", 2)

    async def order(kind, record, n):
        await parts.placing.order(kind, record, anchors[n], author="officer", reason="seen in person")

    steps = [
        lambda: parts.placing.place(mine),
        lambda: parts.placing.place(never),
        lambda: parts.placing.place(rival),
        lambda: order(Order.ALWAYS, mine, 2),
        lambda: order(Order.NEVER, never, 1),
    ]
    random.Random(seed).shuffle(steps)
    for step in steps:
        await step()
    found = await clusters(store, clock)
    assert found[mine.record] == people["J2"]  # though number, name and all else are another's
    assert rival.record not in found  # the place is taken by order
    assert never.record not in found


@pytest.mark.parametrize("seed", range(12 if FULL else 3))
async def test_the_order_of_arrival_does_not_change_the_clusters(store, clock, seed):
    """Contested places, two valid numbers for one anchor without one, twins: whoever comes first."""
    from tests.identity.parts import number

    people = await members(
        store, clock, [*(person_record(f"J{n}", n) for n in range(3)), person_record("J3", 3, number="")]
    )
    parts = linking(store, clock)
    arrivals = [
        arrival(parts, "police", 0),
        parts.placing.arrival("police", "second", traits_of(person_record("", 0, number="").values)),
        arrival(parts, "tax", 1, number=""),
        arrival(parts, "police", 3),
        arrival(parts, "tax", 3, number=number(77)),
        arrival(parts, "social-security", 3),
        arrival(parts, "social-security", 2),
        parts.placing.arrival("social-security", "same", traits_of(person_record("", 2).values)),
    ]
    random.Random(seed).shuffle(arrivals)
    for one in arrivals:
        await parts.placing.place(one)
    found = await clusters(store, clock)
    named = {one.record: one.key for one in arrivals}
    assert {named[record]: person for record, person in found.items() if record in named} == {
        "police-0": people["J0"],  # its number makes it heavier than the second by more than the margin
        "tax-1": people["J1"],
        "police-3": people["J3"],
        "social-security-3": people["J3"],
    }
    waiting = await parts.reviews.identity_reviews()
    assert {named[one.record] for one in waiting} == {"second", "tax-3", "social-security-2", "same"}


async def test_a_record_finds_whoever_its_person_was_merged_into_and_back(linked, store, clock):
    parts, people = linked
    change = await parts.ledger.merge(people["J0"], people["J3"], author="officer", reason="one person")
    verdict = await parts.placing.place(arrival(parts, "tax", 3))
    assert verdict.best is not None
    assert verdict.best.person == people["J0"]
    await parts.ledger.unlink(arrival(parts, "tax", 3).record, author="officer", reason="test")
    await parts.ledger.undo(change, author="officer", reason="two")
    verdict = await parts.placing.place(arrival(parts, "tax", 3))
    assert verdict.best.person == people["J3"]
