from hypothesis import given, settings

from hub.auth.policy_diff import Turn, diff
from hub.auth.survey import holds
from tests.auth.parts import bundle, catalogue, judge, purposes
from tests.auth.toy_rules import PURPOSES, ROLES, bundles, toy_catalogue, toy_classes, toy_judge
from tests.conftest import FULL

RULE = """@id("r") @basis("Law") @explain("Words. / 说明。")
permit (principal == Hub::Role::"tax", action == Hub::Action::"{action}", resource in Hub::Group::"FG1") {when};
"""


def compared(before, after):
    roles = [purposes().roles[name] for name in ROLES]
    return diff(before, after, roles, PURPOSES, toy_catalogue())


@settings(max_examples=300 if FULL else 20, deadline=None)
@given(bundles(), bundles())
def test_a_diff_says_of_every_class_and_field_exactly_what_turns(one, other):
    before, after = toy_judge(one), toy_judge(other)
    found = compared(before, after)
    facts = sorted({name for item in found for term in item.when for name in (*term.holding, *term.lacking)})
    differs = False
    for known in toy_classes():
        old, new = before.table(known).decisions, after.table(known).decisions
        vector = tuple(getattr(known.facts, name) for name in facts)
        for coordinate in toy_catalogue().fields:
            said = [
                (item.before, item.after)
                for item in found
                if item.role == known.role
                and known.purpose in item.purposes
                and coordinate in item.coordinates
                and any(holds(term, facts, vector) for term in item.when)
            ]
            a, b = old[coordinate], new[coordinate]
            if (a.effect, a.denial) == (b.effect, b.denial):
                assert said == []
            else:
                differs = True
                assert len(said) == 1
                assert said[0][0].split()[0] == a.effect
                assert said[0][1].split()[0] == b.effect
    assert bool(found) is differs


@settings(max_examples=10, deadline=None)
@given(bundles())
def test_a_bundle_does_not_differ_from_itself(text):
    assert compared(toy_judge(text), toy_judge(text)) == []


def test_a_diff_names_who_gains_under_which_condition():
    found = compared(
        toy_judge(RULE.format(action="readMasked", when="")),
        toy_judge(RULE.format(action="readFull", when="when { context.facts.case }")),
    )
    gains = [item for item in found if item.turn is Turn.GAINS]
    assert [(item.role, item.before, item.after, [str(term) for term in item.when]) for item in gains] == [
        ("tax", "masked", "full", ["case"])
    ]
    assert gains[0].coordinates == ("Person.name", "Person.identityNumber")
    assert set(gains[0].purposes) == set(PURPOSES)
    loses = [item for item in found if item.turn is Turn.LOSES]
    assert [(item.after, [str(term) for term in item.when]) for item in loses] == [
        ("denied CASE_REQUIRED", ["not case"])
    ]


def test_the_shipped_rules_do_not_differ_from_themselves():
    assert diff(judge(), judge(), purposes().roles.values(), purposes().purposes, catalogue()) == []
    assert bundle().rules
