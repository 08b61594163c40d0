import pytest

from hub.errors import RateLimitedError
from hub.gateway.quota import PersonQuota, QuotaState


async def test_the_same_person_again_costs_nothing(clock):
    quota = PersonQuota(limit=2, clock=clock)
    for _ in range(5):
        await quota.spend("o", ["a", "b"])


async def test_one_too_many_is_refused_and_counts_nothing(clock):
    quota = PersonQuota(limit=2, clock=clock)
    await quota.spend("o", ["a"])
    clock.advance(600)
    with pytest.raises(RateLimitedError) as refused:
        await quota.spend("o", ["b", "c"])
    assert refused.value.retry_after_s == 3000
    await quota.spend("o", ["b"])


async def test_after_an_hour_there_is_room_again(clock):
    quota = PersonQuota(limit=1, clock=clock)
    await quota.spend("o", ["a"])
    clock.advance(3600)
    await quota.spend("o", ["b"])


async def test_officers_do_not_share(clock):
    quota = PersonQuota(limit=1, clock=clock)
    await quota.spend("o", ["a"])
    await quota.spend("p", ["b"])


async def test_the_state_is_what_was_read_in_the_last_hour(clock):
    quota = PersonQuota(limit=5, clock=clock)
    assert quota.state("o") == QuotaState(limit=5, used=0, resets_in_s=None)
    await quota.spend("o", ["a"])
    clock.advance(600)
    await quota.spend("o", ["a", "b"])
    assert quota.state("o") == QuotaState(limit=5, used=2, resets_in_s=3000)
    clock.advance(3000)
    assert quota.state("o") == QuotaState(limit=5, used=1, resets_in_s=600)
    assert quota.state("p").used == 0
