from copy import deepcopy
from dataclasses import fields, replace
from itertools import product

from hub.auth.facts import Facts, ScopedFacts

NAMES = [field.name for field in fields(Facts)]


def test_equal_facts_are_found_again_and_others_are_not():
    every = {Facts(**dict(zip(NAMES, held, strict=True))): held for held in product((False, True), repeat=len(NAMES))}
    assert len(every) == 2 ** len(NAMES)
    for facts, held in list(every.items()):
        assert every[deepcopy(facts)] == every[replace(facts)] == held


def test_a_changed_copy_does_not_keep_the_hash():
    facts = Facts(term=True)
    assert hash(facts) == hash(Facts(term=True))
    assert {facts: 1}.get(replace(facts, term=False)) is None
    assert hash(replace(facts, term=False)) == hash(Facts())


def test_what_a_scope_covers_is_part_of_it():
    one, other = (ScopedFacts(approved=True, approved_for=frozenset({name})) for name in ("Person.name", "Person.sex"))
    assert len({one, other, Facts(approved=True)}) == 3
