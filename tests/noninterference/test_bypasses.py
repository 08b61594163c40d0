"""Published ways round the field rules of other gateways, each tried on this one."""

import json
from dataclasses import replace
from random import Random

import pytest

from tests.noninterference.operations import Named, Operation
from tests.noninterference.pairs import draw, principal_of, wait
from tests.noninterference.sight import Sight
from tests.noninterference.values import Value
from tests.noninterference.worlds import Human, Maker, Membership, Record, World, number_of, person_id_of

LIST = """query ($filter: PeopleFilter, $after: String, $offset: Int) {
  list: people(filter: $filter, first: 2, after: $after, offset: $offset) {
    totalCount edges { cursor node { id name sex } } pageInfo { hasNextPage endCursor } } }"""
MINE = Membership("in", False, (("360702001", "household", None),))
OVER = Membership("over", False, (("360702001", "household", None),))
THEIRS = Membership("in", False, (("110101003", "household", None),))


@pytest.fixture
def maker(shop):
    return Maker(shop.catalogue, Random(7))


@pytest.fixture
def ask(shop, loop):
    def run(role, text, *, quota=1000, regions=None, purpose=None, **variables):
        principal = principal_of(shop, role)
        if regions is not None:
            principal = replace(principal, regions=regions)
        operation = Operation(text, variables)
        seen = loop.run_until_complete(shop.run(principal, purpose or shop.rules.personas[role].purpose, operation))
        status, _, body = seen.answers[0]
        return status, json.loads(body)

    return run


def world_of(maker, *members) -> World:
    """A world of people whom every register knows."""
    return World(tuple(Human(one, {name: maker.record(name) for name in maker.tops}) for one in members), {})


def code(answer) -> str:
    return answer[1]["errors"][0]["extensions"]["code"]


def test_a_cursor_holds_nothing_that_can_be_read(shop, maker, ask):
    shop.put(world_of(maker, MINE, MINE, MINE))
    _, body = ask("judicial-office", LIST)
    for edge in body["data"]["list"]["edges"]:
        assert not any(person_id_of(slot)[:8] in edge["cursor"] for slot in range(3))
        assert len(edge["cursor"]) == 96


@pytest.mark.parametrize(
    "how",
    [
        {"filter": {"region": "3607"}},
        {"filter": {"sex": "MALE"}},
        {"purpose": "PLACEMENT"},
        {"role": "county-office"},
        {"role": "police-station"},
        {"regions": ("3607",)},
    ],
    ids="/".join,
)
def test_a_cursor_opens_for_its_own_list_only(shop, maker, ask, how):
    shop.put(world_of(maker, MINE, MINE, MINE))
    cursor = ask("judicial-office", LIST)[1]["data"]["list"]["pageInfo"]["endCursor"]
    assert ask("judicial-office", LIST, after=cursor)[0] == 200
    other = ask(**{"role": "judicial-office", "text": LIST, "after": cursor, **how})
    assert code(other) == "BAD_REQUEST"


def test_a_person_id_is_no_cursor_and_a_cursor_is_no_person_id(shop, maker, ask):
    shop.put(world_of(maker, MINE, MINE, MINE))
    page = ask("judicial-office", LIST)[1]["data"]["list"]
    assert code(ask("judicial-office", LIST, after=page["edges"][0]["node"]["id"])) == "BAD_REQUEST"
    query = "query ($ids: [ID!]!) { persons(ids: $ids) { id } }"
    assert ask("judicial-office", query, ids=[page["pageInfo"]["endCursor"]])[1]["data"] == {"persons": [None]}


def test_a_filter_on_a_hidden_field_lists_only_whose_field_may_be_seen(shop, maker, ask):
    """Out of term a judicial office knows that the person exists and no longer the sex; so the filter leaves them out."""
    shop.put(world_of(maker, OVER, OVER))
    assert ask("judicial-office", LIST)[1]["data"]["list"]["totalCount"] == 2
    for sex in ("MALE", "FEMALE", "UNKNOWN"):
        page = ask("judicial-office", LIST, filter={"sex": sex})[1]["data"]["list"]
        assert (page["totalCount"], page["edges"], page["pageInfo"]["hasNextPage"]) == (0, [], False)


def test_the_filter_needs_what_the_index_holds_and_not_what_it_resembles(shop, maker, ask, monkeypatch):
    """The index knows the sex as justice says it; a role that may not see that cannot filter by it."""
    judge = shop.rules.judge
    real = judge.table

    def table(decision_class):
        made = real(decision_class)
        denied = made.decisions["TaxRecord.incomeBand"]
        return replace(made, decisions={**made.decisions, "JusticeRecord.sex": denied})

    shop.put(world_of(maker, MINE, MINE))
    monkeypatch.setattr(judge, "table", table)
    monkeypatch.setattr(shop.gateway, "_allowed_facts", {})
    assert ask("judicial-office", LIST)[1]["data"]["list"]["totalCount"] == 2
    for sex in ("MALE", "FEMALE", "UNKNOWN"):
        assert ask("judicial-office", LIST, filter={"sex": sex})[1]["data"]["list"]["totalCount"] == 0
    shop.gateway._allowed_facts.clear()


