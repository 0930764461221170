"""One line that shows how far a run is: redrawn on a terminal, now and then in a log file."""

import shutil
import sys
import time
from collections.abc import Callable, Sequence
from io import TextIOBase
from types import TracebackType

SECONDS_BETWEEN_LINES = 10.0
"""For logs. A terminal is redrawn at every step."""
BAR = 16


class ProgressLine:
    """``grpo ━━━━──── 12/40  reward 0.61 (acc 0.50, iou 0.72)  kl 0.002  910 tok/s  1:02<2:25``.

    The last two are the time spent and the time left. The time left is estimated from the mean time
    per step since this object was made; a resumed run gives its first step as ``first_step``.
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

    def update(self, step: int, figures: Sequence[str] = ()) -> None:
        """Show that ``step`` steps are done, and the ``figures`` as they are."""
        now = self.clock()
        due = self._written_at is None or now - self._written_at >= SECONDS_BETWEEN_LINES
        if not self.live and not due and step < self.total_steps:
            return
        self._written_at = now
        line = "  ".join([self._head(step), *figures, self._times(step, now - self._start)])
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


def clock_time(seconds: float) -> str:
    """``0:07``, ``12:30``, ``3:05:00``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
