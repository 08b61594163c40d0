"""Answers without records over HTTP, and their proofs against the hub's published keys."""

import json

import pytest
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from tests.fitting import fitted

ALL = "insuredNow employedNow keyGroupEligible householdRestored inCustody lowIncome escortNeeded"
FIELDS = " ".join(f"{name} {{ holds basis asOf validUntil }}" for name in ALL.split())
QUERY = f"query ($n: String!) {{ person(lookup: {{identityNumber: $n}}) {{ id predicates {{ {FIELDS} }} }} }}"
PROOF = "query ($n: String!) { person(lookup: {identityNumber: $n}) { id predicates { insuredNow { holds proof } } } }"
SOURCE = (
    "query ($n: String!) { person(lookup: {identityNumber: $n}) { socialSecurity { insuranceAccounts { status } } } }"
)


def predicates(demo, persona, number, query=QUERY):
    """The answer to `query` as far as it fits the persona's view."""
    answer = demo.ask(persona, fitted(query, persona), {"n": number})
    assert answer.status == 200, answer.raw
    return answer


def test_a_role_gets_the_answers_of_its_policy_and_no_column_of_the_records(demo):
    number = demo.held["people"]["in"][0]
    answer = predicates(demo, "judicial-office", number)
    held = answer.json["data"]["person"]["predicates"]
    assert {name for name, value in held.items() if value is not None} >= {"insuredNow", "inCustody", "escortNeeded"}
    assert all(isinstance(value["holds"], bool) and value["basis"] for value in held.values() if value)
    entry = demo.entry(answer.hub["auditEntry"])
    assert "PersonPredicates.insuredNow" in entry["persons"][0]["predicate"]
    assert entry["persons"][0]["full"] == []
    assert demo.ask("judicial-office", SOURCE, {"n": number}).code == "GRAPHQL_VALIDATION_FAILED"


def test_tax_gets_the_key_group_and_never_custody(demo):
    number = demo.held["people"]["in"][0]
    answer = predicates(demo, "tax", number)
    held = answer.json["data"]["person"]["predicates"]
    assert held["keyGroupEligible"] is not None
    assert held.keys().isdisjoint({"inCustody", "escortNeeded"})
    refused = demo.ask("tax", QUERY, {"n": number})
    assert (refused.status, refused.code) == (400, "GRAPHQL_VALIDATION_FAILED")
    assert {source["agency"] for source in answer.hub["sources"]} <= {
        "social-security",
        "civil-affairs",
        "police",
        "tax",
    }


def test_a_proof_verifies_against_the_published_keys_and_says_what_was_answered(demo):
    number = demo.held["people"]["in"][0]
    keys = KeySet.import_key_set(json.loads(demo.send("/.well-known/jwks.json").raw))
    person = predicates(demo, "judicial-office", number, PROOF).json["data"]["person"]
    given = person["predicates"]["insuredNow"]
    read = jws.deserialize_compact(given["proof"], keys, algorithms=["ES256"])
    said = json.loads(read.payload)
    assert read.headers()["typ"] == "hub-predicate+jws"
    assert (said["iss"], said["aud"], said["sub"]) == (demo.url, "justice", person["id"])
    assert (said["coordinate"], said["holds"]) == ("PersonPredicates.insuredNow", given["holds"])
    assert said["validUntil"] >= "2026"
    assert number not in json.dumps(said)
    other = predicates(demo, "social-security", number, PROOF).json["data"]["person"]
    elsewhere = json.loads(jws.deserialize_compact(other["predicates"]["insuredNow"]["proof"], keys).payload)
    assert elsewhere["sub"] != said["sub"]
    header, payload, signature = given["proof"].split(".")
    with pytest.raises(JoseError):
        jws.deserialize_compact(f"{header}.{payload[:-2]}AA.{signature}", keys, algorithms=["ES256"])


def test_a_proof_is_no_access_token(demo):
    number = demo.held["people"]["in"][0]
    person = predicates(demo, "judicial-office", number, PROOF).json["data"]["person"]
    proof = person["predicates"]["insuredNow"]["proof"]
    assert demo.ask("judicial-office", "{ viewer { role } }", Authorization=f"Bearer {proof}").status == 401
