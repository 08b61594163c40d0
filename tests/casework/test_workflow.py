"""The state of a case: any order of arrival, anything accepted, everything remarkable flagged."""

import random
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.casework.ownership import ownership
from hub.casework.workflow import CaseEvent, Flag, fold
from hub.casework.workflow_reader import WORKFLOW_FILE, read_workflow
from hub.errors import CaseworkRulesError
from tests.casework.cases import COUNTY, OFFICE, OTHER, PRISON, at, event, journey

WORKFLOW = read_workflow()
OFFICES = (PRISON, COUNTY, OFFICE, OTHER)


@st.composite
def histories(draw):
    kinds = st.sampled_from(sorted(WORKFLOW.events))
    events = []
    for number in range(draw(st.integers(0, 14))):
        happened = at("2026-01-01") + timedelta(hours=draw(st.integers(0, 400)))
        recorded = happened + timedelta(hours=draw(st.integers(-2, 50)))
        data = {
            "office": draw(st.sampled_from(OFFICES)),
            "county": draw(st.sampled_from(OFFICES)),
            "role": draw(st.sampled_from(["HOUSEHOLD", "RESIDENCE", "WORK"])),
        }
        events.append(
            CaseEvent(
                event_id=f"{number}",
                kind=draw(kinds),
                happened_at=happened,
                recorded_at=recorded,
                received_at=recorded + timedelta(hours=draw(st.integers(-1, 90))),
                office=draw(st.sampled_from(OFFICES)),
                data=data,
            )
        )
    return events


def states(events):
    return [step.state for step in fold(WORKFLOW, events).steps]


def test_the_whole_journey_is_in_order():
    course = fold(WORKFLOW, journey())
    assert course.state == "ENDED"
    assert course.ended
    assert not course.flags


def test_a_release_without_notice_is_accepted_and_flagged_until_the_notice_is_backfilled():
    without = journey(NOTIFIED=None, ENDED=None)
    course = fold(WORKFLOW, without)
    assert course.state == "PLAN_ACTIVE"
    flagged = {step.event.kind for step in course.steps if Flag.OUT_OF_ORDER in step.flags}
    assert flagged == {"ACKNOWLEDGED", "DISPATCHED"}
    late = event("NOTIFIED", "2026-05-25", PRISON, late=90, county=COUNTY)
    course = fold(WORKFLOW, [*without, late])
    assert {step.event.kind: step.flags for step in course.steps if step.flags} == {
        "NOTIFIED": frozenset({Flag.BACKFILLED})
    }


def test_an_event_out_of_order_never_moves_a_case_back():
    events = [*journey(ENDED=None), event("EXIT_EDUCATION", "2026-08-01", PRISON)]
    course = fold(WORKFLOW, events)
    assert course.state == "PLAN_ACTIVE"
    assert course.steps[-1].flags == {Flag.OUT_OF_ORDER}


def test_times_that_run_backwards_are_flagged():
    told = event("VISITED", "2026-08-01")
    odd = CaseEvent(
        event_id="odd",
        kind="VISITED",
        happened_at=told.happened_at,
        recorded_at=told.happened_at - timedelta(days=1),
        received_at=told.received_at,
        office=OFFICE,
    )
    course = fold(WORKFLOW, [*journey(ENDED=None), odd])
    assert next(step.flags for step in course.steps if step.event is odd) == {Flag.TIMES_DISORDERED}


@pytest.mark.parametrize("kind", ["ENDED", "REOFFENDED", "DECEASED", "OUT"])
def test_what_happens_after_the_end_changes_nothing(kind):
    events = [*journey(ENDED=None), event(kind, "2026-08-01"), event("VISITED", "2026-09-01")]
    course = fold(WORKFLOW, events)
    assert course.state == kind
    assert course.steps[-1].flags == {Flag.AFTER_END}


def test_refusal_is_a_lawful_outcome():
    events = journey(PLAN_AGREED=event("PLAN_REFUSED", "2026-07-10"))
    assert not fold(WORKFLOW, events).flags


@given(histories(), st.randoms(use_true_random=False))
def test_order_of_arrival_does_not_matter(events, chance: random.Random):
    shuffled = list(events)
    chance.shuffle(shuffled)
    assert fold(WORKFLOW, shuffled) == fold(WORKFLOW, events)


@given(histories())
def test_a_case_keeps_every_event_and_leaves_a_terminal_state_never(events):
    course = fold(WORKFLOW, events)
    assert {step.event.event_id for step in course.steps} == {each.event_id for each in events}
    terminal = False
    for step in course.steps:
        assert (Flag.AFTER_END in step.flags) == terminal
        terminal = terminal or (step.state is not None and WORKFLOW.states[step.state].terminal)
        if not step.event.happened_at <= step.event.recorded_at <= step.event.received_at:
            assert Flag.TIMES_DISORDERED in step.flags
    assert course.ended == terminal


@given(histories())
def test_exactly_one_office_answers_from_the_first_event_to_the_end(events):
    course = fold(WORKFLOW, events)
    owned = ownership(course)
    if not events:
        assert owned.accountable is None
        return
    assert (owned.accountable is None) == course.ended
    before = None
    for tenure in owned.tenures:
        assert before is None or before == tenure.since
        before = tenure.until
    assert owned.tenures[0].since == course.steps[0].event.happened_at
    assert all(tenure.until is not None for tenure in owned.tenures[:-1])
    assert all(joint.until is None or joint.since <= joint.until for joint in owned.joint)


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        (("rank = 20,", "rank = 10,"), "another state has this rank"),
        (('to = "VERIFYING"', 'to = "SERVING"'), "no event leads"),
        (('from = ["LOST_CONTACT"]', 'from = ["NOWHERE"]'), "unknown state NOWHERE"),
        (('from = ["LOST_CONTACT"]', 'from = ["ENDED"]'), "out of the terminal state"),
        (('zh = "移交"\n', ""), "lacks 'zh'"),
        (("first = true\n", ""), "no event begins"),
    ],
)
def test_a_workflow_that_leads_nowhere_is_refused(tmp_path, change, wrong):
    file = tmp_path / "workflow.toml"
    file.write_text(WORKFLOW_FILE.read_text("utf-8").replace(*change), "utf-8")
    with pytest.raises(CaseworkRulesError, match=wrong):
        read_workflow(file)
