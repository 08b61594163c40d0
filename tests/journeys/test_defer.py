"""`@defer` over HTTP: the fast agencies first, the slow one later, every payload after its own audit entry."""

import asyncio
import http.client
import json
import socket
import time
import tomllib
import urllib.request
from contextlib import contextmanager

import pytest

from tests.engine.deferred import merge_payloads

JSON = "application/graphql-response+json"
MULTIPART = f"multipart/mixed, {JSON}"
EVENTS = "text/event-stream"
FRAMINGS = pytest.mark.parametrize("accept", [MULTIPART, EVENTS], ids=["multipart", "events"])
QUERY = """query First($number: String!) { person(lookup: {identityNumber: $number}) {
  name justice { releaseDate } police { householdStatus }
  ... @defer(label: "tax") { tax { employedThisMonth } } } }"""
LISTED = """{ people(first: 4) { edges { node { name ... @defer { tax { employedThisMonth } } } } } }"""


def ask(demo, query, accept, variables=None, **headers):
    number = demo.held["people"]["in"][0]
    given = {"number": number} if variables is None else variables
    return demo.ask("judicial-office", query, given, Accept=accept, **headers)


def payloads(reply):
    """The payloads of either framing, parsed strictly."""
    kind = reply.headers["content-type"]
    if kind.startswith("text/event-stream"):
        *events, last, end = reply.raw.decode().split("\n\n")
        assert (last, end) == ("event: complete\ndata:", "")
        assert all(event.startswith("event: next\ndata: ") for event in events)
        return [json.loads(event.removeprefix("event: next\ndata: ")) for event in events]
    assert kind == 'multipart/mixed; boundary="-"'
    start, *parts, end = reply.raw.decode().split("\r\n---")
    assert (start, end) == ("", "--\r\n")
    found = []
    for part in parts:
        head, _, body = part.partition("\r\n\r\n")
        assert head == "\r\nContent-Type: application/json; charset=utf-8"
        found.append(json.loads(body))
    return found


def data_of(reply):
    first, *later = payloads(reply)
    return merge_payloads(first, later)[0]


@FRAMINGS
def test_the_slow_agency_comes_later(demo, accept):
    first, later = payloads(ask(demo, QUERY, accept))
    assert first["data"]["person"].keys() == {"name", "justice", "police"}
    assert first["pending"] == [{"id": "0", "path": ["person"], "label": "tax"}]
    assert first["hasNext"] is True
    assert "tax" not in {use["agency"] for use in first["extensions"]["hub"]["sources"]}
    assert isinstance(later["incremental"][0]["data"]["tax"]["employedThisMonth"], bool)
    assert later["completed"] == [{"id": "0"}]
    assert later["hasNext"] is False
    assert [use["agency"] for use in later["extensions"]["hub"]["sources"]] == ["tax"]


@FRAMINGS
@pytest.mark.parametrize("query", [QUERY, LISTED], ids=["a person", "a list"])
def test_together_the_payloads_are_the_ordinary_answer(demo, accept, query):
    variables = None if query is QUERY else {}
    assert data_of(ask(demo, query, accept, variables)) == ask(demo, query, JSON, variables).json["data"]


@FRAMINGS
def test_each_payload_has_its_own_entry_and_the_later_one_names_its_parent(demo, accept):
    first, later = payloads(ask(demo, QUERY, accept, X_Request_Id="defer.1"))
    hubs = [payload["extensions"]["hub"] for payload in (first, later)]
    parent, child = (demo.entry(hub["auditEntry"]) for hub in hubs)
    assert child["parent"] == parent["id"]
    assert "parent" not in parent
    assert parent["seq"] < child["seq"]
    assert {hub["requestId"] for hub in hubs} == {parent["requestId"], child["requestId"]} == {"defer.1"}
    assert (parent["kind"], child["kind"], child["operation"]) == ("operation", "operation", "First")
    assert [use["agency"] for use in child["sources"]] == ["tax"]
    assert "tax" not in {use["agency"] for use in parent["sources"]}
    (mine,), (theirs,) = parent["persons"], child["persons"]
    assert mine["person"] == theirs["person"]
    assert "TaxRecord.employedThisMonth" not in str(mine)
    assert "TaxRecord.employedThisMonth" in str(theirs)
    assert (parent["cost"], child["cost"]) == (hubs[0]["cost"]["static"], hubs[1]["cost"]["static"])
    assert demo.hub("audit", "verify").returncode == 0


