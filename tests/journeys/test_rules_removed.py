"""Removing a permission never adds to an answer: the same question under the shipped rules and under fewer of them."""

import json
import random
import shutil
from dataclasses import replace

import pytest

from hub.auth.judge import CedarJudge
from hub.auth.masks import MASK_NAMES, mask
from hub.auth.policy_reader import Bundle, read_bundle
from hub.bootstrap.build import build_hub
from hub.rules import POLICIES_DIR, read_rules
from hub.schema.request import GraphQLRequest
from hub.schema.views import view_schema
from hub.settings import load_settings
from tests.conftest import FULL
from tests.fitting import cut

QUERY = """query ($n: String!) { person(lookup: {identityNumber: $n}) {
  identityNumber name birthDate sex phone registeredAddress assistanceStatus entitledGroup keyPerson
  justice { name phone offenceChapter releaseDate riskClass needsEscort termEnd skills { name }
    familyMembers { name phone } assistancePlans { contactPerson contactPhone goals } }
  police { name birthDate registeredAddress householdStatus inCustody householdMembers { name birthDate } }
  socialSecurity { name insuredNow keyGroupEligible monthsPaid }
  civilAffairs { name lowIncome reliefCases { reliefType decision } }
  tax { taxpayerNo } } }"""
PERSONAS = ("judicial-office", "county-office", "social-security", "volunteer", "base")


@pytest.fixture
def settings(demo, tmp_path):
    shutil.copytree(demo.directory / "hub", tmp_path / "hub")
    return load_settings(data_dir=tmp_path, url=demo.url, demo=True, agency_deadline_s=5)


async def answer(settings, rules, persona: str, demo):
    """What a role gets under `rules` of the fields that its view under them holds; None: it may ask of no person."""
    hub = build_hub(settings, rules=rules)
    try:
        known = hub.rules.personas[persona]
        case = demo.held["personas"][persona]["case"]
        view = view_schema(rules.schema, rules.sight, rules.catalogue, agency=known.agency, role=known.name)
        request = GraphQLRequest(
            query=cut(QUERY, view) if "person" in view.query_type.fields else QUERY,
            variables={"n": demo.held["people"]["in"][0]},
            purpose=known.purpose,
            cases=(case,),
            request_id="removed",
        )
        body = json.loads((await hub.service.answer(hub.issuer.principal_of(known), request)).body)
        if "person" not in view.query_type.fields:
            assert body["errors"][0]["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"
            return None
        return body["data"]
    finally:
        await hub.close()


def added(before, after, said: frozenset[str] | None = None) -> list[tuple[object, object]]:
    """Where `after` says anything that `before` does not say: no less of the same, and no mask of it.

    A merged text may come from the next agency in the order of trust: it is nothing new if `before` said it there.
    """
    said = texts(before) if said is None else said
    if after is None or after == before:
        return []
    if isinstance(after, dict) and isinstance(before, dict):
        return [pair for name in after for pair in added(before[name], after[name], said)]
    if isinstance(after, list) and isinstance(before, list) and len(after) == len(before):
        return [pair for old, new in zip(before, after, strict=True) for pair in added(old, new, said)]
    masked: list[object] = [*said] if isinstance(before, str) else []
    for text in (before, *said) if isinstance(before, str) else ():
        masked += [*(mask(name, text) for name in MASK_NAMES if name != "birth-date"), f"{text[:4]}-01-01"]
    return [] if after in masked else [(before, after)]


def texts(value) -> frozenset[str]:
    if isinstance(value, dict):
        return frozenset().union(*map(texts, value.values()))
    if isinstance(value, list):
        return frozenset().union(*map(texts, value))
    return frozenset({value}) if isinstance(value, str) else frozenset()


@pytest.mark.parametrize("persona", PERSONAS)
async def test_an_answer_without_a_rule_says_nothing_new(demo, settings, persona):
    """A seeded choice of the rules that bear on the role in the bounded run, each of them in the full one."""
    rules = read_rules(settings)
    bundle = read_bundle([POLICIES_DIR], rules.cedar_schema)
    before = await answer(settings, rules, persona, demo)
    mine = sorted(
        name
        for name, rule in bundle.rules.items()
        if rule["effect"] == "permit" and rule["principal"].get("entity", {}).get("id") == persona
    )
    changed = 0
    for gone in mine if FULL else random.Random(persona).sample(mine, min(len(mine), 6)):
        fewer = Bundle(digest=bundle.digest + gone, rules={n: r for n, r in bundle.rules.items() if n != gone})
        judge = CedarJudge(fewer, rules.catalogue, rules.purposes)
        after = await answer(settings, replace(rules, judge=judge), persona, demo)
        assert not added(before, after), gone
        changed += after != before
    nothing = CedarJudge(
        Bundle(digest="none", rules={n: r for n, r in bundle.rules.items() if n not in mine}),
        rules.catalogue,
        rules.purposes,
    )
    assert await answer(settings, replace(rules, judge=nothing), persona, demo) is None
    assert before["person"] is None or changed or len(mine) > 6


async def test_the_comparison_finds_what_is_added():
    before = {"name": "张*", "list": [{"a": "1990-05-06"}]}
    assert added(before, {"name": "张三", "list": [{"a": None}]}) == [("张*", "张三")]
    assert added(before, {"name": None, "list": [{"a": "1990-01-01"}]}) == []
    assert added(before, {"name": "张*", "list": []}) == [([{"a": "1990-05-06"}], [])]
