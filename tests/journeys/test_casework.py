"""A case from admission to the end of term over HTTP, each step by the office whose it is, with its own token."""

import secrets

import pytest

VERB = """
mutation ($input: %sInput!) {
  %s(input: $input) {
    __typename
    ... on %sSuccess {
      clientMutationId auditEntry
      case { id state ended accountableOffice pendingOffice bounces keyPerson termEnd
             events { kind state flags office said { name value } } deadlines { step light due } }
    }
    ... on Problem { code field message }
  }
}
"""


class Officer:
    """Sends commands as a persona; `at` of a command is when it happened."""

    def __init__(self, demo, persona, purpose=None):
        self.demo, self.persona, self.purpose = demo, persona, purpose

    def send(self, verb, mutation_id=None, **given):
        title = verb[0].upper() + verb[1:]
        given["clientMutationId"] = mutation_id or secrets.token_hex(8)
        headers = {"Hub-Purpose": self.purpose} if self.purpose else {}
        reply = self.demo.ask(self.persona, VERB % (title, verb, title), {"input": given}, **headers)
        if reply.status == 400:  # the command is no part of this role's view
            return {"__typename": "Problem", "code": reply.code}
        assert reply.status == 200, reply.raw
        assert "errors" not in reply.json, reply.raw
        return reply.json["data"][verb]

    def do(self, verb, **given):
        answer = self.send(verb, **given)
        assert answer["__typename"].endswith("Success"), (verb, answer)
        return answer["case"]

    def refused(self, verb, **given):
        answer = self.send(verb, **given)
        assert answer["__typename"] == "Problem", (verb, answer)
        return answer["code"]


@pytest.fixture(scope="module")
def offices(demo):
    return {
        "prison": Officer(demo, "prison", "HANDOVER"),
        "county": Officer(demo, "county-office", "HANDOVER"),
        "office": Officer(demo, "judicial-office", "HANDOVER"),
        "province": Officer(demo, "province-office", "SUPERVISION"),
        "police": Officer(demo, "police-station", "RISK_CONTROL"),
    }


COUNTY, OFFICE = "county-office/360700", "judicial-office/360702"


def admitted(offices, demo, nth):
    number = demo.held["people"]["in"][nth]
    return offices["prison"].do(
        "admitPerson",
        person={"identityNumber": number},
        route="PRISON",
        plannedRelease="2026-06-30",
        termMonths=28,
        declared="赣州市章贡区水口镇",
        happenedAt="2024-03-01T09:00:00+08:00",
    )["id"]


def dispatched(offices, case):
    offices["prison"].do("startVerification", case=case, office=OFFICE, happenedAt="2024-03-05T09:00:00+08:00")
    offices["office"].do("verifyIdentity", case=case, result="TRUE", happenedAt="2024-03-12T09:00:00+08:00")
    offices["prison"].do("recordExitEducation", case=case, passed=True, happenedAt="2026-03-20T09:00:00+08:00")
    offices["prison"].do(
        "assessRisk", case=case, riskClass="KEY", threeNone=True, happenedAt="2026-05-10T09:00:00+08:00"
    )
    offices["prison"].do(
        "notifyRelease", case=case, county=COUNTY, plannedRelease="2026-06-30", happenedAt="2026-05-25T09:00:00+08:00"
    )
    offices["county"].do("acknowledgeHandover", case=case, happenedAt="2026-05-26T09:00:00+08:00")
    return offices["county"].do("dispatchCase", case=case, office=OFFICE, happenedAt="2026-05-27T09:00:00+08:00")


def registered(demo, base="B-186", capacity=20, **more):
    query = """mutation ($input: RegisterBaseInput!) { registerBase(input: $input) {
      ... on RegisterBaseSuccess { base { id capacity occupied waiting certifiedUntil } } ... on Problem { code field } } }"""
    given = {"clientMutationId": secrets.token_hex(8), "base": base, "name": "章贡基地", "region": "360702"}
    given |= {"capacity": capacity, "certifiedUntil": "2099-01-01", **more}
    return demo.ask("county-office", query, {"input": given}, **{"Hub-Purpose": "PLACEMENT"}).json["data"][
        "registerBase"
    ]


