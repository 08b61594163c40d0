"""Break-glass: every wrong way is refused, and what was opened is exactly what a second officer opened."""

from dataclasses import replace

import orjson
import pytest
from sqlalchemy import select

from hub.audit.reader import dump
from hub.casework.emergency import DECIDE_WITHIN_US, REVIEW_WITHIN_US
from hub.events.tables import outbox
from tests.casework.parts import (
    ASKER,
    AUDITOR,
    COORDINATES,
    COUNTY,
    NAMES,
    NUMBER,
    SECOND,
    approved,
    asked,
    asking,
    call,
    code,
    deciding,
    officer,
    open_desk,
    reviewing,
    standing,
    subject,
)


@pytest.fixture
async def desk(store, clock):
    one = open_desk(store, clock)
    yield one
    await one.log.close()


async def events(desk) -> list[tuple[str, str, dict]]:
    async with desk.store.read() as connection:
        rows = await connection.execute(select(outbox).order_by(outbox.c.sequence))
        return [(row.kind, row.recipient, orjson.loads(row.body)) for row in rows]


async def test_an_approval_opens_what_was_asked_for_to_the_asker_until_its_time(desk, clock):
    await approved(desk, minutes=30)
    merged_of = {"PoliceRecord.name", "JusticeRecord.name"}
    opened = frozenset({*COORDINATES, *merged_of, "Person.assistanceStatus"})
    assert await standing(desk) == opened
    clock.advance(30 * 60 - 1)
    assert await standing(desk) == opened
    clock.advance(1)
    assert await standing(desk) == frozenset()


async def test_it_opens_nothing_to_anybody_else_for_anything_else_or_of_anybody_else(desk):
    await approved(desk)
    assert await standing(desk, SECOND) == frozenset()
    assert await standing(desk, COUNTY) == frozenset()
    assert await standing(desk, officer(role="county-office")) == frozenset()
    assert await standing(desk, purpose="PICKUP") == frozenset()
    assert await standing(desk, number="360702199001011242") == frozenset()


async def test_nobody_approves_their_own_request_in_any_role(desk):
    request = await asked(desk)
    for number, who in enumerate((ASKER, officer(client="other"), officer(role="county-office", regions=("36",)))):
        assert code(await desk.runner.run(deciding(request, who, id=str(number)))) == "SAME_OFFICER"
    assert await standing(desk) == frozenset()


async def test_another_agency_finds_no_such_request(desk):
    request = await asked(desk)
    police = officer("5001", "police-station", "police")
    done = await desk.runner.run(deciding(request, police, purpose="RISK_CONTROL"))
    none = await desk.runner.run(deciding("no-such-request", police, id="2", purpose="RISK_CONTROL"))
    assert done.problem == none.problem
    assert code(done) == "NOT_FOUND"


async def test_a_county_office_decides_for_its_own_regions_only(desk):
    police = officer("5001", "police-station", "police")
    request = (await desk.runner.run(_police_asks(police))).receipt["id"]
    elsewhere = officer("3009", "county-office", regions=("3601",))
    assert code(await desk.runner.run(deciding(request, elsewhere))) == "NOT_FOUND"
    assert (await desk.runner.run(deciding(request, COUNTY))).receipt["state"] == "ACTIVE"


def _police_asks(police):
    given = {"person": {}, "reason": "wanted in a case", "minutes": 5, "coordinates": ["Person.name"]}
    return call("requestEmergencyAccess", given, police, purpose="RISK_CONTROL", about=subject())


async def test_a_request_is_decided_once(desk):
    request = await asked(desk)
    refused = await desk.runner.run(deciding(request, decision="REFUSE"))
    assert refused.receipt["state"] == "REFUSED"
    assert await standing(desk) == frozenset()
    assert code(await desk.runner.run(deciding(request, id="2"))) == "ALREADY_DECIDED"
    assert await standing(desk) == frozenset()


async def test_a_request_that_waited_a_day_has_lapsed(desk, clock):
    request = await asked(desk)
    clock.advance(DECIDE_WITHIN_US / 1_000_000)
    assert code(await desk.runner.run(deciding(request))) == "EXPIRED"
    assert await standing(desk) == frozenset()


async def test_ending_early_ends_it_at_once_and_only_once(desk):
    request = await approved(desk)
    police = officer("5001", "police-station", "police")
    foreign = call("withdrawEmergencyAccess", {"request": request}, police, purpose="RISK_CONTROL")
    assert code(await desk.runner.run(foreign)) == "NOT_FOUND"
    done = await desk.runner.run(call("withdrawEmergencyAccess", {"request": request}, SECOND, id="w"))
    assert done.receipt["state"] == "ENDED"
    assert await standing(desk) == frozenset()
    again = await desk.runner.run(call("withdrawEmergencyAccess", {"request": request}, SECOND, id="w2"))
    assert code(again) == "EXPIRED"


