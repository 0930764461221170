"""Programs of benchmarks/ that read finished runs."""

import subprocess
import sys
from pathlib import Path

from torch.utils.tensorboard.writer import SummaryWriter

PROGRAM = Path(__file__).parents[1] / "benchmarks" / "step_time.py"


def step_time(run: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(PROGRAM), str(run)], capture_output=True, text=True, check=False
    )


def test_the_time_of_a_step_is_told_by_part(tmp_path: Path) -> None:
    with SummaryWriter(str(tmp_path / "tensorboard" / "grpo")) as writer:
        for step, seconds in enumerate((1.0, 2.0, 9.0)):
            writer.add_scalar("time/rollout", seconds, step)
            writer.add_scalar("time/reward", 0.2, step)
            writer.add_scalar("time/update", 1.8, step)
            writer.add_scalar("time/step", 4.0, step)
            writer.add_scalar("tokens/per_second", 800.0, step)
    result = step_time(tmp_path)
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[-1].split()[1:] == [
        *("2.000", "(50%)", "0.200", "(5%)", "1.800", "(45%)", "4.000", "800.0")
    ]


def test_a_folder_without_grpo_is_refused(tmp_path: Path) -> None:
    assert "has no curves of a GRPO stage" in step_time(tmp_path).stderr
