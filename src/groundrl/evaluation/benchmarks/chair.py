"""CHAIR on COCO images: the 80 classes, their words, and what annotators saw."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np

from groundrl.data.problems import Problems
from groundrl.evaluation.benchmarks.captions import Captions, Vocabulary
from groundrl.evaluation.benchmarks.published import PublishedBenchmark
from groundrl.files import read_json
from groundrl.json_rows import Text, Whole, read_rows
from groundrl.language.words import plural
from groundrl.published.files import (
    COCO_IMAGES,
    COCO_PLACE,
    Download,
    FoundFiles,
    with_places,
)
from groundrl.records import NamedImage, Provenance, Sample

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
class CocoImage:
    """Of ``instances_<split>.json``."""

    id: Whole
    file_name: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class CocoCategory:
    """Of ``instances_<split>.json``."""

    id: Whole
    name: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class CocoObject:
    """An annotated object of ``instances_<split>.json``."""

    image_id: Whole
    category_id: Whole


@dataclass(frozen=True, slots=True, kw_only=True)
class CocoCaption:
    """Of ``captions_<split>.json``."""

    image_id: Whole
    caption: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class CHAIR(Captions, PublishedBenchmark):
    """Captions of COCO images.

    An object is in the image when it is annotated, or when one of the published captions names it.
    """

    split: str = "val2014"
    size: int = 500
    """Images, drawn by seed 0."""
    vocabulary: ClassVar[Vocabulary] = COCO_WORDS

    @property
    def download(self) -> Download:
        """See ``PublishedReader``."""
        parts = {f"**/{kind}_{self.split}.json": COCO_PLACE for kind in ("instances", "captions")}
        return Download(name="CHAIR", parts=parts, images=COCO_IMAGES, world="world_caption")

    def samples(self, files: FoundFiles, problems: Problems) -> Iterator[Sample]:
        """One question about each image that is drawn; ``answers`` are the classes in it."""
        names, classes = _read_classes(files, problems)
        problems.raise_if_any()
        drawn = np.random.default_rng(0).permutation(len(names))[: self.size]
        listed = list(names.items())
        for key, name in (listed[index] for index in drawn):
            yield Sample(
                id=str(key),
                image=NamedImage(key=name),
                question="Describe this picture.",
                answers=tuple(sorted(classes.get(key, ()))),
                kind="describe",
                provenance=Provenance(dataset="chair", split=self.split),
            )


def _read_classes(
    files: FoundFiles, problems: Problems
) -> tuple[dict[int, str], dict[int, set[str]]]:
    """File name of each image, and the classes in it, by the image's id."""
    instances, captions = files.parts
    content = read_json(instances)
    images = read_rows(with_places(instances, content, "images"), CocoImage, problems.add)
    names = {one.id: one.file_name for _, one in images}
    rows = with_places(instances, content, "categories")
    categories = {one.id: one.name for _, one in read_rows(rows, CocoCategory, problems.add)}
    classes: dict[int, set[str]] = {}
    rows = with_places(instances, content, "annotations")
    for where, one in read_rows(rows, CocoObject, problems.add):
        if one.image_id not in names or one.category_id not in categories:
            what = f"image_id {one.image_id} or category_id {one.category_id} is not listed"
            problems.add(where, what)
            continue
        classes.setdefault(one.image_id, set()).add(categories[one.category_id])
    vocabulary = coco_vocabulary(list(categories.values()))
    rows = with_places(captions, read_json(captions), "annotations")
    for _, one in read_rows(rows, CocoCaption, problems.add):
        classes.setdefault(one.image_id, set()).update(vocabulary.mentions(one.caption))
    return names, classes
