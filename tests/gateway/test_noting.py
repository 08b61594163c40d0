from hub.auth.decision import DenialCode, Effect
from hub.auth.facts import Facts
from hub.connectors.base import Fetched, SourceRecord, SourceState
from hub.gateway.noting import Noted, note
from hub.gateway.plan import Planner
from hub.gateway.reading import Ask, Denied, PersonRef, Reading
from tests.gateway.toy import WHEN, table, toy_catalogue

ASKED = frozenset({"TaxRecord.number", "JusticeRecord.name"})
MINE, OTHERS = Facts(own=True), Facts()


def plan(asked=ASKED, **effects):
    planner = Planner(toy_catalogue(), {}, members_only=frozenset())
    return planner.plan(table(**effects), frozenset(asked), through_registers=False)


def ref(key: str, facts: Facts = MINE) -> PersonRef:
    return PersonRef(key=key, known=None, identity_number=key, facts=facts)


def noted(*refs, field="person", plans=None, asked=ASKED) -> Noted:
    return Noted(ask=Ask(field=field, coordinates=frozenset(asked)), refs=refs, plans=plans or {MINE: plan()})


def written(*items, visible=("a", "b"), fetched=None, outsider=None) -> Reading:
    reading = Reading()
    note(reading, items, set(visible), fetched or {}, outsider, lambda one: f"pseudonym of {one.key}")
    return reading


def answer(state=SourceState.OK, *misfits: int) -> Fetched:
    records = {str(n): SourceRecord(str(n), "r", WHEN, [], count) for n, count in enumerate(misfits)}
    return Fetched(agency="tax", state=state, as_of=WHEN, received_at=WHEN, latency_ms=7, records=records)


def test_every_person_is_noted_once_under_a_pseudonym_with_the_effects_of_its_plan():
    reading = written(noted(ref("a"), ref("b"), ref("a")))
    assert [name for name, _ in reading.access] == ["pseudonym of a", "pseudonym of b"]
    assert {pattern.full for _, pattern in reading.access} == {tuple(sorted(ASKED))}
    assert reading.policies == {f"rule-{name}" for name in ASKED}
    assert reading.denied == set()


def test_persons_of_one_class_share_one_pattern():
    reading = written(noted(ref("a"), ref("b")))
    assert reading.access[0][1] is reading.access[1][1]


def test_what_several_asks_want_of_a_person_is_joined():
    more = frozenset({"TaxRecord.number", "PoliceRecord.name"})
    denied = {MINE: plan(more, PoliceRecord__name=Effect.DENIED)}
    ((_, pattern),) = written(noted(ref("a")), noted(ref("a"), field="persons", asked=more, plans=denied)).access
    assert pattern.full == ("JusticeRecord.name", "TaxRecord.number")
    assert pattern.denied == ("PoliceRecord.name",)


def test_denials_are_those_of_the_classes_that_were_seen():
    plans = {MINE: plan(), OTHERS: plan(TaxRecord__number=Effect.DENIED)}
    assert written(noted(ref("a"), plans=plans)).denied == set()
    seen = written(noted(ref("a"), ref("b", OTHERS), plans=plans))
    assert seen.denied == {Denied(coordinate="TaxRecord.number", code=DenialCode.FIELD_DENIED)}


def test_who_is_not_yours_is_noted_as_denied_and_told_like_nobody():
    outside = written(noted(ref("x")), visible=(), outsider=DenialCode.FIELD_DENIED)
    nobody = written(noted(None), visible=(), outsider=DenialCode.FIELD_DENIED)
    told = {Denied(coordinate="Query.person", code=DenialCode.FIELD_DENIED)}
    assert outside.denied == nobody.denied == told
    ((_, pattern),) = outside.access
    assert (pattern.denied, pattern.full) == (tuple(sorted(ASKED)), ())
    assert nobody.access == []


def test_where_nothing_may_be_said_of_outsiders_nothing_is():
    assert written(noted(ref("x"), None), visible=()).denied == set()


def test_sources_are_noted_with_state_misfits_and_calls():
    reading = written(noted(ref("a")), fetched={"tax": answer(SourceState.STALE, 0, 2, 1)})
    use = reading.sources["tax"]
    assert (use.agency, use.state, use.as_of, use.latency_ms, use.quarantined) == (
        "tax",
        SourceState.STALE,
        WHEN,
        7,
        3,
    )
    assert reading.calls == {"tax": 1}


def test_of_several_times_a_source_is_told_of_by_the_one_that_was_not_well_answered():
    for states in ((SourceState.OK, SourceState.NO_HISTORY), (SourceState.NO_HISTORY, SourceState.OK)):
        reading = Reading()
        for state in states:
            note(reading, [noted(ref("a"))], {"a"}, {"tax": answer(state)}, None, lambda one: one.key)
        assert reading.sources["tax"].state is SourceState.NO_HISTORY


def test_calls_of_several_readings_add_up():
    reading = Reading()
    for _ in range(2):
        note(reading, [noted(ref("a"))], {"a"}, {"tax": answer(SourceState.OK, 0)}, None, lambda one: one.key)
    assert reading.calls == {"tax": 2}
