"""The property is worth something: every planted leak makes it fail, within a few examples directed at it."""

from pathlib import Path

import pytest

from tests.noninterference.leaks import LEAKS
from tests.noninterference.pairs import ROLES, SEEING, denied_but_asked, draw, wait

PAGE = Path(__file__).parent.parent.parent / "docs" / "noninterference.md"
BUDGET = 150  # examples; most leaks show within the first ten


def caught_after(shop, loop, leak) -> int | None:
    for seed in range(BUDGET):
        outcome = wait(loop, shop, draw(shop, leak.roles[seed % len(leak.roles)], seed, kinds=leak.kinds))
        if not outcome.same_answers or not outcome.same_calls or any(denied_but_asked(shop, outcome)):
            return seed
    return None


def forget(shop) -> None:
    """Drop what was remembered under a leak, or before it."""
    gateway = shop.gateway
    gateway._planner._plans.clear()
    gateway._allowed_facts.clear()
    gateway._questions._bound.clear()
    gateway._people._statements._kept.clear()


@pytest.mark.parametrize("leak", LEAKS, ids=lambda leak: leak.name)
def test_a_planted_leak_is_caught(shop, loop, monkeypatch, leak):
    forget(shop)
    with monkeypatch.context() as patch:
        leak.plant(patch, shop)
        seed = caught_after(shop, loop, leak)
    forget(shop)
    assert seed is not None


def test_there_are_at_least_twenty_leaks():
    assert len({leak.name for leak in LEAKS}) >= 20


def test_the_page_tells_how_many_leaks_and_roles_there_are():
    page = PAGE.read_text("utf-8")
    assert f"| {len(LEAKS)} protections undone" in page
    assert f"For each of the {len(ROLES)} roles" in page
    assert f"the {len(SEEING)} roles that" in " ".join(page.split())
