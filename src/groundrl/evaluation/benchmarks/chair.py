"""CHAIR on COCO pictures: the 80 classes, their words, and what annotators saw."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np

from groundrl.data.words import plural
from groundrl.evaluation.benchmarks.base import Answered, Figures, Form, Questions
from groundrl.evaluation.benchmarks.captions import Vocabulary, caption_figures, caption_scores
from groundrl.evaluation.benchmarks.files import (
    COCO_FOLDERS,
    COCO_PLACE,
    Asked,
    Download,
    Pictures,
    Published,
    fields,
    read_json,
)
from groundrl.records import Provenance, Sample
from groundrl.rewards.base import Attempt

SYNONYMS: Final[Mapping[str, str]] = {
    "person": "man woman boy girl child kid baby guy lady adult player skier surfer rider "
    "pedestrian passenger worker someone toddler crowd",
    "bicycle": "bike",
    "car": "automobile sedan taxi cab suv minivan van",
    "motorcycle": "motorbike moped scooter",
    "airplane": "plane aeroplane jet aircraft airliner",
    "truck": "lorry pickup",
    "train": "locomotive",
    "boat": "ship sailboat canoe kayak ferry",
    "bird": "pigeon seagull duck goose parrot owl",
    "cat": "kitten",
    "dog": "puppy",
    "horse": "pony foal",
    "sheep": "lamb",
    "cow": "cattle calf bull ox",
    "bear": "cub",
    "handbag": "purse",
    "tie": "necktie",
    "suitcase": "luggage",
    "sports ball": "ball football basketball",
    "cup": "mug",
    "couch": "sofa loveseat",
    "potted plant": "houseplant",
    "dining table": "table desk",
    "tv": "television monitor",
    "laptop": "notebook",
    "cell phone": "phone cellphone smartphone",
    "refrigerator": "fridge",
    "donut": "doughnut",
    "hair drier": "hairdryer",
}
"""Of our own choice: words that mean a class, beside its name and plural."""
NOT_MEANT: Final = ("teddy", "toy car", "baby carriage", "table tennis")
"""Phrases that hold a class's word and name no such object."""


def coco_vocabulary(classes: Sequence[str]) -> Vocabulary:
    """The words of these classes; the longest match wins, so that "hot dog" is no dog."""
    words: dict[str, str] = dict.fromkeys(NOT_MEANT, "")
    for name in classes:
        for word in (name, *SYNONYMS.get(name, "").split()):
            words |= {word: name, plural(word): name}
    return Vocabulary(words)


@dataclass(frozen=True, slots=True, kw_only=True)
class CHAIR(Published):
    """Captions of COCO pictures: ``chair_i``, ``chair_s``, ``recall`` (``caption_figures``).

    An object is there when it is annotated, or when one of the published captions names it.
    """

    split: str = "val2014"
    size: int = 500
    """Pictures, drawn by seed 0."""
    form: ClassVar[Form] = Form.TEXT

    def questions(self) -> Questions:
        """See ``Benchmark``."""
        parts = {f"**/{kind}_{self.split}.json": COCO_PLACE for kind in ("instances", "captions")}
        found = Download(name="CHAIR", parts={**parts, COCO_FOLDERS: COCO_PLACE}).find(self.root)
        instances, captions = (found[part][0] for part in parts)
        content = read_json(instances)
        rows, boxes, classes = fields(
            content, ("images", "annotations", "categories"), str(instances)
        )
        names = {row["id"]: row["name"] for row in classes}
        there: dict[int, set[str]] = {row["id"]: set() for row in rows}
        for row in boxes:
            there[row["image_id"]].add(names[row["category_id"]])
        vocabulary = coco_vocabulary(list(names.values()))
        for row in read_json(captions)["annotations"]:
            there.get(row["image_id"], set()).update(vocabulary.mentions(row["caption"]))
        asked = Asked("CHAIR", Pictures(found[COCO_FOLDERS]))
        for index in np.random.default_rng(0).permutation(len(rows))[: self.size]:
            row = rows[int(index)]
            image = asked.picture(str(row["id"]), row["file_name"])
            if image is not None:
                asked.add(
                    Sample(
                        id=str(row["id"]),
                        image=image,
                        question="Describe this picture.",
                        answers=tuple(sorted(there[row["id"]])),
                        kind="describe",
                        provenance=Provenance(dataset="chair", split=self.split),
                    )
                )
        return asked.questions()

    def score(self, attempt: Attempt) -> dict[str, float]:
        """See ``caption_scores``."""
        return caption_scores(attempt, COCO_WORDS)

    def figures(self, answered: Sequence[Answered]) -> Figures:
        """See ``caption_figures``."""
        return caption_figures(answered)


_NAMES: Final = """
person, bicycle, car, motorcycle, airplane, bus, train, truck, boat, traffic light, fire
hydrant, stop sign, parking meter, bench, bird, cat, dog, horse, sheep, cow, elephant, bear,
zebra, giraffe, backpack, umbrella, handbag, tie, suitcase, frisbee, skis, snowboard, sports
ball, kite, baseball bat, baseball glove, skateboard, surfboard, tennis racket, bottle, wine
glass, cup, fork, knife, spoon, bowl, banana, apple, sandwich, orange, broccoli, carrot, hot
dog, pizza, donut, cake, chair, couch, potted plant, bed, dining table, toilet, tv, laptop,
mouse, remote, keyboard, cell phone, microwave, oven, toaster, sink, refrigerator, book, clock,
vase, scissors, teddy bear, hair drier, toothbrush
"""
COCO_CLASSES: Final = tuple(" ".join(name.split()) for name in _NAMES.split(","))
"""COCO's 80."""
COCO_WORDS: Final = coco_vocabulary(COCO_CLASSES)
