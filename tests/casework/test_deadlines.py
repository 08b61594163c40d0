"""Every row of the deadline rules with its source; which row is chosen; how a docket follows the course of a case."""

from datetime import date, timedelta

import pytest
from hypothesis import given

from hub.casework.calendar_reader import read_calendar
from hub.casework.deadline import AssistancePeriod, Level, Light, PersonClass
from hub.casework.deadline_reader import DEADLINES_FILE, read_deadlines
from hub.casework.docket import docket
from hub.casework.workflow import fold
from hub.casework.workflow_reader import read_workflow
from hub.errors import CaseworkRulesError
from tests.casework.cases import COUNTY, OFFICE, OTHER, PRISON, event, journey
from tests.casework.test_workflow import histories

WORKFLOW = read_workflow()
CALENDAR = read_calendar()
RULES = read_deadlines(WORKFLOW)
HARBIN = "judicial-office/230102001"
GUANGDONG = "prison/440000"
ADMITTED = event("ADMITTED", "2026-01-05", PRISON, plannedRelease="2026-06-30", termMonths=28)
KEY = event("RISK_ASSESSED", "2026-05-10", PRISON, riskClass="KEY")
GENERAL = event("RISK_ASSESSED", "2026-05-10", PRISON, riskClass="GENERAL")


def of(events, step, rules=RULES):
    return [made for made in docket(fold(WORKFLOW, events), rules, CALENDAR) if made.step == step]


