"""Detectors of ``transformers``: their own post-processing, whatever the batch, in pixels."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import AutoModelForZeroShotObjectDetection, AutoProcessor
from zero_shot_models import MAX_TEXT, dino, owl

from groundrl.boxes import ImageSizes, is_inside
from groundrl.config_node import ConfigNode
from groundrl.detectors.base import Batched, Detector, OpenVocabulary
from groundrl.detectors.grounding_dino import (
    GroundingDinoDetector,
    LabelPrompt,
    label_probabilities,
)
from groundrl.detectors.owlv2 import Owlv2Detector
from groundrl.detectors.records import InputImage, Region
from groundrl.errors import UserError
from groundrl.synthesis.images import FolderImages

KINDS = ("grounding_dino", "mm_grounding_dino", "owlv2")
VOCABULARY = ("cat", "traffic light", "dog")


@pytest.fixture(scope="module", params=KINDS)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / request.param
    return owl(path) if request.param == "owlv2" else dino(request.param, path)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> list[InputImage]:
    """Of three sizes, out of order."""
    root = tmp_path_factory.mktemp("images")
    for index, (width, height) in enumerate([(60, 40), (40, 60), (60, 40), (80, 80), (60, 40)]):
        pixels = np.random.default_rng(index).integers(0, 256, (height, width, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((width, height)).save(root / f"{index}.png")
    return list(FolderImages(root))


def detector(
    folder: Path, vocabulary: Sequence[str] | None = VOCABULARY, **options: Any
) -> Owlv2Detector | GroundingDinoDetector:
    kind = Owlv2Detector if folder.name == "owlv2" else GroundingDinoDetector
    return kind(path=str(folder), vocabulary=vocabulary, device="cpu", **options)


def by_hand(
    folder: Path, image: InputImage, threshold: float
) -> list[tuple[str, tuple[float, ...], float]]:
    """The library's own way: text and image through the processor, forward, post-processing."""
    processor = AutoProcessor.from_pretrained(folder)
    model = AutoModelForZeroShotObjectDetection.from_pretrained(folder).eval()
    pixels = image.source.load()
    owls = folder.name == "owlv2"
    labels = [f"a photo of a {label}" for label in VOCABULARY] if owls else list(VOCABULARY)
    inputs = processor(images=pixels, text=[labels], return_tensors="pt")
    with torch.no_grad():
        output = model(**inputs)
    size = [(pixels.height, pixels.width)]
    if owls:
        (result,) = processor.post_process_grounded_object_detection(
            output, threshold=threshold, target_sizes=size, text_labels=[list(VOCABULARY)]
        )
    else:
        (result,) = processor.post_process_grounded_object_detection(
            output,
            inputs["input_ids"],
            threshold=threshold,
            text_threshold=threshold,
            target_sizes=size,
        )
    rows = zip(result["text_labels"], result["boxes"], result["scores"], strict=True)
    return [(label, tuple(box.tolist()), float(score)) for label, box, score in rows]


def middle(folder: Path, images: list[InputImage]) -> float:
    """A threshold that random weights pass half the time."""
    scores = [score for image in images for *_, score in by_hand(folder, image, 0.0)]
    return float(np.median(scores))


def options(folder: Path, threshold: float) -> dict[str, Any]:
    both = {} if folder.name == "owlv2" else {"text_threshold": threshold}
    return {"threshold": threshold, **both}


def same(found: tuple[Region, ...], others: tuple[Region, ...]) -> bool:
    return [one.label for one in found] == [one.label for one in others] and all(
        one.box.corners == pytest.approx(other.box.corners, abs=1e-3)
        and one.score == pytest.approx(other.score, abs=1e-5)
        for one, other in zip(found, others, strict=True)
    )


