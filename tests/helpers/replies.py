"""Questions answered with given texts, for the tests of this folder."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from groundrl.answers.attempt import Attempt, read_attempt
from groundrl.answers.notation import Notation
from groundrl.boxes import ImageSizes
from groundrl.evaluation.benchmarks.base import Benchmark, Figures, ScoredAttempt, summarize
from groundrl.evaluation.inference import score_attempt
from groundrl.records import Completion, RolloutGroup, Sample

DATA = Path(__file__).parents[2].parent / "shared/data"
needs_data = pytest.mark.skipif(
    not DATA.is_dir(), reason="../shared/data, the published files, is not here"
)
PLAIN = Notation.of("inline_box", "pixel")


LINE: dict[str, Any] = {
    "set": "pope",
    "id": "0",
    "kind": "exists",
    "question": "Is there a dog?",
    "options": [],
    "answers": ["yes"],
    "prompt": "Is there a dog?\nAnswer yes or no.",
    "prompting": "direct",
    "seed": 7,
    "text": "Yes.",
    "tokens": [1, 2],
    "truncated": False,
    "correct": True,
    "iou": 0.5,
    "scores": {"correct": 1.0},
    "boxes_true": [["dog", [0, 0, 1, 1]]],
    "boxes_predicted": [],
    "spans_predicted": [],
    "grammar": "inline_box",
    "frame": "pixel",
    "image_key": "dog.png",
    "image_size": [8, 6],
    "model_size": [8, 6],
    "images": ["images/0.jpg"],
}
"""A line of predictions.jsonl."""


def reply(sample: Sample, text: str) -> Attempt:
    """``text`` as the answer; boxes inline, in pixels."""
    width, height = sample.image.width, sample.image.height
    sizes = ImageSizes(width=width, height=height, model_width=width, model_height=height)
    completion = Completion(text=text, tokens=(), logprobs=(), truncated=False)
    group = RolloutGroup(sample=sample, sizes=sizes, completions=(completion,))
    return read_attempt(group, completion, PLAIN.grammar, PLAIN.frame)


def replies(
    benchmark: Benchmark, samples: Iterable[Sample], say: Callable[[Sample], str]
) -> list[ScoredAttempt]:
    """Every question answered by a rule."""
    return [score_attempt(benchmark, reply(sample, say(sample))) for sample in samples]


def figures(
    benchmark: Benchmark, samples: Iterable[Sample], say: Callable[[Sample], str]
) -> Figures:
    """What a predictor scores."""
    return summarize(benchmark, replies(benchmark, samples, say))


def images(folder: Path, names: Iterable[str], size: tuple[int, int] = (8, 6)) -> None:
    """Small images of these names."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        Image.new("RGB", size).save(folder / name)


def written(path: Path, content: Any) -> None:
    """A JSON file, with the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def oracle(sample: Sample) -> str:
    """The first right answer."""
    return sample.answers[0]
