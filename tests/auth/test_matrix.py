"""The shipped policies against the access matrix of the domain notes, evaluated by other means than Cedar."""

import random
from collections.abc import Iterator
from itertools import product

import pytest

from hub.auth.decision import DecisionClass, DenialCode, Effect, Reach
from hub.auth.facts import Facts
from hub.domain.catalogue_reader import FACETS
from tests.auth.matrix_oracle import ALL_PURPOSES, GROUPS, LETTERS, ROWS, Place, expected
from tests.auth.parts import catalogue, judge, purposes
from tests.conftest import FULL

NAMES = list(LETTERS.values())
NOTHING = dict.fromkeys(NAMES, False)
EVERYTHING = dict.fromkeys(NAMES, True)
PLACES = {
    name: Place(field.group, field.facet, field.owner, field.mask is not None)
    for name, field in catalogue().fields.items()
    if field.record_type is None
}
BEYOND = {group: sorted(FACETS[group]) for group in ("FG17", "FG18")}
"""Groups without a field of a person view: the judge is asked for them by name."""


def asked(role: str, purpose: str, facts: dict[str, bool]) -> DecisionClass:
    return DecisionClass(agency=ROWS[role].agency, role=role, purpose=purpose, facts=Facts(**facts))


def differences(role: str, purpose: str, facts: dict[str, bool]) -> Iterator[tuple[str, str, str]]:
    """(what, decided, expected) wherever the judge and the matrix disagree on a field of the view."""
    wanted = {place: expected(role, purpose, facts, place) for place in set(PLACES.values())}
    decisions = judge().table(asked(role, purpose, facts)).decisions
    for name, place in PLACES.items():
        if decisions[name].effect != wanted[place]:
            yield name, decisions[name].effect, wanted[place]


def differences_beyond(role: str, purpose: str, facts: dict[str, bool]) -> Iterator[tuple[str, str, str]]:
    """The same for vault and log, of the agencies whose records may be there."""
    for group, facets in BEYOND.items():
        for facet, owner in product(facets, ("hub", "justice", "police")):
            found = judge().ruling(asked(role, purpose, facts), group, facet, owner=owner).effect
            wanted = expected(role, purpose, facts, Place(group, facet, owner))
            if found != wanted:
                yield f"{group}/{facet} of {owner}", found, wanted


def vectors(names: list[str]) -> Iterator[dict[str, bool]]:
    for values in product((False, True), repeat=len(names)):
        yield {**NOTHING, **dict(zip(names, values, strict=True))}


def of_row(role: str, groups: list[str]) -> list[str]:
    """The facts that the matrix itself mentions for the role in these groups."""
    mentioned = {
        letter
        for group in groups
        for letter in LETTERS
        if letter in "".join(part.partition(",")[2] for part in ROWS[role].cells[group].split(";"))
    }
    if any("own" in part.partition(",")[2] for group in groups for part in ROWS[role].cells[group].split(";")):
        mentioned.add("O")
    return [LETTERS[letter] for letter in LETTERS if letter in mentioned]


@pytest.mark.parametrize("role", list(ROWS))
def test_every_cell_for_every_fact_vector_that_the_row_mentions(role):
    """One purpose of the role in the bounded run, all fifteen in the full one."""
    own = ROWS[role].purposes
    for purpose in ALL_PURPOSES if FULL else own[:1]:
        for facts in vectors(of_row(role, GROUPS[:17])):
            assert not list(differences(role, purpose, facts)), (purpose, facts)
        for facts in vectors(of_row(role, GROUPS[17:])):
            assert not list(differences_beyond(role, purpose, facts)), (purpose, facts)


@pytest.mark.parametrize("role", list(ROWS))
def test_facts_that_the_row_does_not_mention_change_nothing(role):
    """All 512 vectors in the full run, a seeded sample of them in the bounded one."""
    every = list(vectors(NAMES))
    for purpose in ROWS[role].purposes or ("AUDIT",):
        for facts in every if FULL else random.Random(f"{role}/{purpose}").sample(every, 12):
            assert not list(differences(role, purpose, facts)), (purpose, facts)
            assert not list(differences_beyond(role, purpose, facts)), (purpose, facts)


@pytest.mark.parametrize("role", list(ROWS))
def test_every_purpose_beyond_the_roles_own_gives_nothing(role):
    for purpose, facts in product(ALL_PURPOSES, (EVERYTHING, NOTHING)):
        assert not list(differences(role, purpose, facts)), (purpose, facts)
        assert not list(differences_beyond(role, purpose, facts)), (purpose, facts)


def test_a_rule_that_is_not_of_the_matrix_is_found():
    """The comparison can fail: a cell of another row is not what the judge decides."""
    facts = {**NOTHING, "case": True}
    wanted = expected("social-security", "EMPLOYMENT", facts, PLACES["Person.name"])
    assert judge().table(asked("tax", "TAX_RELIEF", facts)).decisions["Person.name"].effect != wanted


def test_the_catalogue_has_fields_in_every_group_but_vault_and_log():
    assert {field.group for field in catalogue().fields.values()} == set(GROUPS[:17])


