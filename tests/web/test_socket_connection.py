"""What may come over a WebSocket, and operations that begin, end and begin anew under one id."""

import asyncio
import json
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.clock import FixedClock
from hub.web import socket_connection, socket_endpoint
from hub.web.socket_connection import OPERATIONS, STRANGER_BYTES, STRANGER_MESSAGES, message_of
from hub.web.strict_json import MalformedBodyError
from tests.auth.test_token import NOW
from tests.web.sockets import Door, bearer, settled

GOOD = [
    {"type": "connection_init"},
    {"type": "connection_init", "payload": None},
    {"type": "connection_init", "payload": {"Authorization": "Bearer x"}},
    {"type": "ping"},
    {"type": "pong", "payload": {"at": 1}},
    {"type": "complete", "id": "1"},
    {"type": "subscribe", "id": "e3", "payload": {"query": "{ a }", "variables": None, "operationName": None}},
    {"type": "subscribe", "id": "e3", "payload": {"query": "{ a }", "variables": {"a": [1]}, "extensions": {}}},
]
BAD = [
    "",
    "[]",
    "1",
    '{"type": "ping", "type": "ping"}',
    {"type": "next", "id": "1", "payload": {}},
    {"type": "x" * 200},
    {"type": ["ping"]},
    {"type": "ping", "more": 1},
    {"type": "ping", "payload": []},
    {"type": "complete"},
    {"type": "complete", "id": ["1"]},
    {"type": "complete", "id": ""},
    {"type": "complete", "id": "x" * 65},
    {"type": "complete", "id": "号"},
    {"type": "subscribe", "id": "1"},
    {"type": "subscribe", "id": "1", "payload": None},
    {"type": "subscribe", "payload": {"query": "{ a }"}},
    {"type": "subscribe", "id": "1", "payload": {"query": 1}},
    {"type": "subscribe", "id": "1", "payload": {"query": "{ a }", "variables": []}},
    {"type": "subscribe", "id": "1", "payload": {"query": "{ a }", "extensions": 1}},
    {"type": "subscribe", "id": "1", "payload": {"query": "{ a }", "operationName": 1}},
    {"type": "subscribe", "id": "1", "payload": {"query": "{ a }", "other": 1}},
]


@pytest.mark.parametrize("message", GOOD, ids=str)
def test_a_message_of_the_protocol_is_taken(message):
    assert message_of(json.dumps(message))["type"] == message["type"]


@pytest.mark.parametrize("message", BAD, ids=lambda message: str(message)[:40])
def test_anything_else_is_refused(message):
    with pytest.raises(MalformedBodyError):
        message_of(message if isinstance(message, str) else json.dumps(message))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["type", "id", "payload", "query"]), inner)
    ),
    max_leaves=8,
)


@given(JSON)
def test_no_message_raises_anything_else(message):
    try:
        found = message_of(json.dumps(message))
    except MalformedBodyError:
        return
    assert isinstance(found["type"], str)


async def test_an_operation_over_the_limit_is_an_entry_and_says_which_limit():
    door = Door()
    async with door.opened(Authorization=bearer()) as wire:
        await wire.greeted()
        for number in range(OPERATIONS + 1):
            door.service.held[f"q{number}"] = asyncio.Event()
            wire.ask(f"q{number}", str(number))
        refused = await wire.heard()
        assert (refused["id"], refused["type"]) == (str(OPERATIONS), "error")
        assert refused["payload"][0]["extensions"]["code"] == "RATE_LIMITED"
        assert door.service.codes == ["RATE_LIMITED"]


async def test_what_breaks_the_protocol_is_an_entry_of_who_did_it():
    door = Door()
    async with door.opened(Authorization=bearer()) as wire:
        assert await wire.status() == 101
        wire.ask("q")
        assert await wire.closed() == 4401  # nothing before connection_init
    async with door.opened(Authorization=bearer()) as wire:
        await wire.greeted()
        door.service.held["q"] = asyncio.Event()
        wire.ask("q")
        wire.ask("r")
        assert await wire.closed() == 4409
    async with door.opened(Authorization=bearer()) as wire:
        await wire.greeted()
        wire.say(type="other")
        assert await wire.closed() == 4400
    assert door.service.codes == ["UNAUTHENTICATED", "BAD_REQUEST", "ABORTED", "BAD_REQUEST"]
    assert door.counted == []
    async with door.opened() as wire:
        wire.ask("q")
        assert await wire.closed() == 4401
    assert (len(door.service.entries), door.counted) == (4, ["UNAUTHENTICATED"])


async def test_an_operation_after_the_end_of_the_token_is_an_entry():
    clock = FixedClock(datetime.fromtimestamp(NOW, UTC))
    door = Door(clock)
    async with door.opened(Authorization=bearer(exp=NOW + 60)) as wire:
        await wire.greeted()
        clock.advance(60)
        wire.ask("q")
        assert await wire.closed() == 4403
    assert door.service.codes == ["UNAUTHENTICATED"]


async def test_an_operation_that_is_ended_before_it_began_is_an_entry():
    door = Door()
    door.service.held["q"] = asyncio.Event()
    async with door.opened(Authorization=bearer()) as wire:
        await wire.greeted()
        wire.ask("q")
        wire.say(type="complete", id="1")
        wire.say(type="ping")
        assert await wire.heard() == {"type": "pong"}
    assert door.service.entries == [("8001", "ABORTED", "q")]


