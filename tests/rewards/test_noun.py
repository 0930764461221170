"""Nouns are confirmed by a detector, sentence by sentence."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest
from attempts import SIZES, box, completion, sample

from groundrl.answers.attempt import Attempt, read_attempt
from groundrl.boxes import Frame
from groundrl.detectors.base import Detector, OpenVocabulary, UnlabelledImageError
from groundrl.detectors.oracle import OracleDetector
from groundrl.detectors.records import InputImage, Region
from groundrl.grammar import GRAMMARS
from groundrl.records import RolloutGroup, Sample
from groundrl.rewards.base import BatchedTerm, Rating, Unanswered
from groundrl.rewards.terms.noun import Noun
from groundrl.world.graph import Look, SceneSpec, Subject
from groundrl.world.render import build_scene
from groundrl.world.source import SceneImage


def caption(text: str, of: Sample | None = None) -> Attempt:
    of = of or replace(sample(), question="What is there?", options=(), answers=())
    said = completion(text)
    group = RolloutGroup(sample=of, sizes=SIZES, completions=(said,))
    return read_attempt(group, said, GRAMMARS["inline_box"], Frame.PIXEL)


def seen(label: str, sure: bool = True) -> Region:
    return Region(label=label, box=box(1, 1, 9, 9), score=0.9, sure=sure)


@dataclass(frozen=True)
class Seeing:
    """Sees a cup, and perhaps a dog, in every image."""

    vocabulary: tuple[str, ...] = ("cup", "dog", "bus")
    name: str = "seeing"
    calls: list[int] = field(default_factory=list)

    def __call__(self, images: Sequence[InputImage]) -> list[tuple[Region, ...]]:
        self.calls.append(len(images))
        return [(seen("cup"), seen("dog", sure=False)) for _ in images]


@dataclass(frozen=True)
class Asked(Seeing):
    def find(self, images: Sequence[InputImage], labels: Sequence[str]) -> list[tuple[Region, ...]]:
        self.calls.append(len(images))
        return [(seen(label),) if label == "tree" else () for label in labels]


def rate(term: Noun, *texts: str) -> list[Rating | Unanswered | None]:
    return term.rate([caption(text) for text in texts])


def test_each_sentence_earns_the_balance_of_its_nouns() -> None:
    detector = Seeing()
    assert isinstance(detector, Detector)
    assert not isinstance(detector, OpenVocabulary)
    assert isinstance(Noun(detector=detector), BatchedTerm)
    text = "There is a cup and a bus. The bus is red. It is fine. I see a cup."
    (rating,) = rate(Noun(detector=detector), text)
    assert isinstance(rating, Rating)
    assert [(text[span.start : span.stop], span.value) for span in rating.spans] == [
        ("There is a cup and a bus.", 0.0),
        ("The bus is red.", -1.0),
        ("I see a cup.", 1.0),
    ]
    assert rating.value == 0.0  # cup, bus; bus; cup
    (dearer,) = rate(Noun(detector=detector, missing=3.0), text)
    assert isinstance(dearer, Rating)
    assert dearer.value == -1.0


def test_doubts_and_unknown_words_do_not_count() -> None:
    term = Noun(detector=Seeing())
    assert rate(term, "A dog and a tree.", "Nothing here.", "") == [None, None, None]


def test_nouns_of_the_question_are_no_claims() -> None:
    asked = replace(sample(), question="Is there a bus?", options=("yes", "no"), answers=("no",))
    (rating,) = Noun(detector=Seeing()).rate([caption("The bus? I see a cup.", asked)])
    assert isinstance(rating, Rating)
    assert rating.value == 1.0


def test_a_detector_for_any_label_is_asked_for_each_noun_once() -> None:
    detector = Asked()
    assert isinstance(detector, OpenVocabulary)
    term = Noun(detector=detector)
    first, second = rate(term, "A tree and a cup.", "A tree.")
    assert isinstance(first, Rating)
    assert isinstance(second, Rating)
    assert (first.value, second.value) == (0.0, 1.0)
    rate(term, "A cup beside a tree and a dog.")
    assert detector.calls == [2, 1]  # the second time only the dog is new


@dataclass(frozen=True)
class Unlabelled(Seeing):
    def __call__(self, images: Sequence[InputImage]) -> list[tuple[Region, ...]]:
        raise UnlabelledImageError("a.png has no labels")


def test_images_without_labels_are_left_unanswered() -> None:
    assert rate(Noun(detector=Unlabelled()), "A cup.") == [Unanswered(reason="a.png has no labels")]


@pytest.mark.parametrize("subject", list(Subject))
def test_the_truth_of_a_scene_confirms_its_own_nouns(subject: Subject) -> None:
    spec = SceneSpec(seed=5, index=1, subject=subject, look=Look.PLAIN)
    here = [thing.category for thing in build_scene(spec).objects]
    of = replace(sample(), image=SceneImage(spec=spec), question="What is there?", options=())
    absent = next(noun for noun in OracleDetector().vocabulary if noun not in here)
    texts = (f"There is a {here[0]}.", f"There is a {absent}.")
    right, wrong = Noun(detector=OracleDetector()).rate([caption(text, of) for text in texts])
    assert isinstance(right, Rating)
    assert isinstance(wrong, Rating)
    assert (right.value, wrong.value) == (1.0, -1.0)
