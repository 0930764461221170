"""What we write for TensorBoard is what it reads back."""

import io
from pathlib import Path

import numpy as np
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import plugin_data_pb2
from torch.utils.tensorboard.writer import SummaryWriter

from groundrl.report.tensorboard import log_held_out, log_hparams, log_image


def events(folder: Path) -> EventAccumulator:
    """Everything in the folder."""
    return EventAccumulator(str(folder)).Reload()


def test_an_image_comes_back_pixel_by_pixel(tmp_path: Path) -> None:
    drawn = Image.effect_noise((20, 10), 50).convert("RGB")
    with SummaryWriter(str(tmp_path)) as writer:
        log_image(writer, "rollouts", drawn, 7)
    (image,) = events(tmp_path).Images("rollouts")
    assert image.step == 7
    with Image.open(io.BytesIO(image.encoded_image_string)) as back:
        assert np.array_equal(np.asarray(back.convert("RGB")), np.asarray(drawn))


def test_hyper_parameters_stay_in_the_run_and_keep_their_types(tmp_path: Path) -> None:
    config = {"seed": 0, "model": {"name": "tiny", "lora": {"r": 8}}, "pipeline": ["sft", "grpo"]}
    with SummaryWriter(str(tmp_path)) as writer:
        metrics = {"t/acc": 0.5, "t/acc_low": 0.4, "t/acc_high": 0.6, "t/n": 9, "t/tokens": 8.0}
        log_hparams(writer, config, metrics)
    assert [file for file in tmp_path.rglob("*") if file.is_dir()] == []
    read = events(tmp_path)
    assert read.Tags()["scalars"] == ["hparam/t/acc"]
    assert read.Scalars("hparam/t/acc")[0].value == 0.5
    content = read.summary_metadata["_hparams_/session_start_info"].plugin_data.content
    # The classes of this module are made when it is imported.
    message = plugin_data_pb2.HParamsPluginData  # pyright: ignore[reportAttributeAccessIssue]
    data = message.FromString(content)
    found = data.session_start_info.hparams
    assert found["seed"].number_value == 0
    assert found["model.lora.r"].number_value == 8
    assert found["model.name"].string_value == "tiny"
    assert found["pipeline"].string_value == "sft, grpo"


def test_held_out_metrics_are_curves_over_the_stages(tmp_path: Path) -> None:
    points = [(0, {"t/acc": 0.25, "t/n": 9.0}), (20, {"t/acc": 0.5}), (120, {"t/acc": 0.75})]
    with SummaryWriter(str(tmp_path)) as writer:
        log_held_out(writer, points)
    read = events(tmp_path)
    assert read.Tags()["scalars"] == ["heldout/t/acc"]
    assert [(e.step, e.value) for e in read.Scalars("heldout/t/acc")] == [
        (0, 0.25),
        (20, 0.5),
        (120, 0.75),
    ]
