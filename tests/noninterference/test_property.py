"""Non-interference: two worlds that agree on all that an agency may see give it the same answers (SECURITY section 3)."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import FULL
from tests.noninterference.pairs import ROLES, denied_but_asked, draw, wait

EXAMPLES = (5000 if FULL else 500) // len(ROLES) + 1


@pytest.mark.parametrize("role", ROLES)
def test_worlds_alike_to_a_role_give_it_the_same_answers(shop, loop, role):
    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
    @given(seed=st.integers(0, 2**32))
    def alike(seed):
        outcome = wait(loop, shop, draw(shop, role, seed))
        assert outcome.same_answers, outcome.difference()
        assert outcome.same_calls, outcome.difference()
        assert not list(denied_but_asked(shop, outcome))

    alike()