def test_costs_of_the_payloads_are_the_cost_of_the_whole(demo):
    costs = [payload["extensions"]["hub"]["cost"]["static"] for payload in payloads(ask(demo, QUERY, MULTIPART))]
    assert sum(costs) == ask(demo, QUERY, JSON).hub["cost"]["static"]


def test_what_a_role_may_not_know_stays_denied_in_its_part(demo):
    query = QUERY.replace("tax { employedThisMonth }", "risk: justice { riskAssessments { score } }")
    first, later = payloads(ask(demo, query, MULTIPART))
    denied = {"coordinate": "RiskAssessment.score", "code": "FIELD_DENIED"}
    assert denied not in first["extensions"]["hub"]["denied"]
    assert denied in later["extensions"]["hub"]["denied"]


@pytest.mark.parametrize(
    ("accept", "query"),
    [
        (JSON, QUERY),
        ("*/*", QUERY),
        (f"multipart/mixed;q=0, {JSON}", QUERY),
        (f"multipart/mixed;deferSpec=20220824, {JSON}", QUERY),
        (MULTIPART, QUERY.replace('@defer(label: "tax")', "@defer(if: false)")),
        (MULTIPART, QUERY.replace('@defer(label: "tax")', "")),
        ("multipart/mixed", QUERY.replace('@defer(label: "tax")', "")),
    ],
    ids=["not accepted", "wildcard", "q=0", "another format", "not active", "no directive", "multipart alone"],
)
def test_else_the_answer_is_one_ordinary_response(demo, accept, query):
    reply = ask(demo, query, accept)
    assert reply.headers["content-type"].endswith("json; charset=utf-8")
    assert reply.json["data"]["person"].keys() >= {"name", "tax"}
    assert "hasNext" not in reply.json


def test_events_alone_get_an_ordinary_answer_as_one_event(demo):
    (only,) = payloads(ask(demo, "{ viewer { role } }", EVENTS, {}))
    assert only["data"] == {"viewer": {"role": "judicial-office"}}


def test_a_person_who_is_not_there_has_no_later_payload(demo):
    reply = ask(demo, QUERY, MULTIPART, {"number": demo.held["people"]["out"][0]})
    assert reply.json["data"] == {"person": None}


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        (QUERY.replace("employedThisMonth", "nothing"), 400, "GRAPHQL_VALIDATION_FAILED"),
        ('query ($number: String!) { a: viewer { ... @defer(label: "x") { role } ... @defer(label: "x") { role } } }', 400,
         "GRAPHQL_VALIDATION_FAILED"),
        ("{ viewer { " + "... @defer { role } " * 11 + "} }", 400, "COST_LIMIT"),
    ],
    ids=["unknown field", "label twice", "eleven"],
)  # fmt: skip
def test_refusals_are_ordinary_responses(demo, query, status, code):
    reply = ask(demo, query, MULTIPART)
    assert (reply.status, reply.code) == (status, code)


def test_a_purpose_is_needed_though_all_persons_come_later(demo):
    query = "query ($number: String!) { ... @defer { person(lookup: {identityNumber: $number}) { name } } }"
    assert ask(demo, query, MULTIPART, Hub_Purpose=None).code == "PURPOSE_REQUIRED"
    assert data_of(ask(demo, query, MULTIPART))["person"]["name"]


def tax_url(demo):
    agencies = tomllib.loads((demo.directory / "hub" / "agencies.toml").read_text("utf-8"))["agencies"]
    return "/".join(agencies["tax"]["url"].split("/", 3)[:3])


