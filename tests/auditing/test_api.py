"""The auditors' API: who may, what is found, how pages go on, and that every look is an entry."""

import asyncio
from base64 import b64decode
from dataclasses import replace
from hashlib import sha256

import pytest

from hub.audit.entry import Draft, Outcome, SourceSeen
from hub.audit.merkle import verify_inclusion
from hub.audit.queries import EntryFilter
from hub.audit.reader import follow
from hub.auditing.desk import Reader
from hub.domain.commands import LOG
from hub.schema.audit_exports import ExportFetcher
from hub.schema.audit_roots import AuditFetcher
from hub.schema.request import GraphQLRequest
from tests.auditing.conftest import NAMES, NUMBER, RULES, principal

FIND = """query Find($filter: AuditFilter, $first: Int! = 20, $after: String) {
  auditEntries(filter: $filter, first: $first, after: $after) {
    edges { cursor node { id number time kind agency officer purpose cases outcome
      persons { person full masked denied } } }
    pageInfo { hasNextPage endCursor } } }"""
NOBODY = "110105194912310038"
CALLS = {
    "auditEntries": "{ auditEntries { pageInfo { hasNextPage } } }",
    "auditCheckpoint": "{ auditCheckpoint { size } }",
    "auditProof": '{ auditProof(entry: "x") { leaf } }',
    "auditStatistics": '{ auditStatistics(from: "2026-01-01T00:00:00Z", to: "2027-01-01T00:00:00Z") { entries } }',
    "auditStatus": "{ auditStatus { from to lastAnchoredAt lag } }",
    "auditExports": "{ auditExports { id } }",
    "subjectReport": '{ subjectReport(person: {pseudonym: "x"}) { person } }',
}


def found(answer):
    assert "errors" not in answer, answer
    return [edge["node"] for edge in answer["data"]["auditEntries"]["edges"]]


def test_every_field_has_a_call_and_a_rule():
    assert set(CALLS) == {*AuditFetcher.FIELDS, *ExportFetcher.FIELDS} == set(LOG)


