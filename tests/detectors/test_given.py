"""Boxes that people drew reach the images that they were drawn on."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hydra.utils import instantiate
from omegaconf import OmegaConf
from PIL import Image
from synthesis_runs import synthesis

from groundrl.boxes import iou
from groundrl.data.datasets import sample_file
from groundrl.data.detection.yolo import YoloLayout
from groundrl.detectors.base import Detector, UnlabelledImageError
from groundrl.detectors.given import GivenDetector
from groundrl.detectors.records import Region
from groundrl.errors import UserError
from groundrl.records import ImageFile
from groundrl.synthesis.annotate import Annotator
from groundrl.synthesis.images import FolderImages
from groundrl.synthesis.output.writing import SPLITS
from groundrl.synthesis.teachers.world import WorldTeacher

LAYOUTS = {
    name: instantiate(node)
    for name, node in OmegaConf.load(
        Path(__file__).parents[2] / "conf/detector/given.yaml"
    ).layouts.items()
}
SHARED = Path(__file__).parents[3] / "shared/data/coco"
needs_photographs = pytest.mark.skipif(
    not SHARED.is_dir(), reason=f"the real photographs are not here ({SHARED})"
)


def save(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.effect_noise((100, 80), 60).convert("RGB").save(path)


def yolo(root: Path) -> tuple[Path, Path]:
    (root / "data.yaml").write_text("names: [cat, dog]\n")
    save(root / "images/a.jpg")
    save(root / "images/b.jpg")
    (root / "labels").mkdir()
    (root / "labels/a.txt").write_text("0 0.5 0.5 0.2 0.5\n")
    return root, root / "images"


def coco(root: Path) -> tuple[Path, Path]:
    for name in ("a", "b"):
        save(root / f"photos/{name}.jpg")
    content = {
        "images": [{"id": 1, "file_name": "a.jpg"}, {"id": 2, "file_name": "b.jpg"}],
        "categories": [{"id": 7, "name": "cat"}, {"id": 8, "name": "dog"}],
        "annotations": [{"image_id": 1, "category_id": 7, "bbox": [40, 20, 20, 40]}],
    }
    (root / "boxes.json").write_text(json.dumps(content))
    return root / "boxes.json", root / "photos"


def voc(root: Path) -> tuple[Path, Path]:
    (root / "Annotations").mkdir()
    corners = "<xmin>41</xmin><ymin>21</ymin><xmax>60</xmax><ymax>60</ymax>"
    thing = f"<object><name>cat</name><bndbox>{corners}</bndbox></object>"
    for name, things in (("a", thing), ("b", "")):
        save(root / f"JPEGImages/{name}.jpg")
        size = "<size><width>100</width><height>80</height></size>"
        xml = f"<annotation>{size}{things}</annotation>"
        (root / f"Annotations/{name}.xml").write_text(xml)
    return root, root / "JPEGImages"


def cvat(root: Path) -> tuple[Path, Path]:
    for name in ("a", "b"):
        save(root / f"images/{name}.jpg")
    (root / "annotations.xml").write_text(
        '<annotations><image name="a.jpg"><box label="cat" xtl="40" ytl="20" xbr="60" ybr="60"/>'
        '</image><image name="b.jpg"/></annotations>'
    )
    return root, root / "images"


def label_studio(root: Path) -> tuple[Path, Path]:
    for name in ("a", "b"):
        save(root / f"photos/{name}.jpg")
    value = {"x": 40, "y": 25, "width": 20, "height": 50, "rectanglelabels": ["cat"]}
    tasks = [
        {"data": {"image": "..\\up\\a.jpg"}, "annotations": [{"result": [{"value": value}]}]},
        {"data": {"image": "..\\up\\b.jpg"}, "annotations": [{"result": []}]},
    ]
    (root / "export.json").write_text(json.dumps(tasks))
    return root / "export.json", root / "photos"


def labelme(root: Path) -> tuple[Path, Path]:
    shape = {"label": "cat", "points": [[40, 20], [60, 60]], "shape_type": "rectangle"}
    for name, shapes in (("a", [shape]), ("b", [])):
        save(root / f"{name}.jpg")
        content = {"shapes": shapes, "imagePath": f"{name}.jpg"}
        (root / f"{name}.json").write_text(json.dumps(content))
    return root, root


@pytest.mark.parametrize("make", [yolo, coco, voc, cvat, label_studio, labelme])
def test_boxes_of_each_format_are_found_by_the_image(
    tmp_path: Path, make: Callable[[Path], tuple[Path, Path]]
) -> None:
    labels, images = make(tmp_path)
    save(images / "stranger.jpg")
    given = GivenDetector(LAYOUTS, str(labels), str(images))
    assert isinstance(given, Detector)
    *known, stranger = FolderImages(images)
    found = given(known)
    assert [[(r.label, r.box.corners, r.score) for r in regions] for regions in found] == [
        [("cat", pytest.approx((40, 20, 60, 60)), 1.0)],
        [],
    ]
    if make is yolo:  # without a label file it has no objects
        assert given([stranger]) == [()]
    else:
        with pytest.raises(UnlabelledImageError, match=r"labels=.* does not list it"):
            given([stranger])


def test_unreadable_images_are_reported_and_end_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    labels, images = yolo(tmp_path)
    (images / "cut.jpg").write_bytes((images / "a.jpg").read_bytes()[:900])
    given = GivenDetector(LAYOUTS, str(labels))
    assert "cut.jpg: the image cannot be decoded" in caplog.text
    assert len(given(list(FolderImages(images)))) == 2


def test_class_names_become_nouns_here_too(tmp_path: Path) -> None:
    labels, images = yolo(tmp_path)
    (tmp_path / "data.yaml").write_text("names: [Cats, dog]\n")
    given = GivenDetector(LAYOUTS, str(labels), names={"dog": "puppy"}, never_absent=["Cats"])
    assert given.vocabulary == ("puppy",)
    assert [r.label for r in given(list(FolderImages(images)))[0]] == ["cat"]
    with pytest.raises(UserError, match=r"detector\.names: there is no class cat; choose from C"):
        GivenDetector(LAYOUTS, str(labels), names={"cat": "dog"})


def test_crowds_leave_the_vocabulary(tmp_path: Path) -> None:
    labels, images = coco(tmp_path)
    content = json.loads(labels.read_text())
    crowd = {"image_id": 2, "category_id": 8, "bbox": [0, 0, 50, 50], "iscrowd": 1}
    assert GivenDetector(LAYOUTS, str(labels), str(images)).vocabulary == ("cat", "dog")
    labels.write_text(json.dumps(content | {"annotations": [*content["annotations"], crowd]}))
    assert GivenDetector(LAYOUTS, str(labels), str(images)).vocabulary == ("cat",)


def test_equal_pixels_under_two_names_have_boxes_of_their_own(tmp_path: Path) -> None:
    labels, images = coco(tmp_path)
    (images / "b.jpg").write_bytes((images / "a.jpg").read_bytes())
    annotator = Annotator(
        detector=GivenDetector(LAYOUTS, str(labels), str(images)),
        teacher=WorldTeacher(),
        verifier=None,
    )
    first, second = FolderImages(images)
    assert first.digest == second.digest
    known = annotator(first, {})
    outcome = annotator(second, known.results)
    assert known.annotated is not None
    assert outcome.annotated is not None
    assert (len(known.annotated.regions), len(outcome.annotated.regions)) == (1, 0)


@pytest.mark.slow
def test_licences_of_images_stand_in_their_samples_and_in_the_card(tmp_path: Path) -> None:
    labels, images = coco(tmp_path)
    save(images / "c.jpg")
    content = json.loads(labels.read_text())
    licences = [{"id": 4, "name": "CC BY 2.0"}, {"id": 5, "name": "no | rights"}, "broken"]
    for row, licence in zip(content["images"], (4, 5), strict=True):
        row["license"] = licence
    content["images"].append({"id": 3, "file_name": "c.jpg", "license": ["odd"]})
    labels.write_text(json.dumps(content | {"licenses": licences}))
    run = synthesis(
        tmp_path / "out" / "run",
        detector=GivenDetector(LAYOUTS, str(labels), str(images)),
        images=FolderImages(images),
    )
    assert run.run().unfinished == 0
    lines = (run.run_dir / "images.jsonl").read_text().splitlines()
    found = {row["id"]: row["licence"] for row in map(json.loads, lines)}
    assert found == {"a.jpg": "CC BY 2.0", "b.jpg": "no | rights", "c.jpg": "CC0"}
    written = [run.run_dir / f"{split}.jsonl" for split in SPLITS]
    files = [sample_file(path) for path in written if path.stat().st_size]
    of_samples = {s.id[:5]: s.provenance.licence for file in files for s in file.samples}
    assert of_samples
    assert of_samples == {name: found[name] for name in of_samples}
    card = (run.run_dir / "README.md").read_text()
    assert "CC BY 2.0 or CC0 or no | rights." in card
    assert "| CC BY 2.0 | 1 |\n| CC0 | 1 |\n| no \\| rights | 1 |\n" in card


def test_its_name_changes_with_a_box(tmp_path: Path) -> None:
    labels, _ = yolo(tmp_path)
    before = GivenDetector(LAYOUTS, str(labels)).name
    assert GivenDetector(LAYOUTS, str(labels)).name == before
    (tmp_path / "labels/a.txt").write_text("0 0.5 0.5 0.2 0.51\n")
    assert GivenDetector(LAYOUTS, str(labels)).name != before


@pytest.mark.parametrize("labels", [None, "", "nowhere", "boxes.json"])
def test_labels_that_are_not_there_are_an_error_that_names_what_to_type(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, labels: str | None
) -> None:
    coco(tmp_path)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"[Tt]ype (labels|images)=<"):
        GivenDetector(LAYOUTS, labels)


@pytest.mark.slow
@needs_photographs
def test_real_photographs_bring_their_boxes() -> None:
    given = GivenDetector(LAYOUTS, str(SHARED / "object_detection"), split="val")
    images = list(FolderImages(SHARED / "images/val2017"))
    found = given(images)
    truth = YoloLayout().read(SHARED / "object_detection", "val")
    assert len(given.vocabulary) == 80
    by_name = {Path(p.id).stem: regions for p, regions in zip(images, found, strict=True)}
    for image in truth.images:
        assert isinstance(image.image, ImageFile)
        regions: tuple[Region, ...] = by_name[image.image.path.stem]
        assert [r.label for r in regions] == [item.label for item in image.groundings]
        assert all(
            iou(r.box, item.box) > 0.999 for r, item in zip(regions, image.groundings, strict=True)
        )
