"""Lists for an office: what lies in its regions, page by page, and what falls due."""

from datetime import date, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.casework.calendar_reader import read_calendar
from hub.casework.case_store import CaseStore, NewEvent
from hub.casework.deadline import DueUnit, Light
from hub.casework.deadline_reader import read_deadlines
from hub.casework.docket import docket
from hub.casework.queries import CaseFilter, CaseOrder, CaseQueries, TaskFilter
from hub.casework.simulation import compare, forecast, with_count
from hub.casework.workflow import fold
from hub.casework.workflow_reader import read_workflow
from tests.casework.cases import COUNTY, OFFICE, OTHER, PRISON, event

WORKFLOW = read_workflow()
RULES = read_deadlines(WORKFLOW)
CALENDAR = read_calendar()
ELSEWHERE = "judicial-office/360104001"
TODAY = date(2026, 7, 4)


def course_of(office, day, *more):
    return [
        event("ADMITTED", "2024-03-01", PRISON, plannedRelease=day),
        event("DISPATCHED", "2026-05-27", COUNTY, office=office),
        event("ACKNOWLEDGED", "2026-05-28", office),
        event("RELEASED", day, PRISON),
        *more,
    ]


COURSES = {
    "c-a": course_of(OFFICE, "2026-06-30"),
    "c-b": course_of(OFFICE, "2026-06-28", event("HANDED_OVER", "2026-06-28")),
    "c-c": course_of(
        OTHER, "2026-06-29", event("JOINT_OFFICE_ADDED", "2026-07-01", OTHER, office=ELSEWHERE, role="WORK")
    ),
    "c-d": course_of(ELSEWHERE, "2026-06-27"),
    "c-e": [event("ADMITTED", "2026-03-01", ELSEWHERE)],
    "c-f": course_of(OFFICE, "2026-06-20", event("DECEASED", "2026-06-25")),
}


@pytest.fixture
async def queries(store):
    cases = CaseStore(WORKFLOW, RULES, CALENDAR)
    async with store.write() as connection:
        for number, (case_id, events) in enumerate(COURSES.items()):
            news = [NewEvent(event=each) for each in events]
            await cases.add(connection, f"p{number}", case_id, news, entry_id="e", now_us=number)
    return CaseQueries(store)


async def ids(queries, order=CaseOrder.RELEASE_DATE, **wanted):
    rows = await queries.caseload(CaseFilter(**wanted), order, first=100, after=None)
    return [row.case_id for row in rows]


async def test_an_office_sees_its_own_cases_and_no_other(queries):
    assert await ids(queries, regions=("360702001",)) == ["c-f", "c-b", "c-a"]
    assert await ids(queries, regions=("360702",)) == ["c-f", "c-b", "c-c", "c-a"]
    assert await ids(queries, regions=("360104001",)) == ["c-d", "c-e"]
    assert await ids(queries, regions=("360104001",), joint=True) == ["c-d", "c-c", "c-e"]
    assert await ids(queries, regions=()) == []
    assert await ids(queries, regions=("%",)) == []
    assert await ids(queries, regions=("360702",), region="360104") == []


async def test_filters(queries):
    assert await ids(queries, regions=("36",), ended=True) == ["c-f"]
    assert await ids(queries, regions=("36",), states=("HANDED_OVER",)) == ["c-b"]
    assert await ids(queries, regions=("36",), office=OTHER) == ["c-c"]
    assert await ids(queries, regions=("36",), key_person=True) == []
    assert await queries.count(CaseFilter(regions=("36",))) == len(COURSES)


async def test_pages_join_to_the_whole_list(queries):
    for order in CaseOrder:
        whole = await ids(queries, order, regions=("36",))
        found, after = [], None
        while True:
            page = await queries.caseload(CaseFilter(regions=("36",)), order, first=2, after=after)
            found += [row.case_id for row in page[:2]]
            if len(page) < 3:
                break
            after = page[1].place
        assert found == whole
        assert len(set(whole)) == len(COURSES)


async def test_tasks_are_the_open_deadlines_of_the_docket(queries):
    found = await queries.tasks(TaskFilter(regions=("36",)), TODAY, first=1000, after=None)
    expected = {
        (case_id, made.step, made.due, made.light(TODAY))
        for case_id, events in COURSES.items()
        for made in docket(fold(WORKFLOW, events), RULES, CALENDAR)
        if made.open
    }
    assert {(row.case_id, row.step, row.due, row.light) for row in found} == expected
    assert [row.due for row in found] == sorted(row.due for row in found)


async def test_tasks_by_light_step_and_day(queries):
    red = await queries.tasks(TaskFilter(regions=("36",), lights=(Light.RED,)), TODAY, first=1000, after=None)
    assert red
    assert {row.light for row in red} == {Light.RED}
    soon = await queries.tasks(TaskFilter(regions=("36",), due_until=TODAY), TODAY, first=1000, after=None)
    assert all(row.due <= TODAY for row in soon)
    lights = await queries.lights(TaskFilter(regions=("36",)), TODAY)
    assert sum(counts[Light.RED] for counts in lights.values()) == len(red)
    (only,) = {
        row.step
        for row in await queries.tasks(TaskFilter(regions=("36",), steps=("FILE",)), TODAY, first=9, after=None)
    }
    assert only == "FILE"


async def test_tasks_of_pages_join(queries):
    whole = await queries.tasks(TaskFilter(regions=("36",)), TODAY, first=1000, after=None)
    found, after = [], None
    while True:
        page = await queries.tasks(TaskFilter(regions=("36",)), TODAY, first=3, after=after)
        found += page[:3]
        if len(page) < 4:
            break
        after = page[2].place
    assert found == list(whole)


def test_what_falls_due_in_the_next_days():
    courses = [(case_id, fold(WORKFLOW, events)) for case_id, events in COURSES.items()]
    found = {each.step: each for each in forecast(courses, RULES, CALENDAR, first=TODAY, last=TODAY + timedelta(30))}
    assert found["FIRST_VISIT"].due == {date(2026, 7, 5): 1}
    assert found["FILE"].overdue == 1


def test_what_if_the_rule_becomes_one_day():
    courses = [("c-b", fold(WORKFLOW, COURSES["c-b"]))]
    shorter = with_count(RULES, "FILE", "", 1, DueUnit.DAY)
    (found,) = compare(courses, RULES, shorter, CALENDAR)
    assert (found.now.due, found.then.due) == (date(2026, 7, 1), date(2026, 6, 29))
    assert not list(compare(courses, RULES, RULES, CALENDAR))
    with pytest.raises(LookupError, match="no rule for NOTHING"):
        with_count(RULES, "NOTHING", "", 1, DueUnit.DAY)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None)
@given(st.integers(0, 20))
def test_a_rule_of_n_days_moves_exactly_its_own_deadlines(days):
    courses = [(case_id, fold(WORKFLOW, events)) for case_id, events in COURSES.items()]
    for found in compare(courses, RULES, with_count(RULES, "FILE", "", days, DueUnit.DAY), CALENDAR):
        assert found.step == "FILE"
        assert found.then.due - found.now.due == timedelta(days - 3)
