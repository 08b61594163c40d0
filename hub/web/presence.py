"""Nobody works for a caller who is gone: what runs for one is cancelled, down to the agencies' connections."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from starlette.types import Receive

WATCH_AFTER_S = 0.05
AGAIN_AFTER_S = 0.05
Result = TypeVar("Result")


class CallerGoneError(Exception):
    """The connection ended before there was an answer."""


async def until_gone(receive: Receive) -> None:
    """Until the caller goes away. A server may answer `receive` at once and without end; others get their turn."""
    while (await receive())["type"] != "http.disconnect":  # noqa: ASYNC110  # no event tells it
        await asyncio.sleep(AGAIN_AFTER_S)


async def while_present(receive: Receive, work: Awaitable[Result], *, after_s: float = WATCH_AFTER_S) -> Result:
    """The result of `work`, which is cancelled if the caller goes away. The request's body has been read.

    Watching begins after a moment: most answers are made sooner, and a watcher for each would cost more than it saves.

    Raises:
        CallerGoneError: the caller went away.
    """
    loop = asyncio.get_running_loop()
    mine = asyncio.current_task()
    assert mine is not None
    gone = False
    watchers: list[asyncio.Task[None]] = []

    async def watch() -> None:
        nonlocal gone
        await until_gone(receive)
        gone = True
        mine.cancel()

    timer = loop.call_later(after_s, lambda: watchers.append(loop.create_task(watch())))
    try:
        return await work
    except asyncio.CancelledError:
        if not gone:
            raise
        mine.uncancel()
        raise CallerGoneError from None
    finally:
        timer.cancel()
        for watcher in watchers:
            watcher.cancel()
