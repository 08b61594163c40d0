"""Changes at the agencies' systems become events of cases: in time, once, and nothing of what was seen is kept."""

import asyncio
import os
import signal
import subprocess
import sys
from datetime import UTC, date, datetime

import pytest
from sqlalchemy import select

from hub.casework.calendar_reader import read_calendar
from hub.casework.case_store import CaseStore, NewEvent
from hub.casework.case_tables import case_deadline, watch_state
from hub.casework.deadline_reader import read_deadlines
from hub.casework.sweeps import Sweeps
from hub.casework.watch_reader import WATCHERS_FILE, read_watchers
from hub.casework.workflow_reader import read_workflow
from hub.clock import FixedClock
from hub.connectors.base import Fetched, SourceRecord, SourceState
from hub.connectors.rows import layout_of
from hub.errors import CaseworkRulesError
from tests.auth.parts import catalogue
from tests.casework.cases import COUNTY, OFFICE, PRISON, event
from tests.casework.parts import NAMES
from tests.conftest import FULL

WORKFLOW = read_workflow()
WATCHES = read_watchers(catalogue(), WORKFLOW)
LAYOUTS = {each.agency: layout_of(catalogue(), each.record, each.coordinates) for each in WATCHES}
START = datetime(2026, 7, 10, 1, tzinfo=UTC)
SERVING = [
    event("ADMITTED", "2024-03-01", PRISON, plannedRelease="2026-07-12"),
    event("DISPATCHED", "2026-05-27", COUNTY, office=OFFICE),
    event("ACKNOWLEDGED", "2026-05-28", OFFICE),
]
OUTSIDE = [*SERVING, event("RELEASED", "2026-07-01", PRISON), event("HANDED_OVER", "2026-07-01")]


class Source:
    """An agency whose records a test changes; `state` is how it answers."""

    def __init__(self, agency):
        self.agency, self.people, self.state, self.asked = agency, {}, SourceState.OK, []

    async def ask(self, fetch):
        self.asked.append(fetch)
        layout = fetch.layout
        records = {
            key: SourceRecord(
                key,
                key,
                START,
                [self.people[key].get(name) for name in (*layout.fields, *(nested for nested, _ in layout.nested))],
            )
            for key in fetch.keys
            if key in self.people and self.state is SourceState.OK
        }
        return Fetched(
            agency=self.agency, state=self.state, as_of=START, received_at=START, latency_ms=1, records=records
        )


class World:
    def __init__(self, store, clock=None):
        self.store, self.clock = store, clock or FixedClock(START)
        self.cases = CaseStore(WORKFLOW, read_deadlines(WORKFLOW), read_calendar())
        self.sources = {each.agency: Source(each.agency) for each in WATCHES}
        self.told, self.noted = [], []

    def sweeps(self):
        async def keys(persons):
            return {person: dict.fromkeys(self.sources, (f"k-{person}",)) for person in persons if person != "vaulted"}

        async def note(agency, persons, coordinates):
            self.noted.append((agency, tuple(persons), coordinates))
            return f"e{len(self.noted)}"

        async def tell(_connection, person, notice):
            self.told.append((person, notice.kind, notice.office))

        return Sweeps(
            self.store,
            self.cases,
            WATCHES,
            sources=self.sources,
            layouts=LAYOUTS,
            keys=keys,
            note=note,
            tell=tell,
            names=NAMES,
            clock=self.clock,
        )

    async def open(self, person, events):
        async with self.store.write() as connection:
            news = [NewEvent(event=each) for each in events]
            await self.cases.add(connection, person, f"c-{person}", news, entry_id="e", now_us=1)

    def says(self, agency, person, **values):
        self.sources[agency].people[f"k-{person}"] = values

    async def kinds(self, person):
        async with self.store.read() as connection:
            case = await self.cases.load(connection, person, f"c-{person}", lock=False)
        return [step.event.kind for step in case.course.steps if step.event.office == "hub/000000"]

    async def case(self, person):
        async with self.store.read() as connection:
            return await self.cases.load(connection, person, f"c-{person}", lock=False)


@pytest.fixture
async def world(store):
    return World(store)


RELEASE = {"releaseDate": date(2026, 7, 12), "releaseCertificateNo": b"sealed"}
CHANGES = [
    # agency, course, what it says first, what it says then, event
    ("justice", SERVING, {"releaseDate": date(2026, 7, 12)}, {"releaseDate": date(2026, 7, 9)}, "SENTENCE_CHANGED"),
    ("justice", SERVING, {"deceased": False}, {"deceased": True}, "DECEASED"),
    ("police", OUTSIDE, {"inCustody": False}, {"inCustody": True}, "CUSTODY_SEEN"),
    ("police", OUTSIDE, {"householdRestored": False}, {"householdRestored": True}, "HOUSEHOLD_RESTORED"),
    ("police", OUTSIDE, {"deceased": False}, {"deceased": True}, "DECEASED"),
    ("social-security", OUTSIDE, {"employedNow": False}, {"employedNow": True}, "WORK_SEEN"),
    ("tax", OUTSIDE, {}, {"employedThisMonth": True}, "WORK_SEEN"),
    ("civil-affairs", OUTSIDE, {}, {"deathRegisteredOn": date(2026, 7, 9)}, "DECEASED"),
]


