import pytest

from hub.errors import RateLimitedError
from hub.gateway.quota import PersonQuota


def test_the_same_person_again_costs_nothing(clock):
    quota = PersonQuota(limit=2, clock=clock)
    for _ in range(5):
        quota.spend("o", ["a", "b"])


def test_one_too_many_is_refused_and_counts_nothing(clock):
    quota = PersonQuota(limit=2, clock=clock)
    quota.spend("o", ["a"])
    clock.advance(600)
    with pytest.raises(RateLimitedError) as refused:
        quota.spend("o", ["b", "c"])
    assert refused.value.retry_after_s == 3000
    quota.spend("o", ["b"])


def test_after_an_hour_there_is_room_again(clock):
    quota = PersonQuota(limit=1, clock=clock)
    quota.spend("o", ["a"])
    clock.advance(3600)
    quota.spend("o", ["b"])


def test_officers_do_not_share(clock):
    quota = PersonQuota(limit=1, clock=clock)
    quota.spend("o", ["a"])
    quota.spend("p", ["b"])
