"""The examples of docs/statutory-query.md, sent as they stand, in their order; and that nothing else knows of a sealed record."""

import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from hub.domain.identity_number import IdentityNumber, IdentityNumberError, check_character
from hub.gateway.statutory import Refused

PAGE = Path(__file__).parent.parent.parent / "docs" / "statutory-query.md"
EXAMPLE = re.compile(r"```graphql\n# as ([a-z-]+), officer (\d+)\n(.*?)```", re.S)
NOBODY = "36070219000101001" + check_character("36070219000101001")
PURPOSES = {
    "judicial-office": "HANDOVER",
    "data-subject": "SUBJECT_ACCESS",
    "approver": "SUPERVISION",
    "police-station": "RISK_CONTROL",
}


@pytest.fixture(scope="module")
def punishments(demo) -> dict[str, set[str]]:
    """Numbers of the punishments that the simulated police sealed, by identity number."""
    found: dict[str, set[str]] = {}
    for number, record in of_police(demo, "SELECT gmsfhm, cfbh FROM xz_cf JOIN rk_ryxx USING (rybh)"):
        try:
            found.setdefault(IdentityNumber.parse(number or "").text, set()).add(record)
        except IdentityNumberError:
            continue  # whom nobody can ask about by number
    return found


def of_police(demo, statement: str) -> list[Any]:
    (police,) = (demo.directory / "agencies").rglob("police*.db")
    with closing(sqlite3.connect(f"file:{police}?mode=ro", uri=True)) as database:
        return database.execute(statement).fetchall()


def test_every_example_does_what_the_page_says(demo, punishments):
    own = min(punishments)
    variables: dict[str, Any] = {
        "number": demo.held["people"]["in"][0],
        "case": demo.held["personas"]["judicial-office"]["case"],
        "own": own,
    }
    answers: dict[str, Any] = {}
    for persona, officer, text in EXAMPLE.findall(PAGE.read_text("utf-8")):
        bound = ("--person", own) if persona == "data-subject" else ()
        token = demo.hub("token", persona, "--officer", officer, *bound).stdout.strip()
        used = {name: value for name, value in variables.items() if f"${name}:" in text}
        reply = demo.ask(
            persona, text, used, Authorization=f"Bearer {token}", Hub_Purpose=PURPOSES[persona], Hub_Case=None
        )
        assert reply.status == 200, (text, reply.raw)
        assert "errors" not in reply.json, reply.json
        name = re.search(r"(?:mutation|query) (\w+)", text)[1]
        answers[name] = reply.json["data"]
        if "requestStatutoryQuery" in reply.json["data"]:
            assert "query" in answers[name]["requestStatutoryQuery"], answers[name]
            variables["query"] = answers[name]["requestStatutoryQuery"]["query"]["id"]
        if name == "Waiting":
            assert variables["query"] in [held["id"] for held in answers[name]["statutoryQueries"]]
    number = demo.held["people"]["in"][0]
    assert answers["Ask"]["requestStatutoryQuery"]["query"]["state"] == "PENDING"
    assert number not in json.dumps(answers)
    assert answers["Approve"]["approveStatutoryQuery"]["query"]["state"] == "OPEN"
    assert {record["key"] for record in answers["Read"]["statutoryRecords"]} == punishments.get(number, set())
    assert {record["key"] for record in answers["ReadOwn"]["statutoryRecords"]} == punishments[own]
    names = {value["name"] for record in answers["ReadOwn"]["statutoryRecords"] for value in record["content"]}
    assert {"cause", "penalty", "decided_on", "number"} <= names
    assert ("6701", "PUBLIC_SECURITY_136") in [
        (notice["officer"], notice["basis"]) for notice in answers["Notices"]["statutoryNotices"]
    ]


def test_a_query_is_no_use_to_another_officer_or_to_who_did_not_ask(demo, punishments):
    own, other = sorted(punishments)[:2]
    ask = """mutation ($n: String!) { requestStatutoryQuery(input: {clientMutationId: "x-1", identityNumber: $n,
      basis: PUBLIC_SECURITY_136}) { __typename ... on RequestStatutoryQuerySuccess { query { id } }
      ... on Problem { code message } } }"""

    def as_subject(text: str, number: str = own, **variables: str) -> Any:
        token = demo.hub("token", "data-subject", "--person", number).stdout.strip()
        return demo.ask("data-subject", text, variables, Authorization=f"Bearer {token}", Hub_Case=None).json

    asked = as_subject(ask, n=own)["data"]["requestStatutoryQuery"]
    query = asked["query"]["id"]
    read = "query ($q: ID!) { statutoryRecords(query: $q) { key } }"
    before = as_subject(read, q=query)
    assert before["data"] == {"statutoryRecords": None}
    assert before["extensions"]["hub"]["denied"] == [{"coordinate": "Query.statutoryRecords", "code": "FIELD_DENIED"}]
    about_other = as_subject(ask.replace("x-1", "x-2"), n=other)["data"]["requestStatutoryQuery"]
    about_nobody = as_subject(ask.replace("x-1", "x-3"), n=NOBODY)["data"]["requestStatutoryQuery"]
    assert about_other == about_nobody
    assert about_other["code"] == "FORBIDDEN"


def test_a_sealed_record_is_nowhere_in_what_the_police_answers(demo, punishments):
    number = demo.held["people"]["in"][0]
    query = "query ($n: String!) { person(lookup: {identityNumber: $n}) { police { newCases { caseNo } } } }"
    text = demo.ask("police-station", query, {"n": number}).raw.decode()
    sealed = {record for records in punishments.values() for record in records}
    assert not any(record in text for record in sealed)
    sdl = demo.send("/schema.graphql", headers={"Authorization": f"Bearer {demo.held['personas']['tax']['token']}"})
    assert b"tatutory" not in sdl.raw


def test_the_vault_holds_every_punishment_and_nothing_of_it_can_be_read(demo, punishments):
    with closing(sqlite3.connect(f"file:{demo.directory / 'hub' / 'hub.db'}?mode=ro", uri=True)) as database:
        rows = database.execute("SELECT content_sealed FROM vault_record WHERE agency = 'police'").fetchall()
    assert [(len(rows),)] == of_police(demo, "SELECT count(*) FROM xz_cf")
    assert not any(record.encode() in sealed for (sealed,) in rows for some in punishments.values() for record in some)


def test_a_token_for_nobody_is_not_made(demo):
    made = demo.hub("token", "data-subject", "--person", "360702", check=False)
    assert (made.returncode, made.stdout) == (2, "")


def test_the_page_tells_every_problem():
    page = PAGE.read_text("utf-8")
    assert all(f"| {code.value} |" in page for code in Refused)
