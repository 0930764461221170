"""Small faithful copies of published data sets: their folders and fields, few rows, tiny images."""

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image

from groundrl.published.spatialsense import split_of

WIDTH, HEIGHT = 64, 48
TRAIN, HELDOUT = 6, 3
"""Questions of the two splits."""


def write_json(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def draw(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.effect_noise((WIDTH, HEIGHT), 60).convert("RGB").save(path)


def numbers(split: str) -> range:
    """Of the images of a split: none is in both."""
    return range(TRAIN) if split == "train" else range(TRAIN, TRAIN + HELDOUT)


def vsr(root: Path) -> None:
    for variant in ("zeroshot", "random"):
        for split in ("train", "dev"):
            rows = [
                {
                    "image": f"{number:012d}.jpg",
                    "image_link": f"http://images.cocodataset.org/train2017/{number:012d}.jpg",
                    "caption": f"The cat is left of the dog number {number}.",
                    "label": number % 2,
                    "relation": "left of",
                    "subj": "at",
                    "obj": "dog",
                    "annotator_id": 35,
                    "vote_true_validator_id": "[2]",
                    "vote_false_validator_id": "[]",
                }
                for number in numbers(split)
            ]
            path = root / f"vsr/{variant}/{split}.jsonl"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    for number in range(TRAIN + HELDOUT):
        draw(root / f"train2017/{number:012d}.jpg")


def spatialsense(root: Path) -> None:
    """More images than rows of a split: a hash decides which image is in which."""
    urls = [f"https://farm4.staticflickr.com/3543/{number}.jpg" for number in range(80)]
    chosen = [
        *[url for url in urls if split_of(url) == "train"][:TRAIN],
        *[url for url in urls if split_of(url) == "valid"][:HELDOUT],
    ]
    rows = [
        {
            "url": url,
            "nsid": "x",
            "width": WIDTH,
            "height": HEIGHT,
            "split": "valid" if index % 3 == 2 else "train",
            "annotations": [
                {
                    "predicate": "to the left of",
                    "subject": {"name": "cat", "bbox": [2, 20, 4, 30]},
                    "object": {"name": "mat", "bbox": [10, 40, 34, 60]},
                    "label": index % 2 == 0,
                }
            ],
        }
        for index, url in enumerate(chosen)
    ]
    write_json(root / "SpatialSense/annotations.json", rows)
    for url in chosen:
        draw(root / f"SpatialSense/images/flickr/{url.rpartition('/')[2]}")


def rel3d(root: Path) -> None:
    def box(left: int, top: int) -> dict[str, int]:
        return {"left": left, "top": top, "width": 16, "height": 12}

    rows = {
        split: [
            {
                "rgb": f"./data/20200223/{number}.png",
                "depth": f"./data/20200223/{number}.tiff",
                "camera_info": {},
                "width": WIDTH,
                "height": HEIGHT,
                "subject": {"name": "cup", "bbox": box(4, 4)},
                "object": {"name": "bed", "bbox": box(40, 20)},
                "predicate": "points towards",
                "label": number % 2 == 0,
            }
            for number in numbers(split)
        ]
        for split in ("train", "valid")
    }
    write_json(root / "data/c_0.9_c_0.1.json", rows | {"test": []})
    for number in range(TRAIN + HELDOUT):
        draw(root / f"data/20200223/{number}.png")
        far = Image.linear_gradient("L").resize((WIDTH, HEIGHT)).convert("F")
        far.save(root / f"data/20200223/{number}.tiff")


def aokvqa(root: Path) -> None:
    for split in ("train", "val"):
        rows = [
            {
                "split": split,
                "image_id": number,
                "question_id": f"q{number}",
                "question": "What is it?",
                "choices": ["cat", "dog", "cow", "hen"],
                "correct_choice_idx": number % 4,
                "direct_answers": ["cat"] * 10,
                "difficult_direct_answer": False,
                "rationales": ["It has ears.", "It has whiskers.", "It is furry."],
            }
            for number in numbers(split)
        ]
        write_json(root / f"aokvqa/aokvqa_v1p0_{split}.json", rows)
    for number in range(TRAIN + HELDOUT):
        draw(root / f"train2017/{number:012d}.jpg")


def drivingvqa(root: Path) -> None:
    for split in ("train", "test"):
        rows = {
            str(number): {
                "img_filename": f"{number}.jpg",
                "img_size": [WIDTH, HEIGHT],
                "exam_type": "car",
                "has_multiple_questions": False,
                "questions": "May I pass?",
                "possible_answers": {"A": "Yes.", "B": "No."},
                "true_answers": ["B"],
                "explanation": "The red sign forbids it.",
                "interleaved_explanation": "The **red sign** [4, 4, 10, 12] forbids it.",
                "relevant_entities": [{"red sign": [4, 4, 10, 12]}],
            }
            for number in numbers(split)
        }
        write_json(root / f"DrivingVQA/{split}.json", rows)
    for number in range(TRAIN + HELDOUT):
        draw(root / f"DrivingVQA/images/{number}.jpg")


def _refcoco(root: Path, dataset: str, partition: str) -> None:
    everything = [(split, number) for split in ("train", "val") for number in numbers(split)]
    rows = [
        {
            "ref_id": number,
            "ann_id": 100 + number,
            "category_id": 1,
            "image_id": number,
            "file_name": f"COCO_train2014_{number:012d}_{number}.jpg",
            "split": split,
            "sentences": [{"raw": "Left cat!", "sent": "left cat", "sent_id": number}],
        }
        for split, number in everything
    ]
    boxes = [{"id": 100 + number, "bbox": [4.5, 6.0, 20.0, 15.5]} for _, number in everything]
    write_json(root / dataset / "instances.json", {"annotations": boxes})
    (root / dataset / f"refs({partition}).p").write_bytes(pickle.dumps(rows))
    for number in range(TRAIN + HELDOUT):
        draw(root / f"train2014/COCO_train2014_{number:012d}.jpg")


def refcoco(root: Path) -> None:
    _refcoco(root, "refcoco", "unc")


def refcoco_plus(root: Path) -> None:
    _refcoco(root, "refcoco+", "unc")


def refcocog(root: Path) -> None:
    _refcoco(root, "refcocog", "umd")


WRITERS: dict[str, Callable[[Path], None]] = {
    writer.__name__: writer
    for writer in (
        *(vsr, spatialsense, rel3d, aokvqa, drivingvqa),
        *(refcoco, refcoco_plus, refcocog),
    )
}
"""By the name of the option of conf/data."""
