"""One line that tells how training goes: redrawn on a terminal, now and then in a log file."""

import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from io import TextIOBase
from types import TracebackType

SECONDS_BETWEEN_LINES = 10.0
"""For logs. A terminal is redrawn at every step."""
BAR = 16


class ProgressLine:
    """``grpo ━━━━──── 12/40  reward 0.61 (acc 0.50, iou 0.72)  kl 0.002  910 tok/s  1:02<2:25``.

    The last two are the time gone by and the time left, from the mean time per step since this
    object was made: a resumed run passes the step it starts at as ``first_step``.
    """

    def __init__(
        self,
        total_steps: int,
        description: str,
        *,
        first_step: int = 0,
        stream: TextIOBase | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Writes to ``stream`` (standard error by default); ``clock`` counts seconds."""
        self.total_steps = total_steps
        self.description = description
        self.first_step = first_step
        self.stream = sys.stderr if stream is None else stream
        self.clock = clock
        self.live = self.stream.isatty()
        self._start = clock()
        self._written_at: float | None = None

    def update(
        self,
        step: int,
        *,
        reward: float | None = None,
        parts: Mapping[str, float] | None = None,
        kl: float | None = None,
        loss: float | None = None,
        tokens_per_second: float | None = None,
        more: Sequence[str] = (),
    ) -> None:
        """``step`` steps are done. What is not given is not shown; ``more`` is shown as it is."""
        now = self.clock()
        due = self._written_at is None or now - self._written_at >= SECONDS_BETWEEN_LINES
        if not self.live and not due and step < self.total_steps:
            return
        self._written_at = now
        figures = _figures(reward, parts or {}, kl, loss, tokens_per_second)
        line = "  ".join([self._head(step), *figures, *more, self._times(step, now - self._start)])
        if self.live:
            # One column is left free: a full line makes some terminals scroll.
            width = shutil.get_terminal_size().columns - 1
            self.stream.write(f"\r\x1b[K{line[:width]}")
        else:
            self.stream.write(line + "\n")
        self.stream.flush()

    def close(self) -> None:
        """Leave the line as it stands and go to the next one."""
        if self.live and self._written_at is not None:
            self.stream.write("\n")
            self.stream.flush()

    def __enter__(self) -> "ProgressLine":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _head(self, step: int) -> str:
        digits = len(str(self.total_steps))
        count = f"{step:>{digits}}/{self.total_steps}"
        if not self.live:
            return f"{self.description} {count}"
        full = round(BAR * min(1.0, step / max(1, self.total_steps)))
        return f"{self.description} {'━' * full}{'─' * (BAR - full)} {count}"

    def _times(self, step: int, elapsed: float) -> str:
        done, left = step - self.first_step, max(0, self.total_steps - step)
        remaining = clock_time(elapsed / done * left) if done > 0 else "?"
        return f"{clock_time(elapsed)}<{remaining}"


def _figures(
    reward: float | None,
    parts: Mapping[str, float],
    kl: float | None,
    loss: float | None,
    tokens_per_second: float | None,
) -> list[str]:
    inside = ", ".join(f"{name} {value:.2f}" for name, value in parts.items())
    figures = []
    if reward is not None:
        figures.append(f"reward {reward:.2f}" + (f" ({inside})" if inside else ""))
    if loss is not None:
        figures.append(f"loss {loss:.3f}")
    if kl is not None:
        figures.append(f"kl {kl:.4f}")
    if tokens_per_second is not None:
        figures.append(f"{tokens_per_second:,.0f} tok/s")
    return figures


def clock_time(seconds: float) -> str:
    """``0:07``, ``12:30``, ``3:05:00``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
