"""A batch cache gives what the function would give, and asks it as little as it can."""

from hypothesis import given
from hypothesis import strategies as st

from groundrl.running.batch_cache import BatchCache


@given(
    size=st.integers(0, 5),
    batches=st.lists(st.lists(st.integers(0, 8), max_size=6), max_size=6),
)
def test_values_are_right_and_the_newest_stay(size: int, batches: list[list[int]]) -> None:
    cache = BatchCache[int, int](size)
    asked: list[int] = []

    def square(keys: list[int]) -> list[int]:
        asked.extend(keys)
        return [key * key for key in keys]

    used: list[int] = []
    for batch in batches:
        before = len(asked)
        newest = list(dict.fromkeys(reversed(used)))[:size]
        assert cache(batch, square) == [key * key for key in batch]
        assert sorted(asked[before:]) == sorted(set(batch) - set(newest))
        used += list(dict.fromkeys(batch))


def test_what_could_not_be_answered_is_asked_again() -> None:
    cache = BatchCache[int, int | None](4)
    assert cache([1], lambda keys: [None]) == [None]
    assert cache([1], lambda keys: [7]) == [7]
    assert cache([1], lambda keys: [8]) == [7]
