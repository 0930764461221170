"""What is converted and read again is what it was, up to what the report says is lost."""

import json
import re
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf
from PIL import Image

from groundrl.boxes import Box, Frame
from groundrl.convert.__main__ import convert_all, main, run
from groundrl.convert.reading import FORMATS, Source
from groundrl.data.schema import write_jsonl
from groundrl.errors import UserError
from groundrl.records import Grounding, ImageFile, Provenance, Sample

CONF = Path(__file__).parents[2] / "conf/data/hub.yaml"
WIDTH, HEIGHT = 100, 80
PROVENANCE = Provenance(dataset="d", split="train")


def image(folder: Path, name: str = "a.png") -> ImageFile:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (WIDTH, HEIGHT), "red").save(path)
    return ImageFile(path=path, width=WIDTH, height=HEIGHT)


def grounding(label: str, *corners: float) -> Grounding:
    x1, y1, x2, y2 = map(float, corners)
    return Grounding(label=label, box=Box(x1=x1, y1=y1, x2=x2, y2=y2, frame=Frame.PIXEL))


def examples(folder: Path) -> list[Sample]:
    """One of each kind."""
    cat, dog = grounding("cat", 10, 20, 30, 40), grounding("dog", 50, 20, 90, 60)
    shown = image(folder)
    return [
        Sample(
            id="choice",
            image=shown,
            question="Which animal is it?",
            options=("cat", "dog", "none"),
            answers=("cat", "dog"),
            groundings=(cat, dog),
            rationale=("There is a ", cat, " and a ", dog, "."),
            provenance=PROVENANCE,
        ),
        Sample(
            id="locate",
            image=shown,
            question="Where are they?",
            groundings=(cat, dog),
            kind="locate",
            provenance=PROVENANCE,
        ),
        Sample(
            id="open",
            image=shown,
            context_images=(image(folder, "b.png"),),
            question="How many?",
            answers=("2",),
            provenance=PROVENANCE,
        ),
    ]


def converted(folder: Path, format: str, *options: str) -> tuple[Path, str]:
    """The examples as our own file, converted: the file and the report."""
    write_jsonl(examples(folder), folder / "ours.jsonl")
    suffix = "json" if format == "coco" else "jsonl"
    target = folder / f"{format}.{suffix}"
    told = run([f"from={folder / 'ours.jsonl'}", f"to={target}", f"format={format}", *options])
    return target, told


def plain(sample: Sample, *, labels: bool = True) -> Sample:
    """The sample without what rows of other formats do not hold."""

    def bare(part: str | Grounding) -> str | Grounding:
        return part if labels or isinstance(part, str) else replace(part, label="object")

    reasoning = sample.rationale
    return replace(
        sample,
        groundings=tuple(
            replace(g, label=g.label if labels else "object") for g in sample.groundings
        ),
        rationale=None if reasoning is None else tuple(map(bare, reasoning)),
        provenance=PROVENANCE,
    )


@pytest.mark.parametrize(
    ("format", "options", "frame"),
    [
        ("ms_swift", [], None),
        ("qwen", ["boxes=permille"], Frame.PERMILLE),
        ("qwen", ["boxes=model"], Frame.MODEL),
        ("qwen", ["boxes=pixel"], Frame.PIXEL),
    ],
)
def test_a_round_trip_keeps_questions_answers_reasoning_and_boxes(
    tmp_path: Path, format: str, options: list[str], frame: Frame | None
) -> None:
    target, told = converted(tmp_path, format, *options)
    assert told == f"{target}: 3 samples, format {format}"
    back = Source(path=target, frame=frame).samples()
    for index, sample in enumerate(examples(tmp_path)):
        found = plain(back[index])
        for mine, read in zip(sample.groundings, found.groundings, strict=True):
            assert read.box.corners == pytest.approx(mine.box.corners, abs=0.6)
        if frame is not Frame.MODEL:  # rounded to pixels of 112 x 84
            assert found == plain(sample)


