import asyncio

import pytest
from msgspec.structs import replace

from hub.connectors.base import Fetch, KeyKind, Layout, Part, SourceFailure, SourceState
from hub.connectors.guard import FAILURES_TO_OPEN, OPEN_FOR_S, Guard

NOTHING = Layout(fields=())
FETCH = Fetch(parts=(Part(keys=("k",), coordinates=frozenset()),), layout=NOTHING, timeout_s=5)


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
    fetch = replace(FETCH, timeout_s=0.05)
    assert (await ask(lambda: asyncio.sleep(60), clock, fetch)).state is SourceState.TIMEOUT


async def test_cancellation_passes_through(clock):
    task = asyncio.create_task(ask(lambda: asyncio.sleep(60), clock))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


class Switched:
    """A source that waits at a gate and then fails or answers as it was told when it was called."""

    def __init__(self):
        self.gates = []
        self.broken = True

    async def __call__(self):
        gate, broken = asyncio.Event(), self.broken
        self.gates.append(gate)
        await gate.wait()
        if broken:
            raise SourceFailure("tax", SourceState.DOWN, "gone")
        return {}

    async def opened(self, guard, clock):
        """`guard` with an open breaker, and an older call that still waits for its answer."""
        late = asyncio.create_task(guard.ask(FETCH))
        await asyncio.sleep(0)
        for _ in range(FAILURES_TO_OPEN):
            task = asyncio.create_task(guard.ask(FETCH))
            await asyncio.sleep(0)
            self.gates[-1].set()
            assert (await task).state is SourceState.DOWN
        assert guard.breaker_open
        clock.advance(OPEN_FOR_S + 1)
        return late, self.gates[0]


@pytest.fixture
def switched():
    return Switched()


@pytest.fixture
def guard(switched, clock):
    return Guard(Source(switched), clock=clock, concurrency=100)


async def test_a_half_open_breaker_lets_one_call_through_whatever_ends_meanwhile(guard, switched, clock):
    """A call from before the breaker opened ends while another tries: that must not let a third one through."""
    late, gate = await switched.opened(guard, clock)
    trial = asyncio.create_task(guard.ask(FETCH))
    await asyncio.sleep(0)
    calls = len(switched.gates)
    gate.set()
    assert (await late).state is SourceState.DOWN
    clock.advance(OPEN_FOR_S + 1)
    assert (await guard.ask(FETCH)).state is SourceState.DOWN
    assert len(switched.gates) == calls
    switched.gates[-1].set()
    await trial


async def test_a_refused_call_leaves_the_trial_alone(guard, switched, clock):
    late, _ = await switched.opened(guard, clock)
    trial = asyncio.create_task(guard.ask(FETCH))
    await asyncio.sleep(0)
    calls = len(switched.gates)
    answers = [await guard.ask(FETCH) for _ in range(3)]
    assert {answer.state for answer in answers} == {SourceState.DOWN}
    assert len(switched.gates) == calls
    for task in (trial, late):
        task.cancel()


async def test_a_trial_that_succeeds_closes_the_breaker(guard, switched, clock):
    late, _ = await switched.opened(guard, clock)
    switched.broken = False
    trial = asyncio.create_task(guard.ask(FETCH))
    await asyncio.sleep(0)
    switched.gates[-1].set()
    assert (await trial).state is SourceState.OK
    assert not guard.breaker_open
    late.cancel()


async def test_a_trial_that_goes_away_gives_its_place_to_the_next(guard, switched, clock):
    late, _ = await switched.opened(guard, clock)
    trial = asyncio.create_task(guard.ask(FETCH))
    await asyncio.sleep(0)
    trial.cancel()
    with pytest.raises(asyncio.CancelledError):
        await trial
    calls = len(switched.gates)
    again = asyncio.create_task(guard.ask(FETCH))
    await asyncio.sleep(0)
    assert len(switched.gates) == calls + 1
    for task in (again, late):
        task.cancel()


async def test_more_than_500_keys_go_in_pieces_of_at_most_500(clock):
    async def nothing():
        return {}

    source = Source(nothing)
    keys = tuple(f"k{n}" for n in range(1201))
    parts = (Part(keys=keys[:700], coordinates=frozenset({"a"})), Part(keys=keys[700:], coordinates=frozenset({"b"})))
    await Guard(source, clock=clock, concurrency=1).ask(Fetch(parts=parts, layout=NOTHING, timeout_s=5))
    assert [len(call.keys) for call in source.calls] == [500, 500, 201]
    assert tuple(key for call in source.calls for key in call.keys) == keys