@contextmanager
def tax_hangs(demo):
    def switch(fault):
        body = json.dumps({"fault": fault}).encode()
        request = urllib.request.Request(f"{tax_url(demo)}/_faults", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=5) as answer:
            assert answer.status == 200

    switch("hang")
    try:
        yield
    finally:
        switch("none")


def opened(demo, accept, query=QUERY, request_id="open"):
    """A connection whose answer is read as it comes."""
    connection = sent(demo, accept, query, request_id)
    return connection, connection.getresponse()


def sent(demo, accept, query=QUERY, request_id="open"):
    """A connection whose request has gone out."""
    known = demo.held["personas"]["judicial-office"]
    host = demo.url.removeprefix("http://")
    connection = http.client.HTTPConnection(host, timeout=20)
    body = json.dumps({"query": query, "variables": {"number": demo.held["people"]["in"][0]}})
    connection.request(
        "POST",
        "/graphql",
        body,
        {
            "Authorization": f"Bearer {known['token']}",
            "Content-Type": "application/json",
            "Accept": accept,
            "Hub-Purpose": known["purpose"],
            "X-Request-Id": request_id,
        },
    )
    return connection


def first_of(response):
    assert response.readline() == b"event: next\n"
    return json.loads(response.readline().removeprefix(b"data: "))


def test_with_the_slow_agency_hanging_the_others_are_there_at_once(demo):
    with tax_hangs(demo):
        connection, response = opened(demo, EVENTS)
        first = first_of(response)
        assert first["data"]["person"]["name"]
        assert {use["status"] for use in first["extensions"]["hub"]["sources"]} == {"OK"}
        got_first = time.monotonic()
        rest = response.read()
        waited_s = time.monotonic() - got_first
        connection.close()
    later = json.loads(rest.split(b"data: ", 1)[1].split(b"\n")[0])
    assert later["incremental"] == [{"id": "0", "data": {"tax": None}}]
    assert [(use["agency"], use["status"]) for use in later["extensions"]["hub"]["sources"]] == [("tax", "TIMEOUT")]
    assert waited_s > 0.1  # the first payload did not wait for the second
    assert demo.entry(later["extensions"]["hub"]["auditEntry"])["outcome"] == "PARTIAL"


@FRAMINGS
def test_a_caller_who_goes_away_leaves_an_aborted_child(demo, accept):
    name = f"gone.{accept[:4]}"
    with tax_hangs(demo):
        connection, response = opened(demo, accept, request_id=name)
        response.read1(200)
        connection.sock.shutdown(socket.SHUT_RDWR)
        response.close()
        connection.close()
        end = time.monotonic() + 10
        while True:
            mine = [entry for entry in demo.entries() if entry["requestId"] == name]
            if len(mine) == 2 or time.monotonic() > end:
                break
            time.sleep(0.1)
    parent, child = mine
    assert (child["parent"], child["outcome"]) == (parent["id"], "ABORTED")
    assert parent["outcome"] == "OK"


def test_a_caller_who_goes_away_before_the_answer_leaves_an_aborted_entry(demo):
    with tax_hangs(demo):
        connection = sent(demo, JSON, request_id="gone.json")
        time.sleep(0.3)
        connection.sock.shutdown(socket.SHUT_RDWR)
        connection.close()
        end = time.monotonic() + 10
        mine: list = []
        while not mine and time.monotonic() < end:
            time.sleep(0.1)
            mine = [entry for entry in demo.entries() if entry["requestId"] == "gone.json"]
    assert [entry["outcome"] for entry in mine] == ["ABORTED"]


async def test_callers_at_once_get_their_own_parts(demo):
    replies = await asyncio.gather(*(asyncio.to_thread(ask, demo, QUERY, MULTIPART) for _ in range(8)))
    assert {len(payloads(reply)) for reply in replies} == {2}