def test_the_roles_are_those_of_the_matrix():
    assert set(purposes().roles) == set(ROWS)
    assert set(purposes().purposes) == set(ALL_PURPOSES)


@pytest.mark.parametrize("role", list(ROWS))
def test_roles_have_the_purposes_of_the_design(role):
    assert judge().role_purposes(role) == set(ROWS[role].purposes)
    assert purposes().roles[role].agency == ROWS[role].agency


@pytest.mark.parametrize(
    "role", ["tax", "social-security", "civil-affairs", "medical-insurance", "market-supervision", "bank"]
)
def test_no_decision_of_a_register_role_depends_on_what_only_members_have(role):
    purpose = ROWS[role].purposes[0]
    for case, consent in product((False, True), repeat=2):
        effects = set()
        for jurisdiction, term, key in product((False, True), repeat=3):
            facts = Facts(jurisdiction=jurisdiction, term=term, key_person=key, case=case, consent=consent, own=True)
            table = judge().table(DecisionClass(agency=role, role=role, purpose=purpose, facts=facts))
            effects.add(tuple((name, d.effect, d.denial) for name, d in table.decisions.items()))
        assert len(effects) == 1


@pytest.mark.parametrize(
    ("role", "reach"),
    [
        ("prison", Reach.MEMBERS),
        ("judicial-office", Reach.MEMBERS),
        ("county-office", Reach.MEMBERS),
        ("province-office", Reach.MEMBERS),
        ("police-station", Reach.MEMBERS),
        ("base", Reach.MEMBERS),
        ("volunteer", Reach.MEMBERS),
        ("procurator", Reach.MEMBERS),
        ("data-subject", Reach.MEMBERS),
        ("social-security", Reach.REGISTERS),
        ("medical-insurance", Reach.REGISTERS),
        ("civil-affairs", Reach.REGISTERS),
        ("tax", Reach.REGISTERS),
        ("market-supervision", Reach.REGISTERS),
        ("bank", Reach.REGISTERS),
        ("auditor", Reach.NOBODY),
        ("statistician", Reach.NOBODY),
        ("developer", Reach.NOBODY),
        ("approver", Reach.NOBODY),
        ("sysadmin", Reach.NOBODY),
    ],
)
def test_how_far_a_role_reaches(role, reach):
    purpose = (*ROWS[role].purposes, "AUDIT")[0]
    assert judge().reach(agency=ROWS[role].agency, role=role, purpose=purpose) is reach


def test_an_unknown_role_or_purpose_or_foreign_agency_gets_nothing():
    facts = Facts(**EVERYTHING)
    for agency, role, purpose in (
        ("tax", "stranger", "TAX_RELIEF"),
        ("tax", "tax", "NO_SUCH_PURPOSE"),
        ("police", "tax", "TAX_RELIEF"),
    ):
        wrong = DecisionClass(agency=agency, role=role, purpose=purpose, facts=facts)
        assert {decision.effect for decision in judge().table(wrong).decisions.values()} == {Effect.DENIED}
        assert judge().ruling(wrong, "FG17").effect is Effect.DENIED


def test_a_denial_says_what_would_open_the_field():
    facts = Facts(own=True)
    tax = judge().table(DecisionClass(agency="tax", role="tax", purpose="TAX_RELIEF", facts=facts))
    assert tax.decisions["Person.name"].denial is DenialCode.CASE_REQUIRED
    assert tax.decisions["Sentence.court"].denial is DenialCode.FIELD_DENIED
    people = judge().table(
        DecisionClass(agency="social-security", role="social-security", purpose="EMPLOYMENT", facts=facts)
    )
    assert people.decisions["Person.entitledGroup"].denial is DenialCode.CASE_REQUIRED
    base = judge().table(DecisionClass(agency="base", role="base", purpose="PLACEMENT", facts=facts))
    assert base.decisions["Person.phone"].denial is DenialCode.CONSENT_REQUIRED
    office = judge().table(
        DecisionClass(agency="justice", role="judicial-office", purpose="HANDOVER", facts=Facts(jurisdiction=True))
    )
    assert office.decisions["Person.phone"].denial is DenialCode.APPROVAL_REQUIRED


def test_the_vault_says_nothing_of_how_to_open_it():
    """A statutory query is asked for elsewhere: a code here would tell that there is something to ask for."""
    office = asked("judicial-office", "HANDOVER", {**NOTHING, "jurisdiction": True})
    assert judge().ruling(office, "FG17", owner="justice").denial is DenialCode.FIELD_DENIED
    opened = asked("judicial-office", "HANDOVER", {**NOTHING, "statutory": True, "approved": True})
    assert judge().ruling(opened, "FG17", owner="justice").effect is Effect.FULL


def test_a_granted_decision_names_its_rules():
    facts = Facts(own=True, case=True)
    table = judge().table(DecisionClass(agency="tax", role="tax", purpose="TAX_RELIEF", facts=facts))
    assert table.decisions["Person.name"].policies == ("hub.FG1.tax.masked",)
