"""Servers on one store keep one limit together, whatever they do and however they end."""

import asyncio
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, func, select

from hub.clock import microseconds
from hub.crypto.pairwise import Pseudonyms
from hub.errors import RateLimitedError
from hub.gateway.quota import IDLE_US, PersonQuota
from hub.gateway.quota_tables import quota_person, quota_slice
from hub.gateway.shared_quota import SLICE_US, WINDOW_US, SharedQuota

SPENDING = Path(__file__).parent / "spending.py"
HOUR_S = 3600


@pytest.fixture
def server(store, clock):
    """Makes servers on the same store."""
    return lambda limit: PersonQuota(limit=limit, clock=clock, shared=SharedQuota(store, Pseudonyms(b"p" * 32), clock))


async def granted(quota: PersonQuota, prefix: str, most: int = 10_000, officer: str = "o") -> int:
    """How many new persons an officer is given one by one, up to `most`."""
    for number in range(most):
        try:
            await quota.spend(officer, (f"{prefix}{number}",))
        except RateLimitedError:
            return number
    return most


@pytest.mark.parametrize("processes", [2, 4])
async def test_processes_together_grant_exactly_the_limit(store, store_url, tmp_path, processes):
    go = tmp_path / "go"
    running = [
        await asyncio.create_subprocess_exec(
            sys.executable, SPENDING, store_url, "300", f"{n}/", go, stdout=asyncio.subprocess.PIPE
        )
        for n in range(processes)
    ]
    try:
        for one in running:
            assert one.stdout is not None
            assert await one.stdout.readline() == b"ready\n"
        go.touch()
        said = [(await asyncio.wait_for(one.communicate(), 120))[0] for one in running]
    finally:
        for one in running:
            if one.returncode is None:
                one.kill()
                await one.wait()
    assert sum(map(int, said)) == 300


async def test_two_servers_together_grant_exactly_the_limit(server):
    one, other = server(100), server(100)
    assert await granted(one, "a", 10) == 10
    assert await granted(other, "b") + await granted(one, "c") == 90


async def test_a_person_whom_another_server_handed_in_costs_nothing(server):
    one, other = server(3), server(3)
    await one.spend("o", ("a", "b"))
    await one.give_back(everything=True)
    await other.spend("o", ("b", "a"))
    await other.spend("o", ("c",))
    with pytest.raises(RateLimitedError):
        await one.spend("o", ("d",))


async def test_officers_do_not_share(server):
    one, other = server(5), server(5)
    assert await granted(one, "a", officer="o") == await granted(other, "a", officer="p") == 5


async def test_what_a_killed_server_had_out_stays_taken_and_comes_back(server, clock):
    killed, other = server(100), server(100)
    await killed.spend("o", ("a",))  # takes a slice beside it, and is never heard of again
    taken = 99 - await granted(other, "b")
    assert taken > 0
    clock.advance(timedelta(seconds=HOUR_S).total_seconds())
    assert await granted(other, "c") == 100 - taken
    clock.advance(timedelta(seconds=HOUR_S).total_seconds())
    assert await granted(other, "d") == 100


async def test_an_idle_slice_is_given_back(server, clock):
    resting, other = server(100), server(100)
    await resting.spend("o", ("a",))
    await resting.give_back()
    assert await granted(other, "b") < 99
    clock.advance(IDLE_US / 1_000_000)
    await resting.give_back()
    await other.give_back(everything=True)
    assert (await granted(other, "c"), await granted(resting, "d")) != (0, 0)


async def test_servers_that_give_back_at_once_do_not_wait_for_each_other(server):
    one, other = server(100), server(100)
    officers = [f"officer {number}" for number in range(60)]
    for each, order in ((one, officers), (other, officers[::-1])):
        for officer in order:
            await each.spend(officer, ("a",))
    await asyncio.gather(one.give_back(everything=True), other.give_back(everything=True))
    assert await granted(one, "b", officer="officer 7") + await granted(other, "c", officer="officer 7") == 99


async def test_a_slice_ends(server, clock):
    one, other = server(100), server(100)
    await one.spend("o", ("a",))
    clock.advance(SLICE_US / 1_000_000)
    assert await granted(other, "b") + await granted(one, "c") == 99


async def test_a_person_read_again_after_the_hour_counts_again(server, store, clock):
    one = server(100)
    await one.spend("o", ("a",))
    await one.give_back(everything=True)
    clock.advance(HOUR_S - 60)
    await one.spend("o", ("b",))  # takes a slice
    clock.advance(60)
    await one.spend("o", ("a",))  # counted from the slice, while the store still has the row of an hour ago
    await one.give_back(everything=True)
    async with store.read() as connection:
        times = list(await connection.scalars(select(quota_person.c.read_us)))
    assert len([time for time in times if time > microseconds(clock.now()) - WINDOW_US]) == 2


async def test_who_was_counted_is_not_forgotten_before_the_store_knows(server, monkeypatch):
    monkeypatch.setattr("hub.gateway.quota.MAX_OFFICERS", 1)
    one, other = server(100), server(100)
    await one.spend("o", ("a",))
    await one.spend("o", ("b",))  # from the slice
    for number in range(3):
        await one.spend(f"another {number}", ("a",))
    assert await granted(one, "c") + await granted(other, "d") == 98


async def test_neither_officers_nor_persons_stand_in_clear(server, store):
    await server(9).spend("client/officer", ("n:360702",))
    async with store.read() as connection:
        rows = [*(await connection.execute(select(quota_person))), *(await connection.execute(select(quota_slice)))]
    assert rows
    assert "officer" not in str(rows)
    assert "360702" not in str(rows)


async def test_what_is_over_is_swept(server, store, clock):
    one = server(9)
    await one.spend("o", ("a",))
    clock.advance(HOUR_S + SLICE_US / 1_000_000)
    await SharedQuota(store, Pseudonyms(b"p" * 32), clock).sweep()
    async with store.read() as connection:
        for table in (quota_person, quota_slice):
            assert await connection.scalar(select(func.count()).select_from(table)) == 0


STEPS = st.lists(
    st.tuples(st.integers(0, 2), st.sampled_from(["read", "read", "read", "give back", "killed"]), st.integers(1, 9)),
    max_size=25,
)


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=STEPS)
async def test_the_limit_holds_whatever_servers_do(store, clock, server, steps):
    """Never more distinct persons than the limit in an hour, all servers together."""
    async with store.write() as connection:
        for table in (quota_person, quota_slice):
            await connection.execute(delete(table))
    servers, read = [server(30) for _ in range(3)], set()
    for number, (which, does, count) in enumerate(steps):
        if does == "give back":
            await servers[which].give_back(everything=True)
        elif does == "killed":
            servers[which] = server(30)
        else:
            wanted = {f"{number}/{one}" for one in range(count)}
            try:
                await servers[which].spend("o", sorted(wanted))
            except RateLimitedError:
                continue
            read |= wanted
    assert len(read) <= 30
