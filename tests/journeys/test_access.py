"""What front-ends are told before they ask: the viewer's access and quota, a person's access, explanations."""

import pytest

from hub.domain.identity_number import check_character
from tests.fitting import shipped, sight, view_of

ACCESS = "query ($n: String!) { person(lookup: {identityNumber: $n}) { access { coordinate effect code remedy } } }"
EXPLAIN = """query ($p: PersonLookup, $c: [String!]!) { explainAccess(person: $p, coordinates: $c) {
  coordinate effect code policies basis explanation missing remedy } }"""
SEEING = ["prison", "judicial-office", "county-office", "police-station", "social-security", "civil-affairs", "tax"]


def unknown() -> str:
    head = "36070019700101001"
    return head + check_character(head)


def ever(role: str) -> frozenset[str]:
    return sight().ever(agency=shipped().purposes.roles[role].agency, role=role)


def explained(demo, persona, coordinates, person=None, **headers):
    reply = demo.ask(persona, EXPLAIN, {"p": person, "c": coordinates}, **headers)
    assert reply.status == 200, reply.raw
    return reply.json["data"]["explainAccess"]


@pytest.mark.parametrize("persona", SEEING)
def test_access_to_a_person_lists_what_the_view_holds_and_calls_nobody_more(demo, persona):
    reply = demo.ask(persona, ACCESS, {"n": demo.held["people"]["in"][0]})
    found = reply.json["data"]["person"]["access"]
    assert {item["coordinate"] for item in found} == ever(persona)
    assert len(found) == len(ever(persona))
    for item in found:
        assert (item["code"] is not None) is (item["effect"] == "DENIED")
    called = {use["agency"] for use in reply.hub["sources"]}
    assert called <= {shipped().purposes.roles[persona].agency}  # the own register at most: whether there is anybody


def test_access_says_what_is_given_and_how_the_rest_is_got(demo):
    number = demo.held["people"]["in"][0]
    query = (
        "query ($n: String!) { person(lookup: {identityNumber: $n}) { name access { coordinate effect code remedy } } }"
    )
    for case, name, code in ((True, "MASKED", None), (False, "DENIED", "CASE_REQUIRED")):
        headers = {} if case else {"Hub_Case": None}
        found = demo.ask("tax", query, {"n": number}, **headers).json["data"]["person"]
        access = {item["coordinate"]: item for item in found["access"]}
        assert (access["Person.name"]["effect"], access["Person.name"]["code"]) == (name, code)
        assert (found["name"] is None) is not case
        assert ("Hub-Case" in (access["Person.name"]["remedy"] or "")) is not case


def test_the_viewer_is_told_the_most_it_may_see(demo):
    query = "query ($t: String) { viewer { access(type: $t) { coordinate effect code remedy } } }"
    found = demo.ask("tax", query).json["data"]["viewer"]["access"]
    assert {item["coordinate"] for item in found} == ever("tax")
    effects = {item["coordinate"]: item["effect"] for item in found}
    assert (effects["Person.name"], effects["TaxRecord.taxpayerNo"]) == ("MASKED", "FULL")
    of_person = demo.ask("tax", query, {"t": "Person"}).json["data"]["viewer"]["access"]
    assert {item["coordinate"] for item in of_person} == {name for name in ever("tax") if name.startswith("Person.")}
    for hidden in ("JusticeRecord", "NoSuchType"):
        assert demo.ask("tax", query, {"t": hidden}).json["data"]["viewer"]["access"] == []


def test_the_viewers_access_is_for_the_purpose_of_the_request_or_for_all(demo):
    query = "{ viewer { access { coordinate effect } } }"

    def given(**headers):
        found = demo.ask("police-station", query, **headers).json["data"]["viewer"]["access"]
        return {item["coordinate"] for item in found if item["effect"] != "DENIED"}

    assert given(Hub_Purpose=None) == ever("police-station")
    assert given() <= given(Hub_Purpose=None)
    assert given(Hub_Purpose="TAX_RELIEF") == set()


def test_the_viewers_quota_counts_who_is_unknown_and_who_is_not_ours_alike(demo):
    quota = "{ viewer { quota { limit used resetsAt } } }"
    token = demo.hub("token", "judicial-office", "--officer", "7777").stdout.strip()
    headers = {"Authorization": f"Bearer {token}"}

    def used():
        return demo.ask("judicial-office", quota, **headers).json["data"]["viewer"]["quota"]

    assert used() == {"limit": 100_000, "used": 0, "resetsAt": None}
    query = "query ($n: String!) { person(lookup: {identityNumber: $n}) { id } }"
    counts = []
    for number in (
        demo.held["people"]["in"][0],
        demo.held["people"]["out"][0],
        unknown(),
        demo.held["people"]["in"][0],
    ):
        demo.ask("judicial-office", query, {"n": number}, **headers)
        counts.append(used()["used"])
    assert counts == [1, 2, 3, 3]
    assert used()["resetsAt"] is not None


