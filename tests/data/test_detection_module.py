"""Options about the boxes of a detection data set: a share held out, class names, unread images."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from groundrl.data.build import detection_module
from groundrl.data.detection.base import AnnotatedImage, DetectionSet, split_images
from groundrl.data.detection.yolo import YoloLayout
from groundrl.data.module import GroundingDataModule
from groundrl.errors import UserError
from groundrl.records import ImageFile, Sample


@pytest.fixture
def flat(tmp_path: Path, image_file: Callable[..., Path]) -> Path:
    """Ten images without a split."""
    (tmp_path / "classes.txt").write_text("cats\nno_entry\n")
    (tmp_path / "labels").mkdir()
    for number in range(10):
        image_file(tmp_path / f"images/{number}.jpg")
        (tmp_path / f"labels/{number}.txt").write_text("0 0.3 0.5 0.4 0.5\n")
    return tmp_path


def module(root: Path, **options: Any) -> GroundingDataModule:
    chosen = {"train_split": None, "heldout_split": 0.2, **options}
    return detection_module(layout=YoloLayout(), root=root, **chosen)


def images_of(source: Any) -> set[str]:
    return {sample.id.partition(":")[0] for sample in samples(source)}


def samples(source: Any) -> list[Sample]:
    return [source[index] for index in range(len(source))]


def test_a_share_of_the_images_is_held_out_and_the_same_for_every_seed(flat: Path) -> None:
    found = [module(flat, seed=seed) for seed in (0, 7)]
    heldout = [images_of(one.heldout["heldout"]) for one in found]
    train = [images_of(one.train) for one in found]
    assert heldout[0] == heldout[1]
    assert train[0] == train[1]
    assert (len(heldout[0]), len(train[0])) == (2, 8)
    assert heldout[0].isdisjoint(train[0])
    assert samples(found[0].heldout["heldout"]) == samples(found[1].heldout["heldout"])


@pytest.mark.parametrize("share", [0.0, 1.0, 1.5, -0.2, 0.01])
def test_a_share_that_leaves_nothing_is_an_error(flat: Path, share: float) -> None:
    with pytest.raises(UserError, match=r"data\.heldout_split=.*type data\.heldout_split=0\.2"):
        module(flat, heldout_split=share)


def test_the_parts_of_a_split_keep_the_order_of_the_images() -> None:
    images = tuple(
        AnnotatedImage(
            id=f"{number:02}",
            image=ImageFile(path=Path(f"{number}.jpg"), width=9, height=9),
            groundings=(),
        )
        for number in range(20)
    )
    whole = DetectionSet(name="set", split="all", names=("cat",), images=images)
    parts = split_images(whole, 0.25)
    ids = [[image.id for image in part.images] for part in parts]
    assert [len(part) for part in ids] == [15, 5]
    assert ids == [sorted(part) for part in ids]
    assert sorted(ids[0] + ids[1]) == [image.id for image in images]
    assert [part.split for part in parts] == ["all", "heldout"]


def test_classes_are_asked_about_by_their_nouns_or_by_those_of_the_user(flat: Path) -> None:
    asked = {sample.question for sample in samples(module(flat).train)}
    assert "How many cats are in the picture?" in asked
    assert not any("entry" in question for question in asked)
    chosen = module(flat, names={"cats": "kitten", "no_entry": "no entry sign"})
    asked = {sample.question for sample in samples(chosen.train)}
    assert "How many kittens are in the picture?" in asked
    with pytest.raises(UserError, match="choose from cats, no_entry"):
        module(flat, names={"cat": "kitten"})


def test_unreadable_images_are_errors_that_say_how_to_leave_them_out(flat: Path) -> None:
    (flat / "images/3.jpg").write_text("no image")
    with pytest.raises(UserError, match="skip_unreadable=true leaves out 1 that cannot be read"):
        module(flat)
    found = module(flat, skip_unreadable=True)
    assert "3" not in images_of(found.train) | images_of(found.heldout["heldout"])
