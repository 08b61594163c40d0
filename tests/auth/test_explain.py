import pytest

from hub.auth.decision import DecisionClass, DenialCode, Effect
from hub.auth.explain import explain
from hub.auth.facts import Facts
from tests.auth.parts import bundle, catalogue, judge, purposes
from tests.auth.toy_rules import toy_catalogue, toy_judge


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
    rules = toy_judge(
        '@id("r") @basis("Law") @explain("Words. / 说明。")\n'
        'permit (principal == Hub::Role::"tax", action == Hub::Action::"readFull", resource in Hub::Group::"FG1")\n'
        "when { context.facts.jurisdiction && context.facts.approved || context.facts.case && context.own };"
    )
    asked = DecisionClass(agency="tax", role="tax", purpose="TAX_RELIEF", facts=Facts(jurisdiction=True))
    found = explain(rules, rules.bundle, toy_catalogue(), asked, "Person.name")
    assert (found.effect, found.code) == (Effect.DENIED, DenialCode.APPROVAL_REQUIRED)
    assert found.missing == ({"approved"},)  # `own` never holds of a field that hub itself owns
    assert found.policies == ()
    assert [rule.id for rule in found.rules] == ["r"]
    assert len(found.remedies) == 1


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
