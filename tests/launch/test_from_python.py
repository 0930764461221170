"""Training and asking from Python."""

from pathlib import Path

import pytest
from trained_runs import write_run

from groundrl.data.datasets import WorldDataset
from groundrl.errors import UserError
from groundrl.launch.from_python import load_asker, load_data, train_once

OPTIONS = ["debug=tiny", "pipeline=[sft]", "data.heldout_size=2", "cache_dir=null"]


@pytest.mark.slow
def test_a_run_is_trained_once(tmp_path: Path) -> None:
    folder = tmp_path / "iou+acc" / "seed=0"
    assert train_once(folder, OPTIONS) == folder
    metrics = folder / "metrics.json"
    written = metrics.stat().st_mtime_ns
    assert train_once(folder, OPTIONS) == folder
    assert metrics.stat().st_mtime_ns == written
    with pytest.raises(UserError, match=r"seed was 0 and is now 1"):
        train_once(folder, [*OPTIONS, "seed=1"])


def test_a_wrong_option_is_answered_with_the_right_one(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="reward"):
        train_once(tmp_path, ["reward=iuo"])


@pytest.mark.slow
def test_a_run_and_the_embedded_model_can_be_asked(tmp_path: Path) -> None:
    image = WorldDataset(seed=0, size=1)[0].image
    run = write_run(tmp_path / "run").rename(tmp_path / "run=1")
    trained, embedded = load_asker(run), load_asker()
    assert trained.has_adapter
    assert not embedded.has_adapter
    (answer,) = embedded([image], "Where is the cup?")
    (other,) = trained([image], "Where is the cup?")
    assert answer.completion.text != other.completion.text


@pytest.mark.slow
def test_the_samples_of_a_training_can_be_looked_at() -> None:
    data = load_data(["data.heldout_size=3", "seed=5"])
    assert {name: len(source) for name, source in data.heldout.items()} == {
        "tabletop": 3,
        "street": 3,
    }
    assert data.seed == 5
