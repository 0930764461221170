"""Configs and classes from outside the repository: ``--config-dir <folder>``."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

FILES = {
    "mylab_rewards.py": """
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from groundrl.answers.attempt import Attempt
from groundrl.config_node import ConfigNode


@dataclass(frozen=True, kw_only=True)
class Short:
    needs: ClassVar[frozenset[str]] = frozenset()
    weight: float = 1.0
    limit: int = 8

    @classmethod
    def config_problems(cls, node: ConfigNode) -> Iterator[str]:
        if node.options.get("limit", 8) < 1:
            yield f"{node.path}.limit is below 1: type {node.path}.limit=8"

    def __call__(self, attempt: Attempt) -> float | None:
        return float(len(attempt.completion.text) <= self.limit)
""",
    "conf/reward/term/short.yaml": "_target_: mylab_rewards.Short\nlimit: 8\n",
    "conf/reward/mine.yaml": """
defaults:
  - term@terms.short: short
  - _self_
_target_: groundrl.rewards.base.RewardSum
_convert_: all
""",
}


@pytest.fixture
def mylab(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def train(mylab: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    path = f"{ROOT / 'src'}{os.pathsep}{mylab}"
    return subprocess.run(
        [sys.executable, "train.py", "--config-dir", str(mylab / "conf"), *arguments],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
        timeout=500,
    )


def test_help_lists_the_options_of_the_folder(mylab: Path) -> None:
    done = train(mylab, "--help")
    (rewards,) = [line for line in done.stdout.splitlines() if line.startswith("reward: ")]
    assert "iou+acc+format, mine" in rewards
    assert "reward/term: " in done.stdout
    assert "short" in done.stdout


def test_a_misspelt_option_of_the_folder_is_explained(mylab: Path) -> None:
    done = train(mylab, "reward=mime", "seed=1")
    assert done.returncode == 2
    assert "reward has no option 'mime'; did you mean 'mine'?" in done.stderr


def test_a_class_of_the_folder_is_checked(mylab: Path, tmp_path: Path) -> None:
    done = train(mylab, "reward=mine", "reward.terms.short.limit=0", f"output_dir={tmp_path}/run")
    assert done.returncode == 2
    assert "reward.terms.short.limit is below 1: type reward.terms.short.limit=8" in done.stderr


def test_runs_of_a_multirun_use_the_folder(mylab: Path, tmp_path: Path) -> None:
    sweep = tmp_path / "sweep"
    tiny = ["debug=tiny", "data.heldout_size=2", "cache_dir=null", "pipeline=[grpo]"]
    done = train(mylab, "-m", "reward=mine,acc", *tiny, "seed=0", f"output_dir={sweep}")
    assert done.returncode == 0, done.stderr
    metrics = json.loads((sweep / "mine" / "seed=0" / "metrics.json").read_text())
    assert "tabletop/reward" in metrics["grpo"]
    for reward in ("mine", "acc"):
        # The path is printed by each job, whatever Hydra does with loggers between them.
        assert f"{sweep}/{reward}/seed=0\n" in done.stdout
