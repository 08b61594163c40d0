import pytest

from hub.auth.decision import DecisionClass, DenialCode, Effect
from hub.auth.explain import explain
from hub.auth.facts import Facts
from tests.auth.parts import bundle, catalogue, judge, purposes


def told(role: str, purpose: str, coordinate: str, **facts: bool):
    agency = purposes().roles[role].agency
    asked = DecisionClass(agency=agency, role=role, purpose=purpose, facts=Facts(**facts))
    return explain(judge(), bundle(), catalogue(), asked, coordinate)


def test_what_is_given_names_its_rules_with_basis_and_words():
    found = told("tax", "TAX_RELIEF", "Person.name", case=True)
    assert (found.effect, found.code, found.missing) == (Effect.MASKED, None, ())
    assert found.policies == ("hub.FG1.tax.masked",)
    assert "税" in found.explain[0]
    assert found.basis


def test_what_is_denied_names_the_least_facts_that_would_open_it():
    found = told("judicial-office", "HANDOVER", "Person.identityNumber")
    assert (found.effect, found.code) == (Effect.DENIED, DenialCode.FIELD_DENIED)
    assert found.missing[0] == {"jurisdiction", "term"}
    assert found.policies == ()
    assert [rule.id for rule in found.rules] == ["hub.FG1.judicial-office.full"]
    assert len(found.remedies) == 2


def test_what_is_masked_says_what_would_give_it_in_full():
    family = next(
        field.coordinate for field in catalogue().fields.values() if field.group == "FG3" and field.mask is not None
    )
    found = told("judicial-office", "HANDOVER", family)
    assert found.effect is Effect.MASKED
    assert frozenset({"case"}) in found.missing


def test_what_no_facts_open_says_so():
    found = told("tax", "TAX_RELIEF", "Sentence.court", **dict.fromkeys(Facts.__dataclass_fields__, True))
    assert (found.effect, found.rules, found.missing) == (Effect.DENIED, (), ())


def test_a_record_is_explained_by_what_stands_below_it():
    record = next(f.coordinate for f in catalogue().fields.values() if f.record_type and f.type_name == "TaxRecord")
    found = told("tax", "TAX_RELIEF", record, own=True)
    assert found.effect is Effect.FULL
    assert "tax.FG13.tax.full" in found.policies


def test_an_unknown_coordinate_is_an_error():
    with pytest.raises(KeyError):
        told("tax", "TAX_RELIEF", "Person.shoeSize")