def test_an_explanation_names_rules_basis_and_words(demo):
    person = {"identityNumber": demo.held["people"]["in"][0]}
    (name,) = explained(demo, "judicial-office", ["Person.name"], person)
    assert (name["effect"], name["code"], name["missing"], name["remedy"]) == ("FULL", None, [], None)
    for rule in name["policies"]:
        text = shipped().judge.rule_text(rule)
        assert text.basis in name["basis"]
        assert text.explain in name["explanation"]
    assert name["policies"]


def test_an_explanation_of_a_denial_names_the_missing_condition_and_what_to_do(demo):
    person = {"identityNumber": demo.held["people"]["in"][0]}
    (name,) = explained(demo, "tax", ["Person.name"], person, Hub_Case=None)
    assert (name["effect"], name["code"], name["missing"]) == ("DENIED", "CASE_REQUIRED", ["CASE"])
    assert "Hub-Case" in name["remedy"]
    assert all(".tax." in rule for rule in name["policies"])


def test_what_no_condition_of_the_asker_opens_is_denied_without_a_hint(demo):
    person = {"identityNumber": demo.held["people"]["in"][0]}
    (score,) = explained(demo, "judicial-office", ["RiskAssessment.score"], person)
    assert (score["effect"], score["code"]) == ("DENIED", "FIELD_DENIED")
    assert (score["policies"], score["basis"], score["missing"], score["remedy"]) == ([], [], [], None)


def test_without_a_person_it_is_explained_what_holds_at_best(demo):
    found = explained(demo, "tax", ["Person.name", "TaxRecord.employedThisMonth"])
    assert [(item["effect"], item["code"]) for item in found] == [("MASKED", None), ("FULL", None)]
    assert found[0]["missing"] == ["CASE"]


@pytest.mark.parametrize("persona", ["judicial-office", "prison", "police-station"])
def test_a_person_who_is_not_ours_is_explained_like_an_unknown_one(demo, persona):
    coordinates = ["Person.name", "JusticeRecord.releaseDate", "Person.assistanceStatus", "No.such"]
    bodies = []
    for number in (demo.held["people"]["out"][0], unknown()):
        reply = demo.ask(persona, EXPLAIN, {"p": {"identityNumber": number}, "c": coordinates}, Hub_Case=None)
        body = reply.json
        for name in ("requestId", "auditEntry"):
            body["extensions"]["hub"].pop(name)
        bodies.append(body)
    assert bodies[0] == bodies[1]
    assert {item["effect"] for item in bodies[0]["data"]["explainAccess"]} == {"DENIED"}


@pytest.mark.parametrize("persona", ["tax", "police-station"])
def test_a_hidden_coordinate_is_explained_like_one_that_never_was(demo, persona):
    hidden = "SocialSecurityRecord.pensionAmount"
    assert hidden in shipped().catalogue.fields
    assert hidden not in ever(persona)
    person = {"identityNumber": demo.held["people"]["in"][0]}
    for given in (None, person):
        one, other = explained(demo, persona, [hidden, "SocialSecurityRecord.pensionAmounx"], given)
        assert {**one, "coordinate": ""} == {**other, "coordinate": ""}


def test_an_explanation_is_an_entry_with_the_person_and_what_was_explained(demo):
    person = {"identityNumber": demo.held["people"]["in"][0]}
    reply = demo.ask("judicial-office", EXPLAIN, {"p": person, "c": ["Person.name", "Person.sex"]})
    entry = demo.entry(reply.hub["auditEntry"])
    (access,) = entry["persons"]
    assert not any(access[effect] for effect in ("full", "masked", "predicate", "sealed", "denied"))
    assert entry["note"] == {"explained Person.name": 1, "explained Person.sex": 1}
    assert reply.hub["sources"] == []


def test_too_many_coordinates_are_refused(demo):
    reply = demo.ask("tax", EXPLAIN, {"p": None, "c": ["Person.name"] * 101})
    assert reply.code == "BAD_REQUEST"
    assert "explainAccess" not in view_of("auditor").query_type.fields