def test_llava_loses_the_labels_of_boxes_and_says_so(tmp_path: Path) -> None:
    target, told = converted(tmp_path, "llava")
    assert told.splitlines()[1:] == ["not in this format: labels of boxes (2 samples)"]
    rows = [json.loads(line) for line in target.read_text().splitlines()]
    assert rows[1]["conversations"] == [
        {"from": "human", "value": "<image>\nWhere are they?"},
        {
            "from": "gpt",
            "value": "cat [0.100, 0.250, 0.300, 0.500], dog [0.500, 0.250, 0.900, 0.750]",
        },
    ]
    assert rows[2]["image"] == ["a.png", "b.png"]
    answer = rows[0]["conversations"][1]["value"]
    assert re.search(r"<answer>A, B</answer>$", answer)


def test_coco_holds_boxes_only_and_says_so(tmp_path: Path) -> None:
    target, told = converted(tmp_path, "coco")
    assert "not in this format: questions (2 samples)" in told
    assert "not in this format: reasoning (1 samples)" in told
    assert "not in this format: context images (1 samples)" in told
    (found,) = Source(path=target, read="coco", images=str(tmp_path)).samples()
    assert found.groundings == examples(tmp_path)[1].groundings
    assert found.question == "Where is every cat and every dog?"
    again = tmp_path / "again.json"
    source = [f"from={target}", "read=coco", f"images={tmp_path}"]
    run([*source, f"to={again}", "format=coco"])
    assert json.loads(again.read_text()) == json.loads(target.read_text())


def test_a_detection_data_set_is_recognised_and_asked_about(tmp_path: Path) -> None:
    image(tmp_path / "yolo", "images/train/a.png")
    (tmp_path / "yolo/data.yaml").write_text("train: images/train\nnames: [cat, dog]\n")
    label = tmp_path / "yolo/labels/train/a.txt"
    label.parent.mkdir(parents=True)
    label.write_text("1 0.5 0.5 0.2 0.5\n")
    target = tmp_path / "yolo/rows.jsonl"
    source = [f"from={tmp_path / 'yolo'}", "split=train"]
    assert run([*source, f"to={target}", "format=ms_swift"]) == (
        f"{target}: 1 samples, format ms_swift"
    )
    (found,) = Source(path=target).samples()
    assert found.groundings == (grounding("dog", 40, 20, 60, 60),)
    assert found.question == "Where is every dog?"


def test_images_elsewhere_are_copied_beside_the_file(tmp_path: Path) -> None:
    samples = examples(tmp_path / "data")
    target = tmp_path / "out/rows.jsonl"
    told = convert_all(samples, target, "ms_swift", "")
    assert f"2 images are copied to {tmp_path / 'out/images'}" in told
    assert Source(path=target).samples()[0].image.load().getpixel((0, 0)) == (255, 0, 0)


def test_our_own_file_is_read_and_written_without_loss(tmp_path: Path) -> None:
    _, _ = converted(tmp_path, "ms_swift")
    target = tmp_path / "ours.parquet"
    run([f"from={tmp_path / 'ours.jsonl'}", f"to={target}", "format=ours"])
    back = Source(path=target, read="ours").samples()
    assert [back[k] for k in range(3)] == examples(tmp_path)


def test_the_report_counts_what_is_lost(tmp_path: Path) -> None:
    sample = replace(
        examples(tmp_path)[2],
        answers=("2", "two"),
        groundings=(grounding("cat", 1, 2, 3, 4),),
        provenance=replace(PROVENANCE, licence="CC-BY-4.0"),
    )
    told = convert_all([sample] * 2, tmp_path / "t.jsonl", "ms_swift", "")
    assert "accepted answers beyond the first (2 samples)" in told
    assert "boxes that no text points at (2 samples)" in told
    assert "licence (2 samples)" in told


def test_the_formats_of_training_can_be_converted() -> None:
    targets = {name: node["_target_"] for name, node in OmegaConf.load(CONF).formats.items()}
    assert targets == {
        name: f"{type(one).__module__}.{type(one).__name__}" for name, one in FORMATS.items()
    }
    assert list(targets) == list(FORMATS)


words = st.text(alphabet="abc é", min_size=1, max_size=8).filter(lambda text: bool(text.strip()))
places = st.integers(0, 39)