@pytest.mark.parametrize(("agency", "course", "first", "then", "kind"), CHANGES)
async def test_a_change_becomes_one_event_within_an_interval_and_ten_seconds(world, agency, course, first, then, kind):
    await world.open("p1", course)
    world.says(agency, "p1", **first)
    sweeps = world.sweeps()
    assert await sweeps.run() == 0
    world.says(agency, "p1", **then)
    every = next(each.every_s for each in WATCHES if each.agency == agency)
    world.clock.advance(every - 1)
    await sweeps.run()
    assert await world.kinds("p1") == []
    world.clock.advance(11)
    await sweeps.run()
    assert await world.kinds("p1") == [kind]
    assert ("p1", f"case.{kind}", OFFICE) in world.told
    told = list(world.told)
    world.clock.advance(2 * every)
    assert await sweeps.run() == 0
    assert world.told == told


async def test_a_release_is_seen_on_its_day_when_there_is_a_certificate(world):
    await world.open("p1", SERVING)
    world.says("justice", "p1", releaseDate=date(2026, 7, 12))
    sweeps = world.sweeps()
    await sweeps.run()
    world.clock.advance(3 * 86_400)
    assert await sweeps.run() == 0
    world.says("justice", "p1", **RELEASE)
    world.clock.advance(310)
    assert await sweeps.run() == 1
    case = await world.case("p1")
    assert case.course.state == "RELEASED"
    assert case.facts.released == date(2026, 7, 12)
    assert not [step.flags for step in case.course.steps if step.event.kind == "RELEASED" and step.flags]


async def test_relief_that_ends_becomes_a_task(world):
    await world.open("p1", OUTSIDE)
    names = LAYOUTS["civil-affairs"].inner("reliefCases")
    row = {"validTo": date(2026, 8, 1), "decision": "GRANTED"}
    refused = {"validTo": date(2026, 12, 1), "decision": "REFUSED"}
    world.says("civil-affairs", "p1", reliefCases=[[each.get(name) for name in names] for each in (row, refused)])
    assert await world.sweeps().run() == 1
    async with world.store.read() as connection:
        steps = set((await connection.execute(select(case_deadline.c.step))).scalars())
    assert "RELIEF_RENEWED" in steps


async def test_what_was_so_before_is_no_change_but_a_death_counts_at_first_sight(world):
    for person in ("p1", "p2"):
        await world.open(person, OUTSIDE)
    world.says("police", "p1", inCustody=True, householdRestored=True)
    world.says("police", "p2", deceased=True)
    assert await world.sweeps().run() == 1
    assert await world.kinds("p1") == []
    assert await world.kinds("p2") == ["DECEASED"]


async def test_custody_twice_is_told_twice(world):
    await world.open("p1", OUTSIDE)
    sweeps = world.sweeps()
    for held in (False, True, False, True):
        world.says("police", "p1", inCustody=held)
        await sweeps.run()
        world.clock.advance(310)
    assert await world.kinds("p1") == ["CUSTODY_SEEN", "CUSTODY_SEEN"]


async def test_a_release_of_an_earlier_case_is_not_this_ones(world):
    await world.open("p1", SERVING)
    world.says("justice", "p1", releaseDate=date(2020, 1, 1), releaseCertificateNo=b"old")
    assert await world.sweeps().run() == 0


async def test_a_source_that_is_down_loses_nothing_and_is_asked_again_soon(world):
    await world.open("p1", OUTSIDE)
    world.says("tax", "p1", employedThisMonth=False)
    sweeps = world.sweeps()
    await sweeps.run()
    world.says("tax", "p1", employedThisMonth=True)
    world.sources["tax"].state = SourceState.DOWN
    world.clock.advance(901)
    assert await sweeps.run() == 0
    world.sources["tax"].state = SourceState.OK
    world.clock.advance(61)
    assert await sweeps.run() == 1


