from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from hub.auth.survey import holds, shortest, survey
from tests.auth.parts import purposes
from tests.auth.toy_rules import FACTS, PURPOSES, ROLES, VECTORS, bundles, toy_classes, toy_judge
from tests.conftest import FULL

VECTOR = st.tuples(*[st.booleans()] * 4)


@given(st.sets(VECTOR))
def test_terms_hold_for_exactly_the_given_vectors(true):
    names = ("a", "b", "c", "d")
    terms = shortest(names, true)
    for vector in product((False, True), repeat=4):
        assert any(holds(term, names, vector) for term in terms) is (vector in true)


def test_terms_are_short():
    names = ("case", "term")
    everything = set(product((False, True), repeat=2))
    assert [str(term) for term in shortest(names, everything)] == ["always"]
    assert [str(term) for term in shortest(names, {(True, False), (True, True)})] == ["case"]
    assert [str(term) for term in shortest(names, {(False, False)})] == ["not case and not term"]
    assert shortest(names, set()) == ()


@settings(max_examples=300 if FULL else 15, deadline=None)
@given(bundles())
def test_what_a_survey_leaves_out_is_decided_as_what_it_holds(text):
    judge = toy_judge(text)
    for role in ROLES:
        looked = survey([judge.bundle], purposes().roles[role], PURPOSES)
        for part, facts in product(looked.parts, VECTORS):
            short = looked.decision_class(part, tuple(facts[name] for name in looked.facts if name in FACTS))
            for purpose in part:
                (whole,) = [
                    known
                    for known in toy_classes_of(role, purpose)
                    if all(getattr(known.facts, name) is value for name, value in facts.items())
                ]
                assert judge.table(whole).decisions == judge.table(short).decisions


def toy_classes_of(role, purpose):
    return [known for known in toy_classes() if (known.role, known.purpose) == (role, purpose)]
