"""Files that change during a run are skipped with the reason; the run continues."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from synthesis_views import FixedDetector, FixedTeacher, KeepingVerifier

from groundrl.detectors.base import Detector
from groundrl.detectors.records import InputImage, Region
from groundrl.records import ImageFile
from groundrl.running.task_runner import LocalRunner
from groundrl.synthesis.annotate import Annotator
from groundrl.synthesis.annotations import Caption
from groundrl.synthesis.images import FolderImages
from groundrl.synthesis.roles import ImageView, Teacher
from groundrl.synthesis.run import Synthesis
from groundrl.synthesis.samples import QuestionPlan


@dataclass
class LooksAtImages(FixedTeacher):
    """A teacher that decodes what it describes; ``gone`` vanishes before."""

    gone: str = ""

    def __call__(self, views: Sequence[ImageView]) -> list[Caption | None]:
        for one in views:
            image = one.image.source
            assert isinstance(image, ImageFile)
            if image.path.name == self.gone:
                image.path.unlink(missing_ok=True)
            image.load()
        return FixedTeacher.__call__(self, views)


@dataclass
class LooksAtMany(FixedDetector):
    """A detector that decodes batches; ``gone`` is overwritten with something else before."""

    gone: str = ""
    batch_size: int = 8

    def __call__(self, images: Sequence[InputImage]) -> list[tuple[Region, ...]]:
        for one in images:
            image = one.source
            assert isinstance(image, ImageFile)
            if image.path.name == self.gone:
                image.path.write_bytes(b"something else")
            image.load()
        return FixedDetector.__call__(self, images)


def finished(folder: Path, detector: Detector, teacher: Teacher) -> list[str]:
    """Ids of the images that a run over six photographs finishes."""
    photos = folder / "photos"
    photos.mkdir()
    for index in range(6):
        Image.new("RGB", (160, 160), (40 * index, 0, 0)).save(photos / f"{index}.png")
    annotator = Annotator(detector=detector, teacher=teacher, verifier=KeepingVerifier())
    run = Synthesis(
        images=FolderImages(photos),
        annotator=lambda: annotator,
        runner=LocalRunner(),
        concurrency=6,
        questions=QuestionPlan(),
        licence="CC0",
        cache=folder / "s.sqlite",
        shard_size=50,
        run_dir=folder / "run",
    )
    assert run.run().unfinished == 0
    lines = (folder / "run" / "images.jsonl").read_text().splitlines()
    return [json.loads(line)["id"] for line in lines]


def test_a_file_that_vanishes_after_its_check_is_skipped(tmp_path: Path) -> None:
    ids = finished(tmp_path, FixedDetector(), LooksAtImages(gone="2.png"))
    assert ids == ["0.png", "1.png", "3.png", "4.png", "5.png"]
    reasons = (tmp_path / "run" / "skipped.txt").read_text()
    assert reasons.startswith("2.png\tit cannot be read any more: ")
    assert "No such file" in reasons


def test_a_damaged_file_does_not_affect_the_others_of_its_batch(tmp_path: Path) -> None:
    ids = finished(tmp_path, LooksAtMany(gone="4.png"), FixedTeacher())
    assert ids == ["0.png", "1.png", "2.png", "3.png", "5.png"]
    assert (
        "4.png\tit cannot be read any more: the image cannot be decoded (no known"
        in (tmp_path / "run" / "skipped.txt").read_text()
    )
