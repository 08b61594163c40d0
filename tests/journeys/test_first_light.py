"""One person, five agencies, one query, different answers."""

import json
import re
import stat
from base64 import urlsafe_b64decode
from pathlib import Path

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey

from hub.demo.run import QUERY_FILE

FIRST = QUERY_FILE.read_text("utf-8")
AGENCIES = ["civil-affairs", "justice", "police", "social-security", "tax"]


def person(demo, persona, number=None, **headers):
    return demo.ask(persona, FIRST, {"number": number or demo.held["people"]["in"][0]}, **headers)


def test_the_judicial_office_sees_all_five_agencies(demo):
    reply = person(demo, "judicial-office")
    found = reply.json["data"]["person"]
    assert found["name"]
    assert found["identityNumber"] == demo.held["people"]["in"][0]
    assert found["justice"]["sentences"][0]["court"].endswith("人民法院")
    assert found["police"]["householdStatus"] in {"NORMAL", "TO_BE_RESTORED"}
    assert isinstance(found["socialSecurity"]["insuredNow"], bool)
    assert found["tax"]["withholdingEmployers"] is None
    assert isinstance(found["tax"]["employedThisMonth"], bool)
    assert [use["agency"] for use in reply.hub["sources"]] == AGENCIES
    assert {use["status"] for use in reply.hub["sources"]} == {"OK"}
    assert {item["agency"] for item in found["provenance"]} == {"police"}


def test_the_readme_shows_the_query_that_the_demo_prints_and_what_is_answered(demo):
    """Dates follow the day the demo was made; everything else of the two answers stands in the README as it is."""
    text = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
    assert FIRST.strip() in text
    answers = [json.loads(block.split("```", 1)[0]) for block in text.split("```json\n")[1:]]
    for persona, shown in zip(("judicial-office", "tax"), answers, strict=True):
        found = person(demo, persona, "360700194001011018").json["data"]["person"]
        assert without_dates({name: found[name] for name in shown}) == without_dates(shown)


