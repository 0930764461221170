"""What no model can be asked is found at every entrance, before weights load."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from attempts import box, sample
from PIL import Image

from groundrl.data.askable import check_samples
from groundrl.data.datasets import SampleList
from groundrl.data.image_files import check_images
from groundrl.data.module import GroundingDataModule
from groundrl.data.schema import read_jsonl
from groundrl.errors import UserError
from groundrl.images import MAX_ASPECT, shape_problem
from groundrl.records import NamedImage
from groundrl.synthesis.images import FolderImages

ROW: dict[str, Any] = {
    "id": "0",
    "image": "a.png",
    "question": "Which?",
    "options": ["cat", "dog"],
    "answers": ["cat"],
    "groundings": [{"label": "cat", "box": [1, 2, 9, 7]}],
    "provenance": {"dataset": "mine", "split": "train"},
}


def write(folder: Path, *rows: dict[str, Any]) -> Path:
    Image.new("RGB", (40, 30)).save(folder / "a.png")
    Image.new("RGB", (1000, 3)).save(folder / "thin.png")
    path = folder / "samples.jsonl"
    path.write_text(
        "".join(json.dumps(ROW | {"id": str(i)} | r) + "\n" for i, r in enumerate(rows))
    )
    return path


@pytest.mark.parametrize(
    ("size", "refused"),
    [((1, 1), False), ((MAX_ASPECT, 1), False), ((1, MAX_ASPECT + 1), True), ((0, 0), False)],
)
def test_a_side_may_be_two_hundred_times_the_other(size: tuple[int, int], refused: bool) -> None:
    assert (shape_problem(*size) is not None) == refused


def test_a_sample_file_names_the_line_of_each_sample_that_cannot_be_asked(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        {},
        {"image": "thin.png", "groundings": []},
        {"options": ["cat", "dog", "cat "]},
        {"groundings": [{"label": "cat", "box": [1, 2, 1, 7]}]},
        {"question": "Why\ud83d?"},
    )
    with pytest.raises(UserError) as found:
        read_jsonl(path)
    for line, what in (
        (2, "image 'thin.png': 1000 x 3 pixels: one side may be 200 times the other"),
        (3, "option 'cat' stands there twice"),
        (4, "box [1.0, 2.0, 1.0, 7.0] of 'cat' has no area"),
        (5, "question: holds half of a character, '\\ud83d', in place 3: write the whole one"),
    ):
        assert f"samples.jsonl:{line}: {what}" in str(found.value)
    assert "has 4 problems" in str(found.value)


def test_samples_from_anywhere_are_checked_when_a_data_module_is_made() -> None:
    good = sample(box(1, 2, 3, 4))
    thin = NamedImage(key="thin.png", width=3, height=1000)
    odd = replace(good, id="odd", image=thin, options=("red", "red"))
    flat = replace(good, id="flat", groundings=sample(box(1, 2, 3, 2)).groundings)
    GroundingDataModule(train=SampleList((good,)), prompts_per_step=1)
    for samples in ((good, odd, flat), (odd, flat)):
        with pytest.raises(UserError, match="training set has 3 problems") as found:
            GroundingDataModule(train=SampleList(samples), prompts_per_step=1)
        assert "sample 'odd' of test: image thin.png: 3 x 1000 pixels" in str(found.value)
    with pytest.raises(UserError, match="heldout has 1 problem:"):
        GroundingDataModule(
            train=SampleList((good,)), heldout={"heldout": SampleList((flat,))}, prompts_per_step=1
        )
    check_samples("nothing", [good])


def test_readers_and_synthesis_refuse_the_same_shapes(tmp_path: Path) -> None:
    write(tmp_path)
    found = check_images([tmp_path / "a.png", tmp_path / "thin.png"])
    assert isinstance(why := found[tmp_path / "thin.png"], str)
    images = FolderImages(tmp_path, min_side=1)
    assert [image.id for image in images] == ["a.png"]
    assert images.skipped == {"thin.png": why}
