"""Break-glass over HTTP with the tokens of five officers, and consent that is withdrawn at the next request."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from hub.audit.log import AuditLog
from hub.auditing.facts_file import FileFacts
from hub.auditing.findings import Findings
from hub.clock import SystemClock
from hub.identity.grants import Grants
from hub.settings import load_settings
from hub.store.engine import open_store
from tests.journeys.conftest import RESPONSE, free_port
from tests.journeys.test_workers import wait_ready

RULES = Path(__file__).parent.parent / "plugins" / "emergency"
PERSON = """query ($n: String!) { person(lookup: {identityNumber: $n}) {
  name sex justice { sentences { court } releaseDate } } }"""
ASK = """mutation ($id: ID!, $n: String!) { requestEmergencyAccess(input: {clientMutationId: $id, minutes: 30,
  person: {identityNumber: $n}, reason: "he stands at the door of another office",
  coordinates: ["Person.name", "JusticeRecord.sentences"]}) { __typename
  ... on RequestEmergencyAccessSuccess { clientMutationId auditEntry request { id state coordinates validUntil } }
  ... on Problem { code field message } } }"""
DECIDE = """mutation ($id: ID!, $request: ID!) { approveAccess(input: {clientMutationId: $id, request: $request,
  decision: APPROVE, reason: "I know of it"}) { __typename
  ... on ApproveAccessSuccess { request { state validUntil reviewDue } } ... on Problem { code } } }"""
END = """mutation ($request: ID!) { withdrawEmergencyAccess(input: {clientMutationId: "end", request: $request}) {
  ... on WithdrawEmergencyAccessSuccess { request { state } } ... on Problem { code } } }"""
REVIEW = """mutation ($request: ID!) { closeAccessReview(input: {clientMutationId: "r", request: $request,
  finding: JUSTIFIED, note: "the office told us the same day"}) {
  ... on CloseAccessReviewSuccess { request { id } } ... on Problem { code } } }"""
REVIEWS = """{ accessReviews { edges { node { id state officer approver subject coordinates reason
  review { state overdue finding } } } pageInfo { hasNextPage } } }"""


@pytest.fixture(scope="module")
def serve(demo):
    """The demo's hub once more, with rules that look at approvals."""
    port = free_port()
    extra = {"HUB_URL": demo.url, "HUB_ISSUER": demo.url, "HUB_DEMO": "true", "HUB_PLUGINS_DIR": str(RULES)}
    command = [sys.executable, "-m", "hub.cli.main", "serve", "--data", str(demo.directory), "--port", str(port)]
    process = subprocess.Popen(command, env={**os.environ, **extra})
    try:
        wait_ready(process, f"http://127.0.0.1:{port}")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


@pytest.fixture(scope="module")
def ask(demo, serve):
    tokens: dict[tuple[str, str], str] = {}

    def send(persona: str, officer: str, purpose: str, query: str, **variables: str) -> dict:
        if (persona, officer) not in tokens:
            tokens[persona, officer] = demo.hub("token", persona, "--officer", officer).stdout.strip()
        headers = {
            "Authorization": f"Bearer {tokens[persona, officer]}",
            "Hub-Purpose": purpose,
            "Content-Type": "application/json",
            "Accept": RESPONSE,
        }
        body = json.dumps({"query": query, "variables": variables}).encode()
        with urllib.request.urlopen(urllib.request.Request(f"{serve}/graphql", body, headers), timeout=20) as answer:
            return json.load(answer)

    return send


def uses(demo, entry_id: str) -> list[tuple[str, list[str]]]:
    """Persons read under an approval, and the grants that misuse rules find for it."""

    async def look():
        store = open_store(load_settings(data_dir=demo.directory).store_url)
        try:
            log = AuditLog(store, SystemClock())
            findings = Findings(
                store=store, log=log, clock=SystemClock(), rules=(), facts=FileFacts({}, {}), grants=Grants(store)
            )
            (read,) = [one for one in await findings.reads(from_us=0, to_us=1 << 62) if one.entry == entry_id]
        finally:
            await store.close()
        return [(use.person, [grant.request for grant in use.grants]) for use in read.uses]

    return asyncio.run(look())


