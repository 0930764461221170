"""A small run directory with real files."""

import json
from pathlib import Path

import pytest
from PIL import Image
from report_files import METRICS, record, write_answers
from torch.utils.tensorboard.writer import SummaryWriter


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    """A finished training run: every file a report reads."""
    run = tmp_path / "warm-run"
    (run / "images").mkdir(parents=True)
    Image.new("RGB", (16, 12), "#886644").save(run / "images" / "cup.png")
    (run / "metrics.json").write_text(json.dumps(METRICS))
    (run / "resolved.yaml").write_text("seed: 0\npipeline: [sft, grpo]\nmodel:\n  name: <tiny>\n")
    for stage in ("start", "sft", "grpo"):
        write_answers(run / f"heldout_{stage}.jsonl", [record(k) for k in range(4)])
    with SummaryWriter(str(run / "tensorboard")) as writer:
        for step in range(30):
            writer.add_scalar("reward/iou", 0.01 * step, step)
            writer.add_scalar("policy/kl", float("nan") if step == 3 else 0.1, step)
            writer.add_scalar("epoch", 0, step)
    return run
