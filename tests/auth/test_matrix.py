"""The shipped policies against the access matrix of the domain notes (section 3.2), evaluated by other means than Cedar.

The matrix below is the document's text, cell by cell. How a cell is read: alternatives are separated by `;`, the best one
that holds wins; in an alternative the first word is what is given (F full, M masked, P yes-or-no only), the rest are
conditions that must all hold, `(T|C)` either of them. A word with a facet (`class:F`) speaks of that part of the group.
Ambiguous cells are read as docs/policies.md says.
"""

from itertools import product

import pytest

from hub.auth.decision import DecisionClass, DenialCode, Effect, Reach
from hub.auth.facts import Facts
from tests.auth.parts import catalogue, judge, purposes
from tests.conftest import FULL

GROUPS = [f"FG{number}" for number in range(17)]
NONE = ["–"] * 17
MATRIX = {
    "prison": ["F,C", "F,C", "F,C", "F,C", "F,O", "F,O", "F,O", "F", "status:F", "–", "P", "P", "–", "–", "F,O", "–", "F"],
    "judicial-office": [
        "F,J", "F,J,T", "F,J,T", "M; F,C", "F,J,T; class:F,J", "F,J,K; class:F", "F,J,T", "F,J", "F,J", "P", "status:F,J",
        "P; months:F", "status:F,J,T", "P", "P", "P", "F,J",
    ],
    "county-office": [
        "F,J", "F,J", "M", "M", "F,J", "F,J", "F,J", "F,J", "M; notes:F,C", "P", "P", "P", "P", "P", "P", "P", "F",
    ],
    "province-office": [
        "F,C", "M", "M", "–", "M; class:F", "class:F", "–", "F", "–", "P", "–", "P", "P", "P", "–", "–", "P",
    ],
    "police-station": [
        "F,J,(T|C)", "F", "F,J", "M", "class:F; release-date:F", "class:F,K", "–", "F", "contact-person:F", "F,O", "F,O",
        "–", "–", "–", "–", "–", "–",
    ],
    "social-security": [
        "P,(N|C)", "F,C", "M,C", "–", "–", "–", "–", "–", "–", "–", "P", "F,O", "P", "P", "–", "P", "F",
    ],
    "civil-affairs": [
        "P,C", "F,C", "M,C", "F,C", "release-date:F,C", "–", "–", "–", "–", "–", "household:F,C", "P", "F,O", "P", "P",
        "–", "–",
    ],
    "tax": ["–", "M,C", "–", "–", "–", "–", "–", "–", "–", "–", "P", "key-group:P", "P", "F,O", "–", "–", "–"],
    "auditor": NONE,
    "statistician": NONE,
    "developer": NONE,
}  # fmt: skip
LETTERS = {
    "J": "jurisdiction",
    "T": "term",
    "C": "case",
    "O": "own",
    "N": "consent",
    "K": "key_person",
    "2": "approved",
}
EFFECTS = {"F": Effect.FULL, "M": Effect.MASKED, "P": Effect.PREDICATE}
RANK = {Effect.FULL: 3, Effect.MASKED: 2, Effect.PREDICATE: 1, Effect.DENIED: 0}
PURPOSES_OF = {
    "prison": "HANDOVER PICKUP",
    "judicial-office": "VERIFY_IDENTITY HANDOVER PICKUP PLACEMENT EMPLOYMENT RELIEF RISK_CONTROL",
    "county-office": "VERIFY_IDENTITY HANDOVER PICKUP PLACEMENT EMPLOYMENT RELIEF RISK_CONTROL SUPERVISION",
    "province-office": "SUPERVISION STATISTICS",
    "police-station": "VERIFY_IDENTITY PICKUP RISK_CONTROL CASE_HANDLING",
    "social-security": "EMPLOYMENT INSURANCE",
    "civil-affairs": "RELIEF",
    "tax": "TAX_RELIEF",
    "auditor": "AUDIT",
    "statistician": "STATISTICS",
    "developer": "",
}
AGENCY_OF = {
    "prison": "justice", "judicial-office": "justice", "county-office": "justice", "province-office": "justice",
    "police-station": "police", "social-security": "social-security", "civil-affairs": "civil-affairs", "tax": "tax",
    "auditor": "audit", "statistician": "audit", "developer": "audit",
}  # fmt: skip
ALL_PURPOSES = (
    "VERIFY_IDENTITY HANDOVER PICKUP PLACEMENT EMPLOYMENT RELIEF INSURANCE TAX_RELIEF LOAN RISK_CONTROL CASE_HANDLING "
    "STATISTICS SUPERVISION AUDIT SUBJECT_ACCESS"
).split()
PREDICATE_FACETS = {"predicate", "key-group"}


