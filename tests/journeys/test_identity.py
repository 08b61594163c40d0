"""Who is who over HTTP: open questions of an office, two officers who decide, and why a person's records are theirs."""

import json
import re
import secrets
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

REVIEWS = """query ($first: Int, $after: String, $overdue: Boolean) {
  identityReviews(first: $first, after: $after, overdue: $overdue) {
    edges { cursor node { id kind person otherPerson agency record weight model evidence { field level } reasons
                          highImpact openedAt dueAt overdue firstBy } }
    pageInfo { hasNextPage endCursor } } }"""
DECIDE = """mutation ($input: DecideIdentityInput!) { decideIdentity(input: $input) { __typename
  ... on DecideIdentitySuccess { auditEntry review { id choice state } } ... on Problem { code field } } }"""
ROOT = Path(__file__).parent.parent.parent
EXPLAIN = """query ($person: PersonLookup!) { explainIdentity(person: $person) {
  person links { agency record method weight model evidence { field level } author linkedAt }
  changes { id kind agency record joined author at undoes } falseItems { item level agency foundAt } } }"""
PURPOSE = "VERIFY_IDENTITY"


@pytest.fixture(scope="module")
def county(demo):
    """Tokens of two officers of the county's office, whose regions hold most of the demo's questions."""

    def token(officer):
        found = demo.hub("token", "county-office", "--officer", officer, "--purpose", PURPOSE)
        return found.stdout.strip()

    return {name: token(name) for name in ("ann", "bo", "cy")}


def ask(demo, token, query, **variables):
    headers = {"Authorization": f"Bearer {token}", "Hub-Purpose": PURPOSE, "Hub-Case": None}
    reply = demo.ask("county-office", query, variables, **headers)
    assert reply.status == 200, reply.raw
    assert "errors" not in reply.json, reply.raw
    return reply


def questions(demo, token):
    found, after = [], None
    while True:
        page = ask(demo, token, REVIEWS, first=20, after=after).json["data"]["identityReviews"]
        found += [edge["node"] for edge in page["edges"]]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            return found


def decide(demo, token, review, choice, **more):
    given = {"clientMutationId": secrets.token_hex(8), "review": review, "choice": choice, "reason": "已核对身份证件"}
    return ask(demo, token, DECIDE, input={**given, **more}).json["data"]["decideIdentity"]


def test_questions_come_by_urgency_with_levels_and_a_deadline_and_are_in_the_log(demo, county):
    reply = ask(demo, county["ann"], REVIEWS, first=2)
    page = reply.json["data"]["identityReviews"]
    found = questions(demo, county["ann"])
    assert found
    assert len({one["id"] for one in found}) == len(found)
    assert [one["dueAt"] for one in found] == sorted(one["dueAt"] for one in found)
    assert all(one["kind"] in ("LINK", "CONTEST") and not one["overdue"] for one in found)
    assert all({"field", "level"} == set(item) for one in found for item in one["evidence"])
    entry = demo.entry(reply.hub["auditEntry"])
    assert len(entry["persons"]) == len({edge["node"]["person"] for edge in page["edges"]})
    assert "IdentityReview.evidence" in entry["persons"][0]["full"]
    assert "identity.decide" in entry["policies"]
    none = ask(demo, county["ann"], REVIEWS, overdue=True).json["data"]["identityReviews"]
    assert none["edges"] == []


@pytest.mark.parametrize(
    ("change", "field"),
    [({"reason": "x"}, "reason"), ({"until": "2001-01-01"}, "until"), ({"until": "2999-01-01"}, "until")],
)
def test_a_decision_needs_a_reason_and_an_end_to_come(demo, county, change, field):
    one = questions(demo, county["ann"])[0]
    assert decide(demo, county["ann"], one["id"], "OTHER", **change) == {
        "__typename": "Problem",
        "code": "INVALID_INPUT",
        "field": field,
    }