async def test_a_withdrawn_request_can_no_longer_be_approved(desk):
    request = await asked(desk)
    await desk.runner.run(call("withdrawEmergencyAccess", {"request": request}, id="w"))
    assert code(await desk.runner.run(deciding(request))) == "ALREADY_DECIDED"
    assert await standing(desk) == frozenset()


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"minutes": 0}, "minutes"),
        ({"minutes": 241}, "minutes"),
        ({"reason": "  no  "}, "reason"),
        ({"reason": "x" * 501}, "reason"),
        ({"coordinates": []}, "coordinates"),
        ({"coordinates": ["Person.nothing"]}, "coordinates"),
        ({"coordinates": ["Person.name"] * 51}, "coordinates"),
    ],
)
async def test_a_request_out_of_bounds_is_refused(desk, wrong, field):
    done = await desk.runner.run(asking(**wrong))
    assert code(done) == "INVALID_INPUT"
    assert done.problem["field"] == field
    assert await events(desk) == []


async def test_owners_of_the_opened_fields_are_told_who_opened_them_and_not_why_in_clear(desk):
    request = await approved(desk)
    told = {recipient: body for kind, recipient, body in await events(desk) if kind == "access.approved"}
    assert {"justice", "police"} <= set(told)
    assert told["justice"]["request"] == request
    assert "JusticeRecord.riskClass" in told["justice"]["coordinates"]
    assert "JusticeRecord.riskClass" not in told["police"]["coordinates"]
    assert "seen the paper" not in repr(told)


async def test_a_stranger_is_asked_for_like_a_member(desk):
    member = (await desk.runner.run(asking(id="1"))).receipt
    stranger = (await desk.runner.run(asking(id="2", about=subject(member=None)))).receipt
    assert {**member, "id": ""} == {**stranger, "id": ""}


async def test_the_review_waits_for_a_third_officer_and_becomes_overdue(desk, clock):
    request = await approved(desk, minutes=10)
    assert code(await desk.runner.run(reviewing(request, id="early"))) == "INVALID_INPUT"
    clock.advance(600)
    third = officer("3002", "county-office", regions=("36",))
    both = (officer(ASKER.officer, "county-office"), officer(SECOND.officer, "county-office"))
    for number, who in enumerate(both):
        done = await desk.runner.run(reviewing(request, who, id=str(number), purpose="SUPERVISION"))
        assert code(done) == "SAME_OFFICER"
    page = await desk.lists.reviews(AUDITOR, "AUDIT", 10, None, only_open=True)
    assert [(view.id, view.review.overdue) for view in page.views] == [(request, False)]
    clock.advance(REVIEW_WITHIN_US / 1_000_000)
    page = await desk.lists.reviews(AUDITOR, "AUDIT", 10, None, only_open=True)
    assert page.views[0].review.overdue
    assert (await desk.runner.run(reviewing(request, third, id="c", purpose="SUPERVISION"))).receipt["id"] == request
    assert (await desk.lists.reviews(AUDITOR, "AUDIT", 10, None, only_open=True)).views == []
    (closed,) = (await desk.lists.reviews(AUDITOR, "AUDIT", 10, None, only_open=False)).views
    assert (closed.review.state, closed.review.finding, closed.review.note) == ("CLOSED", "JUSTIFIED", "all in order")
    assert not closed.review.overdue
    assert code(await desk.runner.run(reviewing(request, id="again"))) == "ALREADY_DECIDED"


async def test_what_was_not_approved_has_no_review(desk):
    request = await asked(desk)
    assert code(await desk.runner.run(reviewing(request))) == "NOT_FOUND"


async def test_lists_show_what_one_asked_for_or_may_decide_on(desk):
    first = await asked(desk, id="1")
    seen = {who.officer: await desk.lists.requests(who, "HANDOVER", 10, None) for who in (ASKER, SECOND, COUNTY)}
    assert all([view.id for view in page.views] == [first] for page in seen.values())
    (view,) = seen["2002"].views
    assert view.subject == "3" + "*" * 16 + "4"
    assert view.reason == "urgent: at the door"
    await desk.runner.run(deciding(first))
    assert (await desk.lists.requests(COUNTY, "HANDOVER", 10, None)).views == []
    police = officer("5001", "police-station", "police")
    assert (await desk.lists.requests(police, "RISK_CONTROL", 10, None)).views == []
    assert await desk.lists.requests(AUDITOR, "AUDIT", 10, None) is None
    assert await desk.lists.reviews(ASKER, "HANDOVER", 10, None, only_open=True) is None