def without_dates(value):
    if isinstance(value, dict):
        return {name: without_dates(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [without_dates(inner) for inner in value]
    return re.sub(r"\d{4}-\d{2}(-\d{2})?", "date", value) if isinstance(value, str) else value


def test_tax_sees_the_taxpayer_and_nothing_of_prison(demo):
    reply = person(demo, "tax")
    found = reply.json["data"]["person"]
    assert found["justice"] is None
    assert found["name"].endswith("*") or "*" in found["name"]
    assert found["identityNumber"][1:-1] == "*" * 16
    assert found["tax"]["taxpayerNo"] == demo.held["people"]["in"][0]
    assert "justice" not in {use["agency"] for use in reply.hub["sources"]}
    assert {"coordinate": "Sentence.court", "code": "FIELD_DENIED"} in reply.hub["denied"]


def test_each_answer_leaves_its_entry_without_a_value(demo):
    reply = person(demo, "judicial-office", X_Request_Id="first-light.1")
    entry = demo.entry(reply.hub["auditEntry"])
    assert entry["requestId"] == "first-light.1"
    assert (entry["agency"], entry["role"], entry["officer"], entry["purpose"]) == (
        "justice",
        "judicial-office",
        "2001",
        "HANDOVER",
    )
    (access,) = entry["persons"]
    assert "Sentence.court" in access["full"]
    assert "TaxRecord.taxpayerNo" in access["denied"]
    assert any(rule.startswith("justice.FG4.judicial-office") for rule in entry["policies"])
    text = json.dumps(entry, ensure_ascii=False)
    assert demo.held["people"]["in"][0] not in text
    assert reply.json["data"]["person"]["name"] not in text


def test_the_same_person_is_the_same_pseudonym_for_every_asker(demo):
    names = {demo.entry(person(demo, role).hub["auditEntry"])["persons"][0]["person"] for role in ("prison", "tax")}
    assert len(names) == 1


def test_ids_differ_between_agencies_and_work_only_for_their_own(demo):
    ids = {
        role: person(demo, role).json["data"]["person"]["id"] for role in ("judicial-office", "tax", "police-station")
    }
    assert len(set(ids.values())) == 3
    query = "query ($id: ID!) { node(id: $id) { id ... on Person { name } } }"
    assert demo.ask("tax", query, {"id": ids["tax"]}).json["data"]["node"]["id"] == ids["tax"]
    assert demo.ask("tax", query, {"id": ids["judicial-office"]}).json["data"]["node"] is None
    assert demo.ask("police-station", query, {"id": ids["tax"]}).json["data"]["node"] is None


@pytest.mark.parametrize("persona", ["judicial-office", "prison", "police-station"])
def test_a_person_out_of_reach_and_an_unknown_one_look_the_same(demo, persona):
    out = demo.held["people"]["out"][0]
    unknown = "360700197001010019"[:17]
    from hub.domain.identity_number import check_character

    replies = [person(demo, persona, number) for number in (out, unknown + check_character(unknown))]
    bodies = []
    for reply in replies:
        body = reply.json
        for name in ("requestId", "auditEntry"):
            body["extensions"]["hub"].pop(name)
        bodies.append(body)
    assert bodies[0] == bodies[1]
    assert bodies[0]["data"]["person"] is None


def test_without_a_case_the_prison_is_told_that_one_is_needed(demo):
    reply = person(demo, "prison", Hub_Case=None)
    assert reply.json["data"]["person"] is None
    assert reply.hub["denied"] == [{"coordinate": "Query.person", "code": "CASE_REQUIRED"}]


@pytest.mark.parametrize("persona", ["auditor", "statistician"])
def test_roles_without_persons_get_none(demo, persona):
    reply = person(demo, persona)
    assert reply.status == 200
    assert reply.json["data"]["person"] is None
    assert reply.hub["sources"] == []


def test_the_developer_sees_itself_and_the_schema_only(demo):
    assert demo.ask("developer", "{ viewer { role purposes } }").json["data"]["viewer"] == {
        "role": "developer",
        "purposes": [],
    }
    assert demo.ask("developer", "{ __schema { queryType { name } } }").status == 200
    assert (person(demo, "developer").status, person(demo, "developer").code) == (400, "PURPOSE_REQUIRED")
    assert person(demo, "developer", Hub_Purpose="AUDIT").code == "PURPOSE_NOT_ALLOWED"


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"Hub_Purpose": None}, 400, "PURPOSE_REQUIRED"),
        ({"Hub_Purpose": "CURIOSITY"}, 403, "PURPOSE_NOT_ALLOWED"),
        ({"Hub_Purpose": "TAX_RELIEF"}, 403, "PURPOSE_NOT_ALLOWED"),
        ({"Hub_Purpose": "handover"}, 403, "PURPOSE_NOT_ALLOWED"),
        ({"Hub_Case": "x" * 80}, 400, "BAD_REQUEST"),
        ({"Hub_Case": ",".join(f"C{n}" for n in range(101))}, 400, "BAD_REQUEST"),
        ({"Authorization": None}, 401, "UNAUTHENTICATED"),
        ({"Authorization": "Bearer nonsense"}, 401, "UNAUTHENTICATED"),
    ],
)
def test_refusals_have_their_documented_code_and_status(demo, headers, status, code):
    reply = person(demo, "judicial-office", **headers)
    assert (reply.status, reply.code) == (status, code)
    assert "data" not in reply.json


def test_a_refusal_after_a_valid_token_is_an_entry(demo):
    reply = person(demo, "tax", Hub_Purpose="CURIOSITY")
    entry = demo.entry(reply.hub["auditEntry"])
    assert (entry["outcome"], entry["code"]) == ("DENIED", "PURPOSE_NOT_ALLOWED")


