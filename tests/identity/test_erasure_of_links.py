"""Erasure over what matching keeps: traits, tokens, links taken away, questions, orders, and persons who were merged."""

import pytest
from sqlalchemy import func, or_, select

from hub.bootstrap.keeping import build_keeping
from hub.domain.identity_number import IdentityNumber
from hub.errors import ErasureError
from hub.identity.links import LinkError
from hub.identity.matching.decision import Order
from hub.identity.matching.traits import traits_of
from hub.identity.reviews import Choice
from hub.identity.tables import (
    block,
    false_item,
    link,
    link_event,
    link_order,
    link_removed,
    person,
    person_name,
    person_salt,
    review,
    trait,
)
from tests.crypto.world import Record, Register, key, settle
from tests.identity.parts import number, person_record

OF_A_PERSON = (person_salt, person_name, link, trait, block, false_item, link_removed, review)


@pytest.fixture
async def parts(tmp_path):
    """Six members with a record of the police each."""
    hub = await settle(tmp_path, 0)
    await hub.importer.run(Register([Record(key(n), person_record("", n).values) for n in range(6)]))
    for n in range(6):
        await hub.linking.placing.place(arrival(hub, "police", n))
    keeping = build_keeping(hub.settings)
    yield hub, keeping
    await keeping.close()
    await hub.close()


def arrival(hub, agency, n, **slip):
    return hub.linking.placing.arrival(agency, f"{agency}-{n}", traits_of(person_record("", n, **slip).values))


async def bearer(hub, agency, its_key) -> str | None:
    return await hub.linking.accounts.bearer(hub.linking.placing.arrival(agency, its_key, traits_of({})).record)


async def erase(keeping, person_id):
    for officer in ("1001", "1002"):
        done = await keeping.eraser.approve(person_id, officer, "why")
    return done


async def count(hub, table, *wanted) -> int:
    async with hub.store.read() as connection:
        return await connection.scalar(select(func.count()).select_from(table).where(*wanted)) or 0


async def test_no_row_of_matching_is_left_and_no_reason_given_about_the_person(parts):
    hub, keeping = parts
    linking = hub.linking
    who = await bearer(hub, "justice", key(1))
    record = arrival(hub, "police", 1).record
    await linking.ledger.unlink(record, author="ann", reason="李四不是此人")
    anchor = next(held.record for held in await linking.ledger.links(who) if held.anchor)
    await linking.placing.order(Order.ALWAYS, arrival(hub, "police", 1), anchor, author="ann", reason="核对身份证")
    await linking.placing.place(arrival(hub, "tax", 1, number=number(40)))  # asked about
    assert await count(hub, review, review.c.person_id == who) == 1
    assert await count(hub, link_removed, link_removed.c.person_id == who) == 1
    others = {table: await count(hub, table, table.c.person_id != who) for table in OF_A_PERSON}
    await erase(keeping, who)
    for table in OF_A_PERSON:
        assert await count(hub, table, table.c.person_id == who) == 0, table.name
        assert await count(hub, table, table.c.person_id != who) == others[table], table.name
    assert await count(hub, link_order) == 0
    touched = or_(link_event.c.person_before == who, link_event.c.person_after == who)
    assert await count(hub, link_event, touched) >= 3  # what was done when and by whom stays
    assert await count(hub, link_event, touched, link_event.c.reason_sealed.is_not(None)) == 0


async def test_what_was_taken_from_the_person_is_not_put_back(parts):
    hub, keeping = parts
    who = await bearer(hub, "justice", key(1))
    change = await hub.linking.ledger.unlink(arrival(hub, "police", 1).record, author="ann", reason="wrong")
    await erase(keeping, who)
    with pytest.raises(LinkError):
        await hub.linking.ledger.undo(change, author="ann", reason="right after all")


async def test_whoever_was_merged_into_the_person_goes_as_well(parts):
    hub, keeping = parts
    survivor, other = [await bearer(hub, "justice", key(n)) for n in (1, 2)]
    third = await bearer(hub, "justice", key(3))
    await hub.linking.ledger.merge(other, third, author="ann", reason="one person")
    change = await hub.linking.ledger.merge(survivor, other, author="ann", reason="one person")
    assert await keeping.eraser.bearer(IdentityNumber.parse(number(2))) == survivor
    with pytest.raises(ErasureError, match="another"):
        await keeping.eraser.approve(other, "1001", "why")
    done = await erase(keeping, survivor)
    assert {one for agency, one in done.keys if agency == "justice"} == {key(1), key(2), key(3)}
    for who in (survivor, other, third):
        for table in OF_A_PERSON:
            assert await count(hub, table, table.c.person_id == who) == 0, table.name
        assert await count(hub, person, person.c.person_id == who, person.c.number_sealed.is_not(None)) == 0
    with pytest.raises(LinkError):
        await hub.linking.ledger.undo(change, author="ann", reason="two after all")
    register = Register([Record(key(n), person_record("", n).values) for n in range(6)])
    assert (await hub.importer.run(register)).erased == 3


async def test_the_persons_record_is_kept_nowhere_where_others_asked_for_it(parts):
    """A record that another lost to the person, or that another is asked about, tells of the person."""
    hub, keeping = parts
    who, other = [await bearer(hub, "justice", key(n)) for n in (1, 2)]
    anchors = {one: next(h.record for h in await hub.linking.ledger.links(one) if h.anchor) for one in (who, other)}
    mine = arrival(hub, "tax", 1)
    await hub.linking.placing.order(Order.ALWAYS, mine, anchors[other], author="ann", reason="wrong")
    assert await bearer(hub, "tax", mine.key) == other
    await hub.linking.placing.order(Order.ALWAYS, mine, anchors[who], author="bo", reason="right")
    assert await bearer(hub, "tax", mine.key) == who
    assert await count(hub, link_removed, link_removed.c.person_id == other) == 1
    await erase(keeping, who)
    assert await count(hub, link_removed, link_removed.c.person_id == other) == 0
    assert await bearer(hub, "justice", key(2)) == other


async def test_a_question_whether_two_are_one_goes_with_either(parts):
    hub, keeping = parts
    who, other = [await bearer(hub, "justice", key(n)) for n in (1, 2)]
    asked = await hub.linking.reviews.propose_merge(other, who)
    await hub.linking.reviews.decide_identity(asked.review_id, by="ann", choice=Choice.SAME, reason="李四")
    await erase(keeping, who)
    assert await count(hub, review) == 0
