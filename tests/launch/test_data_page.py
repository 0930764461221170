"""``python -m groundrl.data``, in this process."""

import base64
import json
from io import BytesIO
from pathlib import Path

import datasets.config
import numpy as np
import pytest
from PIL import Image

from groundrl.data.schema import write_jsonl
from groundrl.launch.commands.data_page import main
from groundrl.records import ImageFile, Provenance, Sample
from groundrl.world.graph import SceneSpec
from groundrl.world.questions import ask
from groundrl.world.render import build_scene

pytestmark = pytest.mark.slow


def made_file(folder: Path, *, rationales: bool) -> Path:
    samples = []
    for index in range(12):
        scene = build_scene(SceneSpec(seed=1, index=index))
        sample = ask(scene, "exists", np.random.default_rng(index))
        assert sample is not None
        if not rationales:
            sample = Sample(
                id=sample.id,
                image=sample.image,
                question=sample.question,
                options=sample.options,
                answers=sample.answers,
                groundings=sample.groundings,
                kind="exists",
                provenance=sample.provenance,
            )
        samples.append(sample)
    path = folder / "samples.jsonl"
    write_jsonl(samples, path)
    return path


def look(tmp_path: Path, *options: str) -> tuple[int, str]:
    page = tmp_path / "page.html"
    status = main([*options, f"--page={page}", "--cards=5", "--most=60"])
    return status, page.read_text() if page.exists() else ""


def test_the_page_shows_samples_as_they_are_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = made_file(tmp_path, rationales=True)
    status, page = look(tmp_path, "data=jsonl", f"data.path={path}")
    assert status == 0
    assert "Options: " in page
    assert page.count("<article") == 4  # every third of twelve
    assert "&lt;think&gt;" in page
    assert "exists" in capsys.readouterr().out


def test_what_would_stop_a_training_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = made_file(tmp_path, rationales=False)
    status, page = look(tmp_path, "data=jsonl", f"data.path={path}")
    assert status == 1
    assert "12 of 12 training samples have no rationale" in page
    assert "training would stop: 12 of 12" in capsys.readouterr().out
    status, _ = look(tmp_path, "data=jsonl", f"data.path={path}", "pipeline=[grpo]")
    assert status == 0


def test_data_that_cannot_be_read_and_wrong_options_are_told_apart(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert look(tmp_path, "data=jsonl", "data.path=nowhere.jsonl") == (1, "")
    assert look(tmp_path, "data=nothing") == (2, "")
    error = capsys.readouterr().err
    assert "nowhere.jsonl: no such file" in error
    assert "no option 'nothing'" in error


def test_rows_that_were_checked_are_not_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    lines = []
    for number in range(40):
        content = BytesIO()
        Image.new("RGB", (90, 90), (number, 80, 80)).save(content, "PNG")
        url = f"data:image/png;base64,{base64.b64encode(content.getvalue()).decode()}"
        lines.append(json.dumps({"image": url, "problem": "Is it red?", "solution": "yes"}))
    lines[1] = "{"  # row 2: neither checked (1, 14, 27 and 40 are) nor shown
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(lines))
    page = tmp_path / "page.html"
    typed = ["data=hub", f"data.path={path}", "data.check_rows=4", "pipeline=[grpo]", "reward=acc"]
    assert main([*typed, f"--page={page}", "--cards=3"]) == 0
    assert page.read_text().count("<article") == 3
    assert page.read_text().count("data:image") >= 3
    assert "40" in capsys.readouterr().out


def test_images_in_two_sets_and_shrunk_images_are_warned_of(tmp_path: Path) -> None:
    train, heldout = tmp_path / "train", tmp_path / "heldout"
    for folder in (train, heldout):
        folder.mkdir()
        Image.effect_noise((90, 90), 30).convert("RGB").save(folder / "noise.png")
    Image.open(train / "noise.png").save(heldout / "other.png")
    for folder, name in ((train, "noise.png"), (heldout, "other.png")):
        sample = Sample(
            id="1",
            image=ImageFile(path=folder / name, width=90, height=90),
            question="Is there a cup?",
            options=("yes", "no"),
            answers=("no",),
            rationale=("Nothing.",),
            kind="presence",
            provenance=Provenance(dataset="made", split="train"),
        )
        write_jsonl([sample], folder / "samples.jsonl")
    _, page = look(
        tmp_path,
        "data=jsonl",
        f"data.path={train / 'samples.jsonl'}",
        f"data.heldout_path={heldout / 'samples.jsonl'}",
        "model=qwen2_5_vl_3b",
        "model.max_pixels=6400",
    )
    assert "1 images stand in two sets with equal pixels" in page
    assert "more than model.max_pixels=6400 pixels" in page


def test_a_label_that_the_grammar_cannot_write_is_named(tmp_path: Path) -> None:
    path = made_file(tmp_path, rationales=True)
    text = path.read_text().replace('"label": "', '"label": "</obj>', 3)
    path.write_text(text)
    status, page = look(tmp_path, "data=jsonl", f"data.path={path}")
    assert status == 1
    assert "Training would stop" in page
