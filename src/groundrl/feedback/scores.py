"""Scored captions beside their labels, as JSONL: what a run measures and a page shows."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from groundrl.data.problems import Problems
from groundrl.feedback.captions import OUTPUTS, Level, RatedCaption
from groundrl.feedback.reward_model import SentenceScore
from groundrl.files import write_text
from groundrl.json_rows import Number, Text, Whole, read_json_lines

FILE: Final = "sentence_scores.jsonl"
"""In the run directory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredUnit:
    """A sentence, or a whole caption; ``scores`` and ``labels`` by error of OUTPUTS."""

    start: Whole
    stop: Whole
    scores: dict[Text, Number]
    """Probabilities."""
    labels: dict[Text, Number]
    """Shares of annotators."""

    def has(self, error: str) -> bool:
        """Whether at least half of the annotators see the error."""
        return self.labels[error] >= 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredCaption:
    """A labelled caption and what a reward model says of it."""

    id: Text
    image: Text
    """Path from the run directory."""
    question: Text
    text: Text
    units: tuple[ScoredUnit, ...]


def join_scores(
    caption: RatedCaption, image: str, scores: Iterable[SentenceScore], level: Level
) -> ScoredCaption:
    """Labels and scores of the same units."""
    units = [
        ScoredUnit(
            start=score.start,
            stop=score.stop,
            scores=dict(zip(OUTPUTS, (score.wrong, *score.errors.values()), strict=True)),
            labels=dict(zip(OUTPUTS, labels, strict=True)),
        )
        for score, labels in zip(scores, caption.targets(level).tolist(), strict=True)
    ]
    return ScoredCaption(
        id=caption.sample.id,
        image=image,
        question=caption.sample.question,
        text=caption.text,
        units=tuple(units),
    )


def write_scores(run_dir: Path, captions: Iterable[ScoredCaption]) -> None:
    """Write ``sentence_scores.jsonl``."""
    lines = [json.dumps(asdict(one), ensure_ascii=False) + "\n" for one in captions]
    write_text(run_dir / FILE, "".join(lines))


def read_scores(run_dir: Path) -> list[ScoredCaption]:
    """The scored captions of a run; none where there is no file. Raises UserError that lists every
    broken line."""
    path = run_dir / FILE
    if not path.is_file():
        return []
    problems = Problems(str(path))
    rows = read_json_lines(path, path.read_bytes(), ScoredCaption, problems.add)
    captions = [caption for _, caption in rows]
    problems.raise_if_any()
    return captions
