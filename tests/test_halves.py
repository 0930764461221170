"""What does not fit into memory is done in halves, is told once, and names what to lower."""

import logging
from collections.abc import Sequence

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from groundrl.errors import UserError
from groundrl.running.full_memory import MemoryLimit, explain_full_memory, is_memory_full
from groundrl.running.micro_batcher import MicroBatcher


class Squares:
    """Squares numbers, so many at a time."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.tried: list[int] = []

    def __call__(self, numbers: Sequence[int]) -> list[int]:
        self.tried.append(len(numbers))
        if len(numbers) > self.room:
            raise MemoryError
        return [number**2 for number in numbers]


@given(st.integers(0, 40), st.integers(1, 50), st.integers(1, 50))
def test_every_input_is_answered_once_and_in_order(count: int, room: int, size: int) -> None:
    squares, limit = Squares(room), MemoryLimit("numbers", size)
    assert limit.map(squares, range(count)) == [number**2 for number in range(count)]
    failed = [tried for tried in squares.tried if tried > room]
    assert failed == sorted(set(failed), reverse=True)
    assert sum(tried for tried in squares.tried if tried <= room) == count
    squares.tried.clear()
    limit.map(squares, range(count))
    assert all(tried <= room for tried in squares.tried)


def test_the_smaller_size_is_told_when_it_has_helped(caplog: pytest.LogCaptureFixture) -> None:
    squares, limit = Squares(3), MemoryLimit("numbers", 16, "squares.batch_size")
    with caplog.at_level(logging.WARNING):
        limit.map(squares, range(20))
        limit.map(squares, range(20))
    assert caplog.messages == [
        "out of memory with 16 numbers at once: going on with at most 2, which changes no result. "
        "To begin with that, type squares.batch_size=2"
    ]
    assert squares.tried[:4] == [16, 8, 4, 2]


def test_one_element_that_does_not_fit_names_what_to_lower() -> None:
    message = r"^out of memory \(MemoryError\), .*: lower a.b \(now 3\), or type c=small, in a new"
    with pytest.raises(UserError, match=message), explain_full_memory({"a.b": 3}, ("c=small",)):
        MemoryLimit("numbers").map(Squares(0), range(20))


def test_memory_of_gpu_and_machine_counts_and_other_errors_stay_what_they_are() -> None:
    with pytest.raises(RuntimeError) as full:
        torch.empty(10**15)
    assert is_memory_full(full.value)
    assert is_memory_full(torch.OutOfMemoryError("CUDA out of memory"))
    assert is_memory_full(RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling"))
    assert not is_memory_full(ValueError("DefaultCPUAllocator: can't allocate memory"))
    with pytest.raises(RuntimeError, match="memory format"), explain_full_memory({}):
        raise RuntimeError("unsupported memory format option")


def test_what_a_failed_attempt_held_is_free_before_the_next_one() -> None:
    held: list[int] = []

    class Held:
        """Counts how many of it there are."""

        def __init__(self) -> None:
            held.append(1)
            self.itself = self  # only the garbage collector finds it

        def __del__(self) -> None:
            held.pop()

    def call(numbers: Sequence[int]) -> Sequence[int]:
        assert not held
        large = Held()
        if len(numbers) > 2:
            raise MemoryError
        del large.itself
        return numbers

    assert MemoryLimit("numbers").map(call, range(9)) == [*range(9)]


def test_a_micro_batcher_halves_its_batches_for_all_its_threads(
    caplog: pytest.LogCaptureFixture,
) -> None:
    squares = Squares(3)
    batcher = MicroBatcher(squares, 8, "judge.batch_size")
    assert batcher(range(20)) == [number**2 for number in range(20)]
    assert squares.tried == [8, 4, *[2] * 10]
    assert [message.rpartition(", ")[2] for message in caplog.messages] == [
        "type judge.batch_size=2"
    ]
    with pytest.raises(MemoryError):
        MicroBatcher(Squares(0), 8)([1, 2])
