"""Files of the log asked for over the API: once each, listed, entered, and for auditors alone."""

import pytest

from tests.auditing.conftest import RULES

ASK = """mutation ($input: RequestAuditExportInput!) { requestAuditExport(input: $input) { __typename
  ... on RequestAuditExportSuccess { clientMutationId auditEntry
    export { id format state officer done entries size digest code url } }
  ... on Problem { code field } } }"""
LIST = "query ($first: Int) { auditExports(first: $first) { id state done entries digest url } }"


async def asked(office, mutation="m1", **given):
    answer = await office.ask(ASK, {"input": {"clientMutationId": mutation, "format": "JSONL", **given}})
    assert "errors" not in answer, answer
    return answer["data"]["requestAuditExport"]


async def test_a_file_is_asked_for_made_and_listed(office):
    await office.write(12)
    made = (await asked(office, filter={"agency": "tax", "case": "C0"}))["export"]
    assert (made["state"], made["format"], made["url"]) == ("WAITING", "JSONL", None)
    assert await office.hub.office.exports.turn()
    (listed,) = (await office.ask(LIST))["data"]["auditExports"]
    assert (listed["id"], listed["state"], listed["done"], listed["entries"]) == (made["id"], "DONE", 3, 3)
    assert len(listed["digest"]) == 64
    assert listed["url"].endswith(f"/audit/exports/{made['id']}")


async def test_the_command_and_the_look_are_entries(office):
    made = await asked(office, filter={"agency": "tax"})
    listed = await office.ask(LIST)
    entries = {entry["id"]: entry for entry in await office.entries()}
    command = entries[made["auditEntry"]]
    assert (command["kind"], command["operation"], command["officer"]) == (
        "command",
        "requestAuditExport",
        RULES.personas["auditor"].officer,
    )
    assert command["lookedAt"] == {"export": made["export"]["id"], "format": "jsonl", "agency": "tax"}
    look = entries[listed["extensions"]["hub"]["auditEntry"]]
    assert (look["kind"], look["lookedAt"]) == ("auditor-read", {"auditExports": "20"})


async def test_the_same_command_is_the_same_job_and_with_other_input_none(office):
    first, again = await asked(office), await asked(office)
    assert first["export"] == again["export"]
    for change in ({"format": "CSV"}, {"filter": {"agency": "tax"}}):
        assert await asked(office, **change) == {
            "__typename": "Problem",
            "code": "IDEMPOTENCY_CONFLICT",
            "field": "clientMutationId",
        }
    assert (await asked(office, "m2"))["export"]["id"] != first["export"]["id"]
    assert len((await office.ask(LIST))["data"]["auditExports"]) == 2


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"filter": {"kind": "gossip"}}, "filter"),
        ({"filter": {"person": {"identityNumber": "1"}}}, "filter"),
        ({"clientMutationId": ""}, "clientMutationId"),
        ({"clientMutationId": "m" * 129}, "clientMutationId"),
    ],
)
async def test_what_cannot_be_asked_is_a_problem(office, change, field):
    answer = await office.ask(ASK, {"input": {"clientMutationId": "m", "format": "CSV", **change}})
    assert answer["data"]["requestAuditExport"] == {"__typename": "Problem", "code": "INVALID_INPUT", "field": field}


async def test_nobody_else_has_these_names(office):
    for persona in ("tax", "county-office", "procurator"):
        for query, variables in ((ASK, {"input": {"clientMutationId": "m", "format": "CSV"}}), (LIST, {})):
            answer = await office.ask(query, variables, persona=persona)
            assert answer["errors"][0]["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"
    assert not await office.hub.office.exports.jobs()


@pytest.mark.parametrize("first", [0, 101])
async def test_a_list_has_bounds(office, first):
    answer = await office.ask(LIST, {"first": first})
    assert answer["data"] == {"auditExports": None}
    assert answer["errors"][0]["extensions"]["code"] in ("BAD_REQUEST", "COST_LIMIT")
