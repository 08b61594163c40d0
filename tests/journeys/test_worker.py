"""The worker as its operator runs it: a missed pick-up is raised to the province, and agencies read of it."""

import subprocess
import sys

from tests.journeys.test_casework import Officer, admitted


def work(demo):
    command = [sys.executable, "-m", "hub.cli.main", "worker", "--data", str(demo.directory), "--once"]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def changes(demo, persona, after="0"):
    query = "query ($after: String) { changes(after: $after, first: 100) { changes { position kind case office } position } }"
    return demo.ask(persona, query, {"after": after}).json["data"]["changes"]


def everything(demo, persona):
    found, after = [], "0"
    while (page := changes(demo, persona, after))["changes"]:
        found += page["changes"]
        after = page["position"]
    return found


def test_a_missed_pickup_climbs_to_the_province(demo):
    prison = Officer(demo, "prison", "HANDOVER")
    case = admitted({"prison": prison}, demo, 13)
    prison.do("recordRelease", case=case, certificate="1", happenedAt="2026-06-30T09:00:00+08:00")
    assert work(demo) > 0
    assert work(demo) == 0
    mine = [each for each in everything(demo, "province-office") if each["case"] == case]
    raised = {each["office"] for each in mine if each["kind"] == "deadline.escalated"}
    assert {"province-office/360000"} <= raised
    assert "case.UNCONNECTED" in {each["kind"] for each in mine}
    places = [each["position"] for each in everything(demo, "province-office")]
    assert len(places) == len(set(places))
    assert {len(place) for place in places} == {len(places[0])}  # no place tells how far it is from another
    query = '{ changes(after: "7") { position } }'
    assert demo.ask("province-office", query).json["errors"][0]["extensions"]["code"] == "BAD_REQUEST"
    police = [each for each in everything(demo, "police-station") if each["case"] == f"{case}.police-station"]
    assert {each["kind"] for each in police} <= {"case.RELEASED", "case.UNCONNECTED"}
    query = "query ($id: ID!) { case(id: $id) { state } }"
    assert demo.ask("prison", query, {"id": case}).json["data"]["case"]["state"] == "UNCONNECTED"
