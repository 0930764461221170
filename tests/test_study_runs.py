"""The studies of sweeps/ run from end to end, each with two jobs of its grid."""

import json
import subprocess
from pathlib import Path

import pytest
from scripts import ROOT, run_python

pytestmark = pytest.mark.slow

TINY = ("debug=tiny", "data.heldout_size=2", "cache_dir=null")
JOBS = {
    "losses": ("ablation=dapo,gspo",),
    "length_penalty": ("reward=iou_best+acc,iou_map+acc",),
    "less_constrained": ("variant=optional,free",),
    "synthesis": ("variant=exact,verified",),
    "vigor": (
        "variant=both,online",
        "stage.sft.steps=30",
        "stage.sft.prompts_per_step=8",
        "stage.rejection_sampling.images=4",
        "stage.rejection_sampling.steps=1",
        "stage.rejection_sampling.prompts_per_step=2",
        "stage.grpo.module.sampler.sampling.max_tokens=144",
    ),
}
BEFORE = {
    "synthesis": [
        (
            "synthesize.py",
            "detector=oracle",
            "scenes.size=20",
            f"output_dir=outputs/synthesis/{name}",
        )
        for name in ("exact", "verified", "unverified")
    ],
    "vigor": [
        (
            *("train.py", "pipeline=[reward_model]", "data=labelled_world_captions"),
            *("data.captions.size=30", "data.heldout_size=4", "stage.reward_model.steps=2"),
            "output_dir=outputs/vigor_reward_model",
        )
    ],
}
"""Commands that make what a study needs, smaller than those that it tells."""


def call(folder: Path, script: str, *options: str) -> subprocess.CompletedProcess[str]:
    return run_python(ROOT / script, *options, folder=folder)


@pytest.mark.parametrize("study", JOBS)
def test_a_study_runs_and_fills_its_rows(tmp_path: Path, study: str) -> None:
    (tmp_path / "outputs").mkdir()
    words = ("-m", f"sweeps={study}", *TINY, *JOBS[study], "seed=0", "output_dir=outputs/sweep")
    if study in BEFORE:
        refused = call(tmp_path, "train.py", *words)
        assert refused.returncode == 2
        assert "is not there yet: type first" in refused.stderr
    for script, *options in BEFORE.get(study, []):
        made = call(tmp_path, script, *options)
        assert made.returncode == 0, made.stderr
    done = call(tmp_path, "train.py", *words)
    assert done.returncode == 0, done.stderr
    table = (tmp_path / "outputs/sweep/table.md").read_text()
    rows = JOBS[study][0].partition("=")[2].split(",")
    for row in rows:
        assert f"| {row} | 1 |" in table
    first = tmp_path / "outputs/sweep" / rows[0] / "seed=0" / "metrics.json"
    last = json.loads(first.read_text())["rejection_sampling" if study == "vigor" else "grpo"]
    wanted = {"vigor": "tabletop/wrong_sentences", "synthesis": "heldout/recall_50"}
    assert wanted.get(study, "tabletop/recall_50") in last
