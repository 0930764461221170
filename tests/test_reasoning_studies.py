"""The studies about reasoning, end to end at the size of a toy."""

import json
from pathlib import Path

import pytest
from scripts import run_python

ROOT = Path(__file__).parents[1]
JOBS = {
    "alignment": ["reward=iou+acc+consistency", "data.target=boxed_rationale,answer_only"],
    "rationale_order": ["rationale=look_first,conclude_first"],
}
ROWS = {
    "alignment": [
        f"iou+acc+consistency/data.target={target}" for target in ("boxed_rationale", "answer_only")
    ],
    "rationale_order": [f"rationale={order}" for order in ("look_first", "conclude_first")],
}


@pytest.mark.slow
@pytest.mark.parametrize("study", JOBS)
def test_a_study_trains_and_measures_alignment_at_every_stage(study: str, tmp_path: Path) -> None:
    places = [f"hydra.sweep.dir={tmp_path}/sweep", f"cache_dir={tmp_path}/cache"]
    chosen = [f"sweeps={study}", *JOBS[study], "seed=0", "debug=tiny"]
    done = run_python("train.py", "-m", *chosen, *places)
    assert done.returncode == 0, done.stderr
    for row in ROWS[study]:
        metrics = json.loads((tmp_path / "sweep" / row / "seed=0/metrics.json").read_text())
        for stage in ("start", "sft", "grpo"):
            judged = metrics[stage]["tabletop/alignment_judged"]
            assert ("tabletop/alignment" in metrics[stage]) is (judged > 0)
    assert len([*(tmp_path / "cache/warmup").iterdir()]) == 2
