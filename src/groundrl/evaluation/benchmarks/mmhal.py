"""MMHal-Bench (arXiv 2309.14525): open questions of eight types, rated for what they invent."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import ClassVar

import numpy as np

from groundrl.answers.attempt import Attempt
from groundrl.answers.record import INVENTS_BELOW
from groundrl.config_node import ConfigNode
from groundrl.evaluation.benchmarks.base import (
    UNPARSED,
    Figures,
    ScoredAttempt,
    answer_text,
    has_words,
    image_keys,
    mean,
    score_column,
    share,
)
from groundrl.evaluation.benchmarks.published import RowBenchmark
from groundrl.evaluation.judging.ratings import RatedAnswer
from groundrl.figures import FigureInfo, FigureInfos
from groundrl.json_rows import Text
from groundrl.published.files import Download, FoundFiles
from groundrl.records import Form, NamedImage, Provenance, Sample

FILE = "**/response_template.json|**/mmhal-bench_answer_template.json"
PLACE = "https://huggingface.co/datasets/Shengcao1006/MMHal-Bench (test_data.zip, unpacked)"
TYPES = (
    *("attribute", "adversarial", "comparison", "counting"),
    *("relation", "environment", "holistic", "other"),
)
"""The type of a question is its place in the file, modulo 8."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MMHalRow:
    """A question with the answer that people gave."""

    image_id: Text
    image_src: Text
    """Address of the image; the file has its last part as name."""
    image_content: tuple[Text, ...]
    """Things that are in the image."""
    question: Text
    gt_answer: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class MMHal(RowBenchmark):
    """96 questions; answers are rated by a language model.

    ``Sample.answers``: the people's answer, then what is in the image.
    """

    form: ClassVar[Form] = Form.TEXT
    figure_infos: ClassVar[FigureInfos] = {
        "rating": FigureInfo(meaning="Mean rating, 0 to 6.", quoted=True, score="rating"),
        "unparsed": UNPARSED,
        "hallucination_rate": FigureInfo(
            meaning=f"Share of answers rated below {INVENTS_BELOW}: they invent something."
        ),
        "unjudged": FigureInfo(meaning="Answers for which the judge was not reached."),
    }
    row: ClassVar[type] = MMHalRow
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

    @property
    def download(self) -> Download:
        """See ``PublishedReader``."""
        return Download(name="MMHal-Bench", parts={FILE: PLACE})

    def image_folders(self, files: FoundFiles) -> Sequence[Path]:
        """See ``PublishedReader``."""
        return [files.parts[0].parent / "images", files.parts[0].parent]

    def read(self, number: int, row: MMHalRow) -> Iterable[Sample]:
        """See ``RowReader``."""
        yield Sample(
            id=f"{number}-{row.image_id}",
            image=NamedImage(key=PurePosixPath(row.image_src).name),
            question=row.question,
            answers=(row.gt_answer, *row.image_content),
            kind=TYPES[number % len(TYPES)],
            provenance=Provenance(dataset="mmhal", split="test", licence="CC-BY-NC-4.0"),
        )

    def score(self, attempt: Attempt) -> dict[str, float]:
        """Whether the answer has words; a rater adds the score "rating"."""
        return {"said": has_words(attempt)}

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
        """See ``figure_infos``; ratings also by type."""
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