def test_a_malformed_number_is_the_callers_error(demo):
    reply = person(demo, "judicial-office", "123")
    assert (reply.status, reply.json["data"], reply.code) == (200, {"person": None}, "BAD_REQUEST")
    assert reply.json["errors"][0]["path"] == ["person"]


def test_people_pages_through_the_jurisdiction_without_doubles(demo):
    query = "query ($after: String) { people(first: 40, after: $after) { totalCount edges { cursor node { id } } pageInfo { hasNextPage endCursor } } }"
    seen, after, total = [], None, None
    while True:
        page = demo.ask("judicial-office", query, {"after": after}).json["data"]["people"]
        seen += [edge["node"]["id"] for edge in page["edges"]]
        total, after = page["totalCount"], page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert len(seen) == len(set(seen)) == total


def test_a_cursor_of_another_agency_or_filter_is_refused(demo):
    query = "query ($after: String, $filter: PeopleFilter) { people(first: 1, after: $after, filter: $filter) { edges { cursor } } }"
    cursor = demo.ask("judicial-office", query).json["data"]["people"]["edges"][0]["cursor"]
    assert demo.ask("police-station", query, {"after": cursor}).code == "BAD_REQUEST"
    assert demo.ask("judicial-office", query, {"after": cursor, "filter": {"sex": "MALE"}}).code == "BAD_REQUEST"


def test_a_filter_by_a_field_shows_only_persons_whose_field_is_visible(demo):
    query = "query ($sex: Sex) { people(filter: {sex: $sex}, first: 100) { totalCount edges { node { sex } } } }"
    everyone = demo.ask("judicial-office", "{ people { totalCount } }").json["data"]["people"]["totalCount"]
    counted = 0
    for sex in ("MALE", "FEMALE"):
        page = demo.ask("judicial-office", query, {"sex": sex}).json["data"]["people"]
        assert {edge["node"]["sex"] for edge in page["edges"]} <= {sex}
        counted += page["totalCount"]
    assert counted < everyone  # those out of term have a sex that this role may not see


def test_persons_answers_in_order_with_null_in_place(demo):
    ids = [
        person(demo, "judicial-office", number).json["data"]["person"]["id"] for number in demo.held["people"]["in"][:3]
    ]
    query = "query ($ids: [ID!]!) { persons(ids: $ids) { id } }"
    asked = [ids[2], "nonsense", ids[0]]
    found = demo.ask("judicial-office", query, {"ids": asked}).json["data"]["persons"]
    assert [item and item["id"] for item in found] == [ids[2], None, ids[0]]
    assert demo.ask("judicial-office", query, {"ids": ids * 40}).code == "BAD_REQUEST"


def test_demo_json_has_the_published_form(demo):
    held = demo.held
    assert stat.S_IMODE((demo.directory / "demo.json").stat().st_mode) == 0o600
    assert held.keys() == {"version", "url", "issuer", "audience", "personas", "people", "signingKey", "kid"}
    assert list(held["personas"]) == [
        "prison", "judicial-office", "county-office", "province-office", "police-station", "social-security",
        "civil-affairs", "tax", "auditor", "statistician", "developer",
    ]  # fmt: skip
    for persona in held["personas"].values():
        assert persona.keys() == {"token", "purpose", "case", "role", "agency", "regions"}
    assert len(held["people"]["in"]) >= 50
    assert len(held["people"]["out"]) >= 50
    assert Path(held["signingKey"]).read_bytes().startswith(b"-----BEGIN PRIVATE KEY-----")


