from datetime import timedelta

import pytest

from hub.identity.links import LinkError
from hub.identity.matching.decision import Order
from hub.identity.matching.traits import traits_of
from hub.identity.reviews import Choice
from tests.identity.parts import clusters, linking, members, number, person_record


@pytest.fixture
async def asked(store, clock):
    """One member, and a record that bears another valid number: two officers must say whose it is."""
    people = await members(store, clock, [person_record("J1", 1), person_record("J2", 2)])
    parts = linking(store, clock)
    one = parts.placing.arrival("police", "R1", traits_of(person_record("", 1, number=number(9)).values))
    await parts.placing.place(one)
    (question,) = await parts.reviews.identity_reviews()
    return parts, people, one, question


async def test_a_question_tells_levels_and_rules_and_a_deadline(asked, clock):
    parts, people, _, question = asked
    assert question.person_id == people["J1"]
    assert question.reasons == ("TWO_VALID_NUMBERS",)
    assert question.evidence["number"] == "differs"
    assert question.high_impact
    assert question.due_at > clock.now()
    assert await parts.reviews.identity_reviews(overdue=True) == []


async def test_high_impact_needs_two_officers_who_agree(asked, store, clock):
    parts, people, one, question = asked
    decide = parts.reviews.decide_identity
    assert not await decide(question.review_id, by="ann", choice=Choice.SAME, reason="card seen")
    with pytest.raises(LinkError):
        await decide(question.review_id, by="Ann", choice=Choice.SAME, reason="again")
    assert not await decide(question.review_id, by="bo", choice=Choice.OTHER, reason="no")
    assert one.record not in await clusters(store, clock)
    assert await decide(question.review_id, by="ann", choice=Choice.OTHER, reason="right, no")
    assert one.record not in await clusters(store, clock)
    await parts.placing.place(one)
    left = await parts.reviews.identity_reviews()
    assert people["J1"] not in {one.person_id for one in left}  # never: it is not asked again


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (("ann", None), ("bo", "Ann")),
        (("bo", "ann"), ("ann", None)),
        (("bo", "ann"), ("Bo", None)),
        (("bo", "ann"), ("cy", "ann")),
        (("ann", None), ("ann", "cy")),
    ],
    ids=["for the first", "whom the first stood in for", "the deputy", "two for one", "the first for another"],
)
async def test_a_deputy_is_no_second_officer(asked, store, first, second):
    parts, _, _, question = asked

    async def decide(by: str, on_behalf_of: str | None) -> bool:
        async with store.write() as connection:
            return await parts.reviews.decide_in(
                connection,
                question.review_id,
                by=by,
                on_behalf_of=on_behalf_of,
                choice=Choice.SAME,
                reason="card seen",
            )

    assert not await decide(*first)
    with pytest.raises(LinkError):
        await decide(*second)
    assert await decide("dee", None)


async def test_a_decision_holds_against_later_arrivals(asked, store, clock):
    parts, people, one, question = asked
    for officer in ("ann", "bo"):
        await parts.reviews.decide_identity(question.review_id, by=officer, choice=Choice.SAME, reason="card seen")
    assert (await clusters(store, clock))[one.record] == people["J1"]
    await parts.placing.place(one)
    await parts.placing.place(parts.placing.arrival("police", "R2", traits_of(person_record("", 1).values)))
    found = await clusters(store, clock)
    assert found[one.record] == people["J1"]
    assert [event.kind for event in await parts.ledger.history(record=one.record)] == ["LINK"]


@pytest.mark.parametrize(("by", "reason"), [("", "x"), ("ann", "  ")])
async def test_a_decision_needs_an_officer_and_a_reason(asked, by, reason):
    parts, _, _, question = asked
    with pytest.raises(LinkError):
        await parts.reviews.decide_identity(question.review_id, by=by, choice=Choice.SAME, reason=reason)


async def test_a_merge_is_decided_by_two(store, clock):
    people = await members(store, clock, [person_record("J1", 1), person_record("J2", 1)])
    parts = linking(store, clock)
    question = await parts.reviews.propose_merge(people["J1"], people["J2"])
    assert question.reasons == ("TWO_KEYS",)
    assert not await parts.reviews.decide_identity(question.review_id, by="ann", choice=Choice.SAME, reason="file")
    assert await parts.reviews.decide_identity(question.review_id, by="bo", choice=Choice.SAME, reason="file")
    assert set((await clusters(store, clock)).values()) == {people["J1"]}