async def test_lists_come_in_pages_newest_first(desk, clock):
    made = []
    for number in range(3):
        made.append(await asked(desk, id=str(number)))
        clock.advance(1)
    first = await desk.lists.requests(ASKER, "HANDOVER", 2, None)
    rest = await desk.lists.requests(ASKER, "HANDOVER", 2, first.views[-1].place)
    assert [view.id for view in (*first.views, *rest.views)] == made[::-1]
    assert (first.has_next_page, rest.has_next_page) == (True, False)


async def test_a_person_stands_under_a_pseudonym(desk):
    await asked(desk)
    async with desk.store.read() as connection:
        (row,) = await connection.execute(select(outbox))
    assert row.person_key == NAMES.of("number", NUMBER)


def deputy(of: str, number: str = "2002", **more):
    """An officer who stands in for another."""
    return replace(officer(number, **more), on_behalf_of=of)


DEPUTIES = {
    # asked by, decided by
    "the one it was asked for": (deputy("2001"), ASKER),
    "the asker acts for another": (ASKER, deputy("2003", "2001")),
    "another acts for the asker": (ASKER, deputy("2001", "2003")),
    "another acts for whom it was asked for": (deputy("2001"), deputy("2001", "2003")),
    "the asker in their own name": (deputy("2001"), SECOND),
    "each for the other": (deputy("2001"), deputy("2002", "2001")),
    "the asker, spelt otherwise": (officer("ab1"), officer("AB1")),
    "for the asker, spelt otherwise": (officer("ab1"), deputy("AB1")),
    "both for a third": (deputy("2003", "2001"), deputy("2003", "2002")),
}


@pytest.mark.parametrize("name", list(DEPUTIES))
async def test_nobody_approves_their_own_request_by_acting_for_another(desk, name):
    asker, decider = DEPUTIES[name]
    request = await asked(desk, who=asker)
    assert code(await desk.runner.run(deciding(request, decider))) == "SAME_OFFICER"
    assert await standing(desk, asker) == frozenset()


async def test_a_deputy_s_approval_is_as_good_as_any_other(desk):
    request = await asked(desk)
    assert code(await desk.runner.run(deciding(request, deputy("2004", "2003")))) is None
    assert await standing(desk) != frozenset()
    (view,) = (await desk.lists.requests(ASKER, "HANDOVER", 5, None)).views
    assert (view.on_behalf_of, view.approver, view.approver_on_behalf_of) == (None, "2003", "2004")


async def test_what_was_approved_for_a_deputy_opens_nothing_to_either_in_their_own_name(desk):
    asker = deputy("2001")
    request = await asked(desk, who=asker)
    assert code(await desk.runner.run(deciding(request, officer("2003")))) is None
    assert await standing(desk, asker) != frozenset()
    for other in (ASKER, SECOND, deputy("2003"), deputy("2001", "2004")):
        assert await standing(desk, other) == frozenset()
    (view,) = (await desk.lists.requests(ASKER, "HANDOVER", 5, None)).views  # it was asked on this one's behalf
    assert (view.officer, view.on_behalf_of) == ("2002", "2001")


@pytest.mark.parametrize(
    "reviewer",
    [
        deputy("2002", "2005", role="county-office", regions=("3607",)),
        deputy("2001", "2005", role="county-office", regions=("3607",)),
        deputy("2009", "2003", role="county-office", regions=("3607",)),
        officer("2004", role="county-office", regions=("3607",)),
    ],
    ids=["for the asker", "for whom it was asked", "the approver for another", "for whom it was approved"],
)
async def test_nobody_reviews_by_acting_for_another_what_they_had_a_hand_in(desk, reviewer):
    request = await asked(desk, who=deputy("2001"))
    assert code(await desk.runner.run(deciding(request, deputy("2004", "2003")))) is None
    given = reviewing(request, reviewer, purpose="SUPERVISION")
    assert code(await desk.runner.run(given)) == "SAME_OFFICER"


async def test_the_same_words_in_another_s_name_are_another_command(desk):
    await asked(desk, who=deputy("2001"), id="one")
    assert code(await desk.runner.run(asking(who=SECOND, id="one"))) == "IDEMPOTENCY_CONFLICT"


async def test_the_entry_of_a_command_says_on_whose_behalf(desk):
    await asked(desk, who=deputy("2001"))
    (entry,) = [shown async for shown in dump(desk.store)]
    assert (entry["officer"], entry["onBehalfOf"]) == ("2002", "2001")