def test_a_second_officer_opens_what_was_asked_for_to_the_first_one_only(demo, ask):
    number = demo.held["people"]["out"][3]
    office = ("judicial-office", "2001", "HANDOVER")
    assert ask(*office, PERSON, n=number)["data"] == {"person": None}
    asked = ask(*office, ASK, id="a1", n=number)
    receipt = asked["data"]["requestEmergencyAccess"]
    assert receipt["__typename"] == "RequestEmergencyAccessSuccess", receipt
    assert receipt["request"]["state"] == "PENDING"
    assert receipt["clientMutationId"] == "a1"
    assert ask(*office, ASK, id="a1", n=number)["data"] == asked["data"]
    conflict = ask(*office, ASK, id="a1", n=demo.held["people"]["out"][4])["data"]["requestEmergencyAccess"]
    assert conflict["code"] == "IDEMPOTENCY_CONFLICT"
    request = receipt["request"]["id"]
    mine = ask(*office, DECIDE, id="d0", request=request)["data"]["approveAccess"]
    assert mine == {"__typename": "Problem", "code": "SAME_OFFICER"}
    assert ask(*office, PERSON, n=number)["data"] == {"person": None}

    decided = ask("judicial-office", "2002", "HANDOVER", DECIDE, id="d1", request=request)["data"]["approveAccess"]
    assert decided["request"]["state"] == "ACTIVE"
    answer = ask(*office, PERSON, n=number)
    person = answer["data"]["person"]
    assert person["name"]
    assert person["justice"]["sentences"][0]["court"]
    assert (person["sex"], person["justice"]["releaseDate"]) == (None, None)
    denied = {item["coordinate"]: item["code"] for item in answer["extensions"]["hub"]["denied"]}
    assert denied["JusticeRecord.releaseDate"] == denied["Person.sex"] == "APPROVAL_REQUIRED"
    assert ask(*office, PERSON, n=demo.held["people"]["out"][4])["data"] == {"person": None}
    assert ask("judicial-office", "2002", "HANDOVER", PERSON, n=number)["data"] == {"person": None}
    assert ask("judicial-office", "2001", "PICKUP", PERSON, n=number)["data"] == {"person": None}

    entry = demo.entry(answer["extensions"]["hub"]["auditEntry"])
    assert "Person.name" in entry["persons"][0]["full"]
    assert "JusticeRecord.releaseDate" in entry["persons"][0]["denied"]
    assert entry["approver"] == "justice/2002"
    assert "approved" in entry["persons"][0]["facts"].split()
    assert "approver" not in demo.entry(asked["extensions"]["hub"]["auditEntry"])
    (approval,) = [one for one in demo.entries() if one["kind"] == "approval"]
    assert (approval["operation"], approval["officer"]) == ("approveAccess", "2002")
    assert approval["lookedAt"] == {"decision": "APPROVE", "request": request}
    assert uses(demo, entry["id"]) == [(entry["persons"][0]["person"], [request])]
    command = demo.entry(receipt["auditEntry"])
    assert (command["kind"], command["operation"]) == ("command", "requestEmergencyAccess")
    assert command["persons"][0]["person"] == entry["persons"][0]["person"]

    assert ask(*office, END, request=request)["data"]["withdrawEmergencyAccess"]["request"]["state"] == "ENDED"
    assert ask(*office, PERSON, n=number)["data"] == {"person": None}

    auditor = ("auditor", "9001", "AUDIT")
    listed = ask(*auditor, REVIEWS)
    seen = {each["person"]: each for each in demo.entry(listed["extensions"]["hub"]["auditEntry"])["persons"]}
    assert seen[entry["persons"][0]["person"]]["masked"] == ["AccessRequest.subject"]
    (node,) = [edge["node"] for edge in listed["data"]["accessReviews"]["edges"] if edge["node"]["id"] == request]
    assert (node["id"], node["state"], node["officer"], node["approver"]) == (request, "ENDED", "2001", "2002")
    assert node["subject"] == number[0] + "*" * 16 + number[-1]
    assert node["review"] == {"state": "OPEN", "overdue": False, "finding": None}
    assert ask(*auditor, REVIEW, request=request)["data"]["closeAccessReview"]["request"]["id"] == request
    left = ask(*auditor, REVIEWS)["data"]["accessReviews"]["edges"]
    assert request not in [edge["node"]["id"] for edge in left]
    assert demo.ask("judicial-office", REVIEWS).code == "GRAPHQL_VALIDATION_FAILED"


