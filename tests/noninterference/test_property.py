"""Non-interference: two worlds that agree on all that an agency may see give it the same answers (SECURITY section 3)."""

import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import FULL
from tests.noninterference.control import all_seeing
from tests.noninterference.harness import Shop
from tests.noninterference.operations import OF_PERSONS
from tests.noninterference.pairs import BLIND, ROLES, SEEING, denied_but_asked, draw, principal_of, wait

EXAMPLES = (5000 if FULL else 500) // len(SEEING) + 1
OF_BLIND = 50 if FULL else 5  # examples of each role that sees nobody
CONTROLS = 200 if FULL else 10  # pairs of each role that the control role looks at


@pytest.mark.parametrize("role", ROLES)
def test_worlds_alike_to_a_role_give_it_the_same_answers(shop, loop, role):
    """Answers byte by byte; and the agencies are asked the same, and never for a denied field."""

    @settings(
        max_examples=OF_BLIND if role in BLIND else EXAMPLES,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(seed=st.integers(0, 2**32))
    def alike(seed):
        outcome = wait(loop, shop, draw(shop, role, seed))
        assert outcome.same_answers, outcome.difference()
        assert outcome.same_calls, outcome.difference()
        assert not list(denied_but_asked(shop, outcome))

    alike()


def test_the_roles_are_those_of_the_policies(shop):
    assert set(ROLES) == set(shop.rules.purposes.roles)


@pytest.mark.parametrize("role", ROLES)
def test_who_sees_nobody_is_told_apart_from_who_sees_somebody(shop, loop, role):
    """Few examples suffice for the blind because they get no person at all; the others do get some."""
    given = 0
    for seed in range(5):
        pair = draw(shop, role, seed)
        given += sum(
            b'"id":"' in body or b'"denied":[{"coordinate":"' in body or b'"asOf":"' in body
            for seen in wait(loop, shop, pair).first
            for _, _, body in seen.answers
        )
    assert (given == 0) is (role in BLIND)


def test_the_same_worlds_differ_to_a_role_that_sees_everything(shop, loop):
    """The generator is not vacuous: more than 90 % of the pairs differ, in what the same operations ask for."""
    with tempfile.TemporaryDirectory(prefix="hub-worlds-") as directory:
        control = Shop(all_seeing(shop.rules), Path(directory))
        try:
            loop.run_until_complete(control.start())
            different = [differs(shop, loop, control, role, seed) for role in ROLES for seed in range(CONTROLS)]
        finally:
            loop.run_until_complete(control.close())
    assert sum(different) > 0.9 * len(different)


def differs(shop, loop, control, role, seed) -> bool:
    pair = draw(shop, role, seed, kinds=OF_PERSONS)
    seer = replace(principal_of(shop, "judicial-office"), regions=("36", "11"))
    outcome = wait(loop, control, replace(pair, principal=seer, purpose="HANDOVER", quota=1000))
    return not outcome.same_answers
