"""The line that shows how far a run is."""

import io

import pytest

from groundrl.running.progress import ProgressLine, clock_time


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


class Clock:
    """Seconds, set by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_terminal_line_is_redrawn_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    stream, clock = Terminal(), Clock()
    with ProgressLine(40, "grpo", stream=stream, clock=clock) as line:
        clock.now = 62.0
        line.update(10, ["reward 0.61 (acc 0.50, iou 0.72)", "kl 0.0020", "1,910 tok/s"])
    assert stream.getvalue() == (
        "\r\x1b[Kgrpo ━━━━──────────── 10/40  reward 0.61 (acc 0.50, iou 0.72)  kl 0.0020"
        "  1,910 tok/s  1:02<3:06\n"
    )


def test_a_narrow_terminal_never_wraps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    stream = Terminal()
    ProgressLine(40, "grpo", stream=stream, clock=Clock()).update(1, ["reward 0.50", "kl 0.1000"])
    assert len(stream.getvalue().removeprefix("\r\x1b[K")) == 29


def test_a_log_has_a_line_every_ten_seconds_and_a_last_one() -> None:
    stream, clock = io.StringIO(), Clock()
    line = ProgressLine(100, "sft", stream=stream, clock=clock)
    for step in range(1, 101):
        clock.now += 0.25
        line.update(step, ["loss 1.500"])
    line.close()
    assert stream.getvalue().splitlines() == [
        "sft   1/100  loss 1.500  0:00<0:25",
        "sft  41/100  loss 1.500  0:10<0:15",
        "sft  81/100  loss 1.500  0:20<0:05",
        "sft 100/100  loss 1.500  0:25<0:00",
    ]


def test_a_resumed_run_estimates_from_its_own_steps() -> None:
    stream, clock = io.StringIO(), Clock()
    line = ProgressLine(100, "grpo", first_step=90, stream=stream, clock=clock)
    clock.now = 20.0
    line.update(92)
    assert stream.getvalue() == "grpo  92/100  0:20<1:20\n"


def test_time_left_is_unknown_before_the_first_step() -> None:
    stream = io.StringIO()
    ProgressLine(10, "grpo", stream=stream, clock=Clock()).update(0)
    assert stream.getvalue() == "grpo  0/10  0:00<?\n"


def test_nothing_is_written_before_the_first_update() -> None:
    stream = Terminal()
    with ProgressLine(10, "grpo", stream=stream):
        pass
    assert stream.getvalue() == ""


@pytest.mark.parametrize(
    ("seconds", "text"), [(7.4, "0:07"), (59.7, "1:00"), (750.0, "12:30"), (11100.0, "3:05:00")]
)
def test_times_read_like_a_clock(seconds: float, text: str) -> None:
    assert clock_time(seconds) == text
