"""The two ways in that the README names first: drawn scenes alone, and photographs with boxes."""

import json
from pathlib import Path

import pytest
from scripts import run_python

from groundrl.data.datasets import sample_file

ROOT = Path(__file__).parent.parent
SHARED = ROOT.parent / "shared/data/coco"


def synthesized(folder: Path, *arguments: str) -> dict[str, float]:
    """The figures of a run into ``folder``/run."""
    places = [f"output_dir={folder}/run", f"cache_dir={folder}/cache"]
    result = run_python("synthesize.py", *arguments, *places)
    assert result.returncode == 0, result.stderr
    return json.loads((folder / "run" / "metrics.json").read_text())


@pytest.mark.slow
def test_scenes_are_annotated_with_the_embedded_model_as_detector(tmp_path: Path) -> None:
    found = synthesized(tmp_path, "scenes.size=3", "questions.heldout_share=0")
    assert (found["images"], found["regions"] >= 3) == (3, True)
    samples = sample_file(tmp_path / "run" / "train.jsonl").samples
    assert {"exists", "describe"} <= {sample.kind for sample in samples}
    lines = (tmp_path / "run" / "images.jsonl").read_text().splitlines()
    assert all(json.loads(line)["made_by"]["regions"].startswith("vlm ") for line in lines)


@pytest.mark.slow
@pytest.mark.skipif(not SHARED.is_dir(), reason=f"needs photographs with boxes in {SHARED}")
def test_photographs_with_boxes_become_samples_that_point_at_those_boxes(tmp_path: Path) -> None:
    labels, boxes = tmp_path / "yolo", {}
    for kind in ("images", "labels"):
        (labels / kind / "val2017").mkdir(parents=True)
    for name in sorted((SHARED / "object_detection/labels/val2017").glob("*.txt"))[:6]:
        boxes[f"{name.stem}.jpg"] = len(name.read_text().splitlines())
        for part in (f"labels/val2017/{name.name}", f"images/val2017/{name.stem}.jpg"):
            source = SHARED / ("object_detection" if name.name in part else "") / part
            (labels / part).write_bytes(source.read_bytes())
    classes = (SHARED / "object_detection/config.yaml").read_text()
    (labels / "data.yaml").write_text(classes.replace("train: images/train2017", ""))
    arguments = ["detector=given", f"images={labels}/images/val2017", f"labels={labels}"]
    found = synthesized(tmp_path, *arguments, "detector.split=val", "licence=CC-BY-4.0")
    assert found["images"] == len(boxes)
    lines = (tmp_path / "run" / "images.jsonl").read_text().splitlines()
    for image in map(json.loads, lines):
        assert 0 < len(image["regions"]) <= boxes[image["id"]]
        assert "rejected" not in image["level_1"]
    samples = [
        sample
        for split in ("train", "heldout")
        if (file := tmp_path / "run" / f"{split}.jsonl").stat().st_size
        for sample in sample_file(file).samples
    ]
    assert len(samples) >= 3 * len(boxes)
    assert {sample.provenance.licence for sample in samples} == {"CC-BY-4.0"}