ROWS = [
    # row, events, due, yellow, first red day
    ("ADMISSION_DATA/-/ANY/-", [ADMITTED], "2026-02-04", "2026-01-30", "2026-02-05"),
    (
        "ADMISSION_DATA/44/ANY/2013-01-01",
        [event("ADMITTED", "2026-01-31", GUANGDONG, termMonths=28)],
        "2026-02-28",
        "2026-02-23",
        "2026-03-01",
    ),
    (
        "ADMISSION_DATA/44/SHORT_TERM/2013-01-01",
        [event("ADMITTED", "2026-01-05", GUANGDONG, termMonths=6)],
        "2026-01-19",
        "2026-01-16",
        "2026-01-20",
    ),
    (
        "VERIFICATION/-/ANY/-",
        [ADMITTED, event("VERIFICATION_STARTED", "2026-02-09", PRISON)],
        "2026-03-06",
        "2026-03-03",
        "2026-03-07",
    ),
    ("VERIFICATION/2301/ANY/-", [event("ADMITTED", "2026-01-05", HARBIN)], "2026-02-05", "2026-01-31", "2026-02-06"),
    (
        "VERIFICATION_AGAIN/2301/ANY/-",
        [event("ADMITTED", "2026-01-05", HARBIN, plannedRelease="2026-06-30")],
        "2026-05-30",
        "2026-05-25",
        "2026-05-31",
    ),
    (
        "IDENTITY_CORRECTION/-/ANY/-",
        [ADMITTED, event("VERIFY_FAILED", "2026-02-01")],
        "2026-02-16",
        "2026-02-13",
        "2026-02-17",
    ),
    (
        "SENTENCE_CHANGE/-/ANY/-",
        [ADMITTED, event("SENTENCE_CHANGED", "2026-02-12", PRISON)],
        "2026-02-24",
        "2026-02-24",
        "2026-02-25",
    ),
    ("EXIT_EDUCATION/-/ANY/-", [ADMITTED], "2026-03-30", "2026-03-30", "2026-04-29"),
    ("RISK_ASSESSMENT/-/ANY/-", [ADMITTED], "2026-05-16", "2026-05-11", "2026-05-31"),
    ("RELEASE_NOTICE/-/ANY/-", [ADMITTED], "2026-05-30", "2026-05-23", "2026-05-31"),
    (
        "NOTICE_ACKNOWLEDGED/-/ANY/-",
        [ADMITTED, event("NOTIFIED", "2026-04-30", PRISON)],
        "2026-05-08",
        "2026-05-07",
        "2026-05-09",
    ),
    (
        "DISPATCH/-/ANY/-",
        [event("ADMITTED", "2013-01-05", PRISON), event("NOTIFIED", "2013-12-20", PRISON)],
        "2014-01-14",
        "2014-01-10",
        "2014-01-15",
    ),
    (
        "DISPATCH/-/ANY/2015-01-01",
        [ADMITTED, event("NOTIFIED", "2026-04-30", PRISON)],
        "2026-05-08",
        "2026-05-07",
        "2026-05-09",
    ),
    (
        "DISPATCH_ACKNOWLEDGED/-/ANY/-",
        [ADMITTED, event("DISPATCHED", "2026-05-27", COUNTY, office=OFFICE)],
        "2026-05-30",
        "2026-05-29",
        "2026-05-31",
    ),
    (
        "FAMILY_TOLD/-/ANY/-",
        [event("ADMITTED", "2026-01-05", HARBIN), event("DISPATCHED", "2026-05-27", HARBIN)],
        "2026-06-03",
        "2026-06-01",
        "2026-06-04",
    ),
    (
        "FAMILY_TOLD/36/ANY/-",
        [ADMITTED, event("DISPATCHED", "2026-05-27", COUNTY)],
        "2026-05-30",
        "2026-05-29",
        "2026-05-31",
    ),
    (
        "FAMILY_FETCH/-/ANY/-",
        [ADMITTED, event("RELEASED", "2026-06-30", PRISON)],
        "2026-07-07",
        "2026-07-05",
        "2026-07-08",
    ),
    ("OWNER_FOUND/-/ANY/-", [ADMITTED, event("NOT_OURS", "2026-06-01")], "2026-06-11", "2026-06-08", "2026-06-12"),
    ("UNMATCHED_LIST/-/ANY/-", [ADMITTED, event("NOT_OURS", "2026-06-01")], "2026-06-30", "2026-06-27", "2026-07-01"),
    ("PICKUP_PLAN/-/ANY/-", [ADMITTED, GENERAL], "2026-06-23", "2026-06-23", "2026-06-30"),
    ("PICKUP_PLAN/-/KEY/-", [ADMITTED, KEY], "2026-06-23", "2026-06-23", "2026-06-27"),
    ("RELEASE_RECORDED/-/ANY/-", [ADMITTED], "2026-06-30", "2026-06-30", "2026-07-01"),
    (
        "PICKUP_OUTCOME/-/ANY/-",
        [ADMITTED, event("RELEASED", "2026-06-30", PRISON)],
        "2026-06-30",
        "2026-07-01",
        "2026-07-03",
    ),
    (
        "POLICE_REPORT/-/ANY/-",
        [ADMITTED, event("RELEASED", "2026-06-30", PRISON, reportWithinDays=10)],
        "2026-07-10",
        "2026-07-08",
        "2026-07-11",
    ),
    (
        "UNCONNECTED_REPORT/-/ANY/-",
        [ADMITTED, event("RELEASED", "2026-06-30", PRISON)],
        "2026-07-20",
        "2026-07-15",
        "2026-07-21",
    ),
    (
        "UNCONNECTED_SEARCH/-/ANY/-",
        [ADMITTED, event("UNCONNECTED", "2026-07-07")],
        "2026-07-14",
        "2026-07-14",
        "2026-07-21",
    ),
    ("CONTACT/-/GENERAL/-", [ADMITTED, event("HANDED_OVER", "2026-06-30")], "2026-09-28", "2026-09-14", "2026-09-29"),
    ("CONTACT/-/KEY/-", [ADMITTED, KEY, event("HANDED_OVER", "2026-06-30")], "2026-07-30", "2026-07-23", "2026-07-31"),
    ("FILE/-/ANY/-", [ADMITTED, event("HANDED_OVER", "2026-06-30")], "2026-07-03", "2026-07-02", "2026-07-04"),
    (
        "RESPONSIBILITY_LETTER/-/ANY/-",
        [ADMITTED, GENERAL, event("HANDED_OVER", "2026-06-30")],
        "2026-07-05",
        "2026-07-04",
        "2026-07-06",
    ),
    (
        "RESPONSIBILITY_LETTER/-/KEY/-",
        [ADMITTED, KEY, event("HANDED_OVER", "2026-06-30")],
        "2026-07-03",
        "2026-07-02",
        "2026-07-04",
    ),
    ("FIRST_VISIT/-/ANY/-", [ADMITTED, event("HANDED_OVER", "2026-06-30")], "2026-07-07", "2026-07-05", "2026-07-08"),
    ("HOUSEHOLD/-/ANY/-", [ADMITTED, event("HANDED_OVER", "2026-06-30")], "2026-07-07", "2026-07-05", "2026-07-08"),
    (
        "HOUSEHOLD_CHECK/-/ANY/-",
        [ADMITTED, event("HOUSEHOLD_APPLIED", "2026-09-24")],
        "2026-09-30",
        "2026-09-29",
        "2026-10-01",
    ),
    ("PLAN/-/ANY/-", [ADMITTED, event("REGISTERED", "2026-07-02")], "2026-07-17", "2026-07-14", "2026-07-18"),
    ("VISIT/-/GENERAL/-", [ADMITTED, event("VISITED", "2026-11-30")], "2027-02-28", "2027-02-28", "2027-05-29"),
    ("VISIT/-/KEY/-", [ADMITTED, KEY, event("VISITED", "2026-07-31")], "2026-08-31", "2026-08-31", "2026-09-30"),
    (
        "TRANSFER/-/ANY/-",
        [ADMITTED, event("TRANSFERRED", "2026-09-17", OFFICE, office=OTHER)],
        "2026-10-08",
        "2026-10-05",
        "2026-10-09",
    ),
    ("CLOSING/-/ANY/-", [ADMITTED, event("RELEASED", "2024-02-29", PRISON)], "2029-03-15", "2029-02-28", "2029-03-16"),
    ("REOFFENCE_PUSH/-/ANY/-", [ADMITTED, event("REOFFENDED", "2026-09-01")], "2026-09-06", "2026-09-06", "2026-09-07"),
    (
        "CUSTODY_CHECK/-/ANY/-",
        [ADMITTED, event("CUSTODY_SEEN", "2026-09-01")],
        "2026-09-04",
        "2026-09-02",
        "2026-09-05",
    ),
    (
        "WORK_CONFIRMED/-/ANY/-",
        [ADMITTED, event("WORK_SEEN", "2026-09-01")],
        "2026-09-15",
        "2026-09-13",
        "2026-09-16",
    ),
    (
        "RELIEF_RENEWED/-/ANY/-",
        [ADMITTED, event("RELIEF_ENDING", "2026-09-01")],
        "2026-09-16",
        "2026-09-14",
        "2026-09-17",
    ),
    ("DEATH_MATCH/-/ANY/-", [ADMITTED, event("DECEASED", "2026-09-01")], "2026-09-02", "2026-09-02", "2026-09-03"),
]


