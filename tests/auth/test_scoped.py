"""Facts that hold for a part of the fields: each field gets exactly the word of its own plain facts."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.auth.decision import Decision, DecisionClass, DecisionTable, DenialCode, Effect
from hub.auth.facts import Facts, ScopedFacts
from hub.auth.scoped import scoped_table
from tests.auth.parts import catalogue, judge
from tests.conftest import FULL

FIELDS = catalogue().fields
LEAVES = sorted(name for name, field in FIELDS.items() if field.record_type is None)
GROUPS = sorted({field.group for field in FIELDS.values()})


def liberal(facts: Facts) -> DecisionTable:
    """Everything is given with an approval; FG1 and FG6 with consent; nothing else."""
    decisions = {}
    for name, field in FIELDS.items():
        good = facts.approved or (facts.consent and field.group in ("FG1", "FG6"))
        denial = None if good else DenialCode.APPROVAL_REQUIRED
        effect = Effect.FULL if good else Effect.DENIED
        decisions[name] = Decision(effect=effect, policies=(), denial=denial)
    asked = DecisionClass(agency="justice", role="judicial-office", purpose="HANDOVER", facts=facts)
    return DecisionTable(policy_digest="d", decision_class=asked, decisions=decisions)


def scoped(facts: ScopedFacts, table_of=liberal) -> DecisionTable:
    asked = DecisionClass(agency="justice", role="judicial-office", purpose="HANDOVER", facts=facts)
    return scoped_table(catalogue(), asked, facts, table_of)


@settings(max_examples=300 if FULL else 25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.frozensets(st.sampled_from(LEAVES), max_size=12),
    st.one_of(st.none(), st.frozensets(st.sampled_from(GROUPS), max_size=4)),
    st.booleans(),
)
def test_nothing_is_opened_that_neither_approval_nor_consent_covers(approved, groups, consent):
    facts = ScopedFacts(approved=bool(approved), approved_for=approved, consent=consent, consent_for=groups)
    table = scoped(facts)
    for name in LEAVES:
        group = FIELDS[name].group
        covered = consent and group in ("FG1", "FG6") and (groups is None or group in groups)
        assert (table.decisions[name].effect is Effect.FULL) == (name in approved or covered)


def test_a_record_is_given_exactly_where_something_below_it_is():
    table = scoped(ScopedFacts(approved=True, approved_for=frozenset({"Sentence.court"})))
    assert table.decisions["JusticeRecord.sentences"].effect is Effect.FULL
    assert table.decisions["JusticeRecord.offences"].effect is Effect.DENIED


def test_the_shipped_rules_are_asked_for_each_field_with_its_own_facts():
    facts = ScopedFacts(jurisdiction=True, term=True, approved=True, approved_for=frozenset({"Person.name"}))

    def table_of(plain: Facts) -> DecisionTable:
        asked = DecisionClass(agency="justice", role="judicial-office", purpose="HANDOVER", facts=plain)
        return judge().table(asked)

    table, plain = scoped(facts, table_of), table_of(Facts(jurisdiction=True, term=True))
    assert {name: table.decisions[name].effect for name in LEAVES if name != "Person.name"} == {
        name: plain.decisions[name].effect for name in LEAVES if name != "Person.name"
    }