def test_whoever_is_elsewhere_or_has_no_such_duty_learns_nothing(demo, county):
    one = questions(demo, county["ann"])[0]
    for persona in ("tax", "police-station", "auditor"):
        known = demo.held["personas"][persona]
        reply = demo.ask(persona, REVIEWS, **{"Hub-Purpose": known["purpose"]})
        assert reply.json.get("data") is None or reply.json["data"]["identityReviews"] is None
    denied = demo.ask("county-office", REVIEWS, **{"Hub-Purpose": "SUPERVISION"})
    assert denied.json["data"] == {"identityReviews": None}
    assert [item["coordinate"] for item in denied.hub["denied"]] == ["Query.identityReviews"]
    unknown = decide(demo, county["ann"], "0" * 32, "SAME")
    assert (unknown["code"], unknown["field"]) == ("NOT_FOUND", "review")
    outside = demo.held["people"]["out"][0]
    for number in (outside, "110101199001010015"):
        reply = ask(demo, demo_token(demo), EXPLAIN, person={"identityNumber": number})
        assert reply.json["data"] == {"explainIdentity": None}
    assert one["person"]


def prison_numbers(demo, *numbers):
    (path,) = (demo.directory / "agencies" / "justice").glob("*.db")
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
        found = dict(database.execute("SELECT SFZH, ZFBH FROM ZF_JBXX"))
    database.close()
    return [found[number] for number in numbers]


def proposed(demo, *numbers):
    command = [sys.executable, "-m", "hub.cli.main", "identity", "propose-merge", "--by", "clerk"]
    keys = "\n".join(prison_numbers(demo, *numbers)) + "\n"
    done = subprocess.run(
        [*command, "--data", str(demo.directory)], input=keys, capture_output=True, text=True, check=True
    )
    return done.stdout.split()[0]


def test_two_persons_become_one_by_two_officers_and_two_again_by_undoing_it(demo, county):
    pair = demo.held["people"]["in"][-2:]
    survivor, other = (account_of(demo, county["ann"], number) for number in pair)
    review = proposed(demo, *pair)
    one = next(one for one in questions(demo, county["bo"]) if one["id"] == review)
    assert (one["kind"], one["highImpact"], one["person"]) == ("MERGE", True, survivor["person"])
    assert one["otherPerson"] == other["person"]
    assert {"NO_EDGE", "TWO_KEYS", "TWO_VALID_NUMBERS"} <= set(one["reasons"])
    waits = decide(demo, county["ann"], review, "SAME")
    assert waits["review"]["state"] == "WAITS_FOR_SECOND"
    assert decide(demo, county["ann"], review, "SAME")["code"] == "SAME_OFFICER"
    seen = next(one for one in questions(demo, county["bo"]) if one["id"] == review)
    assert seen["firstBy"] == "ann"
    assert decide(demo, county["bo"], review, "OTHER")["review"]["state"] == "WAITS_FOR_SECOND"
    assert decide(demo, county["ann"], review, "SAME")["review"]["state"] == "WAITS_FOR_SECOND"
    last = decide(demo, county["cy"], review, "SAME")
    assert last["review"]["state"] == "DECIDED"
    assert len(demo.entry(last["auditEntry"])["persons"]) == 2
    merged = account_of(demo, county["ann"], pair[0])
    assert len(merged["links"]) == len(survivor["links"]) + len(other["links"])
    assert account_of(demo, county["ann"], pair[1]) is None
    change = merged["changes"][0]
    assert (change["kind"], change["author"]) == ("MERGE", "cy")
    demo.hub("identity", "undo", change["id"], "--by", "clerk", "--reason", "two after all")
    for number, before in zip(pair, (survivor, other), strict=True):
        after = account_of(demo, county["ann"], number)
        assert after["links"] == before["links"]
    kinds = [entry["operation"] for entry in demo.entries() if entry["kind"] == "identity"]
    assert kinds[-2:] == ["propose-merge", "undo"]
    assert demo.hub("identity", "undo", "nothing", "--by", "x", "--reason", "y", check=False).returncode == 1