@pytest.mark.parametrize(("row", "events", "due", "yellow", "red"), ROWS, ids=[row[0] for row in ROWS])
def test_each_row(row, events, due, yellow, red):
    (made,) = (made for made in of(events, row.split("/")[0]) if made.rule_id == row)
    assert (made.due.isoformat(), made.yellow.isoformat(), made.red_day.isoformat()) == (due, yellow, red)


def test_every_row_is_tried_and_names_its_source():
    assert {row[0] for row in ROWS} == {rule.rule_id for rule in RULES.rules}
    assert all("[" in rule.source for rule in RULES.rules)


def test_a_journey_in_time_leaves_every_deadline_done():
    lights = {made.step: made.light(date(2031, 7, 2)) for made in docket(fold(WORKFLOW, journey()), RULES, CALENDAR)}
    late = {step for step, light in lights.items() if light is not Light.DONE}
    assert late <= {"VISIT"}  # one visit in five years is not enough, and ended cases have no open ones


def test_lights_change_on_their_days():
    (made,) = of([ADMITTED], "RISK_ASSESSMENT")
    lights = {
        day: made.light(date.fromisoformat(day)) for day in ("2026-05-10", "2026-05-11", "2026-05-30", "2026-05-31")
    }
    assert list(lights.values()) == [Light.GREEN, Light.YELLOW, Light.YELLOW, Light.RED]
    assert made.next_change(date(2026, 5, 10)) == date(2026, 5, 11)
    assert made.next_change(date(2026, 5, 11)) == date(2026, 5, 31)


