"""The most that a role may see: the facts tried are enough."""

import json

import cedarpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.auth.decision import DecisionClass, Effect
from hub.auth.facts import Facts
from hub.auth.favourable import FACTS, favourable
from tests.auth.parts import judge, purposes


def rules(*conditions: str, effect: str = "permit") -> dict:
    text = "".join(f"{effect} (principal, action, resource) {condition};" for condition in conditions)
    return json.loads(cedarpy.policies_to_json_str(text))["staticPolicies"]


@pytest.mark.parametrize(
    ("condition", "effect", "vectors"),
    [
        ("when { context.facts.case && (context.facts.term || context.own) }", "permit", 1),
        ("when { !context.facts.case }", "permit", 2),
        ("unless { context.facts.case }", "permit", 2),
        ("when { context.facts.case == false }", "permit", 2),
        ("when { if context.facts.case then context.facts.term else true }", "permit", 4),
        ("when { context.facts.case }", "forbid", 2),
        ("", "forbid", 1),
    ],
)
def test_a_fact_is_tried_both_ways_only_where_its_absence_may_serve(condition, effect, vectors):
    found = favourable(rules(condition, effect=effect))
    assert len(found) == vectors
    assert found[0] == Facts(**dict.fromkeys(FACTS, True))


CONDITION = st.recursive(
    st.sampled_from([f"context.facts.{name}" for name in FACTS[:4]]),
    lambda inner: (
        st.tuples(inner, st.sampled_from(["&&", "||", "=="]), inner).map(lambda parts: f"({' '.join(parts)})")
        | inner.map(lambda one: f"(!{one})")
    ),
    max_leaves=5,
)
RULE = st.tuples(st.sampled_from(["permit", "forbid"]), st.sampled_from(["when", "unless"]), CONDITION)


def permitted(text: str, facts: Facts) -> bool:
    request = {
        "principal": 'Role::"r"',
        "action": 'Action::"read"',
        "resource": 'Field::"f"',
        "context": {"facts": {name: getattr(facts, name) for name in FACTS}},
    }
    return cedarpy.is_authorized(request, text, []).allowed


@settings(max_examples=40, deadline=None)
@given(st.lists(RULE, min_size=1, max_size=4))
def test_what_any_facts_open_one_of_the_favourable_opens(found):
    text = "".join(f"{effect} (principal, action, resource) {kind} {{ {body} }};" for effect, kind, body in found)
    parsed = json.loads(cedarpy.policies_to_json_str(text))["staticPolicies"]
    every = [Facts(**{name: bool(number >> place & 1) for place, name in enumerate(FACTS[:4])}) for number in range(16)]
    assert any(permitted(text, facts) for facts in favourable(parsed)) or not any(
        permitted(text, facts) for facts in every
    )


@pytest.mark.parametrize("role", ["prison", "judicial-office", "tax", "developer"])
def test_nothing_beyond_the_best_is_ever_given(role):
    known = purposes().roles[role]
    for purpose in sorted(known.purposes)[:2] or ["AUDIT"]:
        best = judge().best(agency=known.agency, role=role, purpose=purpose)
        for number in range(0, 128, 5):
            facts = Facts(**{name: bool(number >> place & 1) for place, name in enumerate(FACTS)})
            table = judge().table(DecisionClass(agency=known.agency, role=role, purpose=purpose, facts=facts))
            for name, decision in table.decisions.items():
                if decision.effect is not Effect.DENIED:
                    assert best[name].effect is not Effect.DENIED, name


def test_a_rule_says_its_basis_and_explanation():
    text = judge().rule_text("justice.FG1.prison.full")
    assert text is not None
    assert "Prison law" in text.basis
    assert text.explain.startswith("Prison officers see identity")
    assert text.remedy is None
    assert judge().rule_text("no such rule") is None
