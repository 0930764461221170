"""MMHal-Bench (arXiv 2309.14525): open questions of eight types, rated for what they invent."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import PurePosixPath
from typing import ClassVar

import numpy as np

from groundrl.answers.attempt import Attempt
from groundrl.config_node import ConfigNode
from groundrl.evaluation.benchmarks.base import (
    Figures,
    Form,
    QuestionSet,
    ScoredAttempt,
    answer_text,
    image_keys,
    mean,
    says_anything,
    score_column,
    share,
)
from groundrl.evaluation.benchmarks.files import (
    Download,
    ImageFinder,
    PublishedBenchmark,
    QuestionCollector,
    read_json,
    with_places,
)
from groundrl.evaluation.judging.ratings import RatedAnswer
from groundrl.fields import Fields
from groundrl.metrics import INVENTS_BELOW
from groundrl.records import Provenance, Sample

FILE = "**/response_template.json|**/mmhal-bench_answer_template.json"
PLACE = "https://huggingface.co/datasets/Shengcao1006/MMHal-Bench (test_data.zip, unpacked)"
TYPES = (
    *("attribute", "adversarial", "comparison", "counting"),
    *("relation", "environment", "holistic", "other"),
)
"""The type of a question is its place in the file, modulo 8."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MMHal(PublishedBenchmark):
    """96 questions. ``rating``: mean from 0 to 6; ``hallucination_rate``: share rated below 3;
    ``<type>/rating``; ``unjudged``: answers that the rater was not reached for.

    ``Sample.answers``: the people's answer, then what is in the image.
    """

    form: ClassVar[Form] = Form.TEXT

    sizes: ClassVar[Mapping[str, int]] = {"": 96}

    @classmethod
    def config_problems(cls, node: ConfigNode) -> Iterator[str]:
        """Only a judge that has a ``rater`` can rate the answers."""
        if not hasattr(node.targets.get("judge"), "rater"):
            yield (
                f"the answers to {node.path.rpartition('.')[2]} are rated by a language model, and "
                "none is chosen: type judge=openai judge.chat.model=<name>, or judge=vllm_server "
                "judge.chat.model=<name>"
            )

    def questions(self, images: bool = True) -> QuestionSet:
        """See ``PublishedBenchmark``."""
        path = Download(name="MMHal-Bench", parts={FILE: PLACE}).find(self.root)[FILE][0]
        asked = QuestionCollector(
            "MMHal-Bench", ImageFinder([path.parent / "images", path.parent]), images
        )
        asked.each(with_places(path, read_json(path)), partial(self._read, asked))
        return asked.questions()

    def _read(self, asked: QuestionCollector, index: int, row: Fields) -> None:
        key = f"{index}-{row.text('image_id')}"
        image = asked.image(key, PurePosixPath(row.text("image_src")).name)
        if image is not None:
            asked.add(
                Sample(
                    id=key,
                    image=image,
                    question=row.text("question"),
                    answers=(row.text("gt_answer"), *row.texts("image_content")),
                    kind=TYPES[index % len(TYPES)],
                    provenance=Provenance(dataset="mmhal", split="test", licence="CC-BY-NC-4.0"),
                )
            )

    def score(self, attempt: Attempt) -> dict[str, float]:
        """Whether anything was said; a rater scores."""
        return {"said": says_anything(attempt)}

    def to_rate(self, attempt: Attempt) -> RatedAnswer:
        """See ``Rated``."""
        truth, *contents = attempt.sample.answers
        return RatedAnswer(
            contents=tuple(contents),
            question=attempt.sample.question,
            truth=truth,
            answer=answer_text(attempt),
        )

    def figures(self, answered: Sequence[ScoredAttempt]) -> Figures:
        """See the class."""
        judged = [one for one in answered if "rating" in one.scores]
        ratings = np.array([one.scores["rating"] for one in judged])
        figures = mean("rating", ratings, image_keys(judged))
        figures |= share("unparsed", 1 - score_column(answered, "said"))
        figures |= share("hallucination_rate", ratings < INVENTS_BELOW)
        for kind in TYPES:
            own = [one for one in judged if one.attempt.sample.kind == kind]
            values = np.array([one.scores["rating"] for one in own])
            figures |= mean(f"{kind}/rating", values, image_keys(own))
        if len(judged) < len(answered):
            figures["unjudged"] = float(len(answered) - len(judged))
        return figures
