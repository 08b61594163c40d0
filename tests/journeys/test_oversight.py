"""Above a case over HTTP: orders, corrections, bases and forecasts, each by the office whose it is."""

import json
import secrets
import urllib.request

from tests.journeys.test_casework import Officer, admitted, dispatched, registered


def offices(demo):
    return {
        "prison": Officer(demo, "prison", "HANDOVER"),
        "county": Officer(demo, "county-office", "HANDOVER"),
        "office": Officer(demo, "judicial-office", "HANDOVER"),
    }


def send(demo, persona, verb, fields, purpose=None, **given):
    title = verb[0].upper() + verb[1:]
    query = f"""mutation ($input: {title}Input!) {{ {verb}(input: $input) {{ __typename
      ... on {title}Success {{ auditEntry {fields} }} ... on Problem {{ code field }} }} }}"""
    headers = {"Hub-Purpose": purpose} if purpose else {}
    variables = {"input": {"clientMutationId": secrets.token_hex(8), **given}}
    reply = demo.ask(persona, query, variables, **headers)
    assert "errors" not in reply.json, reply.raw
    return reply.json["data"][verb]


def ask(demo, persona, query, purpose, **variables):
    reply = demo.ask(persona, query, variables, **{"Hub-Purpose": purpose})
    assert "errors" not in reply.json, reply.raw
    return reply.json["data"]


ORDERS = "{ supervisionOrders(open: false) { id case step office issuer text due overdue reply repliedAt } }"


def test_a_late_task_is_ordered_seen_and_replied_to(demo):
    case = admitted(offices(demo), demo, 20)
    dispatched(offices(demo), case)
    offices(demo)["office"].do("acknowledgeHandover", case=case, happenedAt="2026-05-28T09:00:00+08:00")
    text = "请立即接送"
    given = {"case": case, "step": "PICKUP_PLAN", "text": text}
    ordered = send(demo, "county-office", "issueSupervisionOrder", "order { id state due }", **given)
    assert ordered["__typename"] == "IssueSupervisionOrderSuccess", ordered
    day = ask(
        demo, "judicial-office", "{ myDay { day orders steps { step red } pressing { case step light } } }", "HANDOVER"
    )
    assert day["myDay"]["orders"] >= 1
    assert {task["light"] for task in day["myDay"]["pressing"]} <= {"RED", "YELLOW"}
    reply = send(
        demo,
        "judicial-office",
        "replySupervisionOrder",
        "order { state }",
        case=case,
        order=ordered["order"]["id"],
        text="已安排",
    )
    assert reply["order"]["state"] == "REPLIED"
    found = {each["id"]: each for each in ask(demo, "county-office", ORDERS, "SUPERVISION")["supervisionOrders"]}
    assert (found[ordered["order"]["id"]]["text"], found[ordered["order"]["id"]]["reply"]) == (text, "已安排")
    entry = demo.entry(ordered["auditEntry"])
    assert (entry["kind"], entry["operation"]) == ("command", "issueSupervisionOrder")


def test_the_police_correct_their_own_fact(demo):
    case = admitted(offices(demo), demo, 21)
    dispatched(offices(demo), case)
    offices(demo)["office"].do("acknowledgeHandover", case=case, happenedAt="2026-05-28T09:00:00+08:00")
    wrong = {"case": case, "coordinate": "PoliceRecord.registeredAddress", "reason": "门牌号有误"}
    made = send(demo, "judicial-office", "requestCorrection", "correction { id state due }", **wrong)
    assert made["__typename"] == "RequestCorrectionSuccess", made
    query = "{ corrections { id case coordinate reason state overdue } }"
    seen = ask(demo, "police-station", query, "RISK_CONTROL")["corrections"]
    mine = [each for each in seen if each["id"] == made["correction"]["id"]]
    assert [(each["case"], each["reason"]) for each in mine] == [(f"{case}.police-station", "门牌号有误")]
    answer = {"correction": made["correction"]["id"], "outcome": "CORRECTED", "text": "已更正"}
    done = send(demo, "police-station", "answerCorrection", "correction { state }", "RISK_CONTROL", **answer)
    assert done["correction"]["state"] == "CORRECTED"
    assert demo.ask("tax", query).code == "GRAPHQL_VALIDATION_FAILED"


def test_forecasts_are_for_higher_offices_and_of_bounded_size(demo):
    query = """query ($region: String!, $days: Int) {
      dueForecast(region: $region, days: $days) { step overdue days { day count } }
      whatIf(region: $region, step: "FILE", count: 3, unit: DAY) { cases earlier later redNow redThen } }"""
    found = ask(demo, "county-office", query, "SUPERVISION", region="360702", days=30)
    assert found["whatIf"]["cases"] >= 0
    assert {"step", "overdue", "days"} <= set(found["dueForecast"][0])
    far = demo.ask("county-office", query, {"region": "360702", "days": 1000}, **{"Hub-Purpose": "SUPERVISION"})
    assert "errors" in far.json
    denied = demo.ask("judicial-office", query, {"region": "360702", "days": 30})
    assert (denied.status, denied.code) == (400, "GRAPHQL_VALIDATION_FAILED")


def test_bases_show_their_places(demo):
    assert registered(demo, "B-900", 3)["base"] == {
        "id": "B-900",
        "capacity": 3,
        "occupied": 0,
        "waiting": 0,
        "certifiedUntil": "2099-01-01",
    }
    found = ask(demo, "judicial-office", '{ bases(region: "3607") { id name occupied capacity } }', "PLACEMENT")
    assert "B-900" in {each["id"] for each in found["bases"]}


def test_a_webhook_goes_to_allowed_hosts_only(demo):
    refused = send(
        demo, "police-station", "registerWebhook", "webhook { id }", "RISK_CONTROL", url="https://evil.example/"
    )
    assert (refused["code"], refused["field"]) == ("INVALID_INPUT", "url")
    assert ask(demo, "police-station", "{ webhooks { id url secret } }", "RISK_CONTROL") == {"webhooks": []}


def test_a_subscription_streams_events_and_needs_a_stream(demo):
    case = admitted(offices(demo), demo, 22)
    known = demo.held["personas"]["province-office"]
    headers = {
        "Authorization": f"Bearer {known['token']}",
        "Content-Type": "application/json",
        "Accept": "text/event-stream",
        "Hub-Purpose": "SUPERVISION",
    }
    body = json.dumps({"query": 'subscription { caseEvents(after: "0") { kind case } }'}).encode()
    plain = demo.send("/graphql", body, {**headers, "Accept": "application/graphql-response+json"})
    assert (plain.status, plain.code) == (400, "BAD_REQUEST")
    dispatched(offices(demo), case)
    offices(demo)["office"].do("returnCase", case=case, reason="MOVED", happenedAt="2026-05-29T09:00:00+08:00")
    demo.hub("worker", "--once")
    county = {**headers, "Authorization": f"Bearer {demo.held['personas']['county-office']['token']}"}
    request = urllib.request.Request(f"{demo.url}/graphql", body, county)
    with urllib.request.urlopen(request, timeout=20) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        seen = ""
        while f'"case":"{case}"' not in seen:
            seen = answer.readline().decode()
    payload = json.loads(seen.removeprefix("data: "))
    assert payload["data"]["caseEvents"]["kind"].startswith("case.")
    entry = demo.entry(payload["extensions"]["hub"]["auditEntry"])
    assert demo.entry(entry["parent"])["role"] == "county-office"
