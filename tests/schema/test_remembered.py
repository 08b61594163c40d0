from hypothesis import given
from hypothesis import strategies as st

from hub.schema.remembered import Remembered


def test_the_least_recently_used_is_forgotten_first():
    kept = Remembered[str, int](limit_bytes=3)
    for name in "abc":
        kept.put(name, 1, 1)
    assert kept.get("a") == 1
    kept.put("d", 1, 1)
    assert [kept.get(name) for name in "abcd"] == [1, None, 1, 1]


def test_a_value_put_again_counts_once():
    kept = Remembered[str, int](limit_bytes=10)
    kept.put("a", 1, 4)
    kept.put("a", 2, 6)
    assert (kept.get("a"), kept.size_bytes, len(kept)) == (2, 6, 1)


def test_what_is_larger_than_the_limit_is_not_kept():
    kept = Remembered[str, int](limit_bytes=3)
    kept.put("a", 1, 4)
    assert (kept.get("a"), kept.size_bytes, len(kept)) == (None, 0, 0)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 20))))
def test_the_sum_of_what_is_kept_is_never_beyond_the_limit(puts):
    kept = Remembered[int, int](limit_bytes=30)
    for key, size in puts:
        kept.put(key, size, size)
        held = [value for number in range(10) if (value := kept.get(number)) is not None]
        assert sum(held) == kept.size_bytes <= 30
