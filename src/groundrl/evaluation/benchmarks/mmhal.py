"""MMHal-Bench (arXiv 2309.14525): open questions of eight types, rated for what they invent."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import ClassVar

import numpy as np

from groundrl.errors import UserError
from groundrl.evaluation.benchmarks.base import (
    Answered,
    Figures,
    Form,
    Questions,
    images,
    mean,
    said,
    share,
)
from groundrl.evaluation.benchmarks.files import (
    Asked,
    Download,
    Pictures,
    Published,
    fields,
    read_json,
)
from groundrl.evaluation.ratings import RatedAnswer
from groundrl.metrics import INVENTS_BELOW
from groundrl.records import Provenance, Sample
from groundrl.rewards.base import Attempt

FILE = "**/response_template.json|**/mmhal-bench_answer_template.json"
PLACE = "https://huggingface.co/datasets/Shengcao1006/MMHal-Bench (test_data.zip, unpacked)"
TYPES = (
    *("attribute", "adversarial", "comparison", "counting"),
    *("relation", "environment", "holistic", "other"),
)
"""The type of a question is its place in the file, modulo 8."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MMHal(Published):
    """96 questions. ``rating``: mean from 0 to 6; ``hallucination_rate``: share rated below 3;
    ``<type>/rating``; ``unjudged``: answers that the rater was not reached for.

    ``Sample.answers``: the people's answer, then what is in the picture.
    """

    form: ClassVar[Form] = Form.TEXT

    def questions(self) -> Questions:
        """See ``Benchmark``."""
        found = Download(name="MMHal-Bench", parts={FILE: PLACE}).find(self.root)
        path = found[FILE][0]
        rows = read_json(path)
        if not isinstance(rows, list):
            raise UserError(f"{path}: expected a list of records")
        asked = Asked("MMHal-Bench", Pictures([path.parent / "images", path.parent]))
        for index, row in enumerate(rows):
            wanted = ("image_id", "image_src", "image_content", "question", "gt_answer")
            name, source, contents, question, truth = fields(row, wanted, f"{path}: record {index}")
            key = f"{index}-{name}"
            image = asked.picture(key, PurePosixPath(str(source)).name)
            if image is not None:
                asked.add(
                    Sample(
                        id=key,
                        image=image,
                        question=question,
                        answers=(truth, *contents),
                        kind=TYPES[index % len(TYPES)],
                        provenance=Provenance(
                            dataset="mmhal", split="test", licence="CC-BY-NC-4.0"
                        ),
                    )
                )
        return asked.questions()

    def score(self, attempt: Attempt) -> dict[str, float]:
        """None of its own: a rater scores."""
        return {}

    def to_rate(self, attempt: Attempt) -> RatedAnswer:
        """See ``Rated``."""
        truth, *contents = attempt.sample.answers
        return RatedAnswer(
            contents=tuple(contents),
            question=attempt.sample.question,
            truth=truth,
            answer=said(attempt),
        )

    def figures(self, answered: Sequence[Answered]) -> Figures:
        """See the class."""
        judged = [one for one in answered if "rating" in one.scores]
        ratings = np.array([one.scores["rating"] for one in judged])
        figures = mean("rating", ratings, images(judged))
        figures |= share("hallucination_rate", ratings < INVENTS_BELOW)
        for kind in TYPES:
            own = [one for one in judged if one.attempt.sample.kind == kind]
            values = np.array([one.scores["rating"] for one in own])
            figures |= mean(f"{kind}/rating", values, images(own))
        if len(judged) < len(answered):
            figures["unjudged"] = float(len(answered) - len(judged))
        return figures