@st.composite
def labelled(draw: st.DrawFn) -> Grounding:
    x, y = draw(places), draw(places)
    corners = (x, y, x + draw(st.integers(2, 60)), y + draw(st.integers(2, 40)))
    return grounding(draw(words).strip(), *corners)


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(boxes=st.lists(labelled(), min_size=1, max_size=4, unique=True), question=words)
@pytest.mark.parametrize(("format", "frame"), [("ms_swift", None), ("qwen", Frame.PIXEL)])
def test_any_boxes_survive_a_round_trip(
    format: str, frame: Frame | None, boxes: list[Grounding], question: str
) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        sample = replace(examples(folder)[1], question=question.strip(), groundings=tuple(boxes))
        convert_all([sample], folder / "t.jsonl", format, "" if frame is None else frame)
        assert Source(path=folder / "t.jsonl", frame=frame).samples()[0].groundings == tuple(boxes)


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ([], "must be given"),
        (["format=nope"], "format=nope is unknown: type one of ours, llava"),
        (["format=qwen"], "boxes= is no frame: type boxes=permille"),
        (["format=llava", "boxes=unit"], "boxes= goes with format=qwen only"),
        (["format=llava", "read=nope"], "read=nope is unknown"),
        (["format=llava", "frame=nope"], "frame=nope is no frame"),
        (["format=coco"], r"ends in \.json"),
    ],
)
def test_what_is_typed_wrong_is_explained(
    tmp_path: Path, typed: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    places = [f"from={tmp_path}/t.jsonl", f"to={tmp_path}/out.jsonl"]
    with pytest.raises(UserError, match=message):
        run([*places, *typed])
    assert main([*places, *typed]) == 2
    assert re.search(message, capsys.readouterr().err)


def test_messages_name_the_options_of_this_command(tmp_path: Path) -> None:
    image(tmp_path)
    boxed = {"image": "a.png", "problem": "Where?", "solution": [1, 2, 30, 40], "id": "1"}
    source = tmp_path / "rows.jsonl"
    typed = [f"from={source}", f"to={tmp_path}/out.jsonl", "format=ms_swift"]

    def told(*rows: Any, options: tuple[str, ...] = ()) -> str:
        source.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
        with pytest.raises(UserError) as error:
            run([*typed, *options])
        assert "data." not in str(error.value)
        return str(error.value)

    assert "Type one of\n  frame=pixel: " in told(boxed)
    assert "fit only another frame: type frame=permille" in told(
        boxed | {"solution": [1, 2, 300, 400]}, options=("frame=pixel",)
    )
    assert "missing=skip leaves" in told(boxed | {"image": "b.png"}, options=("frame=pixel",))
    assert "unreadable=skip leaves" in told(boxed, 7, options=("frame=pixel",))
    assert "number_rows=true numbers" in told(boxed, boxed, options=("frame=pixel",))
    assert "Type columns.question=<column>" in told({"image": "a.png", "q": "?", "a": "b"})
    assert "read=nope is unknown" in told(boxed, options=("read=nope",))
    assert "unusable=yes is unknown: type unusable=skip" in told(boxed, options=("unusable=yes",))


def test_what_the_messages_name_can_be_typed(tmp_path: Path) -> None:
    image(tmp_path)
    source = tmp_path / "rows.jsonl"
    row = {"i": "a.png", "q": "Is it red?", "a": "yes"}
    rows = [row, 7, row | {"i": "b.png"}, row | {"i": None}, row]
    source.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    typed = ["columns.question=q", "columns.answer=a", "columns.image=i", "number_rows=true"]
    skip = ["missing=skip", "unusable=skip", "unreadable=skip"]
    told = run([f"from={source}", f"to={tmp_path}/o.jsonl", "format=ours", *typed, *skip])
    assert "o.jsonl: 2 samples" in told


def test_a_file_is_not_overwritten(tmp_path: Path) -> None:
    target, _ = converted(tmp_path, "llava")
    with pytest.raises(UserError, match="is there already"):
        run([f"from={tmp_path / 'ours.jsonl'}", f"to={target}", "format=llava"])
