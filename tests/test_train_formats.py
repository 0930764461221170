"""train.py learns from rows of every format, from the file to the metrics."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import datasets.config
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hydra import compose, initialize_config_dir
from PIL import Image

from groundrl.config.check import check_config
from groundrl.launch.resolvers import register_resolvers
from groundrl.launch.training import build_training

ROOT = Path(__file__).parent.parent
BOX = [8, 8, 40, 40]
FILES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "table": (
        {
            "image": "{}.png",
            "problem": "<image>Where is it?",
            "solution": f"<answer>{BOX}</answer>",
        },
        ["data.frame=pixel", "reward=iou"],
    ),
    "conversations": (
        {
            "image": "{}.png",
            "conversations": [
                {"from": "human", "value": "<image>\nWhich animal?\nA. cat\nB. dog"},
                {"from": "gpt", "value": "<think>It is furry.</think><answer>A</answer>"},
            ],
        },
        ["reward=acc", "pipeline=[sft,grpo]"],
    ),
    "ms_swift": (
        {
            "messages": [
                {"role": "user", "content": "<image>Find <ref-object>"},
                {"role": "assistant", "content": "<ref-object><bbox>"},
            ],
            "images": ["{}.png"],
            "objects": {"ref": ["cat", "cat"], "bbox": [BOX]},
        },
        ["reward=iou"],
    ),
    "trl": (
        {
            "prompt": [{"role": "user", "content": "<image>Which animal?"}],
            "completion": [{"role": "assistant", "content": "cat"}],
            "images": ["{}.png"],
        },
        ["reward=acc"],
    ),
    "minigpt": (
        {
            "image": "{}.png",
            "conversations": [
                {"from": "human", "value": "<image>\nWhere is the cat?"},
                {"from": "gpt", "value": "<p>cat</p> {<12><12><62><62>}"},
            ],
        },
        ["reward=iou"],
    ),
    "regions": (
        {
            "image": "{}.png",
            "regions": [{"phrase": "a red cup", "x": 8, "y": 8, "width": 32, "height": 32}],
        },
        ["reward=iou"],
    ),
    "relationships": (
        {
            "image": "{}.png",
            "relationships": [
                {
                    "subject": {"name": "cup", "x": 8, "y": 8, "w": 32, "h": 32},
                    "predicate": "on",
                    "object": {"names": ["table"], "x": 0, "y": 30, "w": 64, "h": 34},
                }
            ],
        },
        ["reward=iou"],
    ),
}
"""Format -> a row, and what is typed beside it."""


@pytest.fixture(autouse=True)
def _hydra() -> Iterator[None]:
    register_resolvers(ROOT)
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        yield


def write(path: Path, row: dict[str, Any], numbers: range) -> Path:
    """Rows about images of their own."""
    lines = []
    for number in numbers:
        Image.new("RGB", (64, 64), (number * 20, 80, 80)).save(path.parent / f"{number}.png")
        lines.append(json.dumps(row).replace("{}.png", f"{number}.png"))
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist([json.loads(line) for line in lines]), path)
    else:
        path.write_text("\n".join(lines))
    return path


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_training_runs_on_rows_of_a_format(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    row, typed = FILES[name]
    suffix = "parquet" if name == "trl" else "jsonl"
    train = write(tmp_path / f"train.{suffix}", row, range(6))
    heldout = write(tmp_path / "heldout.jsonl", row, range(6, 9))
    cfg = compose(
        "train",
        [
            *("debug=tiny", "data=hub", f"data.path={train}", f"data.heldout_path={heldout}"),
            *("cache_dir=null", "data.heldout_size=2", "pipeline=[grpo]", *typed),
            f"output_dir={tmp_path}/run",
        ],
    )
    check_config(cfg)
    (tmp_path / "run").mkdir()
    build_training(cfg, tmp_path / "run").run()
    metrics = json.loads((tmp_path / "run/metrics.json").read_text())
    assert metrics["grpo"]["heldout/n"] == 2
