"""Rotation over what matching keeps: every sealed column, the tokens by which records find their person, and undoing."""

import pytest
from sqlalchemy import LargeBinary, select

from hub.bootstrap.keeping import build_keeping, kept_everywhere
from hub.identity.links import event_place, order_place, review_place
from hub.identity.matching.decision import Order, Outcome
from hub.identity.matching.traits import traits_of
from hub.identity.reviews import Choice
from hub.identity.tables import block, link_event, link_order, link_removed, review
from hub.store.metadata import METADATA
from tests.crypto.world import Record, Register, key, settle
from tests.identity.parts import number, person_record

MEETING = 2
"""Tokens are cut to 16 bits, of random keys: two of a person meet once in some hundred runs."""


def arrival(hub, agency, its_key, n, **slip):
    return hub.linking.placing.arrival(agency, its_key, traits_of(person_record("", n, **slip).values))


@pytest.fixture
async def hub(tmp_path):
    made = await settle(tmp_path, 0)
    await made.importer.run(Register([Record(key(n), person_record("", n).values) for n in range(8)]))
    for n in range(8):
        await made.linking.placing.place(arrival(made, "police", f"R{n}", n))
    yield made
    await made.close()


async def all_of(hub, table) -> list:
    async with hub.store.read() as connection:
        return list((await connection.execute(select(table))).all())


async def bearer(hub, n) -> str:
    return await hub.linking.accounts.bearer(arrival(hub, "justice", key(n), n).record)


async def test_links_questions_orders_and_what_was_taken_away_come_over_and_open(hub):
    ledger, reviews, placing = hub.linking.ledger, hub.linking.reviews, hub.linking.placing
    taken = await ledger.unlink(arrival(hub, "police", "R1", 1).record, author="ann", reason="not this one")
    (anchor,) = [one.record for one in await ledger.links(await bearer(hub, 2)) if one.anchor]
    await placing.order(Order.NEVER, arrival(hub, "tax", "T2", 2), anchor, author="ann", reason="another's")
    await placing.place(arrival(hub, "tax", "T3", 3, number=number(40)))
    merged = await ledger.merge(await bearer(hub, 5), await bearer(hub, 6), author="ann", reason="one person")
    (question,) = await reviews.identity_reviews()
    assert not await reviews.decide_identity(question.review_id, by="ann", choice=Choice.SAME, reason="first")
    before = {n: await ledger.links(await bearer(hub, n)) for n in (2, 3, 5)}
    tokens = {(row.person_id, row.token) for row in await all_of(hub, block)}
    keeping = build_keeping(hub.settings)
    try:
        await keeping.rekeying.rotate(grace_s=0)
        assert {version for _, _, version in await keeping.rotation.versions()} == {2}
        assert await keeping.rekeying.retire() > 0
        assert await keeping.rekeying.destroy() > 0
        opening = keeping.secrets.opener.open
        (order,) = await all_of(hub, link_order)
        assert opening(order_place(order.order_id), order.reason_sealed) == "another's"
        (asked,) = await all_of(hub, review)
        assert opening(review_place("first_reason_sealed", asked.review_id), asked.first_reason_sealed) == "first"
        reasons = {
            opening(event_place("reason_sealed", row.change_id, row.order), row.reason_sealed)
            for row in await all_of(hub, link_event)
            if row.reason_sealed is not None
        }
        assert reasons == {"not this one", "one person"}
    finally:
        await keeping.close()
    assert {n: await ledger.links(await bearer(hub, n)) for n in (2, 3, 5)} == before
    after = {(row.person_id, row.token) for row in await all_of(hub, block)}
    assert abs(len(after) - len(tokens)) <= MEETING
    assert {who for who, _ in after} == {who for who, _ in tokens}
    assert len(after & tokens) <= MEETING
    assert len(await all_of(hub, link_removed)) == 1
    await ledger.undo(taken, author="ann", reason="it is")
    assert (await hub.linking.accounts.bearer(arrival(hub, "police", "R1", 1).record)) == await bearer(hub, 1)
    assert await reviews.decide_identity(question.review_id, by="bo", choice=Choice.SAME, reason="second")
    await ledger.undo(merged, author="ann", reason="two")
    for n in range(8):  # by number, and without one
        for slip in ({}, {"number": ""}):
            verdict = await placing.place(arrival(hub, "social-security", f"S{n}{len(slip)}", n, **slip))
            assert verdict.best is not None, (n, slip)
            assert verdict.best.person == await bearer(hub, n)
            assert verdict.outcome in (Outcome.JOIN, Outcome.REVIEW)


async def test_every_sealed_column_of_the_hub_is_moved_by_rotation(hub):
    kept = {(one.table.name, one.column) for one in kept_everywhere(hub.secrets)}
    sealed = {
        (table.name, column.name)
        for table in METADATA.sorted_tables
        for column in table.columns
        if isinstance(column.type, LargeBinary) and column.name.endswith("_sealed")
    }
    assert sealed == kept
