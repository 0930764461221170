"""CHAIR on COCO images: the 80 classes, their words, and what annotators saw."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np

from groundrl.evaluation.benchmarks.base import QuestionSet
from groundrl.evaluation.benchmarks.captions import Captions, Vocabulary
from groundrl.evaluation.benchmarks.files import (
    COCO_FOLDERS,
    COCO_PLACE,
    Download,
    ImageFinder,
    PublishedBenchmark,
    QuestionCollector,
    read_json,
    with_places,
)
from groundrl.fields import Fields
from groundrl.language.words import plural
from groundrl.records import Provenance, Sample

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


@dataclass(frozen=True, slots=True, kw_only=True)
class CHAIR(Captions, PublishedBenchmark):
    """Captions of COCO images: ``chair_i``, ``chair_s``, ``recall`` (``Captions``).

    An object is there when it is annotated, or when one of the published captions names it.
    """

    split: str = "val2014"
    size: int = 500
    """Images, drawn by seed 0."""
    vocabulary: ClassVar[Vocabulary] = COCO_WORDS

    def questions(self, images: bool = True) -> QuestionSet:
        """See ``PublishedBenchmark``."""
        parts = {f"**/{kind}_{self.split}.json": COCO_PLACE for kind in ("instances", "captions")}
        download = Download(name="CHAIR", parts=parts, images={COCO_FOLDERS: COCO_PLACE})
        found = download.find(self.root, images)
        instances, captions = (found[part][0] for part in parts)
        asked = QuestionCollector("CHAIR", ImageFinder(found[COCO_FOLDERS]), images)
        files: dict[int, str] = {}
        names: dict[int, str] = {}
        there: dict[int, set[str]] = {}

        def add_file(_: int, row: Fields) -> None:
            files[row.whole("id")] = row.text("file_name")

        def category(_: int, row: Fields) -> None:
            names[row.whole("id")] = row.text("name")

        def annotation(_: int, row: Fields) -> None:
            image, kind = row.whole("image_id"), row.whole("category_id")
            if image not in files or kind not in names:
                raise ValueError(f"image_id {image} or category_id {kind} is not listed")
            there.setdefault(image, set()).add(names[kind])

        content = read_json(instances)
        asked.each(with_places(instances, content, "images"), add_file)
        asked.each(with_places(instances, content, "categories"), category)
        asked.each(with_places(instances, content, "annotations"), annotation)
        vocabulary = coco_vocabulary(list(names.values()))

        def caption(_: int, row: Fields) -> None:
            named = vocabulary.mentions(row.text("caption"))
            there.setdefault(row.whole("image_id"), set()).update(named)

        asked.each(with_places(captions, read_json(captions), "annotations"), caption)
        drawn = np.random.default_rng(0).permutation(len(files))[: self.size]
        listed = list(files.items())
        for key, name in (listed[index] for index in drawn):
            image = asked.image(str(key), name)
            if image is not None:
                asked.add(
                    Sample(
                        id=str(key),
                        image=image,
                        question="Describe this picture.",
                        answers=tuple(sorted(there.get(key, ()))),
                        kind="describe",
                        provenance=Provenance(dataset="chair", split=self.split),
                    )
                )
        return asked.questions()
