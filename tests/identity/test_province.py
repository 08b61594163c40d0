"""The demo's true links: what a whole simulated province gives, against its truth."""

import json
import sys
from datetime import date

import pytest

from benchmarks.identity import LEAST_PRECISION, LEAST_RECALL, accuracy
from hub.connectors.mapping_reader import read_mappings
from hub.demo.agencies.truth import write_truth
from hub.demo.linkage import _COLUMNS, records
from hub.demo.population import RATES, World, recorded_traits, someone
from hub.domain.catalogue_reader import read_catalogue
from hub.domain.codes_reader import read_codes
from tests.conftest import FULL

PEOPLE = 172_000 if FULL else 3_334
"""Members; with twice as many others who were never in prison, whose records must join nobody."""
STRATA = {"number missing": 0.97, "number present": 0.999, "number wrong": 0.98, "name variant": 0.98, "twins": 0.98}
"""Least recall by stratum; precision binds in every one."""


@pytest.fixture(scope="module")
def found():
    return accuracy(PEOPLE, 7)


def test_precision_and_recall_on_the_province(found):
    sys.stdout.write("\n".join(found.lines()) + "\n")
    assert found.records > 8 * PEOPLE
    assert found.total.precision >= LEAST_PRECISION
    assert found.total.recall >= LEAST_RECALL


@pytest.mark.parametrize("stratum", STRATA)
def test_precision_and_recall_by_stratum(found, stratum):
    counts = found.strata[stratum]
    assert counts.right > 50
    assert counts.precision >= LEAST_PRECISION
    assert counts.recall >= STRATA[stratum]


def test_the_records_are_as_faulty_as_the_committed_rates_say():
    world = World(seed=7, members=1200, today=date(2026, 11, 1))
    wrong = missing = changed = total = 0
    for index in range(300, 1200):
        person = someone(world, index)
        traits = recorded_traits(world, person, "tax")
        total += 1
        missing += traits.phone is None
        changed += traits.phone not in (None, person.phone)
        wrong += traits.birth != person.birth
    rates = RATES["traits"]
    assert missing / total == pytest.approx(rates["phone_missing"], abs=0.03)
    assert changed / total == pytest.approx(rates["phone_changed"], abs=0.03)
    assert 0 < wrong / total < 3 * rates["birth_wrong"]


def test_what_is_evaluated_is_what_the_mappings_read():
    codes = read_codes()
    mappings = read_mappings(read_catalogue(codes), codes)
    for agency, words in _COLUMNS.items():
        named = words.split()
        read = dict(mappings[agency].index)
        assert dict(zip(named[::2], named[1::2], strict=True)).items() <= read.items()


def test_keys_are_those_of_the_truth_file(tmp_path):
    world = World(seed=7, members=20, today=date(2026, 11, 1))
    write_truth(tmp_path / "truth.jsonl", world)
    truth = [json.loads(line) for line in (tmp_path / "truth.jsonl").read_text("utf-8").splitlines()]
    names = {"social-security": "socialSecurity", "civil-affairs": "civilAffairs"}
    for one in records(world):
        assert truth[one.person][names.get(one.agency, one.agency)] == one.key