def test_the_count_of_a_list_is_the_number_of_persons_on_its_pages(shop, loop):
    """So it adds nothing to the pages: no row is counted that is not shown."""
    lists = 0
    for seed in range(20):
        pair = replace(draw(shop, "judicial-office", seed, kinds=("people",)), quota=1000)
        outcome = wait(loop, shop, pair)
        for operation, seen in zip(pair.operations, outcome.first, strict=True):
            pages = [json.loads(body)["data"]["list"] for status, _, body in seen.answers if status == 200]
            if not pages or not operation.paged:
                continue
            lists += 1
            shown = [edge["node"] for page in pages for edge in page["edges"]]
            assert None not in shown
            assert {page["totalCount"] for page in pages} == {len(shown)}
    assert lists > 20


def test_the_same_person_twice_under_other_facts_is_decided_each_time(shop, maker, ask):
    """De-duplication by person must not carry a decision over: two roles, one person, one process."""
    shop.put(world_of(maker, OVER))
    query = "query ($n: String!) { person(lookup: {identityNumber: $n}) { id justice { prisonerNo } } }"
    seen = {role: ask(role, query, n=number_of(0))[1] for role in ("county-office", "judicial-office")}
    denied = {role: {one["coordinate"] for one in body["extensions"]["hub"]["denied"]} for role, body in seen.items()}
    assert "JusticeRecord.prisonerNo" not in denied["county-office"]
    assert "JusticeRecord.prisonerNo" in denied["judicial-office"]
    assert len({body["data"]["person"]["id"] for body in seen.values()}) == 1  # one for each agency, not for each role
    refused = ask("tax", query, n=number_of(0))  # of what its view does not have a role is told that it does not exist
    assert (refused[0], code(refused)) == (400, "GRAPHQL_VALIDATION_FAILED")
    assert ask("tax", query.replace(" justice { prisonerNo }", ""), n=number_of(0))[1]["data"]["person"]["id"] not in {
        body["data"]["person"]["id"] for body in seen.values()
    }


def test_two_names_for_one_person_are_one_read_and_two_answers(shop, maker, ask):
    shop.put(world_of(maker, MINE, THEIRS))
    query = (
        """query ($ids: [ID!]!) { a: persons(ids: $ids) { id } b: persons(ids: $ids) { justice { offenceChapter } } }"""
    )
    body = ask("judicial-office", query, ids=[Named(0), Named(1), Named(0)])[1]
    assert [one is None for one in body["data"]["a"]] == [False, True, False]
    assert [one is None for one in body["data"]["b"]] == [False, True, False]


def test_the_quota_goes_as_fast_for_unknown_as_for_not_yours(shop, maker, ask):
    query = "query ($n: String!) { person(lookup: {identityNumber: $n}) { id } }"
    numbers = [number_of(slot) for slot in (1, 2, 3)]
    runs = []
    for others in (THEIRS, None):
        shop.put(world_of(maker, MINE, others, others, others), quota=2)
        runs.append([ask("judicial-office", query, n=number)[0] for number in numbers])
    assert runs[0] == runs[1] == [200, 200, 429]


def test_a_list_shows_persons_and_no_look_ups_to_the_quota(shop, maker, ask):
    shop.put(world_of(maker, MINE, MINE, THEIRS), quota=2)
    assert [ask("judicial-office", LIST)[0] for _ in range(3)] == [200, 200, 200]


def test_the_sight_of_a_world_is_not_empty(shop, maker):
    """The oracle itself: of these three the office sees the first two."""
    world = world_of(maker, MINE, OVER, THEIRS)
    sight = Sight(shop.rules.judge, principal_of(shop, "judicial-office"), "HANDOVER", ())
    assert [sight.sees(world, slot) for slot in range(3)] == [True, True, False]


def test_what_only_an_answer_is_computed_of_stands_in_no_count(shop, maker, ask):
    """A bank is told whether there is a relief, and not that the register of relief holds a value that fits nothing."""
    query = """query ($n: String!) { person(lookup: {identityNumber: $n}) {
      predicates { keyGroupEligible { holds } } sources { agency quarantined } } }"""
    seen = []
    for broken in (False, True):
        world = world_of(maker, MINE)
        for name, record in world.humans[0].records.items():
            world.humans[0].records[name] = Record(1, dict.fromkeys(record.rows))
            for field in shop.catalogue.types[maker.tops[name].name].fields:
                world.humans[0].records[name].rows[field.name] = [] if field.record_type else None
        world.humans[0].records["civil-affairs"].rows["lowIncome"] = Value(0, 0, broken=True) if broken else None
        shop.put(world)
        seen.append(ask("bank", query, n=number_of(0))[1]["data"])
    assert seen[0]["person"]["predicates"]["keyGroupEligible"] == {"holds": False}
    assert seen[0] == seen[1]


def test_a_clerk_of_insurance_is_told_the_same_of_a_former_member_and_of_a_stranger(shop, maker, ask):
    """The clerk's answer is whether a person is entitled: yes or no, and not whether the person ever was a member."""
    query = "query ($n: String!) { person(lookup: {identityNumber: $n}) { entitledGroup } }"
    told = []
    for membership in (MINE, OVER, None):
        shop.put(world_of(maker, membership))
        told.append(ask("medical-insurance", query, n=number_of(0))[1]["data"]["person"])
    assert told == [{"entitledGroup": True}, {"entitledGroup": False}, {"entitledGroup": False}]
