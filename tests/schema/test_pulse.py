"""However many subscriptions look, the feed is asked once in a moment."""

import asyncio

from hub.schema.subscription import Pulse


class Counted:
    def __init__(self):
        self.looks = 0

    async def head(self):
        self.looks += 1
        return self.looks


async def test_many_who_look_at_once_are_one_look(clock):
    feed = Counted()
    pulse = Pulse(feed, clock)
    assert set(await asyncio.gather(*(pulse.head() for _ in range(50)))) == {1}
    clock.advance(1)
    assert await pulse.head() == 2
    clock.advance(-3600)  # a clock that jumps back stops nobody
    assert await pulse.head() == 3