@pytest.mark.parametrize("name", sorted(CALLS))
async def test_to_a_role_that_never_may_it_does_not_exist_and_asking_is_an_entry(office, name):
    answer = await office.ask(CALLS[name], persona="tax")
    assert "data" not in answer
    assert answer["errors"][0]["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"
    (entry,) = [one for one in await office.entries() if one["id"] == answer["extensions"]["hub"]["auditEntry"]]
    assert (entry["outcome"], entry["kind"], entry["officer"]) == ("DENIED", "operation", "8001")
    assert entry["code"] == "GRAPHQL_VALIDATION_FAILED"


@pytest.mark.parametrize("name", ["auditCheckpoint", "auditStatus"])
async def test_a_refusal_says_which_field_and_is_an_entry(office, name):
    answer = await office.ask(CALLS[name], persona="county-office", purpose="HANDOVER")
    assert answer["data"] == {name: None}
    assert answer["extensions"]["hub"]["denied"] == [{"coordinate": f"Query.{name}", "code": "FIELD_DENIED"}]
    (entry,) = [one for one in await office.entries() if one["id"] == answer["extensions"]["hub"]["auditEntry"]]
    assert (entry["outcome"], entry["kind"], entry["officer"]) == (
        "DENIED",
        "operation",
        RULES.personas["county-office"].officer,
    )


@pytest.mark.parametrize("name", sorted(CALLS))
async def test_without_a_purpose_nothing_is_read(office, name):
    answer = await office.ask(CALLS[name], purpose=None)
    assert answer["errors"][0]["extensions"]["code"] == "PURPOSE_REQUIRED"
    answer = await office.ask(CALLS[name], purpose="STATISTICS")
    assert answer["errors"][0]["extensions"]["code"] == "PURPOSE_NOT_ALLOWED"


async def test_filters_by_each_member(office):
    await office.write(12)
    for wanted, count in (
        ({"person": {"identityNumber": NUMBER}, "kind": "operation"}, 12),
        ({"person": {"pseudonym": "other-3"}, "agency": "tax"}, 1),
        ({"officer": "1"}, 4),
        ({"agency": "tax"}, 12),
        ({"agency": "police"}, 0),
        ({"coordinate": "TaxRecord.arrears", "decision": "denied", "agency": "tax"}, 12),
        ({"coordinate": "TaxRecord.arrears", "decision": "full"}, 0),
        ({"purpose": "TAX_RELIEF"}, 6),
        ({"kind": "auditor-read"}, 8),
        ({"case": "C0"}, 3),
        ({"outcome": "DENIED", "agency": "tax"}, 3),
        ({"kind": "operation", "agency": "tax"}, 12),
        ({"from": "2026-11-24T08:02:00Z", "to": "2026-11-24T08:05:00Z", "agency": "tax"}, 3),
        ({"person": {"identityNumber": NUMBER}, "officer": "0", "purpose": "CASE_HANDLING"}, 2),
    ):
        assert len(found(await office.ask(FIND, {"filter": wanted, "first": 100}))) == count, wanted


async def test_pages_hold_every_entry_once_and_cursors_belong_to_their_list(office):
    await office.write(11)
    wanted, after, seen = {"agency": "tax"}, None, []
    while True:
        answer = await office.ask(FIND, {"filter": wanted, "first": 3, "after": after})
        seen += [one["number"] for one in found(answer)]
        page = answer["data"]["auditEntries"]["pageInfo"]
        if not page["hasNextPage"]:
            break
        after = page["endCursor"]
    assert seen == sorted(set(seen), key=int, reverse=True)
    assert len(seen) == 11
    for bad in ({"filter": {"agency": "police"}, "after": after}, {"filter": wanted, "after": after[:-4] + "AAA="}):
        answer = await office.ask(FIND, bad)
        assert answer["errors"][0]["extensions"]["code"] == "BAD_REQUEST"


@pytest.mark.parametrize(
    "variables",
    [
        {"first": 0},
        {"first": 101},
        {"filter": {"decision": "some"}},
        {"filter": {"outcome": "NICE"}},
        {"filter": {"kind": "none"}},
        {"filter": {"person": {"identityNumber": "110105194912310020"}}},
        {"after": "x"},
    ],
)
async def test_arguments_out_of_bounds_are_refused(office, variables):
    answer = await office.ask(FIND, variables)
    assert answer["errors"][0]["extensions"]["code"] == "BAD_REQUEST"
    assert answer["data"]["auditEntries"] is None


async def test_a_look_is_an_entry_that_says_what_was_looked_at(office):
    await office.write(2)
    answer = await office.ask(FIND, {"filter": {"person": {"identityNumber": NUMBER}, "officer": "1"}})
    (entry,) = [one for one in await office.entries() if one["id"] == answer["extensions"]["hub"]["auditEntry"]]
    assert entry["kind"] == "auditor-read"
    assert entry["lookedAt"] == {"auditEntries.person": office.person, "auditEntries.officer": "1"}
    assert entry["note"] == {"entries": 1}
    assert entry["policies"] == ["log.audit"]
    assert {one["person"] for one in entry["persons"]} == {office.person, "other-1"}
    assert NUMBER not in str(entry)
    (again,) = found(await office.ask(FIND, {"filter": {"kind": "auditor-read"}}))[:1]
    assert again["id"] == entry["id"]


async def test_a_proof_leads_from_the_entry_to_the_signed_root(office):
    await office.write(7)
    entry = found(await office.ask(FIND, {"filter": {"agency": "tax"}, "first": 5}))[-1]
    query = """query($id: ID!) { auditProof(entry: $id) { index header body leaf hashes checkpoint { size root note } }
      auditCheckpoint { size } auditStatus { entries lag lastAnchoredAt from to } }"""
    data = (await office.ask(query, {"id": entry["id"]}))["data"]
    proof = data["auditProof"]
    leaf = sha256(b"\0" + b64decode(proof["header"]) + b64decode(proof["body"])).digest()
    assert leaf == b64decode(proof["leaf"])
    assert verify_inclusion(
        index=int(proof["index"]),
        size=int(proof["checkpoint"]["size"]),
        leaf=leaf,
        proof=[b64decode(one) for one in proof["hashes"]],
        root=b64decode(proof["checkpoint"]["root"]),
    )
    assert proof["checkpoint"]["root"] in proof["checkpoint"]["note"]
    assert int(data["auditStatus"]["entries"]) >= int(proof["checkpoint"]["size"])
    assert data["auditStatus"]["lastAnchoredAt"]
    assert (await office.ask(CALLS["auditProof"]))["data"] == {"auditProof": None}


async def test_statistics_count_by_agency_purpose_and_outcome(office):
    await office.write(8)
    query = """{ auditStatistics(from: "2026-11-24T00:00:00Z", to: "2026-11-25T00:00:00Z")
      { agency purpose outcome entries persons } }"""
    rows = (await office.ask(query))["data"]["auditStatistics"]
    of_tax = {(row["purpose"], row["outcome"]): (row["entries"], row["persons"]) for row in rows}
    assert of_tax == {
        ("TAX_RELIEF", "OK"): (2, 4),
        ("TAX_RELIEF", "DENIED"): (2, 4),
        ("CASE_HANDLING", "OK"): (4, 8),
    }
    empty = await office.ask(
        '{ auditStatistics(from: "2026-11-24T00:00:00Z", to: "2026-11-24T00:00:00Z") { entries } }'
    )
    assert empty["errors"][0]["extensions"]["code"] == "BAD_REQUEST"


REPORT = """query($number: String!) { subjectReport(person: {identityNumber: $number}) {
  person accesses { agency purpose text { zh en } } delayed { purpose days text { zh en } } pageInfo { hasNextPage } } }"""


async def test_a_person_learns_in_words_who_saw_what_and_what_is_told_later(office):
    await office.write(4)
    report = (await office.ask(REPORT, {"number": NUMBER}))["data"]["subjectReport"]
    assert [one["purpose"] for one in report["accesses"]] == ["TAX_RELIEF", "TAX_RELIEF"]
    text = report["accesses"][0]["text"]
    assert "The tax administration (tax office)" in text["en"]
    assert "saw: Name" in text["en"]
    assert "was not given" in text["en"]
    assert "税务机关（税务所）因“税收优惠”查询您的信息。已看到：姓名" in text["zh"]
    assert {one["purpose"] for one in report["delayed"]} == {"CASE_HANDLING", "RISK_CONTROL"}
    assert "other-" not in str(report)
    nobody = (await office.ask(REPORT, {"number": NOBODY}))["data"]["subjectReport"]
    assert nobody["accesses"] == []
    assert nobody["delayed"] == report["delayed"]  # whether there is anything in them is not told
    office.clock.advance(181 * 86_400)
    later = (await office.ask(REPORT, {"number": NUMBER}))["data"]["subjectReport"]
    assert len(later["accesses"]) == 4
    kinds = [one["kind"] for one in await office.entries()]
    assert kinds.count("subject-report") == 3


async def test_every_look_of_a_deputy_says_on_whose_behalf(office):
    """The entry of the operation, of the export and what auditors are shown of them."""
    who = replace(principal("auditor"), officer="9002", on_behalf_of="9001")
    reader = Reader(principal=who, purpose="AUDIT")
    sent = GraphQLRequest(query="{ auditStatus { lag } }", variables={}, request_id="req", purpose="AUDIT", cases=())
    await office.hub.service.answer(who, sent)
    await office.hub.office.exports.ask(reader, EntryFilter(officer="9002"), "csv")
    assert await office.hub.office.exports.turn()
    (job,) = await office.hub.office.exports.jobs()
    entries = {shown["kind"]: (shown["officer"], shown.get("onBehalfOf")) for shown in await office.entries()}
    assert entries["auditor-read"] == entries["export"] == ("9002", "9001")
    header, row = office.hub.office.exports.path(job).read_text("utf-8-sig").splitlines()
    assert dict(zip(header.split(","), row.split(","), strict=False))["onBehalfOf"] == "9001"
    query = '{ auditEntries(filter: {officer: "9002"}) { edges { node { officer onBehalfOf approver } } } }'
    (*_, read) = (await office.ask(query))["data"]["auditEntries"]["edges"]
    assert read["node"] == {"officer": "9002", "onBehalfOf": "9001", "approver": None}


async def test_a_person_learns_that_somebody_stood_in(office):
    draft = Draft(
        request_id="r", agency="tax", officer="T-1", on_behalf_of="T-2", role="tax", purpose="TAX_RELIEF",
        persons=((office.person, NAMES),), outcome=Outcome.OK,
    )  # fmt: skip
    await office.hub.log.append(draft)
    query = "query($n: String!) { subjectReport(person: {identityNumber: $n}) { accesses { text { zh en } } } }"
    (access,) = (await office.ask(query, {"n": NUMBER}))["data"]["subjectReport"]["accesses"]
    assert "代理他人" in access["text"]["zh"]
    assert "standing in for a colleague" in access["text"]["en"]
    assert "T-" not in str(access)  # officers are not named


async def test_an_entry_shows_its_sources_its_facts_and_what_an_auditor_asked(office):
    draft = Draft(
        request_id="r", parent="first", agency="tax", officer="T-1", role="tax", persons=((office.person, NAMES),),
        sources=(SourceSeen(agency="tax", status="STALE", as_of="2026-11-24T00:00:00Z", latency_ms=7),),
        outcome=Outcome.OK,
    )  # fmt: skip
    await office.hub.log.append(draft)
    fields = "parent persons { facts } sources { agency status asOf latencyMs } lookedAt { name value }"
    query = f'{{ auditEntries(filter: {{agency: "tax"}}) {{ edges {{ node {{ {fields} }} }} }} }}'
    ((edge,), look) = (await office.ask(query))["data"]["auditEntries"]["edges"], query.replace("tax", "audit")
    assert edge["node"] == {
        "parent": "first",
        "persons": [{"facts": ["case", "jurisdiction"]}],
        "sources": [{"agency": "tax", "status": "STALE", "asOf": "2026-11-24T00:00:00Z", "latencyMs": 7}],
        "lookedAt": [],
    }
    (edge,) = (await office.ask(look))["data"]["auditEntries"]["edges"]
    assert edge["node"]["lookedAt"] == [{"name": "auditEntries.agency", "value": "tax"}]


async def test_the_log_is_followed_while_it_grows(office):
    seen = follow(office.hub.store, every_s=0.01)
    await office.write(3)
    before = [(await anext(seen))["requestId"] for _ in range(3)]
    waiting = asyncio.ensure_future(anext(seen))
    await asyncio.sleep(0.05)
    assert not waiting.done()
    await office.write(1)
    assert [*before, (await waiting)["requestId"]] == ["r0", "r1", "r2", "r0"]
    await seen.aclose()
