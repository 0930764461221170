"""The studies of domains and of label bias run from one command."""

import json
from pathlib import Path

import pytest
from published_files import vsr
from scripts import run_python

ROOT = Path(__file__).parents[1]


def sweep(name: str, folder: Path, *options: str) -> dict[str, dict[str, dict[str, float]]]:
    """The metrics of every job, by its folder below ``folder``."""
    done = run_python(
        *("train.py", "-m", f"sweeps={name}", "seed=0", "debug=tiny"),
        *(f"output_dir={folder}", "cache_dir=null", "data.heldout_size=4", *options),
    )
    assert done.returncode == 0, done.stderr
    found = sorted(folder.rglob("seed=0/metrics.json"))
    return {str(file.parent.relative_to(folder)): json.loads(file.read_text()) for file in found}


@pytest.mark.slow
def test_two_domains_are_measured_at_every_stage(tmp_path: Path) -> None:
    variants = "variant=sft,quarters"
    jobs = sweep("synthetic_to_real", tmp_path, variants, "data.synthetic.train_size=24")
    assert {job: metrics.keys() - {"time"} for job, metrics in jobs.items()} == {
        "quarters/seed=0": {"start", "sft", "grpo"},
        "sft/seed=0": {"start", "sft"},
    }
    for metrics in jobs.values():
        for name in ("synthetic/acc", "synthetic/unparsed", "real/acc", "real/unparsed"):
            assert 0 <= metrics["sft"][name] <= 1
        assert metrics["sft"]["synthetic/n"] == metrics["sft"]["real/n"] == 4


@pytest.mark.slow
def test_statements_with_and_against_the_bias_are_measured_at_every_dose(tmp_path: Path) -> None:
    doses = ("variant=grpo", "data.undersample.keep=0.0,1.0", "data.train_size=60")
    jobs = sweep("label_bias", tmp_path, *doses)
    assert [*jobs] == [f"grpo/data.undersample.keep={keep}/seed=0" for keep in ("0.0", "1.0")]
    for metrics in jobs.values():
        for name in ("aligned/acc", "conflicting/acc", "aligned/unparsed"):
            assert 0 <= metrics["grpo"][name] <= 1


@pytest.mark.slow
def test_the_study_of_label_bias_runs_on_vsr(tmp_path: Path) -> None:
    vsr(tmp_path / "vsr")
    options = ("data=vsr", f"data.root={tmp_path / 'vsr'}", "reward=acc+format", "variant=grpo")
    jobs = sweep("label_bias", tmp_path / "runs", *options, "data.undersample.keep=0.0")
    (metrics,) = jobs.values()
    for name in ("aligned/acc", "conflicting/acc"):
        assert 0 <= metrics["grpo"][name] <= 1
