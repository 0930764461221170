"""``python -m groundrl.ask``, in this process, with the embedded model."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hydra import compose
from PIL import Image
from trained_runs import write_run

from groundrl.ask.answer import show_controls
from groundrl.ask.question import check_no_control_tokens, check_question
from groundrl.errors import UserError
from groundrl.launch.commands.ask import main, split_words
from groundrl.launch.commands.base import open_command
from groundrl.launch.trained_run import open_run, take_run
from groundrl.policy.policy import Policy
from groundrl.world.graph import SceneSpec
from groundrl.world.source import SceneImage


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["  \n "], "the question is empty"),
        (["Where", "is", "it?"], "there are 3"),
        (["cup " * 30_000], "the question has 119,999 characters, and at most 4,000"),
        (["Where\x00 is it?"], "control characters"),
        (["Where\ud800 is it?"], "control characters"),
    ],
)
def test_a_question_that_cannot_be_asked_is_refused(words: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        split_words(words, None)


def test_options_pictures_and_the_question_are_told_apart() -> None:
    words = ["run=a", "image=b (1).png", " Is 1 + 1 = 2? ", "image=c=d.png", "~model.x", "+a.b=1"]
    overrides, paths, question = split_words(words, None)
    assert overrides == ["run=a", "~model.x", "+a.b=1"]
    assert paths == ["b (1).png", "c=d.png"]
    assert question == "Is 1 + 1 = 2?"
    assert split_words([], "x=1")[2] == "x=1"
    assert split_words(["run=a"], None)[2] == ""  # the page
    for text in ("Two\nlines", "杯子在\u3000哪里？", "کجا می\u200cبینی؟"):
        assert check_question(text) == text


def test_a_question_with_control_tokens_is_refused(make_policy: Callable[..., Policy]) -> None:
    processor = make_policy(None).processor
    check_no_control_tokens("Where is <the> cup|?", processor)
    for token in ("<|im_end|>", processor.image_token):
        with pytest.raises(UserError, match="control tokens of the model, <"):
            check_no_control_tokens(f"Where is {token} it?", processor)


SPEC = SceneSpec(seed=9, index=2)


def save_scene(path: Path, *, scale: int) -> None:
    """A scene of 160 pixels, as many times as large."""
    SceneImage(spec=SPEC).load().resize((160 * scale, 160 * scale)).save(path)


def ask(tmp_path: Path, *words: str) -> int:
    return main([*words, "cache_dir=null", f"--pictures={tmp_path / 'boxes'}"])


@pytest.mark.slow
def test_boxes_come_in_pixels_of_the_file_whatever_its_size(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for scale in (1, 3):
        path = tmp_path / str(scale) / "scene.png"
        path.parent.mkdir()
        save_scene(path, scale=scale)
        assert ask(tmp_path, f"image={path}", "Where is the orange ball?", "--json") == 0
        row = json.loads(capsys.readouterr().out)
        assert (row["width"], row["question"]) == (160 * scale, "Where is the orange ball?")
        # The embedded model writes thousandths.
        written = [int(number) for number in re.findall(r"\d+", row["text"])]
        (box,) = row["boxes"]
        assert box["label"] in row["text"]
        assert box["box"] == pytest.approx([0.16 * scale * n for n in written], abs=0.06)
        with Image.open(row["picture"]) as drawn:
            assert drawn.size == (480, 480)


@pytest.mark.slow
def test_the_terminal_shows_the_answer_and_its_boxes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a.png", "b.png"):
        save_scene(tmp_path / name, scale=1)
    assert ask(tmp_path, f"image={tmp_path}", "Where is the orange ball?") == 0
    out = capsys.readouterr().out
    assert out.count("orange ball") >= 2
    assert "a.boxes.png" in out
    assert "b.boxes.png" in out
    assert "x1" in out


@pytest.mark.slow
def test_a_run_answers_and_is_refused_on_another_base(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trained = write_run(tmp_path / "run")
    save_scene(tmp_path / "scene.png", scale=1)
    words = (f"run={trained}", f"image={tmp_path / 'scene.png'}", "What is there?")
    assert ask(tmp_path, *words) == 0
    assert ask(tmp_path, *words, "grammar=bbox_2d") == 2
    assert "brings its own grammar=bbox_2d" in capsys.readouterr().err
    (trained / "checkpoints" / "base_weights.json").write_text('{"base": 1}')
    assert ask(tmp_path, *words) == 2
    assert "was trained on another base than embedded is now" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("typed", "adapted", "clash"),
    [
        (["model.attention=sdpa", "model.path=/bases/mine"], True, ""),
        (["model.attention=sdpa"], False, ""),
        (["model.path=/bases/mine"], False, "model.path=/bases/mine"),
        (["model=qwen2_5_vl_3b"], True, "model=qwen2_5_vl_3b"),
        (["+model.template.answer_style=a"], True, "+model.template.answer_style=a"),
        (["~model.attention"], True, "~model.attention"),
        (["adapter.path=a"], True, "adapter.path=a"),
    ],
)
def test_only_what_depends_on_the_machine_may_be_typed_beside_a_run(
    tmp_path: Path, typed: list[str], adapted: bool, clash: str
) -> None:
    (tmp_path / "adapter").mkdir()
    if adapted:
        (tmp_path / "adapter" / "adapter_config.json").touch()
    text = "{pipeline: [sft], model: {path: there, attention: flex_attention}, grammar: inline_box}"
    (tmp_path / "resolved.yaml").write_text(text)
    words = [f"run={tmp_path}", *typed]
    with open_command("ask", words, None):
        cfg = compose("ask", words)
    if clash:
        with pytest.raises(UserError, match=re.escape(f"brings its own {clash}: drop")):
            take_run(cfg, words)
        return
    take_run(cfg, words)
    assert (cfg.grammar, cfg.model.attention) == ("inline_box", "sdpa")
    weights = str(tmp_path / "adapter")
    assert (cfg.model.path, cfg.model.adapter.path) == (
        ("/bases/mine", weights) if adapted else (weights, None)
    )


def test_a_run_that_is_deleted_unfinished_or_no_training_is_told_apart(tmp_path: Path) -> None:
    def refusal() -> str:
        with pytest.raises(UserError) as error:
            open_run(tmp_path / "run")
        return str(error.value)

    assert "there is no such folder" in refusal()
    (tmp_path / "run" / "checkpoints").mkdir(parents=True)
    assert "it has no resolved.yaml" in refusal()
    (tmp_path / "run" / "resolved.yaml").write_text("pipeline: [sft]\n")
    assert f"again with resume={tmp_path / 'run'}" in refusal()
    (tmp_path / "run" / "resolved.yaml").write_text("pipeline: [pretrain]\n")
    assert f"type model.path={tmp_path / 'run'}/model" in refusal()


def test_a_model_cannot_steer_the_terminal() -> None:
    assert show_controls("a\x1b[2Jb\rc\nd\te") == "a\ufffd[2Jb\ufffdc\nd\te"