@asynccontextmanager
async def succeeded(door):
    """A connection on which `first` was ended, winds down, and is done, after `second` began with its id."""
    service = door.service
    service.let_go.clear()
    for query in ("first", "second"):
        service.held[query] = asyncio.Event()
    async with door.opened(Authorization=bearer()) as wire:
        await wire.greeted()
        wire.ask("first", "a")
        await settled()
        wire.say(type="complete", id="a")
        wire.ask("second", "a")
        await settled()
        service.let_go.set()
        await settled()
        yield wire


async def test_an_operation_that_was_ended_says_nothing_of_another_with_its_id():
    """Nor takes it away: what winds down is not what began since."""
    door = Door()
    service = door.service
    async with succeeded(door) as wire:
        wire.ask("third", "a")
        assert await wire.closed() == 4409  # the second one is there still
    assert service.codes == ["ABORTED", "BAD_REQUEST", "ABORTED"]


async def test_an_operation_that_fails_while_it_winds_down_does_not_end_another_with_its_id():
    door = Door()
    service = door.service
    service.fails = True
    async with succeeded(door) as wire:
        service.held["second"].set()
        assert (await wire.heard())["payload"] == {"data": {"asked": "second"}}
        assert await wire.heard() == {"id": "a", "type": "complete"}


async def test_what_winds_down_counts():
    """Else a client that ends what it asks for and asks anew has the hub do any number of things at once."""
    door = Door()
    service = door.service
    service.let_go.clear()
    async with door.opened(Authorization=bearer()) as wire:
        await wire.greeted()
        for number in range(3 * OPERATIONS):
            service.held[f"q{number}"] = asyncio.Event()
            wire.ask(f"q{number}", str(number))
            wire.say(type="complete", id=str(number))
        refused = await wire.heard()
        assert (refused["id"], refused["type"]) == (str(OPERATIONS), "error")
        assert service.busiest == OPERATIONS


async def test_who_ends_an_operation_may_begin_another_as_soon_as_it_is_wound_down():
    door = Door()
    async with door.opened(Authorization=bearer()) as wire:
        await wire.greeted()
        for number in range(OPERATIONS):
            door.service.held[f"q{number}"] = asyncio.Event()
            wire.ask(f"q{number}", str(number))
        for number in range(OPERATIONS):
            wire.say(type="complete", id=str(number))
            wire.ask(f"r{number}", str(number))
        for number in range(OPERATIONS):
            assert (await wire.heard())["payload"] == {"data": {"asked": f"r{number}"}}
            assert (await wire.heard())["type"] == "complete"


async def test_a_connection_keeps_its_seat_until_everything_of_it_is_wound_down():
    door = Door()
    service = door.service
    service.let_go.clear()
    service.held["q"] = asyncio.Event()
    async with door.opened(Authorization=bearer()) as wire:
        await wire.greeted()
        wire.ask("q")
        await settled()
        wire.say(type="complete", id="1")
        wire.put({"type": "websocket.disconnect", "code": 1000})
        await settled()
        assert not wire.running.done()
        service.let_go.set()
        await asyncio.wait([wire.running], timeout=10)
        assert wire.running.done()


async def test_a_stranger_who_does_not_read_leaves_when_its_time_is_over(monkeypatch):
    """A close that cannot be sent must not keep the place of somebody who would say who he is."""
    monkeypatch.setattr(socket_connection, "INIT_WITHIN", timedelta(milliseconds=50))
    monkeypatch.setattr(socket_connection, "CLOSE_WITHIN_S", 0.05)
    door = Door()
    async with door.opened() as wire:
        assert await wire.status() == 101
        wire.reads.clear()
        wire.say(type="ping")
        await asyncio.wait([wire.running], timeout=10)
        assert wire.running.done()
        assert not door.endpoint._waiting


async def test_who_does_not_read_loses_the_seat_with_the_token(monkeypatch):
    monkeypatch.setattr(socket_connection, "LOOK_AGAIN_S", 0.01)
    monkeypatch.setattr(socket_connection, "CLOSE_WITHIN_S", 0.05)
    clock = FixedClock(datetime.fromtimestamp(NOW, UTC))
    door = Door(clock)
    door.service.held["waits"] = asyncio.Event()
    async with door.opened(Authorization=bearer(exp=NOW + 60)) as wire:
        await wire.greeted()
        wire.reads.clear()
        wire.ask("waits", "1")
        wire.ask("answered", "2")
        await settled()
        clock.advance(60)
        await asyncio.wait([wire.running], timeout=10)
        assert wire.running.done()
        assert sorted(door.service.codes) == ["ABORTED", "OK"]
        assert not door.endpoint._seats._taken


async def test_a_stranger_says_little_until_it_says_who_it_is():
    """What is read of a stranger costs the hub before there is a token."""
    door = Door()
    async with door.opened() as wire:
        wire.say(type="connection_init", payload={"x": "x" * STRANGER_BYTES, "Authorization": bearer()})
        assert await wire.closed() == 4400
    async with door.opened() as wire:
        for _ in range(STRANGER_MESSAGES + 1):
            wire.say(type="ping")
        assert await wire.closed() == 4400
    async with door.opened() as wire:
        await wire.greeted(Authorization=bearer())
        for _ in range(STRANGER_MESSAGES + 1):
            wire.say(type="ping", payload={"x": "x" * STRANGER_BYTES})
        for _ in range(STRANGER_MESSAGES + 1):
            assert await wire.heard() == {"type": "pong"}


async def test_what_connection_init_says_beside_is_not_kept(monkeypatch):
    kept = []
    connection = socket_connection.Connection

    def watched(*given):
        kept.append(connection(*given))
        return kept[0]

    monkeypatch.setattr(socket_endpoint, "Connection", watched)
    async with Door().opened() as wire:
        await wire.greeted(Authorization=bearer(), Large="x" * 10_000)
        assert kept[0].context.connection_params == {}