def account_of(demo, token, number):
    return ask(demo, token, EXPLAIN, person={"identityNumber": number}).json["data"]["explainIdentity"]


def test_other_weights_are_tried_before_they_are_live(demo, tmp_path):
    live = (ROOT / "hub" / "identity" / "matching" / "weights.toml").read_text("utf-8")
    same, other = tmp_path / "same.toml", tmp_path / "other.toml"
    same.write_text(live, "utf-8")
    other.write_text(
        re.sub(
            r"^(join|fracture) = .*$",
            lambda found: f"{found[1]} = {45.0 if found[1] == 'join' else 44.0}",
            live,
            flags=re.MULTILINE,
        ),
        "utf-8",
    )
    before = demo.hub("identity", "status", "--json").stdout
    words = demo.hub("identity", "shadow", str(same), "--agency", "tax").stdout
    assert re.match(r"tax: \d+ as now; 0 would join, 0 part, 0 go to another person; 0 persons ", words), words
    done = demo.hub("identity", "shadow", str(other), "--json", check=False)
    assert done.returncode == 1
    found = json.loads(done.stdout)["agencies"]
    assert found.keys() == {"police", "social-security", "civil-affairs", "tax"}
    assert sum(one["parted"] for one in found.values()) > 0
    for one in found.values():
        assert one["clusters"] == len({who for move in one["moved"] for who in (move["now"], move["would"]) if who})
    assert demo.hub("identity", "status", "--json").stdout == before


def test_linking_again_changes_nothing(demo):
    before = json.loads(demo.hub("identity", "status", "--json").stdout)
    words = demo.hub("identity", "link", "--agency", "police").stdout
    assert re.match(r"police: \d+ seen, 0 linked, \d+ as they were", words), words
    assert json.loads(demo.hub("identity", "status", "--json").stdout)["links"] == before["links"]
    refused = demo.hub("identity", "link", "--agency", "justice", check=False)
    assert refused.returncode == 3


def test_a_decision_makes_a_link_that_is_explained_or_forbids_it(demo, county):
    single = [one for one in questions(demo, county["ann"]) if not one["highImpact"]]
    one = single[0]
    done = decide(demo, county["ann"], one["id"], "SAME")
    assert done["review"] == {"id": one["id"], "choice": "SAME", "state": "DECIDED"}, done
    told = ask(demo, county["bo"], EXPLAIN, person={"id": one["person"]})
    account = told.json["data"]["explainIdentity"]
    (link,) = [held for held in account["links"] if held["record"] == one["record"]]
    assert (link["agency"], link["method"]) == (one["agency"], "order")
    assert link["evidence"] == one["evidence"]
    assert {"LINK"} == {step["kind"] for step in account["changes"] if step["record"] == one["record"]}
    anchor = [held for held in account["links"] if held["agency"] == "justice"]
    assert [held["method"] for held in anchor] == ["own-key"]
    entry = demo.entry(done["auditEntry"])
    assert (entry["kind"], entry["operation"], entry["officer"]) == ("command", "decideIdentity", "ann")
    assert len(entry["persons"]) == 1
    assert decide(demo, county["bo"], one["id"], "OTHER")["code"] == "ALREADY_DECIDED"
    assert one["id"] not in {left["id"] for left in questions(demo, county["ann"])}


def test_the_same_command_again_is_the_same_decision(demo, county):
    one = next(one for one in questions(demo, county["ann"]) if not one["highImpact"])
    known = secrets.token_hex(8)
    first = decide(demo, county["ann"], one["id"], "OTHER", clientMutationId=known)
    assert decide(demo, county["ann"], one["id"], "OTHER", clientMutationId=known) == first
    again = decide(demo, county["ann"], one["id"], "SAME", clientMutationId=known)
    assert again["code"] == "IDEMPOTENCY_CONFLICT"


def demo_token(demo):
    return demo.hub("token", "judicial-office", "--purpose", PURPOSE).stdout.strip()