@pytest.mark.slow
def test_boxes_and_scores_are_those_of_the_library_by_hand(
    folder: Path, images: list[InputImage]
) -> None:
    threshold = middle(folder, images)
    look = detector(folder, **options(folder, threshold))
    assert isinstance(look, Detector)
    assert isinstance(look, Batched)
    checked = 0
    for image, regions in zip(images, look(images), strict=True):
        expected = by_hand(folder, image, threshold)
        assert 0 < sum(one.sure for one in regions) <= len(expected)
        width, height = image.source.width, image.source.height
        for one in filter(lambda region: region.sure, regions):
            labels = {
                label
                for label, (x1, y1, x2, y2), score in expected
                if score == pytest.approx(one.score, abs=1e-5)
                and (max(x1, 0), max(y1, 0), min(x2, width), min(y2, height))
                == pytest.approx(one.box.corners, abs=1e-3)
            }
            assert labels
            # A phrase read off the tokens may be half a label, or several.
            if labels <= set(VOCABULARY):
                assert one.label in labels
                checked += 1
    assert checked


@pytest.mark.slow
def test_what_is_below_the_threshold_is_a_doubt_down_to_its_share(
    folder: Path, images: list[InputImage]
) -> None:
    threshold = middle(folder, images)
    certain, everything = (
        detector(folder, doubt=doubt, **options(folder, threshold))(images[:1])[0]
        for doubt in (1.0, 0.0)
    )
    assert all(one.sure for one in certain)
    assert same(tuple(one for one in everything if one.sure), certain)
    scores = [one.score for one in everything if not one.sure]
    assert scores
    share = float(np.median(scores)) / threshold
    some = detector(folder, doubt=share, **options(folder, threshold))(images[:1])[0]
    doubted = [one.score for one in some if not one.sure]
    assert len(doubted) < len(scores)
    assert all(score >= share * threshold * 0.999 for score in doubted)
    with pytest.raises(UserError, match=r"type detector\.doubt=0\.5"):
        detector(folder, doubt=1.5)


def test_a_batch_of_different_sizes_gives_the_regions_of_each_image_alone(
    folder: Path, images: list[InputImage]
) -> None:
    look = detector(folder, batch_size=2, **options(folder, middle(folder, images)))
    alone = [look([image])[0] for image in images]
    assert all(map(same, look(images), alone))


def test_boxes_lie_in_the_image_as_it_is_stored(folder: Path, images: list[InputImage]) -> None:
    look = detector(folder, **options(folder, 0.0))
    widest = 0.0
    for image, regions in zip(images, look(images), strict=True):
        width, height = image.source.width, image.source.height
        sizes = ImageSizes(width=width, height=height, model_width=width, model_height=height)
        assert all(is_inside(one.box, sizes) and one.box.area > 0 for one in regions)
        widest = max(widest, *(one.box.x2 / width for one in regions))
    assert widest > 0.5


@pytest.mark.slow
def test_a_long_vocabulary_is_looked_for_in_parts(folder: Path, images: list[InputImage]) -> None:
    words = ("cat", "dog", "red light", "traffic light", "person", "tree", "house", "red house")
    long = detector(folder, vocabulary=words, **options(folder, 0.0))
    if isinstance(long, GroundingDinoDetector):
        assert [label for prompt in long.prompts for label in prompt.labels] == list(words)
        tokenizer = long.processor.tokenizer
        for prompt in long.prompts:
            ids = tokenizer(prompt.text)["input_ids"]
            assert len(ids) <= MAX_TEXT
            said = [tokenizer.decode(ids[first:end]) for first, end in prompt.spans]
            assert said == list(prompt.labels)
        parts = [
            detector(folder, vocabulary=p.labels, **options(folder, 0.0)) for p in long.prompts
        ]
        assert len(parts) > 1
        expected = [region for part in parts for region in part(images[:1])[0]]
        assert same(long(images[:1])[0], tuple(sorted(expected, key=lambda region: -region.score)))
    else:
        assert {region.label for region in long(images)[0]} <= set(words)


def test_the_label_is_the_one_whose_token_fits_best() -> None:
    prompt = LabelPrompt(labels=("cat", "traffic light"), spans=((1, 2), (3, 5)))
    assert prompt.text == "cat . traffic light ."
    tokens = torch.tensor([[0.9, 0.3, 0.8, 0.1, 0.4, 0.9], [0.0, 0.6, 0.0, 0.5, 0.2, 0.0]])
    expected = torch.tensor([[0.3, 0.4], [0.6, 0.5]])
    assert torch.equal(label_probabilities(tokens, prompt), expected)