def test_an_alarm_climbs_to_county_prefecture_and_province():
    (made,) = of([ADMITTED, event("HANDED_OVER", "2026-06-30")], "FILE")
    assert made.escalations == (
        (Level.COUNTY, date(2026, 7, 4)),
        (Level.PREFECTURE, date(2026, 7, 11)),
        (Level.PROVINCE, date(2026, 7, 18)),
    )
    assert made.next_change(date(2026, 7, 18)) is None


def test_a_missed_pickup_becomes_unconnected_on_the_seventh_day():
    (made,) = of([ADMITTED, event("RELEASED", "2026-06-30", PRISON)], "PICKUP_OUTCOME")
    assert made.automatic == ("UNCONNECTED", date(2026, 7, 7))


def test_a_shortened_sentence_makes_the_notice_late_at_once():
    shortened = [
        *journey(NOTIFIED=None)[:5],
        event("SENTENCE_CHANGED", "2026-05-20", PRISON, plannedRelease="2026-06-05"),
    ]
    (made,) = of(shortened, "RELEASE_NOTICE")
    assert made.due == date(2026, 5, 5)
    assert made.light(date(2026, 5, 20)) is Light.RED


def test_a_longer_sentence_moves_every_deadline_before_release():
    longer = [ADMITTED, event("SENTENCE_CHANGED", "2026-02-01", PRISON, plannedRelease="2027-06-30")]
    assert {
        made.due.year for step in ("EXIT_EDUCATION", "RELEASE_NOTICE", "PICKUP_PLAN") for made in of(longer, step)
    } == {2027}


def test_what_was_never_done_before_release_is_missed_not_red_for_ever():
    (made,) = of([ADMITTED, event("RELEASED", "2026-06-30", PRISON)], "EXIT_EDUCATION")
    assert made.light(date(2026, 9, 1)) is Light.MISSED
    assert made.next_change(date(2026, 6, 1)) is None


def test_death_stops_every_timer():
    events = [*journey(ENDED=None), event("DECEASED", "2026-08-01")]
    assert not [made for made in docket(fold(WORKFLOW, events), RULES, CALENDAR) if made.open]


def test_the_default_of_jiangxi():
    handed = journey()[:13]
    days = {step: of(handed, step)[0].due - date(2026, 6, 30) for step in ("FILE", "HOUSEHOLD", "FIRST_VISIT")}
    assert days == {"FILE": timedelta(3), "HOUSEHOLD": timedelta(7), "FIRST_VISIT": timedelta(7)}
    assert RULES.term(region="360702001", route="PRISON", released=date(2026, 6, 30)).end == date(2031, 6, 30)
    assert RULES.term(region="360702001", route="CORRECTION", released=date(2026, 6, 30)).end == date(2029, 6, 30)


def test_a_person_who_moves_between_regions_takes_the_rules_of_the_new_office():
    ended = event("CORRECTION_ENDED", "2026-06-30", OFFICE, route="CORRECTION")
    fujian = "judicial-office/350102001"
    moved = [
        ended,
        event("REGISTERED", "2026-07-01"),
        event("TRANSFERRED", "2026-08-01", OFFICE, office=fujian),
        event("TRANSFER_ACCEPTED", "2026-08-05", fujian),
    ]
    assert of(moved[:2], "CLOSING")[0].due == date(2029, 7, 15)
    assert of(moved[:3], "CLOSING")[0].due == date(2029, 7, 15)  # not accepted yet
    assert of(moved, "CLOSING")[0].due == date(2031, 7, 15)


