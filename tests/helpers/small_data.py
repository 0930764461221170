"""One small data set for every option of conf/data, as samples."""

import json
from collections.abc import Callable
from pathlib import Path

from PIL import Image
from synthesis_runs import synthesis
from world_questions import world_samples

from groundrl.data.datasets import WorldDataset, detections, sample_file
from groundrl.data.detection.coco import CocoLayout
from groundrl.data.detection.voc import VocLayout
from groundrl.data.detection.yolo import YoloLayout
from groundrl.data.schema import write_jsonl, write_parquet
from groundrl.records import Sample

WIDTH, HEIGHT = 200, 150
NAMES = ("cat", "dog", "lamp")
THINGS = {
    "a": ((0, 10, 20, 70, 90), (1, 90, 30, 150, 120), (2, 155, 5, 195, 60)),
    "b": ((1, 20, 40, 100, 140), (1, 110, 20, 180, 80)),
}
"""By image: class, then corners in pixels."""


def world(folder: Path) -> list[Sample]:
    """What training asks."""
    dataset = WorldDataset(seed=0, size=12)
    return [dataset[i] for i in range(12)]


def yolo(folder: Path) -> list[Sample]:
    (folder / "labels").mkdir()
    (folder / "data.yaml").write_text(f"path: .\ntrain: images\nnames: [{', '.join(NAMES)}]\n")
    for name, things in THINGS.items():
        _draw(folder / f"images/{name}.jpg")
        rows = [
            f"{k} {(x1 + x2) / 2 / WIDTH} {(y1 + y2) / 2 / HEIGHT} "
            f"{(x2 - x1) / WIDTH} {(y2 - y1) / HEIGHT}"
            for k, x1, y1, x2, y2 in things
        ]
        (folder / f"labels/{name}.txt").write_text("\n".join(rows))
    return [*detections(YoloLayout(), folder, "train").samples]


def coco(folder: Path) -> list[Sample]:
    (folder / "annotations").mkdir()
    images, annotations = [], []
    for number, (name, things) in enumerate(THINGS.items()):
        _draw(folder / f"train2017/{name}.jpg")
        images.append({"id": number, "file_name": f"{name}.jpg", "width": WIDTH, "height": HEIGHT})
        annotations += [
            {
                "id": len(annotations) + i,
                "image_id": number,
                "category_id": k,
                "bbox": [x1, y1, x2 - x1, y2 - y1],
                "iscrowd": 0,
            }
            for i, (k, x1, y1, x2, y2) in enumerate(things)
        ]
    categories = [{"id": k, "name": name} for k, name in enumerate(NAMES)]
    content = {"images": images, "annotations": annotations, "categories": categories}
    (folder / "annotations/instances_train2017.json").write_text(json.dumps(content))
    return [*detections(CocoLayout(), folder, "train2017").samples]


def voc(folder: Path) -> list[Sample]:
    for place in ("Annotations", "ImageSets/Main"):
        (folder / place).mkdir(parents=True)
    for name, things in THINGS.items():
        _draw(folder / f"JPEGImages/{name}.jpg")
        objects = "".join(
            f"<object><name>{NAMES[k]}</name><bndbox><xmin>{x1 + 1}</xmin><ymin>{y1 + 1}</ymin>"
            f"<xmax>{x2}</xmax><ymax>{y2}</ymax></bndbox></object>"
            for k, x1, y1, x2, y2 in things
        )
        size = f"<size><width>{WIDTH}</width><height>{HEIGHT}</height><depth>3</depth></size>"
        (folder / f"Annotations/{name}.xml").write_text(
            f"<annotation><filename>{name}.jpg</filename>{size}{objects}</annotation>"
        )
    (folder / "ImageSets/Main/train.txt").write_text("\n".join(THINGS))
    return [*detections(VocLayout(), folder, "train").samples]


def jsonl(folder: Path) -> list[Sample]:
    write_jsonl(world_samples(6), folder / "samples.jsonl")
    return [*sample_file(folder / "samples.jsonl").samples]


def parquet(folder: Path) -> list[Sample]:
    write_parquet(world_samples(6), folder / "samples.parquet")
    return [*sample_file(folder / "samples.parquet").samples]


def synthesized(folder: Path) -> list[Sample]:
    synthesis(folder / "run").run()
    return [*sample_file(folder / "run/train.jsonl").samples]


MAKERS: dict[str, Callable[[Path], list[Sample]]] = {
    maker.__name__: maker for maker in (world, yolo, coco, voc, jsonl, parquet, synthesized)
}
"""By the name of the option."""


def _draw(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.effect_noise((WIDTH, HEIGHT), 60).convert("RGB").save(path)
