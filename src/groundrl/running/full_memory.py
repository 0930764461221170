"""Full memory, of a GPU or of the machine: batches are halved until they fit.

Work that runs out of memory ends, what it held is freed, and it goes on in batches of half the
size. The smaller size stays, so that few attempts fail; it is told when it has helped. Where one
element alone does not fit, the error says which options to lower.
"""

import gc
import logging
import re
import sys
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Generic, Protocol, TypeVar, runtime_checkable

from groundrl.errors import UserError

logger = logging.getLogger(__name__)

NO_CLASS: Final = re.compile(
    r"DefaultCPUAllocator: (can't allocate memory|not enough memory)|_STATUS_ALLOC_FAILED"
)
"""Messages of errors for which torch has no class of its own: of a CPU, of cuBLAS and cuDNN."""


S = TypeVar("S")


@runtime_checkable
class Divisible(Protocol):
    """Work that can be done in parts, with the same result."""

    @property
    def size(self) -> int:
        """In the unit of its limit, such as tokens."""
        ...

    def within(self: S, limit: int) -> Sequence[S]:
        """Parts of at most this size; larger ones cannot be divided."""
        ...


T = TypeVar("T")
R = TypeVar("R")
D = TypeVar("D", bound=Divisible)


@dataclass(frozen=True, slots=True)
class Elements(Generic[T]):
    """Inputs of a function that returns an output for each."""

    values: Sequence[T]

    @property
    def size(self) -> int:
        """Their number."""
        return len(self.values)

    def within(self, limit: int) -> "list[Elements[T]]":
        """See ``Divisible``; limits below 1 count as 1."""
        step = max(1, limit)
        return [Elements(self.values[i : i + step]) for i in range(0, self.size, step)]


class MemoryLimit:
    """The largest batch that is tried: what an option says, and less where memory was full."""

    def __init__(self, unit: str, size: int = sys.maxsize, option: str | None = None) -> None:
        """``unit``: of ``size``, in the plural."""
        self.size = size
        self.option = option
        """The one that sets ``size``, as typed."""
        self._unit = unit
        self._did_not_fit = 0
        """A size, until it is told."""

    def map(self, call: Callable[[Sequence[T]], Sequence[R]], inputs: Sequence[T]) -> list[R]:
        """The outputs of ``call``, which gets at most ``size`` inputs at a time."""
        outputs: list[R] = []
        for part, attempt in self.attempts([Elements(inputs)] if len(inputs) else ()):
            with attempt:
                found = call(part.values)
                if len(found) != part.size:
                    raise ValueError(f"{len(found)} outputs for {part.size} inputs")
                outputs += found
        return outputs

    def attempts(self, parts: Sequence[D]) -> Iterator[tuple[D, "Attempt"]]:
        """Parts within the limit, each with the context to work on it in; those that did not fit
        come again, divided."""
        todo = deque(parts)
        while todo:
            part, *others = self.divide([todo.popleft()])
            todo.extendleft(reversed(others))
            attempt = Attempt(self, part)
            yield part, attempt
            if attempt.failed:
                todo.appendleft(part)

    def divide(self, parts: Sequence[D]) -> list[D]:
        """The same work in parts within the limit."""
        return [
            smaller
            for part in parts
            for smaller in (part.within(self.size) if part.size > self.size else (part,))
        ]

    def lower(self, tried: int) -> None:
        """Count ``tried`` as too large."""
        self.size = min(self.size, max(1, tried // 2))
        self._did_not_fit = self._did_not_fit or tried

    def tell(self) -> None:
        """Log that the limit is lower now, if it is not told yet."""
        if not self._did_not_fit:
            return
        typed = f". To begin with that, type {self.option}={self.size}" if self.option else ""
        logger.warning(
            "out of memory with %d %s at once: going on with at most %d, which changes no result%s",
            *(self._did_not_fit, self._unit, self.size, typed),
        )
        self._did_not_fit = 0


class Attempt:
    """A context in which memory may be full: its block then ends without an error, and the limit
    becomes half the size of the part. Where that cannot be divided, the error is raised."""

    def __init__(self, limit: MemoryLimit, part: Divisible | None = None) -> None:
        self.part = part
        """What the block is working on; it may change meanwhile. None: nothing to divide."""
        self.failed = False
        self._limit = limit

    def __enter__(self) -> "Attempt":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        frames: TracebackType | None,
    ) -> bool:
        """Whether the error was about full memory, and smaller parts are to be tried."""
        if error is None:
            self._limit.tell()
            return False
        tried = self.part
        if tried is None or not is_memory_full(error) or len(tried.within(tried.size // 2)) < 2:
            return False
        # The frames of the error hold what has filled the memory.
        traceback.clear_frames(frames)
        gc.collect()
        self._limit.lower(tried.size)
        self.failed = True
        return True


def is_memory_full(error: BaseException) -> bool:
    """Whether Python or torch ran out of memory."""
    if isinstance(error, MemoryError):
        return True
    torch = sys.modules.get("torch")  # where it is not loaded, the error is of something else
    if torch is None or not isinstance(error, RuntimeError):
        return False
    return isinstance(error, torch.OutOfMemoryError) or NO_CLASS.search(str(error)) is not None


@contextmanager
def explain_full_memory(lower: Mapping[str, object], or_type: Sequence[str] = ()) -> Iterator[None]:
    """Inside, running out of memory raises a UserError: for work that cannot be divided further.

    It names the options of ``lower`` with their values, and what else helps, as typed.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_memory_full(error):
            raise
        ways = [f"lower {name} (now {value})" for name, value in lower.items()]
        ways += [f"type {option}" for option in or_type]
        raise UserError(
            f"out of memory ({str(error) or type(error).__name__}), also with the smallest batch: "
            f"{', or '.join(ways)}, in a new run"
        ) from error