def test_a_rule_that_changes_applies_from_its_day(tmp_path):
    text = DEADLINES_FILE.read_text("utf-8")
    row = text[text.index('[[rule]]\nstep = "FILE"') : text.index('[[rule]]\nstep = "RESPONSIBILITY_LETTER"')]
    newer = row.replace("n = 3", "n = 1") + "from = 2026-07-01\n\n"
    file = tmp_path / "deadlines.toml"
    file.write_text(text.replace(row, row.rstrip() + "\nuntil = 2026-06-30\n\n" + newer), "utf-8")
    rules = read_deadlines(WORKFLOW, file)
    dues = [of([ADMITTED, event("HANDED_OVER", day)], "FILE", rules)[0].due for day in ("2026-06-30", "2026-07-01")]
    assert dues == [date(2026, 7, 3), date(2026, 7, 2)]


def test_a_deadline_over_a_year_that_is_not_announced_says_so():
    (made,) = of([event("ADMITTED", "2026-12-01", PRISON), event("NOTIFIED", "2026-12-30", PRISON)], "DISPATCH")
    assert made.assumed
    assert not of([ADMITTED, event("NOTIFIED", "2026-04-30", PRISON)], "DISPATCH")[0].assumed


def test_a_term_ends_on_the_same_day_or_the_last_of_the_month():
    assert RULES.term(region="36", route="PRISON", released=date(2024, 2, 29)).end == date(2029, 2, 28)
    with pytest.raises(ValueError, match="empty"):
        AssistancePeriod(start=date(2026, 1, 1), end=date(2026, 1, 1))


@given(histories())
def test_every_deadline_has_days_in_order_and_an_office_to_hear_of_it(events):
    course = fold(WORKFLOW, events)
    for made in docket(course, RULES, CALENDAR):
        assert made.yellow <= made.red_day
        assert made.due < made.red_day
        assert made.escalations
        assert list(made.escalations) == sorted(made.escalations, key=lambda step: step[1])
        assert not (course.ended and made.open)


@given(histories())
def test_the_same_course_gives_the_same_docket(events):
    once = docket(fold(WORKFLOW, events), RULES, CALENDAR)
    again = docket(fold(WORKFLOW, list(reversed(events))), RULES, CALENDAR)
    assert once == again
    assert len({(made.step, made.anchor) for made in once}) == len(once)


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        (('anchor = "plannedRelease"', 'anchor = "someday"'), "unknown anchor someday"),
        (('done = ["EXIT_EDUCATION"]', 'done = ["NAP"]'), "unknown event NAP"),
        (('unit = "month"', 'unit = "moon"'), "moon"),
        (('escalate = "county"', 'escalate = "king"'), "king"),
        (("yellow = -5\n", ""), "yellow"),
        (('source = "[P]"', 'source = "[P]"\nsauce = 1'), "unknown member sauce"),
        (("until = 2014-12-31", ""), "overlaps"),
        (('route = "CORRECTION"', 'route = "HELICOPTER"'), "unknown route"),
        (('class = "KEY"', 'class = "ROYAL"'), "ROYAL"),
        (("from = 2013-01-01", "from = 2013-01-01\nuntil = 2012-01-01"), "ends before"),
    ],
)
def test_a_wrong_row_is_refused(tmp_path, change, wrong):
    file = tmp_path / "deadlines.toml"
    file.write_text(DEADLINES_FILE.read_text("utf-8").replace(*change), "utf-8")
    with pytest.raises(CaseworkRulesError, match=wrong):
        read_deadlines(WORKFLOW, file)


def test_classes_are_exclusive():
    assert PersonClass.KEY not in {
        rule.person_class for rule in RULES.candidates("VISIT", region="36", classes=frozenset({PersonClass.GENERAL}))
    }
