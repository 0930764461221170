"""Other words for the classes of detectors, as captions use them."""

from collections.abc import Iterable
from typing import Final

EQUAL: Final = (
    ("airplane", "aeroplane", "plane"),
    ("bicycle", "bike"),
    ("cell phone", "cellphone", "mobile phone"),
    ("couch", "sofa"),
    ("dining table", "diningtable"),
    ("donut", "doughnut"),
    ("hair drier", "hair dryer"),
    ("motorcycle", "motorbike"),
    ("potted plant", "pottedplant"),
    ("refrigerator", "fridge"),
    ("tv", "television", "tvmonitor"),
)
"""Words for the same objects; the usual one comes first."""
_USUAL: Final = {word: group[0] for group in EQUAL for word in group}
NARROWER: Final = {
    "person": frozenset(
        (
            *("man", "woman", "boy", "girl", "child", "kid", "baby", "lady", "guy", "gentleman"),
            *("cyclist", "pedestrian", "rider", "worker"),
        )
    ),
    "animal": frozenset(
        (
            *("bear", "bird", "cat", "cow", "deer", "dog", "elephant", "fish", "giraffe", "goat"),
            *("horse", "monkey", "mouse", "pig", "rabbit", "sheep", "zebra"),
        )
    ),
    "fruit": frozenset({"apple", "banana", "lemon", "orange", "pear", "strawberry"}),
    "furniture": frozenset({"bed", "chair", "couch", "desk", "dining table", "sofa", "table"}),
    "vehicle": frozenset(
        (
            *("airplane", "ambulance", "bicycle", "bike", "boat", "bus", "car", "motorbike"),
            *("motorcycle", "taxi", "tractor", "train", "truck", "van"),
        )
    ),
}
"""A class -> words for some of its objects."""
WIDER: Final = {
    "ball": frozenset({"sports ball"}),
    "bat": frozenset({"baseball bat"}),
    "bear": frozenset({"teddy bear"}),
    "glass": frozenset({"wine glass"}),
    "glove": frozenset({"baseball glove"}),
    "light": frozenset({"traffic light"}),
    "phone": frozenset({"cell phone", "cellphone", "mobile phone"}),
    "plant": frozenset({"potted plant", "pottedplant"}),
    "racket": frozenset({"tennis racket"}),
    "table": frozenset({"dining table", "diningtable"}),
}
"""A word -> classes that it may mean beside other things that no detector looks for."""


def usual_name(word: str) -> str:
    """The word that stands for it and all that mean the same: "couch" for "sofa"."""
    return _USUAL.get(word, word)


def is_same(word: str, noun: str) -> bool:
    """Whether both mean the same objects."""
    return usual_name(word) == usual_name(noun)


def is_among(word: str, noun: str) -> bool:
    """Whether every object that the word names is one of the class ``noun``."""
    return is_same(word, noun) or word in NARROWER.get(noun, ())


def may_mean(word: str, noun: str) -> bool:
    """Whether the word may name an object of the class ``noun``."""
    return is_among(word, noun) or is_among(noun, word) or noun in WIDER.get(word, ())


def words_for(nouns: Iterable[str]) -> set[str]:
    """The classes, and all words that may name their objects."""
    known = {*nouns}
    found = set(known)
    for group in EQUAL:
        found |= set() if known.isdisjoint(group) else {*group}
    for noun, words in NARROWER.items():
        found |= words if noun in known else set()
        found |= {noun} if words & known else set()
    return found | {word for word, classes in WIDER.items() if classes & known}
