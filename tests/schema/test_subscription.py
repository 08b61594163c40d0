"""Subscriptions: each event once and in order, judged anew, its entry durable first, ended by the token's end."""

import asyncio
import json
from contextlib import aclosing

import pytest

from hub.audit.log import AuditLog
from hub.audit.reader import dump
from hub.auth.principal import Principal
from hub.crypto.pairwise import PairwiseIds
from hub.domain.catalogue_reader import read_catalogue
from hub.domain.codes_reader import read_codes
from hub.errors import (
    AuditUnavailableError,
    PurposeNotAllowedError,
    PurposeRequiredError,
    RateLimitedError,
    StoreError,
)
from hub.events.outbox import Feed, Sequencer, put
from hub.events.places import Places
from hub.rules import build_schema
from hub.schema.cost import CostModel
from hub.schema.course import Clerk, Course
from hub.schema.documents import Documents
from hub.schema.operations import VariablesError
from hub.schema.request import GraphQLRequest
from hub.schema.seats import Seats
from hub.schema.subscription import EventParts, Events, Pulse
from hub.schema.weights import Weights
from tests.auth.parts import judge

SCHEMA = build_schema(read_catalogue(read_codes()), read_codes())
DOCUMENTS = Documents(SCHEMA, CostModel(SCHEMA, Weights(prices={}, sizes={}, asks={}, witnesses={})))
PLACES = Places(PairwiseIds(b"p" * 32))
CASES = "subscription { caseEvents { kind case office position } }"
TASKS = "subscription { taskEvents { kind case } }"


class Rules:
    """The shipped rules as a judge of their own, until a test takes them away."""

    def __init__(self):
        self.closed = False
        self.policy_digest = judge().policy_digest

    @property
    def current(self):
        return self

    def may(self, *given, **more):
        return () if self.closed else judge().may(*given, **more)


