"""Labels of sentences are read as they were written, and refused where they do not fit."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from groundrl.errors import UserError
from groundrl.feedback.labels import (
    LabelledCaption,
    SentenceError,
    SentenceLabel,
    read_captions,
    write_captions,
)
from groundrl.records import ImageFile
from groundrl.world.graph import Look, SceneSpec, Subject
from groundrl.world.source import SceneImage

TEXT = "There is a red cup. It is on a bus."
SPEC = SceneSpec(seed=1, index=2, subject=Subject.TABLETOP, look=Look.PLAIN)
CAPTION = LabelledCaption(
    id="one",
    image=SceneImage(spec=SPEC),
    question="What is there?",
    text=TEXT,
    sentences=(
        SentenceLabel(start=0, stop=19, creative=True),
        SentenceLabel(start=20, stop=35, errors=(SentenceError.RELATIONSHIP,), severity=2),
    ),
    annotator="ann",
)


def test_captions_are_read_as_they_were_written(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "labels.jsonl"
    written = [CAPTION, replace(CAPTION, annotator="bea"), replace(CAPTION, id="2", sentences=None)]
    write_captions(written, path)
    read = read_captions(path)
    image = read[0].image
    assert isinstance(image, ImageFile)
    assert [replace(one, image=CAPTION.image) for one in read] == written
    assert image.load().tobytes() == CAPTION.image.load().tobytes()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sentences": [{"start": 0, "stop": 35}]}, "1 labels, but the text has 2 sentences"),
        (
            {"sentences": [{"start": 0, "stop": 18}, {"start": 20, "stop": 35}]},
            "label 1 is of 0..18, the sentence at",
        ),
        (
            {"sentences": [{"start": 0, "stop": 19, "errors": ["lie"]}]},
            r"sentences\[0\].errors\[0\]: expected 'hallucination'",
        ),
        (
            {"sentences": [{"start": 0, "stop": 19}, {"start": 20, "stop": 35, "severity": 1}]},
            "label 2 has errors .. and severity 1",
        ),
        ({"image": "gone.png"}, "gone.png.*no such image"),
        ({"text": 3}, "text: expected text, got 3"),
        ({"id": "zero"}, "id 'zero' is already used at .*:1"),
    ],
)
def test_a_line_that_does_not_fit_is_named(
    tmp_path: Path, change: dict[str, object], message: str
) -> None:
    Image.new("RGB", (9, 9)).save(tmp_path / "a.png")
    good = {"id": "zero", "image": "a.png", "question": "?", "text": TEXT, "annotator": "ann"}
    path = tmp_path / "labels.jsonl"
    path.write_text(
        "".join(json.dumps({**good, **one}) + "\n" for one in ({}, {"id": "1"} | change))
    )
    with pytest.raises(UserError, match=message):
        read_captions(path)


def test_a_missing_or_empty_file_is_one_message(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        read_captions(tmp_path / "labels.jsonl")
    (tmp_path / "labels.jsonl").touch()
    with pytest.raises(UserError, match="no captions"):
        read_captions(tmp_path / "labels.jsonl")


DOCS = (Path(__file__).parents[2] / "docs" / "feedback.md").read_text(encoding="utf-8")


def test_the_row_of_the_page_is_a_labelled_caption(tmp_path: Path) -> None:
    row = json.loads(DOCS.split("```json\n")[1].split("```")[0])
    image = tmp_path / row["image"]
    image.parent.mkdir()
    Image.new("RGB", (9, 9)).save(image)
    path = tmp_path / "labels.jsonl"
    path.write_text(json.dumps(row) + "\n")
    (read,) = read_captions(path)
    assert read.sentences is not None
    assert read.sentences[1].describe() == "hallucination, relationship (2)"


def test_the_page_says_what_each_error_means() -> None:
    for number, error in enumerate(SentenceError, start=1):
        assert f"| `{number}` {error} | {error.meaning} |" in DOCS