def test_tokens_have_the_published_header_and_claims(demo):
    held = demo.held
    for name, persona in held["personas"].items():
        head, claims, _ = (urlsafe_b64decode(part + "==") for part in persona["token"].split("."))
        assert json.loads(head) == {"alg": "ES256", "typ": "at+jwt", "kid": held["kid"]}
        found = json.loads(claims)
        assert found.keys() == {
            "iss", "aud", "sub", "client_id", "act", "jti", "iat", "nbf", "exp", "agency", "role", "regions", "purposes",
        }  # fmt: skip
        assert (found["iss"], found["aud"]) == (held["issuer"], [f"{held['url']}/graphql"])
        assert found["sub"].startswith("officer:")
        assert found["act"] == {"sub": f"client:{found['client_id']}"}
        assert (found["agency"], found["role"], found["regions"]) == (persona["agency"], name, persona["regions"])
        assert (persona["purpose"] is None) is (found["purposes"] == [])
        assert persona["purpose"] is None or persona["purpose"] in found["purposes"]
        assert {type(found[time]) for time in ("iat", "nbf", "exp")} == {int}
        assert found["exp"] - found["iat"] <= 3600


def test_a_token_signed_with_the_signing_key_is_taken(demo):
    held = demo.held
    key = ECKey.import_key(Path(held["signingKey"]).read_bytes())
    claims = json.loads(urlsafe_b64decode(held["personas"]["tax"]["token"].split(".")[1] + "=="))
    token = jwt.encode({"alg": "ES256", "typ": "at+jwt", "kid": held["kid"]}, {**claims, "sub": "officer:42"}, key)
    reply = demo.ask("tax", "{ viewer { officer } }", Authorization=f"Bearer {token}")
    assert reply.json["data"]["viewer"] == {"officer": "42"}


def test_the_case_of_a_persona_concerns_the_first_person_inside(demo):
    case = demo.held["personas"]["judicial-office"]["case"]
    query = "query ($l: PersonLookup!) { person(lookup: $l) { id } }"
    by_case, by_number = (
        demo.ask("judicial-office", query, {"l": lookup}).json["data"]["person"]
        for lookup in ({"caseNumber": case}, {"identityNumber": demo.held["people"]["in"][0]})
    )
    assert by_case == by_number is not None


@pytest.mark.parametrize("index", [0, 25, 49])
def test_people_in_are_visible_to_the_judicial_office_and_people_out_are_not(demo, index):
    assert person(demo, "judicial-office", demo.held["people"]["in"][index]).json["data"]["person"]["name"]
    assert person(demo, "judicial-office", demo.held["people"]["out"][index]).json["data"]["person"] is None


def test_health_readiness_and_metadata_need_no_token(demo):
    assert demo.send("/healthz").status == 200
    ready = demo.send("/readyz")
    assert (ready.status, ready.json) == (
        200,
        {"ready": True, "checks": {"keys": True, "log": True, "policy": True, "store": True}},
    )
    metadata = demo.send("/.well-known/oauth-protected-resource").json
    assert metadata["resource"] == demo.held["audience"]
    key, of_proofs = demo.send("/.well-known/jwks.json").json["keys"]
    assert key["kid"] == demo.held["kid"] != of_proofs["kid"]
    assert "d" not in of_proofs
    assert key["kid"] == demo.held["kid"]
    assert "d" not in key


def test_the_schema_needs_a_token_and_is_the_committed_one(demo):
    assert demo.send("/schema.graphql").status == 401
    token = demo.held["personas"]["developer"]["token"]
    text = demo.send("/schema.graphql", headers={"Authorization": f"Bearer {token}"}).raw.decode()
    assert "type Person implements Node" in text


def test_a_401_challenges_as_the_standards_say(demo):
    challenge = demo.send("/graphql", b"{}").headers["www-authenticate"]
    assert challenge.startswith("Bearer ")
    assert "/.well-known/oauth-protected-resource" in challenge


@pytest.mark.parametrize(
    ("given", "kept"), [("abc-1.2_3", True), ("x" * 65, False), ("with blank", False), ("<b>", False)]
)
def test_request_ids_are_echoed_or_replaced(demo, given, kept):
    reply = demo.ask("developer", "{ __typename }", X_Request_Id=given)
    assert (reply.headers["x-request-id"] == given) is kept
    assert reply.hub["requestId"] == reply.headers["x-request-id"]
