"""Who may open a connection: strangers cannot keep out whom the hub knows, and whoever is refused leaves a trace."""

from contextlib import AsyncExitStack

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
