"""Images are found by their paths, and by their names where the paths are another machine's."""

from pathlib import Path

import pytest

from groundrl.data.image_files import ImageFinder
from groundrl.errors import UserError


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def test_a_path_below_a_folder_is_taken_as_it_is(tmp_path: Path) -> None:
    touch(tmp_path, "x/a.jpg", "x/y/a.jpg")
    finder = ImageFinder([tmp_path / "x"])
    assert finder.find("a.jpg") == tmp_path / "x/a.jpg"
    assert finder.find("y\\a.jpg") == tmp_path / "x/y/a.jpg"
    assert finder.id_of(tmp_path / "x/y/a.jpg") == "y/a"


@pytest.mark.parametrize(
    "written",
    [
        "..\\..\\media\\upload\\4\\a.jpg",
        "/home/me/set/images/a.jpg",
        "C:\\set\\a.jpg",
        "A.JPG",
        "a",
    ],
)
def test_a_path_of_another_machine_is_found_by_name_and_that_is_told(
    tmp_path: Path, written: str, caplog: pytest.LogCaptureFixture
) -> None:
    touch(tmp_path, "deep/a.jpg", "b.jpg", "a.txt")
    finder = ImageFinder([tmp_path])
    assert finder.has(written)
    assert finder.find(written) == tmp_path / "deep/a.jpg"
    finder.check_found("the set")
    assert "the set: found 1 image(s) by file name" in caplog.text
    assert written in caplog.text
    assert "type data.images=<folder>" in caplog.text


def test_of_several_files_of_a_name_the_nearest_path_counts_and_a_tie_none(tmp_path: Path) -> None:
    touch(tmp_path, "train/a.jpg", "val/a.jpg")
    finder = ImageFinder([tmp_path])
    assert finder.find("/data/val/a.jpg") == tmp_path / "val/a.jpg"
    assert not finder.find("/data/test/a.jpg").exists()


def test_that_none_is_found_is_an_error_that_names_one_and_where_it_was_looked_for(
    tmp_path: Path,
) -> None:
    touch(tmp_path, "z.jpg")
    finder = ImageFinder([tmp_path])
    for name in ("a.jpg", "b.jpg"):
        finder.find(name)
    with pytest.raises(UserError, match=r"none of its 2 images is here, such as a\.jpg\. Looked"):
        finder.check_found("the set")
    finder.find("z.jpg")
    finder.check_found("the set")
