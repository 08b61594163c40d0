"""Subscriptions: each event once and in order, judged anew, its entry durable first, ended by the token's end."""

import asyncio
import json
from contextlib import aclosing

import pytest

from hub.audit.log import AuditLog
from hub.audit.reader import dump
from hub.auth.principal import Principal
from hub.domain.catalogue_reader import read_catalogue
from hub.domain.codes_reader import read_codes
from hub.errors import AuditUnavailableError, PurposeNotAllowedError, PurposeRequiredError
from hub.events.outbox import Feed, Sequencer, put
from hub.rules import build_schema
from hub.schema.cost import CostModel
from hub.schema.course import Clerk, Course
from hub.schema.documents import Documents
from hub.schema.request import GraphQLRequest
from hub.schema.subscription import EventParts, Events
from hub.schema.weights import Weights
from tests.auth.parts import judge

SCHEMA = build_schema(read_catalogue(read_codes()), read_codes())
DOCUMENTS = Documents(SCHEMA, CostModel(SCHEMA, Weights(prices={}, sizes={}, asks={}, witnesses={})))
CASES = "subscription { caseEvents { kind case office position } }"
TASKS = "subscription { taskEvents { kind case } }"


class Rules:
    """The shipped rules, until a test takes them away."""

    def __init__(self):
        self.closed = False

    def may(self, *given, **more):
        return () if self.closed else judge().may(*given, **more)


class World:
    def __init__(self, store, clock):
        self.store, self.clock, self.rules = store, clock, Rules()
        self.log = AuditLog(store, clock)
        self.clerk = Clerk(self.log, CostModel(SCHEMA, Weights(prices={}, sizes={}, asks={}, witnesses={})), clock)
        self.pauses = 0

    async def tell(self, kind, *, person="p1", office="judicial-office/360702001", recipient="justice"):
        async with self.store.write() as connection:
            await put(
                connection,
                person_key=person,
                recipient=recipient,
                office=office,
                kind=kind,
                body={"case": f"c-{person}"},
                entry_id="e",
                happened_us=0,
            )
        await Sequencer(self.store).run()

    def events(self, text=CASES, *, purpose="HANDOVER", role="judicial-office", agency="justice", expires=3600):
        principal = Principal(
            agency=agency,
            role=role,
            officer="1",
            client="c",
            regions=("360702",),
            purposes=frozenset({"HANDOVER", "TAX_RELIEF"}),
            cases=None,
            token_id="t",
            expires_at=int(self.clock.now().timestamp()) + expires,
        )
        request = GraphQLRequest(query=text, request_id="r", purpose=purpose, incremental=True)
        prepared = DOCUMENTS.prepare(text, None, {})
        course = Course(principal=principal, request=request, started=0.0, prepared=prepared, judge=judge())

        async def pause(_seconds):
            self.pauses += 1
            self.clock.advance(60)
            await asyncio.sleep(0)

        parts = EventParts(
            feed=Feed(self.store), rules=self.rules, clock=self.clock, purposes=frozenset({"HANDOVER"}), pause=pause
        )
        return Events(SCHEMA, parts, self.clerk, course)


@pytest.fixture
async def world(store, clock):
    one = World(store, clock)
    yield one
    await one.log.close()


async def payloads(events, count=99, parent="first"):
    events.start(parent)
    found = []
    async with aclosing(aiter(events)) as stream:
        async for payload in stream:
            found.append(json.loads(payload))
            if len(found) == count:
                break
    return found


async def test_events_come_once_in_order_and_only_those_asked_for(world):
    text = 'subscription { caseEvents(after: "0") { kind case office position } }'
    for kind in ("case.VISITED", "deadline.red", "case.PLACED"):
        await world.tell(kind)
    await world.tell("case.ENDED", office="judicial-office/360703001")
    await world.tell("case.RELEASED", recipient="police", office="police-station/360702")
    await world.tell("case.ENDED", person="p2")
    found = await payloads(world.events(text))
    assert [each["data"]["caseEvents"]["kind"] for each in found] == ["case.VISITED", "case.PLACED", "case.ENDED"]
    assert [each["data"]["caseEvents"]["case"] for each in found] == ["c-p1", "c-p1", "c-p2"]
    tasks = await payloads(world.events('subscription { taskEvents(after: "0") { kind case } }'))
    assert [each["data"] for each in tasks] == [{"taskEvents": {"kind": "deadline.red", "case": "c-p1"}}]


async def test_without_a_place_it_begins_with_what_happens_next(world):
    await world.tell("case.VISITED")
    events = world.events()
    events.start("first")
    stream = aiter(events)
    waiting = asyncio.ensure_future(anext(stream))
    while not world.pauses:
        await asyncio.sleep(0.01)
    await world.tell("case.PLACED")
    assert json.loads(await waiting)["data"]["caseEvents"]["kind"] == "case.PLACED"
    await stream.aclose()


async def test_each_event_has_an_entry_of_its_own_under_that_of_the_subscription(world):
    await world.tell("case.VISITED")
    await world.tell("case.PLACED", person="p2")
    found = await payloads(world.events('subscription { caseEvents(after: "0") { kind } }'), parent="the-parent")
    entries = {entry["id"]: entry async for entry in dump(world.store)}
    named = [entries[each["extensions"]["hub"]["auditEntry"]] for each in found]
    assert [entry["persons"][0]["person"] for entry in named] == ["p1", "p2"]
    assert {entry.get("parent") for entry in named} == {"the-parent"}


async def test_no_entry_no_event(world):
    await world.tell("case.VISITED")
    events = world.events('subscription { caseEvents(after: "0") { kind } }')

    async def record(*_given):
        raise AuditUnavailableError("no log")

    events._clerk.record = record
    (only,) = await payloads(events)
    assert only["data"] is None
    assert only["errors"][0]["extensions"]["code"] == "AUDIT_UNAVAILABLE"


async def test_the_end_of_the_token_ends_it(world):
    events = world.events(expires=150)
    assert await payloads(events) == []
    assert 2 <= world.pauses <= 3
    await world.tell("case.VISITED")
    assert await payloads(world.events('subscription { caseEvents(after: "0") { kind } }', expires=0)) == []


async def test_rules_are_asked_again_before_each_event(world):
    await world.tell("case.VISITED")
    await world.tell("case.PLACED")
    events = world.events('subscription { caseEvents(after: "0") { kind } }')
    assert events.permitted()
    events.start("first")
    stream = aiter(events)
    assert json.loads(await anext(stream))["data"]["caseEvents"]["kind"] == "case.VISITED"
    world.rules.closed = True
    with pytest.raises(StopAsyncIteration):
        await anext(stream)


async def test_who_may_not_read_changes_may_not_subscribe(world):
    assert not world.events(role="tax", agency="tax", purpose="TAX_RELIEF").permitted()
    with pytest.raises(PurposeRequiredError):
        world.events(purpose=None).check()
    with pytest.raises(PurposeNotAllowedError):
        world.events(purpose="TAX_RELIEF").check()
    world.events().check()