def expected(role: str, purpose: str, facts: dict[str, bool], field) -> Effect:
    if purpose not in PURPOSES_OF[role].split():
        return Effect.DENIED
    cell = MATRIX[role][GROUPS.index(field.group)]
    best = Effect.DENIED
    for alternative in cell.split(";"):
        word, *conditions = [part.strip() for part in alternative.strip().split(",")]
        facet, _, letter = word.rpartition(":")
        if letter not in EFFECTS or (facet and facet != field.facet):
            continue
        if not all(holds(condition, facts, field, role) for condition in conditions):
            continue
        effect = EFFECTS[letter]
        if effect is Effect.PREDICATE and field.facet not in PREDICATE_FACETS:
            continue
        if effect is Effect.MASKED and field.mask is None:
            continue
        best = max(best, effect, key=RANK.__getitem__)
    return best


def holds(condition: str, facts: dict[str, bool], field, role: str) -> bool:
    if condition.startswith("("):
        return any(holds(letter, facts, field, role) for letter in condition.strip("()").split("|"))
    if condition == "O":
        return facts["own"] and field.owner == AGENCY_OF[role]
    return facts[LETTERS[condition]]


VECTORS = [dict(zip(LETTERS.values(), bits, strict=True)) for bits in product((False, True), repeat=len(LETTERS))]


@pytest.mark.parametrize("role", list(MATRIX))
def test_every_cell_for_every_fact_vector(role):
    """One purpose of the role in the bounded run, all of them in the full one: a cell is the same for each."""
    own = PURPOSES_OF[role].split()
    for purpose in own if FULL else own[:1]:
        vectors = VECTORS if FULL else [facts for facts in VECTORS if not facts["approved"]]
        for facts in vectors:
            table = judge().table(
                DecisionClass(agency=AGENCY_OF[role], role=role, purpose=purpose, facts=Facts(**facts))
            )
            for field in catalogue().fields.values():
                if field.record_type is None:
                    found = table.decisions[field.coordinate].effect
                    assert found is expected(role, purpose, facts, field), (role, purpose, facts, field.coordinate)


def test_the_cells_of_vault_and_log_hold_no_field_to_see():
    """FG17 and FG18 are no fields of a person view: vaulted persons are nobody, the log has its own readers."""
    assert {field.group for field in catalogue().fields.values()} == set(GROUPS)


@pytest.mark.parametrize("role", list(MATRIX))
def test_every_purpose_gives_what_the_first_one_gives_and_every_other_nothing(role):
    corners = [dict.fromkeys(LETTERS.values(), True), dict.fromkeys(LETTERS.values(), False)]
    for purpose, facts in product(ALL_PURPOSES, corners):
        table = judge().table(DecisionClass(agency=AGENCY_OF[role], role=role, purpose=purpose, facts=Facts(**facts)))
        for field in catalogue().fields.values():
            if field.record_type is None:
                assert table.decisions[field.coordinate].effect is expected(role, purpose, facts, field)


@pytest.mark.parametrize("role", list(MATRIX))
def test_roles_have_the_purposes_of_the_design(role):
    assert judge().role_purposes(role) == set(PURPOSES_OF[role].split())
    assert purposes().roles[role].agency == AGENCY_OF[role]


@pytest.mark.parametrize("role", ["tax", "social-security", "civil-affairs"])
def test_no_decision_of_a_register_role_depends_on_what_only_members_have(role):
    purpose = PURPOSES_OF[role].split()[0]
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
        ("social-security", Reach.REGISTERS),
        ("civil-affairs", Reach.REGISTERS),
        ("tax", Reach.REGISTERS),
        ("auditor", Reach.NOBODY),
        ("statistician", Reach.NOBODY),
        ("developer", Reach.NOBODY),
    ],
)
def test_how_far_a_role_reaches(role, reach):
    purpose = (PURPOSES_OF[role] or "AUDIT").split()[0]
    assert judge().reach(agency=AGENCY_OF[role], role=role, purpose=purpose) is reach


def test_an_unknown_role_or_purpose_or_foreign_agency_gets_nothing():
    facts = Facts(**dict.fromkeys(LETTERS.values(), True))
    for agency, role, purpose in (
        ("tax", "stranger", "TAX_RELIEF"),
        ("tax", "tax", "NO_SUCH_PURPOSE"),
        ("police", "tax", "TAX_RELIEF"),
    ):
        table = judge().table(DecisionClass(agency=agency, role=role, purpose=purpose, facts=facts))
        assert {decision.effect for decision in table.decisions.values()} == {Effect.DENIED}


def test_a_denial_says_what_would_open_the_field():
    facts = Facts(own=True)
    tax = judge().table(DecisionClass(agency="tax", role="tax", purpose="TAX_RELIEF", facts=facts))
    assert tax.decisions["Person.name"].denial is DenialCode.CASE_REQUIRED
    assert tax.decisions["Sentence.court"].denial is DenialCode.FIELD_DENIED
    people = judge().table(
        DecisionClass(agency="social-security", role="social-security", purpose="EMPLOYMENT", facts=facts)
    )
    assert people.decisions["Person.entitledGroup"].denial is DenialCode.CASE_REQUIRED


def test_a_granted_decision_names_its_rules():
    facts = Facts(own=True, case=True)
    table = judge().table(DecisionClass(agency="tax", role="tax", purpose="TAX_RELIEF", facts=facts))
    assert table.decisions["Person.name"].policies == ("hub.FG1.tax.masked",)
