"""Readers of detection data."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from small_data import MAKERS

from campaigns.readers import HEIGHT, WIDTH, Reader, draw, files, place
from groundrl.data.detection.base import Layout
from groundrl.data.detection.coco import CocoLayout
from groundrl.data.detection.cvat import CvatLayout
from groundrl.data.detection.label_studio import LabelStudioLayout
from groundrl.data.detection.labelme import LabelMeLayout
from groundrl.data.detection.open_images import OpenImagesLayout
from groundrl.data.detection.voc import VocLayout
from groundrl.data.detection.yolo import YoloLayout

RECTANGLE = {"x": 10, "y": 25, "width": 40, "height": 50.0, "rotation": 5}
TASKS = [
    {
        "data": {"image": f"images/{name}.png"},
        "annotations": [
            {
                "result": [
                    {
                        "type": "rectanglelabels",
                        "original_width": WIDTH,
                        "original_height": HEIGHT,
                        "value": RECTANGLE | {"rectanglelabels": ["cat"]},
                    },
                    {
                        "type": "polygonlabels",
                        "original_width": WIDTH,
                        "original_height": HEIGHT,
                        "value": {
                            "points": [[1, 2], [30, 4], [5, 40]],
                            "polygonlabels": ["dog"],
                        },
                    },
                ],
                "ground_truth": False,
            }
        ],
    }
    for name in "ab"
]
CVAT = """<?xml version="1.0" encoding="utf-8"?>
<annotations><meta><task><labels><label><name>cat</name></label></labels></task></meta>
<image id="0" name="a.png" width="100" height="80" subset="Train">
<box label="cat" xtl="10" ytl="20" xbr="50" ybr="60" rotation="0.0" occluded="0"></box>
<polygon label="dog" points="10,20;50,20;50,60"></polygon>
<ellipse label="ball" cx="50" cy="40" rx="10" ry="20"></ellipse>
<mask label="sky" rle="1, 2" left="5" top="6" width="20" height="10"/>
</image></annotations>"""
LABELME = {
    "version": "5",
    "shapes": [
        {"label": "cat", "points": [[10, 20], [50, 60]], "shape_type": "rectangle"},
        {"label": "dog", "points": [[10, 20], [50, 20], [50, 60]], "shape_type": "polygon"},
        {"label": "ball", "points": [[50, 40], [60, 40]], "shape_type": "circle", "group_id": 1},
    ],
    "imagePath": "a.png",
    "imageWidth": WIDTH,
    "imageHeight": HEIGHT,
}
SEGMENTED = {
    "images": [
        {"id": 1, "file_name": "a.png", "width": WIDTH, "height": HEIGHT, "license": 1},
        {"id": 2, "file_name": "b.png", "width": WIDTH, "height": HEIGHT},
    ],
    "licenses": [{"id": 1, "name": "CC0"}],
    "categories": [{"id": 1, "name": "cat", "supercategory": "animal"}],
    "annotations": [
        {"id": 1, "image_id": 1, "category_id": 1, "segmentation": [[1, 2, 30, 4, 5, 40]]},
        {
            **{"id": 2, "image_id": 2, "category_id": 1, "iscrowd": 1, "bbox": [1, 2, 30, 40]},
            "segmentation": {"counts": [4000, 50, 3950], "size": [HEIGHT, WIDTH]},
        },
    ],
}


def detection(write: Callable[[Path], object], layout: Layout, damaged: str) -> Reader:
    """Of a layout that says itself what it recognises."""

    def read(folder: Path) -> object:
        return layout.read(folder, None) if layout.recognises(folder) else None

    return Reader(write=write, damaged=damaged, read=read)


OPEN_IMAGES = "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,IsGroupOf"


def write_open_images(folder: Path) -> None:
    """Boxes, verified labels and classes."""
    draw("validation/1a.png", "validation/2b.png")(folder)
    place(folder, "class-descriptions-boxable.csv", "/m/1,Cat\n/m/2,Dog\n")
    rows = "1a,x,/m/1,1,0.1,0.5,0.25,0.75,0,0\n2b,x,/m/2,1,0.1,0.5,0.25,0.75,0,1\n"
    place(folder, "validation-annotations-bbox.csv", f"{OPEN_IMAGES}\n{rows}")
    labels = "ImageID,Source,LabelName,Confidence\n1a,x,/m/1,1\n1a,x,/m/2,0\n"
    place(folder, "validation-annotations-human-imagelabels-boxable.csv", labels)


PAIR = ("images/a.png", "images/b.png")
DETECTION: Final = {
    "coco": Reader(
        write=MAKERS["coco"],
        damaged="**/*.json",
        read=lambda folder: CocoLayout().read(folder, "train2017"),
    ),
    "coco segments": detection(files(PAIR, labels_json=SEGMENTED), CocoLayout(), "*.json"),
    "voc": Reader(
        write=MAKERS["voc"],
        damaged="[AI]*/**/*.*",
        read=lambda folder: VocLayout().read(folder, "train"),
    ),
    "yolo": Reader(
        write=MAKERS["yolo"],
        damaged="**/*.[ty]*",
        read=lambda folder: YoloLayout().read(folder, "train"),
    ),
    "label studio": detection(files(PAIR, export_json=TASKS), LabelStudioLayout(), "*.json"),
    "cvat": detection(files(PAIR, annotations_xml=CVAT), CvatLayout(), "*.xml"),
    "labelme": detection(files(PAIR, images__a_json=LABELME), LabelMeLayout(), "**/*.json"),
    "open images": Reader(
        write=write_open_images,
        damaged="*.csv",
        read=lambda folder: OpenImagesLayout().read(folder, "validation"),
    ),
    "image files": detection(files(PAIR, labels_json=SEGMENTED), CocoLayout(), "**/*.png"),
}