async def test_a_record_that_comes_again_as_it_was_leaves_its_question_as_it_is(asked, clock):
    """Its deadline goes on, and what the first officer decided stands."""
    parts, _, one, question = asked
    await parts.reviews.decide_identity(question.review_id, by="ann", choice=Choice.SAME, reason="card seen")
    (before,) = await parts.reviews.identity_reviews()
    clock.advance(16 * 86_400)
    await parts.placing.place(one)
    assert await parts.reviews.identity_reviews(overdue=True) == [before]
    assert await parts.reviews.decide_identity(question.review_id, by="bo", choice=Choice.SAME, reason="card seen")


async def test_a_record_that_comes_again_otherwise_is_asked_about_anew(asked, clock):
    parts, people, one, question = asked
    await parts.reviews.decide_identity(question.review_id, by="ann", choice=Choice.SAME, reason="card seen")
    clock.advance(86_400)
    changed = traits_of(person_record("", 1, number=number(9), phone="").values)
    await parts.placing.place(parts.placing.arrival("police", "R1", changed))
    (after,) = await parts.reviews.identity_reviews()
    assert (after.record, after.person_id, after.first_by) == (one.record, people["J1"], None)
    assert after.review_id != question.review_id
    assert after.opened_at == clock.now()


async def test_a_record_that_waits_for_its_place_keeps_its_question(store, clock):
    people = await members(store, clock, [person_record("J1", 1)])
    parts = linking(store, clock)
    same = traits_of(person_record("", 1).values)
    for key in ("R1", "R2"):
        await parts.placing.place(parts.placing.arrival("police", key, same))
    before = {one.record: one for one in await parts.reviews.identity_reviews()}
    assert {one.kind for one in before.values()} == {"CONTEST"}
    clock.advance(86_400)
    await parts.placing.place(parts.placing.arrival("police", "R2", same))
    assert {one.record: one for one in await parts.reviews.identity_reviews()} == before
    assert set((await clusters(store, clock)).values()) == {people["J1"]}


async def test_records_that_come_meanwhile_leave_the_question_of_a_merge_open(store, clock):
    people = await members(store, clock, [person_record("J1", 1), person_record("J2", 1)])
    parts = linking(store, clock)
    anchor = parts.placing.arrival("justice", "J2", traits_of({})).record
    arrivals = (
        parts.placing.arrival("tax", f"T{n}", traits_of(person_record("", 1, phone=f"139{n:08d}").values))
        for n in range(99)
    )
    first = next(one for one in arrivals if one.record < anchor)  # the question is named by the first of the records
    await parts.placing.order(Order.ALWAYS, first, anchor, author="ann", reason="card seen")
    question = await parts.reviews.propose_merge(people["J1"], people["J2"])
    assert question.record == first.record
    await parts.placing.place(first)
    assert [one.review_id for one in await parts.reviews.identity_reviews()] == [question.review_id]


async def test_an_expired_order_binds_no_more(store, clock):
    people = await members(store, clock, [person_record("J1", 1)])
    parts = linking(store, clock)
    one = parts.placing.arrival("tax", "T1", traits_of(person_record("", 1).values))
    (anchor,) = [held.record for held in await parts.ledger.links(people["J1"])]
    with pytest.raises(LinkError):
        await parts.placing.order(Order.NEVER, one, anchor, author="ann", reason="x", expires_at=clock.now())
    until = clock.now() + timedelta(days=1)
    await parts.placing.order(Order.NEVER, one, anchor, author="ann", reason="x", expires_at=until)
    await parts.placing.place(one)
    assert one.record not in await clusters(store, clock)
    clock.advance(2 * 86_400)
    await parts.placing.place(one)
    assert (await clusters(store, clock))[one.record] == people["J1"]


async def test_a_false_statement_is_found_by_item(store, clock):
    from sqlalchemy import select

    from hub.identity.tables import false_item

    people = await members(
        store, clock, [person_record("J1", 1, address="江西省九江市都昌县石塘乡解放路1号", county="360428")]
    )
    parts = linking(store, clock)
    await parts.placing.place(parts.placing.arrival("police", "R1", traits_of(person_record("", 1).values)))
    async with store.read() as connection:
        rows = (await connection.execute(select(false_item.c.person_id, false_item.c.item, false_item.c.level))).all()
    assert [tuple(row) for row in rows] == [(people["J1"], "place", "differs")]
