"""Who may open a connection: strangers cannot keep out whom the hub knows, and whoever is refused leaves a trace."""

import json
from contextlib import AsyncExitStack

import pytest

from hub.web.socket_endpoint import MAX_WAITING, SOCKETS_PER_OFFICER
from tests.web.sockets import Door, bearer


async def test_strangers_who_say_nothing_keep_out_strangers_only():
    door = Door()
    async with AsyncExitStack() as held:
        for _ in range(MAX_WAITING):
            assert await (await held.enter_async_context(door.opened())).status() == 101
        async with door.opened() as stranger:
            assert await stranger.status() == 429
        assert door.counted == ["RATE_LIMITED"]
        async with door.opened(Authorization=bearer()) as known:
            await known.greeted()


async def test_whom_the_handshake_names_has_a_seat_from_then_on():
    """Else nothing would bound what one client opens and then leaves without a word."""
    door = Door()
    async with AsyncExitStack() as held:
        for _ in range(SOCKETS_PER_OFFICER):
            assert await (await held.enter_async_context(door.opened(Authorization=bearer()))).status() == 101
        async with door.opened(Authorization=bearer()) as one_more:
            assert await one_more.status() == 429
        async with door.opened() as one_more:
            assert await one_more.status() == 101
            one_more.say(type="connection_init", payload={"Authorization": bearer()})
            assert await one_more.closed() == 1013
        async with door.opened(Authorization=bearer("8002")) as another:
            await another.greeted()
    async with door.opened(Authorization=bearer()) as again:
        await again.greeted()


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"Origin": "https://elsewhere.example"}, 403, "FORBIDDEN"),
        ({f"X-{n}": "1" for n in range(101)}, 400, "BAD_REQUEST"),
    ],
    ids=["origin", "headers"],
)
async def test_a_handshake_that_is_refused_is_an_entry_of_whom_it_names(headers, status, code):
    door = Door()
    async with door.opened(Authorization=bearer(), X_Request_Id="mine", **headers) as wire:
        assert await wire.status() == status
        assert json.loads((await wire.next())["body"])["extensions"]["hub"]["auditEntry"] == "entry-1"
    assert door.service.entries == [("8001", code, "mine")]
    assert door.counted == []
    async with door.opened(**headers) as wire:
        assert await wire.status() == status
    assert (len(door.service.entries), door.counted) == (1, [code])


async def test_a_wrong_token_comes_before_everything_else_and_is_counted():
    door = Door()
    async with door.opened(Authorization="Bearer x.y.z", **{f"X-{n}": "1" for n in range(100)}) as wire:
        assert await wire.status() == 401
    assert (door.service.entries, door.counted) == ([], ["UNAUTHENTICATED"])


async def test_a_seat_that_is_refused_is_an_entry():
    door = Door()
    async with AsyncExitStack() as held:
        for _ in range(SOCKETS_PER_OFFICER):
            await (await held.enter_async_context(door.opened(Authorization=bearer()))).greeted()
        async with door.opened(Authorization=bearer()) as wire:
            assert await wire.status() == 429
        async with door.opened(X_Request_Id="mine") as wire:
            wire.say(type="connection_init", payload={"Authorization": bearer()})
            assert await wire.closed() == 1013
    assert [(officer, code) for officer, code, _ in door.service.entries] == [("8001", "RATE_LIMITED")] * 2
    assert door.service.entries[1][2] == "mine"
    assert door.counted == []


@pytest.mark.parametrize(
    "payload", [{"Hub-Case": "a b"}, {"Hub-Case": "x" * 65}, {"Hub-Case": 1}, {"Hub-Purpose": "号"}], ids=str
)
async def test_whoever_is_known_and_says_what_is_malformed_leaves_an_entry(payload):
    door = Door()
    async with door.opened(Authorization=bearer()) as wire:
        wire.say(type="connection_init", payload=payload)
        assert await wire.closed() == 4403
    assert door.service.codes == ["BAD_REQUEST"]
    async with door.opened() as wire:
        wire.say(type="connection_init", payload={"Authorization": bearer(), **payload})
        assert await wire.closed() == 4403
    assert (door.service.codes, door.counted) == (["BAD_REQUEST"] * 2, [])


async def test_another_subprotocol_is_an_entry_of_whom_the_handshake_names():
    door = Door()
    async with door.opened(protocols=("graphql-ws",), Authorization=bearer()) as wire:
        assert await wire.closed() == 4406
    assert door.service.codes == ["NOT_ACCEPTABLE"]
