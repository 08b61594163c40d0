from itertools import product

import pytest

from hub.audit.entry import Draft, Outcome, encode, spell_out
from hub.audit.kinds import NUMBERS, Kind
from hub.auth.decision import DecisionClass, Effect
from hub.auth.facts import Facts
from hub.gateway.plan import Planner, pattern_of
from hub.gateway.replay import Change, Replay
from tests.auth.toy_rules import COORDINATES, toy_catalogue, toy_judge

RULES = """
@id("existence") @basis("Law") @explain("Words. / 说明。")
permit (principal == Hub::Role::"tax", action == Hub::Action::"readFull", resource in Hub::Group::"FG0")
when { context.facts.jurisdiction };
@id("identity") @basis("Law") @explain("Words. / 说明。")
permit (principal == Hub::Role::"tax", action == Hub::Action::"readFull", resource in Hub::Group::"FG1")
when { context.facts.case };
"""
MASKED = RULES.replace("readFull", "readMasked").replace(
    'Masked", resource in Hub::Group::"FG0"', 'Full", resource in Hub::Group::"FG0"'
)
PLANNER = Planner(toy_catalogue(), {}, members_only=frozenset({"justice"}))
FACTS = [Facts(jurisdiction=j, case=c, consent=n) for j, c, n in product((False, True), repeat=3)]


def entry(judge, *persons: Facts, coordinates=frozenset(COORDINATES), **changes):
    """An entry as the gateway writes it: visible persons by their plan, others denied."""
    noted = []
    for number, facts in enumerate(persons):
        known = DecisionClass(agency="tax", role="tax", purpose="TAX_RELIEF", facts=facts)
        table = judge.table(known)
        if table.decisions["Person.assistanceStatus"].effect is Effect.DENIED:
            pattern = pattern_of({Effect.DENIED: coordinates | {"Person.id"}}, table.held)
        else:
            pattern = PLANNER.plan(table, coordinates | {"Person.id"}, through_registers=False).pattern
        noted.append((f"p{number}", pattern))
    said = {"kind": Kind.OPERATION, "purpose": "TAX_RELIEF", "role": "tax", "agency": "tax", **changes}
    draft = Draft(request_id="r", outcome=Outcome.OK, persons=noted, **said)
    return spell_out(seq=1, entry_id="e1", time_us=0, kind=NUMBERS[draft.kind], body=encode(draft))


def replayed(text: str, *entries):
    return Replay(toy_judge(text), PLANNER).run(entries)


def test_rules_that_were_in_force_change_nothing():
    found = replayed(RULES, entry(toy_judge(RULES), *FACTS))
    assert (found.entries, found.persons, found.skipped) == (1, len(FACTS), 0)
    assert (found.requests, found.changes) == ([], {})


def test_what_turns_is_counted_by_person_and_named_by_request():
    found = replayed(MASKED, entry(toy_judge(RULES), *FACTS))
    assert found.requests == ["e1"]
    name = Change(role="tax", purpose="TAX_RELIEF", coordinate="Person.name", before="full", after="masked")
    assert found.changes[name] == 2  # jurisdiction and case, with consent and without
    assert {change.coordinate for change in found.changes} == {"Person.name", "Person.identityNumber"}


def test_who_was_nobody_and_would_be_found_is_a_change():
    open_to_all = RULES.replace("when { context.facts.jurisdiction }", "")
    found = replayed(open_to_all, entry(toy_judge(RULES), Facts(case=True)))
    assert {(change.coordinate, change.before, change.after) for change in found.changes} == {
        (name, "denied", "full") for name in COORDINATES if name != "Person.phone"
    }


def test_who_was_found_and_would_be_nobody_loses_everything():
    nobody = RULES.replace('Hub::Role::"tax"', 'Hub::Role::"civil-affairs"')
    found = replayed(nobody, entry(toy_judge(RULES), Facts(jurisdiction=True, case=True)))
    assert {change.after for change in found.changes} == {"denied"}


def test_only_facts_that_the_rules_look_at_are_in_an_entry():
    written = entry(toy_judge(RULES), Facts(jurisdiction=True, consent=True, key_person=True))
    assert written["persons"][0]["facts"] == "jurisdiction"


@pytest.mark.parametrize("facts", [None, "mood"], ids=["an older entry", "an unknown fact"])
def test_entries_that_do_not_say_what_held_are_counted_and_left_alone(facts):
    written = entry(toy_judge(RULES), Facts(jurisdiction=True))
    written["persons"][0]["facts"] = facts
    found = replayed(MASKED, written)
    assert (found.skipped, found.persons, found.changes) == (1, 0, {})


def test_entries_that_are_no_requests_for_persons_are_left_alone():
    found = replayed(MASKED, entry(toy_judge(RULES)), entry(toy_judge(RULES), Facts(), kind=Kind.STARTUP))
    assert found.entries == 0