def test_from_admission_to_the_end_of_term(offices, demo):
    case = admitted(offices, demo, 1)
    found = dispatched(offices, case)
    assert (found["accountableOffice"], found["pendingOffice"]) == (COUNTY, OFFICE)
    office = offices["office"]
    found = office.do("acknowledgeHandover", case=case, happenedAt="2026-05-28T09:00:00+08:00")
    assert (found["accountableOffice"], found["pendingOffice"]) == (OFFICE, None)
    office.do(
        "planPickup",
        case=case,
        day="2026-06-30",
        mode="OFFICE",
        escorts="两名工作人员",
        happenedAt="2026-06-20T09:00:00+08:00",
    )
    offices["prison"].do("recordRelease", case=case, certificate="2026-0630", happenedAt="2026-06-30T09:00:00+08:00")
    office.do(
        "recordPickup", case=case, outcome="OFFICE", persons=2, present="妻子", happenedAt="2026-06-30T15:00:00+08:00"
    )
    office.do("registerPerson", case=case, fileNumber="2026-17", happenedAt="2026-07-02T09:00:00+08:00")
    offices["police"].do("restoreHousehold", case=f"{case}.police-station", happenedAt="2026-07-06T09:00:00+08:00")
    office.do("agreePlan", case=case, goals="就业", happenedAt="2026-07-10T09:00:00+08:00")
    assert office.refused("placePerson", case=case, kind="OTHER", base="B-none") == "INVALID_INPUT"
    registered(demo)
    office.do("placePerson", case=case, kind="CERTIFIED_BASE", base="B-186", happenedAt="2026-07-11T09:00:00+08:00")
    office.do(
        "recordEmployment",
        case=case,
        kind="ENTERPRISE",
        **{"from": "2026-08-01"},
        happenedAt="2026-08-02T09:00:00+08:00",
    )
    found = office.do("recordVisit", case=case, mode="HOME", summary="情况稳定", happenedAt="2026-08-10T09:00:00+08:00")
    assert found["state"] == "PLAN_ACTIVE"
    assert found["termEnd"] == "2031-06-30"
    assert not [event["flags"] for event in found["events"] if event["flags"] and event["flags"] != ["BACKFILLED"]]
    said = [item["value"] for event in found["events"] for item in event["said"]]
    assert "情况稳定" not in said
    assert "妻子" not in said
    assert offices["county"].refused("grantSubsidy", case=case, unit="91360700X", amount=10000) == "INVALID_INPUT"
    found = office.do("closeCase", case=case, reason="OTHER")
    assert (found["state"], found["accountableOffice"], found["ended"]) == ("ENDED", None, True)


def test_a_case_that_is_not_ours_twice_is_decided_by_the_province(offices, demo):
    case = admitted(offices, demo, 2)
    dispatched(offices, case)
    found = offices["office"].do("returnCase", case=case, reason="NO_HOUSEHOLD", happenedAt="2026-05-29T09:00:00+08:00")
    assert (found["state"], found["accountableOffice"], found["bounces"]) == ("NOT_OURS", COUNTY, 1)
    offices["county"].do("dispatchCase", case=case, office=OFFICE, happenedAt="2026-05-30T09:00:00+08:00")
    found = offices["office"].do("returnCase", case=case, reason="MOVED", happenedAt="2026-06-01T09:00:00+08:00")
    assert found["bounces"] == 2
    found = offices["province"].do("adjudicateCase", case=case, office=OFFICE, happenedAt="2026-06-03T09:00:00+08:00")
    assert found["accountableOffice"] == OFFICE


def test_refusal_is_lawful_and_a_new_offence_ends_the_case(offices, demo):
    case = admitted(offices, demo, 4)
    dispatched(offices, case)
    office = offices["office"]
    office.do("acknowledgeHandover", case=case, happenedAt="2026-05-28T09:00:00+08:00")
    found = office.do("planPickup", case=case, refused=True, happenedAt="2026-06-20T09:00:00+08:00")
    assert found["events"][-1]["kind"] == "PICKUP_REFUSED"
    offices["prison"].do("recordRelease", case=case, certificate="1", happenedAt="2026-06-30T09:00:00+08:00")
    office.do("recordPickup", case=case, outcome="SELF", happenedAt="2026-07-01T09:00:00+08:00")
    office.do("registerPerson", case=case, fileNumber="9", happenedAt="2026-07-02T09:00:00+08:00")
    found = office.do("agreePlan", case=case, refused=True, happenedAt="2026-07-03T09:00:00+08:00")
    assert (found["state"], found["events"][-1]["kind"]) == ("PLAN_ACTIVE", "PLAN_REFUSED")
    found = offices["police"].do(
        "recordReoffence", case=f"{case}.police-station", chapter="05", offenceDay="2026-09-01"
    )
    assert found["state"] == "REOFFENDED"
    assert not [each for each in found["deadlines"] if each["light"] in ("GREEN", "YELLOW", "RED")]


