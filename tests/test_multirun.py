"""A grid of runs from one command: folders, shared warm-ups, failures, the table."""

import json
import subprocess
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import InstantiationException
from scripts import run_python

from groundrl.errors import UserError
from groundrl.launch.make import root_cause
from groundrl.launch.resolvers import run_name
from groundrl.launch.sweeps.grid import typed_key
from groundrl.running.locks import lock_folder

ROOT = Path(__file__).parents[1]


def train(*options: str) -> subprocess.CompletedProcess[str]:
    return run_python("train.py", *options)


@pytest.mark.parametrize(
    ("overrides", "varied", "name"),
    [
        (["seed=0", "reward=iou+acc", "debug=tiny"], [], "iou+acc/seed=0"),
        (["reward=acc", "adapter=lora", "seed=1"], ["adapter"], "acc/adapter=lora/seed=1"),
        (["model.path=/tmp/x", "+ablation=dapo"], ["model.path"], "dapo/model.path=-tmp-x"),
        (["reward=acc", "seed=0", "seed=2"], [], "acc/seed=2"),
        (
            ["data.undersample.keep=0.2", "variant=long_sft", "seed=1"],
            ["data.undersample.keep"],
            "long_sft/data.undersample.keep=0.2/seed=1",
        ),
        (["debug=tiny"], [], "run"),
        (["sweeps=vigor", "variant=both", "seed=2"], ["variant", "seed"], "both/seed=2"),
        (
            ["+reward/term@reward.terms.extra=giou"],
            ["reward/term@reward.terms.extra"],
            "reward-term@reward.terms.extra=giou",
        ),
    ],
)
def test_a_run_is_named_after_its_differences_from_the_others(
    overrides: list[str], varied: list[str], name: str
) -> None:
    assert run_name(overrides, varied) == name


def test_an_added_term_is_varied_under_the_name_that_is_typed() -> None:
    (override,) = OverridesParser.create().parse_overrides(
        ["+reward/term@reward.terms.extra=giou,iou_best"]
    )
    assert typed_key(override) == "reward/term@reward.terms.extra"


def test_the_cause_of_a_failure_is_shown_without_its_wrapping() -> None:
    cause, wrapped = UserError("no such file"), InstantiationException("Error in call")
    wrapped.__cause__ = cause
    assert root_cause(wrapped) is cause
    assert root_cause(cause) is cause


@pytest.mark.slow
def test_a_grid_goes_on_past_failed_jobs_and_ends_in_one_table(tmp_path: Path) -> None:
    sweep, cache = tmp_path / "sweep", tmp_path / "cache"
    done = train(
        "-m",
        "reward=acc,iou+acc",
        "seed=0,1",
        "model.path=/nowhere,embedded",
        "debug=tiny",
        "data.heldout_size=2",
        "stage.grpo.module.sampler.sampling.max_tokens=4",
        f"output_dir={sweep}",
        f"cache_dir={cache}",
    )
    assert done.returncode == 1, done.stderr
    for reward in ("acc", "iou+acc"):
        for seed in (0, 1):
            ok = sweep / reward / "model.path=embedded" / f"seed={seed}"
            assert json.loads((ok / "metrics.json").read_text())["grpo"]["tabletop/n"] == 2
            bad = sweep / reward / "model.path=-nowhere" / f"seed={seed}"
            assert "model.path=/nowhere is no folder" in (bad / "error.txt").read_text()
    # One warm-up per seed, whatever the reward.
    assert len(list((cache / "warmup").iterdir())) == 2
    assert "4 of 8 jobs failed" in done.stderr
    assert "model.path=embedded" in done.stdout
    table = (sweep / "table.md").read_text()
    assert "| iou+acc/model.path=embedded | 2 |" in table
    assert "±" in table
    assert (sweep / "table.html").is_file()


@pytest.mark.slow
def test_a_typed_option_replaces_that_of_the_sweep_file(tmp_path: Path) -> None:
    done = train(
        "-m",
        "sweeps=grounded_reasoning",
        "seed=7",
        "model.path=/nowhere",
        f"output_dir={tmp_path}",
        "cache_dir=null",
    )
    assert done.returncode == 1
    assert "3 of 3 jobs failed" in done.stderr
    assert (tmp_path / "iou+acc+format" / "seed=7" / "error.txt").is_file()
    assert "| setting | drivingvqa/f1 |" in (tmp_path / "table.md").read_text()


def test_a_second_sweep_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    with lock_folder(tmp_path):
        done = train("-m", "seed=0,1", "model.path=/nowhere", f"output_dir={tmp_path}")
    assert done.returncode == 2
    assert f"{tmp_path}: another run is writing here" in done.stderr
    assert [file.name for file in tmp_path.iterdir()] == [".lock"]


STUDY = """
# @package _global_
hydra: {mode: MULTIRUN, sweeper: {params: {reward: acc, seed: "0,1"}}}
sweep: {until: decided, max_seeds: 3}
conclusions:
  - claim: Two steps of GRPO change the number of boxes
    source: ours
    metric: tabletop/boxes_true
    of: {stage: grpo}
    against: {stage: sft}
    expected: higher
"""


@pytest.mark.slow
def test_seeds_are_added_until_what_a_study_claims_is_decided(tmp_path: Path) -> None:
    (tmp_path / "sweeps").mkdir()
    (tmp_path / "sweeps" / "mine.yaml").write_text(STUDY.lstrip())
    sweep = tmp_path / "sweep"
    done = train(
        *("--config-dir", str(tmp_path), "sweeps=mine", "debug=tiny", "data.heldout_size=2"),
        "stage.grpo.module.sampler.sampling.max_tokens=4",
        f"output_dir={sweep}",
        f"cache_dir={tmp_path / 'cache'}",
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Conclusions are undecided: seed 2 is run, too") == 1
    (verdict,) = json.loads((sweep / "verdict.json").read_text())["conclusions"]
    # The questions have as many boxes at every stage.
    assert (verdict["verdict"], verdict["seeds"]) == ("undecided", ["0", "1", "2"])
    assert verdict["note"] == "no seed makes a difference"