class World:
    def __init__(self, store, clock):
        self.store, self.clock, self.rules = store, clock, Rules()
        self.log = AuditLog(store, clock)
        self.clerk = Clerk(self.log, CostModel(SCHEMA, Weights(prices={}, sizes={}, asks={}, witnesses={})), clock)
        self.pauses = 0
        self.disabled = set()
        self.seats = Seats(each=2, total=3)

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

    def events(
        self, text=CASES, *, purpose="HANDOVER", role="judicial-office", agency="justice", expires=3600, variables=None
    ):
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
        given = variables or {}
        request = GraphQLRequest(query=text, request_id="r", purpose=purpose, events=True, variables=given)
        prepared = DOCUMENTS.prepare(text, None, given)
        course = Course(principal=principal, request=request, started=0.0, prepared=prepared, judge=judge())

        async def pause(_seconds):
            self.pauses += 1
            self.clock.advance(60)
            await asyncio.sleep(0)

        feed = Feed(self.store)
        parts = EventParts(
            feed=feed,
            places=PLACES,
            pulse=Pulse(feed, self.clock),
            policies=self.rules,
            clock=self.clock,
            purposes=frozenset({"HANDOVER"}),
            disabled=self.disabled,
            seats=self.seats,
            pause=pause,
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
    events = world.events(expires=10**9)  # each look at the feed is a minute of the clock
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


async def test_a_client_that_is_switched_off_is_told_no_more(world):
    await world.tell("case.VISITED")
    await world.tell("case.PLACED")
    events = world.events('subscription { caseEvents(after: "0") { kind } }')
    events.start("first")
    stream = aiter(events)
    await anext(stream)
    world.disabled.add("c")
    with pytest.raises(StopAsyncIteration):
        await anext(stream)


async def test_an_officer_has_so_many_subscriptions_and_gets_a_seat_back(world):
    held = [world.events() for _ in range(2)]
    for each in held:
        each.open()
    with pytest.raises(RateLimitedError):
        world.events().open()
    await held[0].aclose()
    await held[0].aclose()
    world.events().open()


async def test_a_store_that_does_not_answer_for_a_while_loses_no_event(world):
    await world.tell("case.VISITED")
    events = world.events('subscription { caseEvents(after: "0") { kind } }')
    whole, failed = events._parts.feed.after, []

    async def after(*given, **more):
        if len(failed) < 3:
            failed.append(1)
            raise StoreError("does not answer")
        return await whole(*given, **more)

    events._parts.feed.after = after
    (only,) = await payloads(events, 1)
    assert (only["data"]["caseEvents"]["kind"], len(failed)) == ("case.VISITED", 3)


async def test_a_subscription_goes_on_after_a_place_of_its_reader_and_after_no_other(world):
    await world.tell("case.VISITED")
    await world.tell("case.PLACED")
    text = 'subscription { caseEvents(after: "%s") { kind position } }'
    first, _ = await payloads(world.events(text % "0"), 2)
    place = first["data"]["caseEvents"]["position"]
    (second,) = await payloads(world.events(text % place), 1)
    assert second["data"]["caseEvents"]["kind"] == "case.PLACED"
    for foreign in ("1", "x", PLACES.seal("police", 1)):
        (refused,) = await payloads(world.events(text % foreign), 1)
        assert refused["errors"][0]["extensions"]["code"] == "BAD_REQUEST"


async def test_rules_are_asked_again_before_each_event(world):
    await world.tell("case.VISITED")
    await world.tell("case.PLACED")
    await world.tell("case.ENDED")
    events = world.events('subscription { caseEvents(after: "0") { kind } }')
    assert events.permitted()
    events.start("first")
    stream = aiter(events)
    assert json.loads(await anext(stream))["data"]["caseEvents"]["kind"] == "case.VISITED"
    world.rules.policy_digest = "later"
    changed = json.loads(await anext(stream))["extensions"]["hub"]["auditEntry"]
    assert [each["policyDigest"] async for each in dump(world.store) if each["id"] == changed] == ["later"]
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


async def test_a_store_that_does_not_answer_at_the_beginning_is_waited_for(world):
    events = world.events(expires=10**9)
    whole, failed = events._parts.feed.head, []

    async def head():
        if len(failed) < 3:
            failed.append(1)
            raise StoreError("does not answer")
        return await whole()

    events._parts.feed.head = head
    events.start("first")
    stream = aiter(events)
    waiting = asyncio.ensure_future(anext(stream))
    while world.pauses < 6 and not waiting.done():
        await asyncio.sleep(0.01)
    await world.tell("case.PLACED")
    assert json.loads(await waiting)["data"]["caseEvents"]["kind"] == "case.PLACED"
    await stream.aclose()


async def test_a_place_of_somebody_else_is_a_refusal_with_an_entry(world):
    (refused,) = await payloads(world.events('subscription { caseEvents(after: "x") { kind } }'), parent="the-parent")
    entry = refused["extensions"]["hub"]["auditEntry"]
    (found,) = [each async for each in dump(world.store)]
    assert (found["id"], found["parent"], found["outcome"], found["code"]) == (
        entry,
        "the-parent",
        "DENIED",
        "BAD_REQUEST",
    )


async def test_an_event_that_the_rules_permit_no_more_is_a_denial_with_an_entry(world):
    await world.tell("case.VISITED")
    await world.tell("case.PLACED", person="p2")
    events = world.events('subscription { caseEvents(after: "0") { kind } }')
    events.start("the-parent")
    stream = aiter(events)
    await anext(stream)
    world.rules.closed = True
    world.rules.policy_digest = "later"
    with pytest.raises(StopAsyncIteration):
        await anext(stream)
    _, denied = [each async for each in dump(world.store)]
    assert (denied["outcome"], denied["code"], denied["parent"]) == ("DENIED", "FORBIDDEN", "the-parent")
    assert (denied["policyDigest"], denied["persons"]) == ("later", [])


async def test_what_a_subscription_was_sent_and_does_not_use_is_not_kept(world):
    text = "subscription ($after: String) { caseEvents(after: $after) { kind } }"
    events = world.events(text, variables={"after": "0", "other": ["x"] * 1_000})
    assert (events._course.request.query, dict(events._course.request.variables)) == ("", {"after": "0"})
    await world.tell("case.VISITED")
    assert len(await payloads(events, 1)) == 1


async def test_variables_that_do_not_fit_are_refused_before_anything_is_open(world):
    text = "subscription ($after: String) { caseEvents(after: $after) { kind } }"
    with pytest.raises(VariablesError):
        world.events(text, variables={"after": 5}).check()
    world.events(text, variables={"after": None}).check()
    (refused,) = await payloads(world.events(text, variables={"after": 5}))  # whoever opens it all the same
    assert refused["errors"][0]["extensions"]["code"] == "BAD_REQUEST"
    assert [each["id"] async for each in dump(world.store)] == [refused["extensions"]["hub"]["auditEntry"]]
