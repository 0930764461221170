"""The client of a served model, against a server that says what a test tells it to."""

import base64
import io
import re
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
from chat_server import chat_server, said
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from transformers.models.qwen2_vl.image_processing_qwen2_vl import smart_resize

from groundrl.ask.served import ServedModel, image_sizes, resized
from groundrl.boxes import Frame
from groundrl.errors import UserError
from groundrl.export.description import ModelDescription, write_description

ROOT = Path(__file__).parents[2]
INSTRUCTION = "Point first. Then give the letter, or the letters separated by commas."
DESCRIPTION = ModelDescription(
    base="Qwen/Qwen2.5-VL-3B-Instruct",
    grammar="obj_bbox",
    frame="model",
    instruction=INSTRUCTION,
    answer_style="letters",
    max_tokens=33,
    dtype="bfloat16",
    min_pixels=3136,
    max_pixels=802816,
    resize_factor=28,
)
ANSWER = "<think>The <obj>cup</obj><bbox>[28, 14, 56, 70]</bbox>.</think><answer>left</answer>"


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """Seen as 112 x 84 pixels by a model with multiples of 28."""
    path = tmp_path / "photo.png"
    Image.effect_noise((120, 90), 50).convert("RGB").save(path)
    return path


def test_boxes_come_back_in_pixels_of_the_picture(tmp_path: Path, photo: Path) -> None:
    write_description(tmp_path, DESCRIPTION)
    with chat_server(lambda body: ANSWER) as served:
        model = ServedModel.open(served.url, name="grounded", folder=tmp_path)
        answer = model.ask(photo, " Where is the cup? ")
    assert answer.parsed.answer == "left"
    (one,) = answer.parsed.groundings
    assert (one.label, one.box.frame) == ("cup", Frame.PIXEL)
    assert one.box.corners == pytest.approx((30, 15, 60, 75))
    (body,) = served.bodies
    asked = body["model"], body["max_completion_tokens"], body["temperature"]
    assert asked == ("grounded", 33, 0)
    text = said(body)
    # The instruction of training asks for letters; a question without options has none.
    assert text.startswith("Where is the cup?\nReason inside <think> and </think>.")
    assert "letter" not in text
    kinds = [part["type"] for part in body["messages"][0]["content"]]
    assert kinds == ["image_url", "text"]
    _, content = body["messages"][0]["content"][0]["image_url"]["url"].split(",")
    # As the model would see it here: JPEG changes answers of small models.
    sent = np.asarray(Image.open(io.BytesIO(base64.b64decode(content))))
    assert (sent == np.asarray(Image.open(photo))).all()


def test_the_program_of_the_page_prints_boxes(
    tmp_path: Path,
    photo: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_description(tmp_path, DESCRIPTION)
    program = (ROOT / "docs" / "ask_a_server.py").read_text()
    assert len(program.splitlines()) <= 20
    with chat_server(lambda body: ANSWER) as served:
        program = program.replace("http://localhost:8000/v1", served.url)
        program = re.sub('"shared"', repr(str(tmp_path)), program)
        (tmp_path / "program.py").write_text(program)
        monkeypatch.setattr(sys, "argv", ["program.py", str(photo), "Where is the cup?"])
        runpy.run_path(str(tmp_path / "program.py"))
    assert capsys.readouterr().out == "left\ncup (30.0, 15.0, 60.0, 75.0)\n"


def test_what_is_missing_is_one_message(tmp_path: Path, photo: Path) -> None:
    with pytest.raises(UserError, match=r"has no groundrl\.json"):
        ServedModel.open("http://localhost:1/v1", name="grounded", folder=tmp_path)
    (tmp_path / "groundrl.json").write_text('{"base": 1}')
    with pytest.raises(UserError, match="base: expected text"):
        ServedModel.open("http://localhost:1/v1", name="grounded", folder=tmp_path)
    write_description(tmp_path, DESCRIPTION)
    with chat_server(lambda body: "") as served:
        model = ServedModel.open(served.url, name="grounded", folder=tmp_path)
        with pytest.raises(UserError, match="gives no answer"):
            model.ask(photo, "Where?")
        with pytest.raises(UserError, match="no such file"):
            model.ask(tmp_path / "gone.png", "Where?")
    assert len(served.bodies) == 1


@given(
    width=st.integers(20, 5000),
    height=st.integers(20, 5000),
    factor=st.sampled_from([28, 32]),
    limits=st.sampled_from([(3136, 802816), (4096, 65536), (200_000, 12_845_056)]),
)
def test_pictures_are_resized_as_the_processor_does(
    width: int, height: int, factor: int, limits: tuple[int, int]
) -> None:
    if max(width, height) > 200 * min(width, height):
        return
    found = resized(width, height, factor=factor, min_pixels=limits[0], max_pixels=limits[1])
    expected = smart_resize(
        height, width, factor=factor, min_pixels=limits[0], max_pixels=limits[1]
    )
    assert found == expected[::-1]


def test_a_model_frame_needs_to_know_how_images_are_resized() -> None:
    unknown = ModelDescription(
        base="any",
        grammar="obj_bbox",
        frame="model",
        instruction="",
        answer_style="words",
        max_tokens=8,
        dtype="float32",
        min_pixels=None,
        max_pixels=None,
        resize_factor=None,
    )
    with pytest.raises(UserError, match="does not say how images are resized"):
        image_sizes(unknown, 10, 10)
