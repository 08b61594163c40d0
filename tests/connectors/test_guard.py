import asyncio

import pytest

from hub.connectors.base import Fetch, KeyKind, Layout, Part, SourceFailure, SourceState
from hub.connectors.guard import Guard

NOTHING = Layout(fields=())
FETCH = Fetch(parts=(Part(keys=("k",), coordinates=frozenset()),), layout=NOTHING, timeout_s=0.2)


class Source:
    agency = "tax"
    key_kind = KeyKind.IDENTITY_NUMBER

    def __init__(self, behaviour):
        self._behaviour = behaviour
        self.calls = []

    async def fetch(self, fetch):
        self.calls.append(fetch)
        return await self._behaviour()

    def scan(self, coordinates, *, batch):
        raise AssertionError("not asked for")

    async def close(self):
        return None


async def ask(behaviour, clock, fetch=FETCH):
    return await Guard(Source(behaviour), clock=clock, concurrency=2).ask(fetch)


@pytest.mark.parametrize(
    "error", [TypeError("upstream text"), OverflowError("upstream text"), KeyError("upstream text")]
)
async def test_whatever_a_source_breaks_the_answer_is_a_state(error, clock, capsys):
    async def broken():
        raise error

    answer = await ask(broken, clock)
    assert (answer.state, answer.records) == (SourceState.INVALID, {})
    assert "upstream text" not in capsys.readouterr().out


async def test_a_failure_keeps_its_state(clock):
    async def down():
        raise SourceFailure("tax", SourceState.DOWN, "gone")

    assert (await ask(down, clock)).state is SourceState.DOWN


async def test_a_silent_source_is_given_up(clock):
    assert (await ask(lambda: asyncio.sleep(60), clock)).state is SourceState.TIMEOUT


async def test_cancellation_passes_through(clock):
    task = asyncio.create_task(ask(lambda: asyncio.sleep(60), clock))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_more_than_500_keys_go_in_pieces_of_at_most_500(clock):
    async def nothing():
        return {}

    source = Source(nothing)
    keys = tuple(f"k{n}" for n in range(1201))
    parts = (Part(keys=keys[:700], coordinates=frozenset({"a"})), Part(keys=keys[700:], coordinates=frozenset({"b"})))
    await Guard(source, clock=clock, concurrency=1).ask(Fetch(parts=parts, layout=NOTHING, timeout_s=5))
    assert [len(call.keys) for call in source.calls] == [500, 500, 201]
    assert tuple(key for call in source.calls for key in call.keys) == keys