def test_nobody_does_what_is_not_theirs(offices, demo):
    case = admitted(offices, demo, 5)
    assert offices["office"].refused("recordRelease", case=case, certificate="1") == "GRAPHQL_VALIDATION_FAILED"
    assert offices["county"].refused("dispatchCase", case=case, office=OFFICE) in ("FORBIDDEN", "NOT_FOUND")
    assert Officer(demo, "tax").refused("recordDeath", case=case, source="POLICE") == "GRAPHQL_VALIDATION_FAILED"
    assert (
        offices["prison"].refused("notifyRelease", case="C-none", county=COUNTY, plannedRelease="2026-06-30")
        == "NOT_FOUND"
    )
    assert (
        offices["prison"].refused("notifyRelease", case=case, county="somewhere", plannedRelease="2026-06-30")
        == "INVALID_INPUT"
    )
    assert (
        offices["prison"].refused("recordDeath", case=case, source="POLICE", happenedAt="2999-01-01T00:00:00+08:00")
        == "INVALID_INPUT"
    )


def test_the_same_command_has_one_effect(offices, demo):
    case = admitted(offices, demo, 7)
    first = offices["prison"].send("startVerification", "same-id", case=case)
    again = offices["prison"].send("startVerification", "same-id", case=case)
    assert first == again
    assert [event["kind"] for event in again["case"]["events"]].count("VERIFICATION_STARTED") == 1
    other = offices["prison"].send("startVerification", "same-id", case=case, office=OFFICE)
    assert other["code"] == "IDEMPOTENCY_CONFLICT"


def test_a_release_without_notice_is_accepted_and_flagged(offices, demo):
    case = admitted(offices, demo, 8)
    found = offices["prison"].do("recordRelease", case=case, certificate="1", happenedAt="2026-06-30T09:00:00+08:00")
    assert (found["state"], found["events"][-1]["flags"]) == ("RELEASED", ["OUT_OF_ORDER"])


def test_lists_hold_the_cases_and_tasks_of_the_region(offices, demo):
    case = admitted(offices, demo, 10)
    dispatched(offices, case)
    query = """{ caseload(first: 100, filter: {ended: false}) { totalCount edges { node { id person accountableOffice } } pageInfo { hasNextPage } }
      tasks(first: 100) { edges { node { case step light due office } } } }"""
    county = demo.ask("county-office", query).json["data"]
    found = {edge["node"]["id"]: edge["node"] for edge in county["caseload"]["edges"]}
    assert found[case]["accountableOffice"] == COUNTY
    tasks = [edge["node"] for edge in county["tasks"]["edges"] if edge["node"]["case"] == case]
    assert {"DISPATCH_ACKNOWLEDGED", "PICKUP_PLAN"} <= {task["step"] for task in tasks}
    assert all(task["light"] == "RED" for task in tasks if task["step"] == "DISPATCH_ACKNOWLEDGED")
    person = demo.ask(
        "county-office",
        "query ($ids: [ID!]!) { persons(ids: $ids) { id } }",
        {"ids": [found[case]["person"]]},
        **{"Hub-Purpose": "HANDOVER"},
    )
    assert person.json["data"]["persons"][0]["id"] == found[case]["person"]
    assert demo.ask("tax", "{ caseload { totalCount } }").code == "GRAPHQL_VALIDATION_FAILED"


def test_one_case_is_for_its_offices_only(offices, demo):
    case = admitted(offices, demo, 11)
    query = "query ($id: ID!) { case(id: $id) { id state events { kind } } }"
    assert demo.ask("prison", query, {"id": case}).json["data"]["case"]["state"] == "ADMITTED"
    assert demo.ask("judicial-office", query, {"id": case}).json["data"]["case"] is None
    assert demo.ask("judicial-office", query, {"id": "C-none"}).json["data"]["case"] is None
