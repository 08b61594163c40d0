"""Any rules at all: remembered tables against Cedar asked directly, and what holds whatever the rules say."""

import json
from dataclasses import asdict, replace

import cedarpy
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from hub.auth.cedar_schema import cedar_schema
from hub.auth.decision import LATTICE, DecisionClass, Effect
from hub.auth.facts import Facts
from hub.auth.judge import CedarJudge
from hub.auth.policy_reader import Bundle
from hub.domain.catalogue import Shape, ValueType
from hub.domain.catalogue_reader import FACETS
from tests.auth.parts import catalogue, purposes
from tests.conftest import FULL

EXAMPLES = 2500 if FULL else 50  # of 40 requests each: 100,000 in full, 2,000 else
BOUNDED = settings(
    max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
FEW = settings(parent=BOUNDED, max_examples=500 if FULL else 25)

ROLES = ["tax", "judicial-office", "base"]  # few, so that rules meet classes
PURPOSES = ["TAX_RELIEF", "PLACEMENT", "HANDOVER"]
GROUPS = ["FG0", "FG1", "FG2", "FG5", "FG11", "FG13"]
ACTIONS = {
    Effect.FULL: "readFull",
    Effect.SEALED: "readSealed",
    Effect.MASKED: "readMasked",
    Effect.PREDICATE: "readPredicate",
}
LEAVES = [
    field for field in catalogue().fields.values() if field.record_type is None and field.group in GROUPS
]  # in groups that rules name, so that most decisions are not the default


YES_OR_NO = [field for field in LEAVES if field.facet in ("predicate", "key-group")]
MASKABLE = [field for field in LEAVES if field.mask is not None]
PLACES = st.tuples(
    *(
        st.lists(st.sampled_from(some), min_size=count, max_size=count)
        for some, count in ((LEAVES, 8), (YES_OR_NO, 6), (MASKABLE, 6))
    )
).map(lambda lists: [field for some in lists for field in some])


def one_of(*values: str) -> st.SearchStrategy[str]:
    return st.sampled_from(values)


CONDITION = st.recursive(
    st.one_of(
        st.just("true"),
        st.sampled_from(list(Facts.__dataclass_fields__)).map("context.facts.{}".format),
        st.just("context.own"),
        st.sampled_from(PURPOSES).map('context.purpose == Hub::Purpose::"{}"'.format),
        st.sampled_from(["hub", "justice", "police", "tax"]).map('resource.owner == Hub::Agency::"{}"'.format),
        st.sampled_from([2, 3]).map("resource.sensitivity < {}".format),
    ),
    lambda inner: st.one_of(
        inner.map("!({})".format),
        st.tuples(inner, inner).map(lambda pair: f"({pair[0]}) && ({pair[1]})"),
        st.tuples(inner, inner).map(lambda pair: f"({pair[0]}) || ({pair[1]})"),
    ),
    max_leaves=3,
)
RESOURCE = st.one_of(
    st.just("resource"),
    st.sampled_from(GROUPS).map('resource in Hub::Group::"{}"'.format),
    st.sampled_from([f"{group}/{facet}" for group in GROUPS for facet in sorted(FACETS[group])]).map(
        'resource in Hub::Facet::"{}"'.format
    ),
    st.just("resource is Hub::Field"),
    st.sampled_from(GROUPS).map('resource is Hub::Field in Hub::Group::"{}"'.format),
)
ACTION = st.one_of(
    st.just("action in [" + ", ".join(f'Hub::Action::"{name}"' for name in ACTIONS.values()) + "]"),
    st.sampled_from([name for effect, name in ACTIONS.items() if effect is not Effect.FULL]).map(
        'action == Hub::Action::"{}"'.format
    ),
    st.sampled_from(list(ACTIONS.values())).map('action == Hub::Action::"{}"'.format),
    st.lists(st.sampled_from(list(ACTIONS.values())), min_size=1, max_size=3, unique=True).map(
        lambda names: "action in [" + ", ".join(f'Hub::Action::"{name}"' for name in names) + "]"
    ),
)
PRINCIPAL = st.one_of(
    st.just("principal"),
    st.just("principal is Hub::Role"),
    st.sampled_from(ROLES).map('principal == Hub::Role::"{}"'.format),
)
RULE = st.builds(
    lambda effect, principal, action, resource, kind, condition: (
        f"{effect} ({principal}, {action}, {resource}) {kind} {{ {condition} }};"
    ),
    one_of("permit", "permit", "permit", "forbid"),
    PRINCIPAL,
    ACTION,
    RESOURCE,
    one_of("when", "when", "unless"),
    CONDITION,
)
RULES = st.lists(RULE, min_size=1, max_size=12)
CLASSES = st.builds(
    lambda role, purpose, values: DecisionClass(
        agency=purposes().roles[role].agency,
        role=role,
        purpose=purpose,
        facts=Facts(**dict(zip(Facts.__dataclass_fields__, values, strict=True))),
    ),
    st.sampled_from(ROLES),
    st.sampled_from(PURPOSES),
    st.lists(st.booleans(), min_size=len(Facts.__dataclass_fields__), max_size=len(Facts.__dataclass_fields__)),
)


def text_of(rules: list[str]) -> str:
    return "\n".join(f'@id("r{number}") @basis("b") @explain("e") {rule}' for number, rule in enumerate(rules))


def judge_of(rules: list[str]) -> CedarJudge:
    parsed = json.loads(cedarpy.policies_to_json_str(text_of(rules)))["staticPolicies"]
    held = {rule["annotations"]["id"]: rule for rule in parsed.values()}
    return CedarJudge(Bundle(digest="d", rules=held), catalogue(), purposes())


def entity(field) -> list[dict]:
    return [
        {
            "uid": {"type": "Hub::Field", "id": "f"},
            "attrs": {
                "owner": {"__entity": {"type": "Hub::Agency", "id": field.owner}},
                "sensitivity": int(field.sensitivity),
            },
            "parents": [
                {"type": "Hub::Group", "id": field.group},
                {"type": "Hub::Facet", "id": f"{field.group}/{field.facet}"},
            ],
        }
    ]


def directly(text: str, asked: DecisionClass, field) -> Effect:
    """Cedar's answer to the whole text, asked for this one field, effect by effect."""
    for effect, action in ACTIONS.items():
        if effect is Effect.MASKED and field.mask is None:
            continue
        if effect is Effect.SEALED and (field.value_type, field.shape) != (ValueType.STRING, Shape.VALUE):
            continue
        if effect is Effect.PREDICATE and field.facet not in ("predicate", "key-group"):
            continue
        request = {
            "principal": f'Hub::Role::"{asked.role}"',
            "action": f'Hub::Action::"{action}"',
            "resource": 'Hub::Field::"f"',
            "context": {
                "purpose": {"__entity": {"type": "Hub::Purpose", "id": asked.purpose}},
                "own": asked.facts.own and field.owner == asked.agency,
                "facts": asdict(asked.facts),
            },
        }
        if cedarpy.is_authorized(request, text, entity(field)).allowed:
            return effect
    return Effect.DENIED


def ranks(judge: CedarJudge, asked: DecisionClass) -> dict[str, int]:
    """Place in the lattice by coordinate: 0 is denied."""
    return {name: len(LATTICE) - 1 - LATTICE.index(d.effect) for name, d in judge.table(asked).decisions.items()}


def test_remembered_tables_are_what_cedar_says_directly():
    seen: dict[Effect, int] = dict.fromkeys(Effect, 0)

    @BOUNDED
    @given(rules=RULES, classes=st.lists(CLASSES, min_size=2, max_size=2), data=st.data())
    def holds(rules, classes, data):
        judge, text = judge_of(rules), text_of(rules)
        for asked in classes:
            places = data.draw(PLACES)
            decisions = judge.table(asked).decisions
            for field in places:
                wanted = directly(text, asked, field)
                assert decisions[field.coordinate].effect is wanted, (text, asked, field.coordinate)
                seen[wanted] += 1

    holds()
    lesser = [effect for effect in (Effect.SEALED, Effect.MASKED, Effect.PREDICATE) if seen[effect]]
    assert seen[Effect.FULL], f"the random rules do not decide every way, so the comparison says little: {seen}"
    assert seen[Effect.DENIED], seen
    assert len(lesser) >= (3 if FULL else 2), seen


@FEW
@given(rules=RULES)
def test_the_generated_rules_are_rules_that_the_schema_knows(rules):
    result = cedarpy.validate_policies(text_of(rules), cedar_schema(catalogue(), purposes()))
    assert result.validation_passed, result.errors


@FEW
@given(rules=RULES, asked=CLASSES)
def test_without_a_permit_everything_is_denied(rules, asked):
    forbids = [rule for rule in rules if rule.startswith("forbid")]
    assume(forbids)
    assert not any(ranks(judge_of(forbids), asked).values())


@FEW
@given(rules=RULES, asked=CLASSES)
def test_a_forbid_beats_every_permit(rules, asked):
    forbid = f'forbid (principal == Hub::Role::"{asked.role}", action, resource) when {{ true }};'
    assert not any(ranks(judge_of([*rules, forbid]), asked).values())


@FEW
@given(rules=st.lists(RULE, min_size=2, max_size=12), asked=CLASSES, data=st.data())
def test_removing_a_permit_never_adds_and_removing_a_forbid_never_takes(rules, asked, data):
    gone = data.draw(st.integers(min_value=0, max_value=len(rules) - 1))
    before = ranks(judge_of(rules), asked)
    after = ranks(judge_of(rules[:gone] + rules[gone + 1 :]), asked)
    if rules[gone].startswith("permit"):
        assert all(after[name] <= rank for name, rank in before.items())
    else:
        assert all(after[name] >= rank for name, rank in before.items())


@FEW
@given(rules=RULES, asked=CLASSES)
def test_facts_that_no_rule_mentions_change_no_decision(rules, asked):
    judge = judge_of(rules)
    unused = [name for name in Facts.__dataclass_fields__ if name not in judge.facts_of(asked.role)]
    other = replace(asked, facts=replace(asked.facts, **{name: not getattr(asked.facts, name) for name in unused}))
    assert ranks(judge, asked) == ranks(judge, other)


@FEW
@given(rules=RULES, asked=CLASSES)
def test_deciding_rules_are_permits_of_the_bundle(rules, asked):
    for decision in judge_of(rules).table(asked).decisions.values():
        for name in decision.policies:
            assert rules[int(name.removeprefix("r"))].startswith("permit")