def test_a_stranger_to_the_hub_is_asked_for_like_a_member(demo, ask):
    office = ("judicial-office", "2001", "HANDOVER")
    stranger = ask(*office, ASK, id="s1", n="110101199001011237")["data"]["requestEmergencyAccess"]
    member = ask(*office, ASK, id="s2", n=demo.held["people"]["out"][5])["data"]["requestEmergencyAccess"]
    unlike = {"clientMutationId": "", "auditEntry": ""}
    shown = [{**item, **unlike, "request": {**item["request"], "id": ""}} for item in (stranger, member)]
    assert shown[0] == shown[1]
    request = stranger["request"]["id"]
    ask("judicial-office", "2002", "HANDOVER", DECIDE, id="s3", request=request)
    assert ask(*office, PERSON, n="110101199001011237")["data"] == {"person": None}


def test_commands_run_in_order_and_need_a_purpose(demo, ask):
    number = demo.held["people"]["out"][6]
    decide = """d: approveAccess(input: {clientMutationId: "o", request: "none", decision: REFUSE, reason: "unknown"})
      { ... on Problem { code field } }"""
    body = ASK.removeprefix("mutation ($id: ID!, $n: String!) {").removesuffix("}")
    three = f"mutation ($id: ID!, $n: String!) {{ a: {body} {decide} b: {body} }}"
    answer = ask("judicial-office", "2001", "HANDOVER", three, id="o1", n=number)["data"]
    assert list(answer) == ["a", "d", "b"]
    assert answer["a"] == answer["b"]
    assert answer["a"]["request"]["state"] == "PENDING"
    assert answer["d"] == {"code": "NOT_FOUND", "field": "request"}
    assert demo.ask("statistician", ASK, {"id": "o2", "n": number}).code == "GRAPHQL_VALIDATION_FAILED"
    assert demo.ask("judicial-office", ASK, {"id": "o3", "n": number}, Hub_Purpose=None).code == "PURPOSE_REQUIRED"


GIVE = """mutation ($n: String!, $scope: [String!]) { giveConsent(input: {clientMutationId: "g", evidence: "box 7",
  person: {identityNumber: $n}, agency: "social-security", purpose: "EMPLOYMENT", scope: $scope}) { __typename
  ... on GiveConsentSuccess { consent { agency purpose scope from to withdrawnAt } } ... on Problem { code field } } }"""
WITHDRAW = """mutation ($n: String!) { withdrawConsent(input: {clientMutationId: "w",
  person: {identityNumber: $n}, agency: "social-security", purpose: "EMPLOYMENT"}) { __typename
  ... on WithdrawConsentSuccess { consent { withdrawnAt } } ... on Problem { code field } } }"""
ENTITLED = "query ($n: String!) { person(lookup: {identityNumber: $n}) { entitledGroup } }"


def test_consent_opens_at_the_next_request_and_closes_at_the_next_request(demo, ask):
    number = demo.held["people"]["in"][9]
    office = ("judicial-office", "2001", "HANDOVER")
    clerk = ("social-security", "6001", "EMPLOYMENT")

    def entitled() -> bool | None:
        person = ask(*clerk, ENTITLED, n=number)["data"]["person"]
        return person and person["entitledGroup"]

    assert entitled() is None
    given = ask(*office, GIVE, n=number, scope=None)["data"]["giveConsent"]
    assert given["__typename"] == "GiveConsentSuccess", given
    assert entitled() is True
    assert ask(*office, WITHDRAW, n=number)["data"]["withdrawConsent"]["consent"]["withdrawnAt"]
    assert entitled() is None
    outside = ask(*office, GIVE.replace('"g"', '"h"'), n=demo.held["people"]["out"][7], scope=None)
    assert outside["data"]["giveConsent"]["code"] in ("FORBIDDEN", "NOT_FOUND")


def test_consent_for_some_field_groups_opens_no_other(demo, ask):
    number = demo.held["people"]["in"][10]
    office = ("judicial-office", "2001", "HANDOVER")
    clerk = ("social-security", "6001", "EMPLOYMENT")
    given = ask(*office, GIVE.replace('"g"', '"s"'), n=number, scope=["FG6"])["data"]["giveConsent"]
    assert given["consent"]["scope"] == ["FG6"]
    person = ask(*clerk, ENTITLED, n=number)["data"]["person"]
    assert person is None or person["entitledGroup"] is None
    ask(*office, GIVE.replace('"g"', '"t"'), n=number, scope=["FG0", "FG6"])
    assert ask(*clerk, ENTITLED, n=number)["data"]["person"] == {"entitledGroup": True}