CHANGES: dict[str, dict[str, Any]] = {
    "nothing": {},
    "threshold": {"threshold": 0.3},
    "doubt": {"doubt": 0.3},
    "vocabulary": {"vocabulary": ("cat", "dog")},
    "order": {"vocabulary": ("dog", "cat", "traffic light")},
}


@pytest.mark.slow
def test_the_name_changes_with_everything_answers_depend_on(folder: Path, tmp_path: Path) -> None:
    names = [detector(folder, **change).name for change in CHANGES.values()]
    assert detector(folder, batch_size=3).name == names[0]
    own = "prompt" if folder.name == "owlv2" else "text_threshold"
    change: dict[str, Any] = {own: "{label}" if own == "prompt" else 0.4}
    names.append(detector(folder, **change).name)
    other = detector(folder)
    next(p for p in other.model.parameters() if p.ndim > 1).data[0] += 1
    for part in (other.model, other.processor):
        part.save_pretrained(tmp_path / folder.name)
    names.append(detector(tmp_path / folder.name).name)
    assert len(set(names)) == len(names)
    assert all(name.replace("-", "_").startswith(folder.name) for name in names)


@pytest.mark.parametrize(
    ("vocabulary", "told"),
    [
        ([], "is empty"),
        (["cat", " "], "holds ''"),
        (["mr. cat"], "no full stop"),
        (["Cat", "cat "], "'cat' twice"),
        (["cat " * 40], "write (it|the label) shorter"),
    ],
)
def test_a_vocabulary_that_cannot_be_looked_for_is_an_error(
    folder: Path, vocabulary: list[str], told: str
) -> None:
    with pytest.raises(UserError, match=told):
        detector(folder, vocabulary=vocabulary)


@pytest.mark.parametrize("make", [dino, owl], ids=["dino", "owl"])
def test_a_model_of_another_kind_or_none_is_an_error(
    make: Callable[..., Path], tmp_path: Path
) -> None:
    other = make("grounding_dino", tmp_path / "m") if make is dino else make(tmp_path / "m")
    wrong = Owlv2Detector if make is dino else GroundingDinoDetector
    with pytest.raises(UserError, match=r"choose another detector="):
        wrong(path=str(other), vocabulary=["cat"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"Type detector.path=<folder or hub id>"):
        wrong(path=str(tmp_path / "empty"), vocabulary=["cat"])


def test_a_label_is_found_as_in_a_vocabulary_of_its_own(
    folder: Path, images: list[InputImage]
) -> None:
    wide = detector(folder, threshold=0.0, doubt=0.0)
    assert isinstance(wide, OpenVocabulary)
    labels = ("zebra", "cat", "zebra", "traffic light", "cat")
    for image, label, found in zip(images, labels, wide.find(images, labels), strict=True):
        (alone,) = detector(folder, (label,), threshold=0.0, doubt=0.0)([image])
        assert [one.label for one in found] == [one.label for one in alone]
        assert np.allclose([one.score for one in found], [one.score for one in alone], atol=1e-5)
        assert found
        assert {one.label for one in found} == {label}


def test_only_a_synthesis_needs_a_vocabulary() -> None:
    def problems(path: str, vocabulary: object) -> list[str]:
        node = ConfigNode(path=path, options={"vocabulary": vocabulary}, tree={})
        return list(GroundingDinoDetector.config_problems(node))

    (problem,) = problems("detector", None)
    assert problem.endswith("detector.vocabulary=[person,dog]")
    assert problems("detector", ["cat"]) == []
    assert problems("reward.terms.noun.detector", None) == []


def test_a_detector_without_a_vocabulary_finds_what_it_is_asked_for(
    folder: Path, images: list[InputImage]
) -> None:
    asked = detector(folder, None, threshold=0.0, doubt=0.0)
    (found,) = asked.find(images[:1], ["cat"])
    (expected,) = detector(folder, ("cat",), threshold=0.0, doubt=0.0).find(images[:1], ["cat"])
    assert found == expected
