"""An agency that the deployment has no connector for is one that is down: a status, and never a failed view."""

import json

import pytest

from hub.bootstrap import replicas
from hub.bootstrap.build import build_hub
from hub.schema.service import GraphQLRequest
from hub.settings import load_settings

QUERY = """query ($n: String!) { person(lookup: {identityNumber: $n}) {
    name birthDate justice { releaseDate } police { householdStatus }
    socialSecurity { lastPaidMonth } sources { agency status } } }"""


def without(agency, monkeypatch):
    every = replicas.read_endpoints

    def fewer(file):
        return {name: endpoint for name, endpoint in every(file).items() if name != agency}

    monkeypatch.setattr(replicas, "read_endpoints", fewer)


@pytest.mark.parametrize("agency", ["justice", "police", "social-security"])
async def test_the_others_answer_and_it_is_said_to_be_down(agency, demo, monkeypatch):
    without(agency, monkeypatch)
    hub = build_hub(load_settings(data_dir=demo.directory, url=demo.url, demo=True, agency_deadline_s=5))
    try:
        persona = hub.rules.personas["judicial-office"]
        request = GraphQLRequest(
            query=QUERY, variables={"n": demo.held["people"]["in"][0]}, purpose=persona.purpose, request_id="test"
        )
        answer = await hub.service.answer(hub.issuer.principal_of(persona), request)
    finally:
        await hub.close()
    body = json.loads(answer.body)
    assert answer.status == 200, body
    assert "errors" not in body
    states = {used["agency"]: used["status"] for used in body["extensions"]["hub"]["sources"]}
    assert states.pop(agency) == "DOWN"
    assert states
    assert set(states.values()) == {"OK"}
    person = body["data"]["person"]
    assert {used["agency"]: used["status"] for used in person["sources"]} == {agency: "DOWN", **states}
    assert person["name"]
