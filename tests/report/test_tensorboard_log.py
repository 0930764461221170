"""What we write for TensorBoard is what it reads back."""

import io
from pathlib import Path

import numpy as np
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import plugin_data_pb2
from torch.utils.tensorboard.writer import SummaryWriter

from groundrl.report.tensorboard import log_hparams, log_image


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
        log_hparams(writer, config, {"tabletop/acc": 0.5})
    assert [file for file in tmp_path.rglob("*") if file.is_dir()] == []
    read = events(tmp_path)
    assert read.Scalars("hparam/tabletop/acc")[0].value == 0.5
    content = read.summary_metadata["_hparams_/session_start_info"].plugin_data.content
    # The classes of this module are made when it is imported.
    message = plugin_data_pb2.HParamsPluginData  # pyright: ignore[reportAttributeAccessIssue]
    data = message.FromString(content)
    found = data.session_start_info.hparams
    assert found["seed"].number_value == 0
    assert found["model.lora.r"].number_value == 8
    assert found["model.name"].string_value == "tiny"
    assert found["pipeline"].string_value == "sft, grpo"
