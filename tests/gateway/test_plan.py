from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.auth.decision import Effect
from hub.domain.catalogue import VAULT_GROUP, Catalogue
from hub.gateway.plan import RELEASABLE, Planner, ReleaseNode
from hub.gateway.survivorship import MergeRule, Provider
from tests.gateway.toy import table, toy_catalogue

CATALOGUE = toy_catalogue()
POLICE = Provider(agency="police", coordinate="PoliceRecord.name", field="name")
JUSTICE = Provider(agency="justice", coordinate="JusticeRecord.name", field="name")
PHONE = Provider(agency="justice", coordinate="JusticeRecord.phone", field="phone")
RULES = {
    "name": MergeRule(field="name", providers=(POLICE,), witnesses=(JUSTICE,)),
    "phone": MergeRule(field="phone", providers=(PHONE,), witnesses=()),
}
ALL = frozenset(CATALOGUE.fields)


def planner() -> Planner:
    return Planner(CATALOGUE, RULES, members_only=frozenset({"justice"}))


def fetches(plan) -> frozenset[str]:
    return frozenset().union(*(share.fetch for share in plan.agencies.values()))


def test_only_what_is_asked_is_fetched():
    plan = planner().plan(table(), frozenset({"JusticeRecord.sentences", "Sentence.court"}), through_registers=False)
    assert {agency: share.fetch for agency, share in plan.agencies.items()} == {
        "justice": {"JusticeRecord.sentences", "Sentence.court"}
    }


def test_a_denied_field_is_neither_fetched_nor_released():
    plan = planner().plan(table(Sentence__term=Effect.DENIED), ALL, through_registers=False)
    assert "Sentence.term" not in fetches(plan)
    court = ReleaseNode(name="court", coordinate="Sentence.court", mask=None, many=False, children=None)
    sentences = next(node for node in plan.agencies["justice"].release if node.name == "sentences")
    assert sentences.children == (court,)
    assert [name for name, _ in plan.denials] == ["Sentence.term"]


def test_masked_without_a_mask_is_denied():
    plan = planner().plan(table(Sentence__court=Effect.MASKED), ALL, through_registers=False)
    assert "Sentence.court" not in fetches(plan)
    assert "Sentence.court" in plan.pattern.denied


def test_a_merged_field_asks_its_providers_and_witnesses_only_for_conflicts():
    asked = frozenset({"Person.name"})
    assert fetches(planner().plan(table(), asked, through_registers=False)) == {"PoliceRecord.name"}
    asked |= {"Person.conflicts"}
    assert fetches(planner().plan(table(), asked, through_registers=False)) == {
        "PoliceRecord.name",
        "JusticeRecord.name",
    }


def test_a_provider_denied_by_its_owner_gives_nothing_to_a_merged_field():
    plan = planner().plan(table(PoliceRecord__name=Effect.DENIED), frozenset({"Person.name"}), through_registers=False)
    assert not plan.agencies
    assert plan.merged[0].providers == ()


def test_a_provider_that_may_only_be_masked_does_not_serve_a_full_field():
    plan = planner().plan(table(PoliceRecord__name=Effect.MASKED), frozenset({"Person.name"}), through_registers=False)
    assert plan.merged[0].providers == ()


def test_register_roles_never_reach_the_register_of_members():
    plan = planner().plan(table(), ALL | {"Person.conflicts"}, through_registers=True)
    assert set(plan.agencies) == {"police", "tax"}
    assert {name for name, _ in plan.denials} >= {"JusticeRecord.name", "Sentence.court"}


EFFECTS = st.dictionaries(st.sampled_from(sorted(ALL)), st.sampled_from(list(Effect)))


@given(effects=EFFECTS, asked=st.sets(st.sampled_from(sorted(ALL))), registers=st.booleans())
def test_fetches_are_asked_and_permitted_whatever_the_policy(effects, asked, registers):
    decisions = table(Effect.DENIED, **{name.replace(".", "__"): effect for name, effect in effects.items()})
    plan = planner().plan(decisions, frozenset(asked), through_registers=registers)
    behind = {"PoliceRecord.name", "JusticeRecord.name"} if "Person.name" in asked else set()
    behind |= {"JusticeRecord.phone"} if "Person.phone" in asked else set()
    for coordinate in fetches(plan):
        assert coordinate in asked | behind
        assert decisions.decisions[coordinate].effect in RELEASABLE


@pytest.mark.parametrize("count", [3])
def test_remembered_plans_are_bounded(count):
    small = Planner(CATALOGUE, RULES, members_only=frozenset(), cached=count)
    for name in sorted(ALL):
        small.plan(table(), frozenset({name}), through_registers=False)
    assert len(small._plans) == count


def test_a_field_sealed_by_law_is_in_no_plan_whatever_the_table_says():
    catalogue = toy_catalogue()
    sealed = replace(catalogue.fields["JusticeRecord.phone"], group=VAULT_GROUP)
    record = catalogue.types["JusticeRecord"]
    fields = tuple(sealed if field.name == "phone" else field for field in record.fields)
    changed = Catalogue(
        types={**catalogue.types, "JusticeRecord": replace(record, fields=fields)},
        fields={**catalogue.fields, sealed.coordinate: sealed},
    )
    provider = Provider(agency="justice", coordinate=sealed.coordinate, field="phone")
    rules = {"phone": MergeRule(field="phone", providers=(provider,), witnesses=(provider,))}
    asked = ALL | {"Person.phone", "Person.conflicts"}
    plan = Planner(changed, rules, members_only=frozenset()).plan(table(), asked, through_registers=False)
    assert sealed.coordinate not in fetches(plan)
    assert sealed.coordinate not in plan.pattern.full
    assert sealed.coordinate not in plan.table.decisions
    assert [merged.providers for merged in plan.merged] == [()]
