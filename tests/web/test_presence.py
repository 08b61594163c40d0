import asyncio

import pytest

from hub.web.negotiation import EVENT_STREAM
from hub.web.presence import CallerGoneError, while_present
from hub.web.streaming import FRAMINGS, stream


class Caller:
    """Hands out `http.disconnect` once it has gone."""

    def __init__(self) -> None:
        self.gone = asyncio.Event()
        self.asked = 0

    async def receive(self):
        self.asked += 1
        await self.gone.wait()
        return {"type": "http.disconnect"}


async def test_work_for_who_is_gone_is_cancelled():
    caller, cancelled = Caller(), asyncio.Event()

    async def work():
        caller.gone.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    with pytest.raises(CallerGoneError):
        await while_present(caller.receive, work(), after_s=0)
    assert cancelled.is_set()
    assert asyncio.current_task().cancelling() == 0


async def test_an_answer_made_at_once_watches_nobody():
    caller = Caller()
    assert await while_present(caller.receive, asyncio.sleep(0, "answer"), after_s=60) == "answer"
    assert caller.asked == 0


async def test_a_caller_who_stays_gets_the_answer_and_is_left_alone():
    caller = Caller()
    assert await while_present(caller.receive, asyncio.sleep(0.02, "answer"), after_s=0) == "answer"
    await asyncio.sleep(0)
    assert caller.asked == 1
    assert len(asyncio.all_tasks()) == 1


async def test_a_cancellation_from_elsewhere_stays_one():
    caller = Caller()
    task = asyncio.create_task(while_present(caller.receive, asyncio.sleep(60), after_s=0))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_server_that_says_the_same_again_keeps_nobody_from_working():
    """Servers need not wait between messages; a watcher that never let go would hang every request of the process."""
    asked = 0

    async def receive():
        nonlocal asked
        asked += 1
        assert asked < 1_000, "the watcher does nothing but ask"
        return {"type": "http.request", "body": b"", "more_body": False}

    answer = await while_present(receive, asyncio.sleep(0.05, "answer"), after_s=0)
    assert answer == "answer"
    assert 1 <= asked < 20


async def test_who_goes_after_such_a_message_is_noticed():
    messages = [{"type": "http.disconnect"}, {"type": "http.request", "body": b"", "more_body": False}]

    async def receive():
        return messages.pop()

    with pytest.raises(CallerGoneError):
        await while_present(receive, asyncio.sleep(60), after_s=0)


async def test_a_stream_over_such_a_server_gets_its_turns():
    sent, asked = [], []

    async def receive():
        asked.append(1)
        assert len(asked) < 1_000, "the watcher does nothing but ask"
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        sent.append(message)

    async def payloads():
        for number in range(3):
            await asyncio.sleep(0)
            yield str(number).encode()

    async with asyncio.timeout(30):
        await stream(FRAMINGS[EVENT_STREAM], b"first", payloads(), receive, send)
    assert b"2" in b"".join(message.get("body", b"") for message in sent)
