from datetime import date
from decimal import Decimal

from hub.demo.agencies.tax_rows import document
from hub.demo.population import World, people

WORLD = World(seed=7, members=200, today=date(2026, 11, 24))


def test_what_is_left_of_a_deduction_is_the_cap_without_what_was_used():
    held = [found[1] for person in people(WORLD) if (found := document(WORLD, person)) is not None]
    deductions = [item for doc in held for item in doc["zdqt"]]
    assert len(deductions) > 10
    for item in deductions:
        assert Decimal(item["syed"]) == Decimal(item["xe"]) - Decimal(item["ysy"]) > 0