async def test_a_sweep_asks_in_batches_for_what_it_watches_and_notes_it_first(world):
    for number in range(7):
        await world.open(f"p{number}", OUTSIDE)
    await world.open("vaulted", OUTSIDE)
    await world.open("gone", [*OUTSIDE, event("DECEASED", "2026-07-03")])
    small = [type(each)(**{**{name: getattr(each, name) for name in each.__slots__}, "batch": 3}) for each in WATCHES]
    sweeps = world.sweeps()
    sweeps._watches = small
    await sweeps.run()
    asked = world.sources["tax"].asked
    assert [len(fetch.keys) for fetch in asked] == [3, 3, 1]
    assert {key for fetch in asked for key in fetch.keys} == {f"k-p{number}" for number in range(7)}
    assert {name for fetch in asked for part in fetch.parts for name in part.coordinates} == {
        "TaxRecord.employedThisMonth"
    }
    noted = [persons for agency, persons, _ in world.noted if agency == "tax"]
    assert [len(persons) for persons in noted] == [3, 3, 1]


async def test_nothing_of_what_was_seen_is_kept(world):
    await world.open("p1", OUTSIDE)
    await world.open("p2", OUTSIDE)
    for person in ("p1", "p2"):
        world.says("justice", person, releaseDate=date(2026, 7, 1))
    await world.sweeps().run()
    async with world.store.read() as connection:
        rows = (await connection.execute(select(watch_state))).all()
    assert len({row.digest for row in rows}) == len(rows)  # not even that two are alike
    assert "2026-07-01" not in str(rows)


async def test_many_sweep_at_once_with_one_effect(world):
    for number in range(5):
        await world.open(f"p{number}", OUTSIDE)
        world.says("police", f"p{number}", inCustody=False)
    await world.sweeps().run()
    for number in range(5):
        world.says("police", f"p{number}", inCustody=True)
    world.clock.advance(310)
    watch = next(each for each in WATCHES if each.agency == "police")
    await asyncio.gather(*(world.sweeps()._agency(watch) for _ in range(3)))  # as when a turn was held too long
    for number in range(5):
        assert await world.kinds(f"p{number}") == ["CUSTODY_SEEN"]
    assert len([each for each in world.told if each[1] == "case.CUSTODY_SEEN"]) == 5


PASSAGES = [1 + kill % 4 for kill in range(50)] if FULL else [2, 3]
"""At which passage of a place each of the kills comes."""
SWEEPER = """
import asyncio, sys
from datetime import timedelta
from hub.clock import FixedClock
from hub.store.engine import open_store
from tests.casework.test_sweeps import START, World

async def main():
    world = World(open_store(sys.argv[1]), FixedClock(START + timedelta(seconds=int(sys.argv[2]))))
    for number in range(4):
        world.says("police", f"p{number}", inCustody=True)
    await world.sweeps().run()

asyncio.run(main())
"""


@pytest.mark.parametrize("passage", PASSAGES)
@pytest.mark.parametrize("point", ["before-commit", "after-commit"])
async def test_a_sweep_that_is_killed_loses_and_doubles_nothing(store, store_url, point, passage):
    world = World(store)
    for number in range(4):
        await world.open(f"p{number}", OUTSIDE)
        world.says("police", f"p{number}", inCustody=False)
    await world.sweeps().run()
    command = [sys.executable, "-c", SWEEPER, store_url]
    environment = {**os.environ, "HUB_FAILPOINT": f"sweeps.{point}:{passage}"}
    killed = subprocess.run([*command, "301"], env=environment, capture_output=True, text=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    done = passage if point == "after-commit" else passage - 1
    assert sum([len(await world.kinds(f"p{number}")) for number in range(4)]) == done
    subprocess.run([*command, "370"], capture_output=True, text=True, check=True)  # the turn is free after a minute
    assert [await world.kinds(f"p{number}") for number in range(4)] == [["CUSTODY_SEEN"]] * 4


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        (('field = "inCustody"', 'field = "inHeaven"'), "inHeaven"),
        (('event = "CUSTODY_SEEN"', 'event = "SEEN"'), "SEEN"),
        (('test = "WITHIN"', 'test = "SOON"'), "SOON"),
        (("batch = 1000", "batch = 100000"), "out of bounds"),
        (('type = "TaxRecord"', 'type = "PoliceRecord"'), "unknown field|another agency"),
        (('where = { decision = "GRANTED" }', 'where = { verdict = "GRANTED" }'), "verdict"),
        (('from = ["HANDED_OVER",', 'from = ["HANDED_UNDER",'), "HANDED_UNDER"),
        (("days = 30", "weeks = 4"), "weeks"),
        (('event = "RELIEF_ENDING"', 'event = "VISITED"'), "RELIEF_ENDING"),
    ],
)
def test_a_wrong_watch_is_refused(tmp_path, change, wrong):
    text = WATCHERS_FILE.read_text("utf-8")
    assert change[0] in text
    path = tmp_path / "watchers.toml"
    path.write_text(text.replace(*change), "utf-8")
    with pytest.raises(CaseworkRulesError, match=wrong):
        read_watchers(catalogue(), WORKFLOW, path)
