"""Above a case: orders on late tasks and their replies, corrections by owners, bases that are never overfull, webhooks."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from hub.audit.log import AuditLog
from hub.auth.facts import Facts
from hub.bootstrap.desk import owners
from hub.casework.bases import BaseDesk
from hub.casework.calendar_reader import read_calendar
from hub.casework.case_desk import CaseDesk
from hub.casework.case_store import CaseStore, NewEvent
from hub.casework.commands import Call, Subject
from hub.casework.deadline import DueUnit
from hub.casework.deadline_reader import read_deadlines
from hub.casework.notices import of_event
from hub.casework.oversight import OversightDesk
from hub.casework.oversight_lists import OversightLists, TooManyError
from hub.casework.oversight_tables import correction, supervision_order
from hub.casework.queries import CaseQueries, TaskFilter
from hub.casework.runner import Runner
from hub.casework.verbs import read_verbs
from hub.casework.webhook_desk import WebhookDesk
from hub.casework.workflow_reader import read_workflow
from hub.clock import FixedClock, today
from hub.crypto.opener import Opener
from hub.crypto.sealing import Sealer
from hub.events.tables import outbox
from hub.events.webhooks import Webhooks
from hub.gateway.survivorship import read_survivorship
from hub.identity.tables import case_reference
from tests.auth.parts import catalogue, judge
from tests.casework.cases import COUNTY, OFFICE, OTHER, PRISON, event
from tests.casework.parts import NAMES, PLACES, RING, code, officer

WORKFLOW = read_workflow()
OFFICER = officer(regions=("360702001",))
ELSEWHERE = officer("2009", regions=("360104001",))
HIGHER = officer("3001", "county-office", regions=("360702",))
PROVINCE = officer("4001", "province-office", regions=("36",))
POLICE = officer("5001", "police-station", "police", ("360702",))
LATE = [
    event("ADMITTED", "2024-03-01", PRISON, plannedRelease="2026-07-01"),
    event("DISPATCHED", "2026-05-27", COUNTY, office=OFFICE),
    event("ACKNOWLEDGED", "2026-05-28", OFFICE),
    event("RELEASED", "2026-07-01", PRISON),
    event("HANDED_OVER", "2026-07-01"),
]


class World:
    def __init__(self, store):
        self.store, self.clock = store, FixedClock(datetime(2026, 7, 20, 2, tzinfo=UTC))
        self.cases = CaseStore(WORKFLOW, read_deadlines(WORKFLOW), read_calendar())
        told = owners(catalogue(), read_survivorship(catalogue()))
        bases = BaseDesk(self.cases, judge(), NAMES)
        desk = CaseDesk(self.cases, read_verbs(WORKFLOW), judge(), NAMES, follow=(bases.follow,))
        self.webhooks = Webhooks(store, Sealer(RING), Opener(RING), self.clock, hosts=frozenset({"push.example.cn"}))
        commands = (
            *desk.commands(),
            *bases.commands(),
            *OversightDesk(self.cases, judge(), NAMES, told).commands(),
            *WebhookDesk(self.webhooks, PLACES).commands(),
        )
        log = AuditLog(store, self.clock)
        self.runner = Runner(
            commands, store=store, log=log, rules=judge(), sealer=Sealer(RING), names=NAMES, clock=self.clock
        )
        self.lists = OversightLists(store, self.cases, Opener(RING))
        self.number = 0

    async def open(self, person, events=LATE):
        async with self.store.write() as connection:
            news = [NewEvent(event=each) for each in events]
            await self.cases.add(connection, person, f"c-{person}", news, entry_id="e", now_us=1)
        return f"c-{person}"

    async def send(self, verb, who=OFFICER, purpose="HANDOVER", /, *, id=None, **given):
        self.number += 1
        person = str(given.get("case", "c-")).partition(".")[0][2:]
        about = Subject(key="k", member=person, number=None, facts=Facts()) if person else None
        call = Call(
            name=verb,
            mutation_id=id or str(self.number),
            given=given,
            principal=who,
            purpose=purpose,
            request_id="r",
            subject=about,
        )
        return await self.runner.run(call)

    async def told(self, kind):
        async with self.store.read() as connection:
            rows = await connection.execute(select(outbox).where(outbox.c.kind == kind))
            return [(row.recipient, row.office) for row in rows]


@pytest.fixture
async def world(store):
    return World(store)


async def test_an_order_on_a_late_task_is_replied_to_by_the_office(world):
    case = await world.open("p1")
    done = await world.send("issueSupervisionOrder", HIGHER, case=case, step="FILE", text="请三日内建档")
    assert done.problem is None, done.problem
    order = done.receipt["id"]
    assert await world.told("supervision.order") == [("justice", OFFICE)]
    (view,) = await world.lists.orders(("360702",), only_open=True, today=today(world.clock))
    assert (view.text, view.office, view.overdue, view.reply) == ("请三日内建档", OFFICE, False, None)
    assert (await world.lists.orders(("360703",), only_open=True, today=today(world.clock))) == ()
    world.clock.advance(8 * 86_400)
    (view,) = await world.lists.orders(("36",), only_open=True, today=today(world.clock))
    assert view.overdue
    assert code(await world.send("replySupervisionOrder", ELSEWHERE, case=case, order=order, text="x")) == "NOT_FOUND"
    assert code(await world.send("replySupervisionOrder", HIGHER, case=case, order=order, text="x")) == "NOT_FOUND"
    assert (await world.send("replySupervisionOrder", case=case, order=order, text="已建档")).receipt[
        "state"
    ] == "REPLIED"
    assert code(await world.send("replySupervisionOrder", case=case, order=order, text="x")) == "ALREADY_DECIDED"
    assert await world.told("supervision.reply") == [("justice", COUNTY)]
    assert await world.lists.orders(("36",), only_open=True, today=today(world.clock)) == ()
    async with world.store.read() as connection:
        row = (await connection.execute(select(supervision_order))).one()
    assert "建档".encode() not in row.text_sealed + row.reply_sealed


async def test_an_order_needs_a_late_task_and_a_higher_office(world):
    case = await world.open("p1")
    assert code(await world.send("issueSupervisionOrder", OFFICER, case=case, step="FILE", text="x")) in (
        "FORBIDDEN",
        "NOT_FOUND",
    )
    assert (
        code(await world.send("issueSupervisionOrder", HIGHER, case=case, step="CLOSING", text="x")) == "INVALID_INPUT"
    )
    assert code(await world.send("issueSupervisionOrder", HIGHER, case=case, step="FILE", text=" ")) == (
        "INVALID_INPUT"
    )
    past = {"case": case, "step": "FILE", "text": "x", "due": "2026-07-01"}
    assert code(await world.send("issueSupervisionOrder", HIGHER, **past)) == "INVALID_INPUT"
    other = officer("3002", "county-office", regions=("360703",))
    assert code(await world.send("issueSupervisionOrder", other, case=case, step="FILE", text="x")) == "NOT_FOUND"


async def test_the_province_is_told_when_a_case_has_been_returned_too_often(world):
    events = LATE[:2]
    for number in range(3):
        events = [*events, event("NOT_OURS", f"2026-06-0{number + 1}", OFFICE)]
        events = [*events, event("DISPATCHED", f"2026-06-1{number + 1}", COUNTY, office=OTHER)]
    case = await world.open("p1", events)
    async with world.store.read() as connection:
        held = await world.cases.load(connection, "p1", case, lock=False)
    returned = [each for each in events if each.kind == "NOT_OURS"]
    assert "province-office/360000" in {notice.office for notice in of_event(held, returned[-1])}
    few = await world.open("p2", [each for each in events if each is not returned[0]])
    async with world.store.read() as connection:
        held = await world.cases.load(connection, "p2", few, lock=False)
    assert "province-office/360000" not in {notice.office for notice in of_event(held, returned[-1])}


async def test_a_fact_is_corrected_by_its_owner_alone(world):
    case = await world.open("p1")
    wrong = {"case": case, "coordinate": "PoliceRecord.registeredAddress", "reason": "门牌号有误"}
    done = await world.send("requestCorrection", **wrong)
    assert done.problem is None, done.problem
    request = done.receipt["id"]
    assert await world.told("correction.requested") == [("police", "police-station/360702")]
    async with world.store.read() as connection:
        named = (await connection.execute(select(case_reference.c.case_id, case_reference.c.agency))).all()
    assert (f"{case}.police-station", "police") in {tuple(row) for row in named}
    ask = {"only_open": True, "today": today(world.clock) + timedelta(days=16)}
    (view,) = await world.lists.corrections("police", "police-station", ("360702",), **ask)
    assert (view.reason, view.state, view.overdue) == ("门牌号有误", "OPEN", True)
    assert await world.lists.corrections("police", "police-station", ("360703",), **ask) == ()
    assert await world.lists.corrections("civil-affairs", "civil-affairs", ("36",), **ask) == ()
    answer = {"correction": request, "outcome": "CORRECTED", "text": "已更正"}
    far = officer("5002", "police-station", "police", ("360703",))
    assert code(await world.send("answerCorrection", far, "RISK_CONTROL", **answer)) == "NOT_FOUND"
    assert code(await world.send("answerCorrection", officer("1", "prison", regions=("36",)), **answer)) == "NOT_FOUND"
    assert (await world.send("answerCorrection", POLICE, "RISK_CONTROL", **answer)).receipt["state"] == "CORRECTED"
    assert code(await world.send("answerCorrection", POLICE, "RISK_CONTROL", **answer)) == "ALREADY_DECIDED"
    assert await world.told("correction.answered") == [("justice", OFFICE)]
    async with world.store.read() as connection:
        row = (await connection.execute(select(correction))).one()
    assert "门牌".encode() not in row.reason_sealed


@pytest.mark.parametrize("coordinate", ["TaxRecord.taxpayerNo", "Person.name", "Nothing.atAll"])
async def test_who_must_not_learn_of_a_case_is_not_asked(world, coordinate):
    case = await world.open("p1")
    done = await world.send("requestCorrection", case=case, coordinate=coordinate, reason="x")
    assert code(done) == "INVALID_INPUT"
    assert code(await world.send("requestCorrection", ELSEWHERE, case=case, coordinate=coordinate, reason="x")) == (
        "NOT_FOUND"
    )


def base_of(**more):
    given = {"base": "B-1", "name": "基地", "region": "360702", "capacity": 1, "certifiedUntil": "2027-01-01"}
    return {**given, **more}


async def test_a_full_base_takes_nobody_and_the_first_who_waits_is_told(world):
    cases = [await world.open(f"p{number}") for number in range(3)]
    assert (await world.send("registerBase", HIGHER, "PLACEMENT", **base_of())).receipt["occupied"] == 0
    place = {"kind": "CERTIFIED_BASE", "base": "B-1"}
    assert (await world.send("placePerson", case=cases[0], **place)).problem is None
    assert code(await world.send("placePerson", case=cases[1], **place)) == "CAPACITY_FULL"
    for case in (cases[2], cases[1], cases[2]):
        done = await world.send("waitForBase", OFFICER, "PLACEMENT", case=case, base="B-1")
        assert done.problem is None, done.problem
        world.clock.advance(1)
    (view,) = await world.lists.bases("3607")
    assert (view.capacity, view.occupied, view.waiting) == (1, 1, 2)
    assert (await world.send("endPlacement", case=cases[0], base="B-1")).problem is None
    assert await world.told("base.free") == [("justice", OFFICE)]
    assert (await world.send("placePerson", case=cases[2], **place)).problem is None
    (view,) = await world.lists.bases("3607")
    assert (view.occupied, view.waiting) == (1, 1)
    assert (await world.send("recordDeath", case=cases[2], source="FAMILY")).problem is None
    (view,) = await world.lists.bases("3607")
    assert (view.occupied, view.waiting) == (0, 1)


async def test_two_offices_cannot_give_the_last_place(world):
    cases = [await world.open(f"p{number}") for number in range(4)]
    await world.send("registerBase", HIGHER, "PLACEMENT", **base_of(capacity=2))
    given = [world.send("placePerson", case=case, kind="CERTIFIED_BASE", base="B-1") for case in cases]
    codes = [code(done) for done in await asyncio.gather(*given)]
    assert sorted(map(str, codes)) == ["CAPACITY_FULL", "CAPACITY_FULL", "None", "None"]
    (view,) = await world.lists.bases("36")
    assert view.occupied == 2


async def test_a_base_is_certified_known_and_its_countys(world):
    case = await world.open("p1")
    assert code(await world.send("placePerson", case=case, kind="OTHER", base="B-1")) == "INVALID_INPUT"
    await world.send("registerBase", HIGHER, "PLACEMENT", **base_of(certifiedUntil="2026-07-20"))
    assert code(await world.send("placePerson", case=case, kind="CERTIFIED_BASE", base="B-1")) == "INVALID_INPUT"
    assert (await world.send("placePerson", case=case, kind="GOVERNMENT_BASE", base="B-1")).problem is None
    assert code(await world.send("registerBase", HIGHER, "PLACEMENT", **base_of(capacity=0))) == "INVALID_INPUT"
    assert code(await world.send("registerBase", HIGHER, "PLACEMENT", **base_of(region="360104"))) == "INVALID_INPUT"
    other = officer("3002", "county-office", regions=("360703",))
    assert code(await world.send("registerBase", other, "PLACEMENT", **base_of(region="360703"))) == "INVALID_INPUT"
    assert code(await world.send("registerBase", OFFICER, "PLACEMENT", **base_of())) == "FORBIDDEN"
    assert code(await world.send("waitForBase", ELSEWHERE, "PLACEMENT", case=case, base="B-1")) == "NOT_FOUND"


async def test_webhooks_are_an_agencys_own(world):
    url = "https://push.example.cn/hub"
    done = await world.send("registerWebhook", POLICE, "RISK_CONTROL", id="w", url=url, kinds=["case."])
    hook = done.receipt["id"]
    secret = await world.webhooks.secret(hook)
    assert secret not in str(done.receipt)
    assert await world.send("registerWebhook", POLICE, "RISK_CONTROL", id="w", url=url, kinds=["case."])
    (endpoint,) = await world.webhooks.endpoints("police")  # the same command again registers nothing
    assert (endpoint.url, endpoint.kinds, endpoint.regions) == (url, ("case.",), ("360702",))
    assert (await world.send("enableWebhook", POLICE, "RISK_CONTROL", webhook=hook)).problem is None
    assert (await world.send("replayWebhook", POLICE, "RISK_CONTROL", webhook=hook, after="0")).receipt["count"] == 0
    civil = officer("6001", "civil-affairs", "civil-affairs", ("360702",))
    assert code(await world.send("enableWebhook", civil, "RELIEF", webhook=hook)) == "NOT_FOUND"
    assert code(await world.send("replayWebhook", civil, "RELIEF", webhook=hook, after="0")) == "NOT_FOUND"
    assert code(await world.send("replayWebhook", POLICE, "RISK_CONTROL", webhook=hook, after="x")) == "INVALID_INPUT"
    bad = "http://169.254.169.254/"
    assert code(await world.send("registerWebhook", POLICE, "RISK_CONTROL", url=bad)) == "INVALID_INPUT"
    assert code(await world.send("registerWebhook", OFFICER, url=url)) == "FORBIDDEN"
    nowhere = officer("5009", "police-station", "police", ())
    assert code(await world.send("registerWebhook", nowhere, "RISK_CONTROL", url=url)) == "FORBIDDEN"


async def test_the_day_of_an_office_counts_its_own_tasks(world):
    await world.open("p1")
    await world.open("p2", LATE[:2])
    queries, day = CaseQueries(world.store), today(world.clock)
    of_office = await queries.lights(TaskFilter(regions=("36",), role="judicial-office"), day)
    of_prison = await queries.lights(TaskFilter(regions=("36",), role="prison"), day)
    total = await queries.lights(TaskFilter(regions=("36",)), day)
    assert "FILE" in of_office
    assert of_prison
    count = [sum(sum(of.values()) for of in found.values()) for found in (of_office, of_prison, total)]
    assert count[0] + count[1] == count[2]


async def test_a_forecast_counts_what_falls_due_and_a_simulation_writes_nothing(world):
    for number in range(3):
        await world.open(f"p{number}")
    day = today(world.clock)
    found = {each.step: each for each in await world.lists.due(("36",), "360702", day, 30)}
    assert found["FILE"].overdue == 3
    assert all(day <= each.day < day + timedelta(days=30) for step in found.values() for each in step.days)
    assert await world.lists.due(("360703",), "360702", day, 30) == ()
    view = await world.lists.what_if(("36",), "360702", "FILE", 60, DueUnit.DAY, day)
    assert (view.cases, view.earlier, view.later, view.red_now, view.red_then) == (3, 0, 3, 3, 0)
    with pytest.raises(LookupError):
        await world.lists.what_if(("36",), "360702", "NO_SUCH_STEP", 3, DueUnit.DAY, day)
    assert {each.step: each for each in await world.lists.due(("36",), "360702", day, 30)} == found


async def test_a_simulation_over_too_many_cases_is_refused(world, monkeypatch):
    monkeypatch.setattr("hub.casework.oversight_lists.MAX_SIMULATED", 2)
    for number in range(3):
        await world.open(f"p{number}")
    with pytest.raises(TooManyError):
        await world.lists.what_if(("36",), "36", "FILE", 3, DueUnit.DAY, today(world.clock))
