"""Jobs of train.py at the same time, from one command."""

import json
from pathlib import Path

import pytest
from test_multirun import train

pytestmark = pytest.mark.slow


def test_jobs_at_once_share_a_warm_up_and_end_in_one_table(tmp_path: Path) -> None:
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    sweep, rewards = tmp_path / "sweep", ("acc", "iou+acc", "iou")
    done = train(
        "-m",
        *("launcher=joblib", "hydra.launcher.n_jobs=2"),
        *(f"reward={','.join(rewards)}", "seed=0", "~data.heldout.street"),
        *("debug=tiny", "data.heldout_size=2", "stage.grpo.module.sampler.sampling.max_tokens=4"),
        *(f"output_dir={sweep}", f"cache_dir={tmp_path / 'cache'}"),
    )
    assert done.returncode == 0, done.stderr
    metrics = [json.loads((sweep / r / "seed=0/metrics.json").read_text()) for r in rewards]
    warm = [{k: v for k, v in one["sft"].items() if "reward" not in k} for one in metrics]
    assert warm[0] == warm[1] == warm[2]
    assert len(list((tmp_path / "cache" / "warmup").iterdir())) == 1
    assert "| iou+acc | 1 |" in (sweep / "table.md").read_text()
    assert "jobs 3/3" in done.stderr
    assert "held-out" not in done.stdout + done.stderr
    assert "held-out grpo" in (sweep / "iou" / "seed=0" / "log.txt").read_text()
