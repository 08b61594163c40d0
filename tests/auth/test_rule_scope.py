import json

import cedarpy
import pytest
from hypothesis import given, settings

from hub.auth.facts import Facts
from hub.auth.rule_scope import actions_of, covers, facts_of, like_purposes
from tests.auth.parts import purposes
from tests.auth.toy_rules import bundles, toy_catalogue, toy_classes, toy_judge
from tests.conftest import FULL

ALL = set(Facts.__dataclass_fields__)


def rule(scope: str = "principal, action, resource", condition: str = ""):
    text = f"permit ({scope}) {condition};"
    return json.loads(cedarpy.policies_to_json_str(text))["staticPolicies"]["policy0"]


@pytest.mark.parametrize(
    ("condition", "facts"),
    [
        ("when { context.facts.case && !context.facts.term }", {"case", "term"}),
        ("when { context.own || context.purpose == Hub::Purpose::\"LOAN\" }", {"own"}),
        ('when { context["facts"]["case"] }', {"case"}),
        ("unless { context.facts.consent }", {"consent"}),
        ("when { context.facts == context.facts }", ALL),
        ("when { context == context }", ALL),
        ("when { context.facts has case }", {"case"}),
        ("", set()),
    ],
)  # fmt: skip
def test_the_facts_a_rule_looks_at(condition, facts):
    assert facts_of(rule(condition=condition)) == facts


@pytest.mark.parametrize(
    ("scope", "actions"),
    [
        ('principal, action == Hub::Action::"readFull", resource', {"readFull"}),
        ('principal, action in [Hub::Action::"readFull", Hub::Action::"readMasked"], resource', {"readFull", "readMasked"}),
        ("principal, action, resource", {"readFull", "readMasked", "readPredicate", "readSealed"}),
    ],
)  # fmt: skip
def test_the_actions_of_a_rule(scope, actions):
    assert actions_of(rule(scope)) == actions


@pytest.mark.parametrize(
    ("resource", "covered"),
    [
        ("resource", True),
        ('resource in Hub::Group::"FG4"', True),
        ('resource in Hub::Facet::"FG4/class"', True),
        ('resource is Hub::Field in Hub::Group::"FG5"', False),
        ('resource in Hub::Facet::"FG4/detail"', False),
        ('resource == Hub::Field::"anything"', True),
    ],
)
def test_what_a_rule_covers(resource, covered):
    assert covers(rule(f"principal, action, {resource}"), group="FG4", facet="class") is covered


def test_purposes_that_no_rule_tells_apart_stand_together():
    one = rule(condition='when { [Hub::Purpose::"A", Hub::Purpose::"B"].contains(context.purpose) }')
    other = rule(condition='when { context.purpose == Hub::Purpose::"B" }')
    assert like_purposes([one], "tax", "ABCD") == [("A", "B"), ("C", "D")]
    assert like_purposes([one, other], "tax", "ABCD") == [("A",), ("B",), ("C", "D")]


@settings(max_examples=200 if FULL else 10, deadline=None)
@given(bundles())
def test_what_no_permit_covers_is_denied_by_cedar_too(text):
    """The judge does not ask Cedar where no permit's scope holds the field: asked all the same, Cedar denies."""
    judge = toy_judge(text)
    policies = cedarpy.PolicySet.from_json_str(
        json.dumps({"templates": {}, "staticPolicies": dict(judge.bundle.rules), "templateLinks": []})
    )
    for known in list(toy_classes())[::7]:
        table = judge.table(known).decisions
        for coordinate, field in toy_catalogue().fields.items():
            if table[coordinate].effect != "denied":
                continue
            assert not _asked(policies, known, field, "readFull")


def _asked(policies, known, field, action: str) -> bool:
    uid = f"{field.owner}/{field.group}/{field.facet}/{field.sensitivity.value}"
    entity = {
        "uid": {"type": "Hub::Field", "id": uid},
        "attrs": {
            "owner": {"__entity": {"type": "Hub::Agency", "id": field.owner}},
            "sensitivity": int(field.sensitivity.value),
        },
        "parents": [
            {"type": "Hub::Group", "id": field.group},
            {"type": "Hub::Facet", "id": f"{field.group}/{field.facet}"},
        ],
    }
    facts = {name: getattr(known.facts, name) for name in Facts.__dataclass_fields__}
    request = {
        "principal": f'Hub::Role::"{known.role}"',
        "action": f'Hub::Action::"{action}"',
        "resource": f'Hub::Field::"{uid}"',
        "context": {
            "purpose": {"__entity": {"type": "Hub::Purpose", "id": known.purpose}},
            "own": known.facts.own and field.owner == purposes().roles[known.role].agency,
            "facts": facts,
        },
    }
    return cedarpy.is_authorized(request, policies, [entity]).allowed
