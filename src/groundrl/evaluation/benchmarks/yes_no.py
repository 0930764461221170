"""Questions for yes or no: POPE (arXiv 2305.10355)."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from groundrl.answers.attempt import Attempt
from groundrl.evaluation.benchmarks.base import (
    PRECISION_RECALL_F1,
    STRICT_PRECISION_RECALL_F1,
    UNPARSED,
    Figures,
    ScoredAttempt,
    answer_text,
    image_keys,
    precision_recall_f1,
    score_column,
    share,
)
from groundrl.evaluation.benchmarks.published import RowBenchmark
from groundrl.figures import FigureInfo, FigureInfos
from groundrl.files import json_lines, read_json
from groundrl.json_rows import Text, Whole, validate
from groundrl.published.files import (
    COCO_IMAGES,
    Download,
    FoundFiles,
    with_places,
)
from groundrl.records import Form, NamedImage, Provenance, Sample

GQA_IMAGES = {
    "**/gqa/images|**/gqa|**/images": ("https://cs.stanford.edu/people/dorarad/gqa/download.html")
}
_FIRST_WORD = re.compile(r"\W*(yes|no)\b", re.IGNORECASE)
_NEGATIONS = frozenset({"No", "not", "no"})


def read_yes_as_pope(text: str) -> bool:
    """POPE's reading: "No", "not" or "no" before the first full stop is no, any other text yes."""
    head = text.partition(".")[0].replace(",", "")
    return _NEGATIONS.isdisjoint(head.split(" "))


def read_first_word(text: str) -> bool | None:
    """True for a text whose first word is "yes", False for "no", None for any other."""
    word = _FIRST_WORD.match(text)
    return None if word is None else word[1].lower() == "yes"


class Presence:
    """POPE's protocol, positive = yes.

    Every answer that is no "no" counts as yes, as published. In the figures with ``strict_`` an
    answer that begins with neither word counts as the wrong one.
    """

    __slots__ = ()
    form: ClassVar[Form] = Form.YES_NO
    figure_infos: ClassVar[FigureInfos] = {
        "acc": FigureInfo(meaning="Share of right answers.", quoted=True, score="correct"),
        **PRECISION_RECALL_F1,
        "yes_ratio": FigureInfo(meaning="Share of yes among the answers."),
        "strict_acc": FigureInfo(
            meaning="Accuracy when an answer that begins with neither yes nor no is wrong."
        ),
        **STRICT_PRECISION_RECALL_F1,
        "unparsed": UNPARSED,
    }

    def score(self, attempt: Attempt) -> dict[str, float]:
        """Both readings of an answer."""
        text = answer_text(attempt)
        true = attempt.sample.answers == ("yes",)
        strict = read_first_word(text)
        official = read_yes_as_pope(text)
        return {
            "correct": float(official == true),
            "true": float(true),
            "yes": float(official),
            "strict_yes": float(not true if strict is None else strict),
            "parsed": float(strict is not None),
        }

    def figures(self, answered: Sequence[ScoredAttempt]) -> Figures:
        """See ``figure_infos``."""
        true, clusters = score_column(answered, "true"), image_keys(answered)
        official, strict = score_column(answered, "yes"), score_column(answered, "strict_yes")
        strictly = precision_recall_f1(strict * true, strict, true, clusters)
        return {
            **share("acc", score_column(answered, "correct")),
            **precision_recall_f1(official * true, official, true, clusters),
            **share("yes_ratio", official),
            **share("strict_acc", (strict == true)),
            **{f"strict_{name}": value for name, value in strictly.items()},
            **share("unparsed", 1 - score_column(answered, "parsed")),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class POPERow:
    """A question about one object."""

    question_id: Whole
    image: Text
    text: Text
    label: Literal["yes", "no"]


@dataclass(frozen=True, slots=True, kw_only=True)
class POPETableRow:
    """A question of one of the sets, beside its image."""

    question_id: Text
    question: Text
    answer: Text
    image_source: Text
    category: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class POPE(Presence, RowBenchmark):
    """Is there such an object in the image? 3000 questions, half of them with yes."""

    variant: Literal["random", "popular", "adversarial"]
    source: Literal["coco", "aokvqa", "gqa"] = "coco"
    """Whose images are asked about. The objects in those of A-OKVQA and GQA were found by a
    segmentation model, SEEM, in COCO's by annotators."""

    row: ClassVar[type] = POPERow
    sizes: ClassVar[Mapping[str, int]] = {"random": 3000, "popular": 3000, "adversarial": 3000}

    @property
    def part(self) -> str:
        """See ``PublishedBenchmark``."""
        return self.variant

    @property
    def download(self) -> Download:
        """See ``PublishedReader``."""
        place = "https://github.com/AoiDragon/POPE/tree/main/output"
        if self.source == "coco":
            parts = {f"**/coco_pope_{self.variant}.json": f"{place}/coco"}
            columns = ("question_id", "question", "answer", "image_source", "image", "category")
            return Download(
                name="POPE", parts=parts, images=COCO_IMAGES, columns=columns, world="world_pope"
            )
        # Copies of the files go by a shorter name.
        names = [f"**/{self.source}_pope_{seem}{self.variant}.json" for seem in ("seem_", "")]
        parts = {"|".join(names): f"{place}/seem/{self.source}"}
        images = GQA_IMAGES if self.source == "gqa" else COCO_IMAGES
        return Download(name="POPE", parts=parts, images=images, world="world_pope")

    def rows(self, files: FoundFiles) -> Iterable[tuple[str, Any]]:
        """An object a line, whatever the file is called, or a JSON array."""
        path = files.parts[0]
        content = path.read_bytes()
        if content.lstrip().startswith(b"["):
            return with_places(path, read_json(path))
        return json_lines(path, content)

    def read(self, number: int, row: POPERow) -> Iterable[Sample]:
        """See ``RowReader``."""
        yield self._question(str(row.question_id), row.image, row.text, row.label)

    @property
    def table_splits(self) -> tuple[str, ...]:
        """See ``PublishedReader``."""
        return ("test", self.variant)

    def read_table(self, number: int, row: Mapping[str, Any]) -> Iterable[Sample]:
        """See ``PublishedReader``; a table holds all three sets."""
        found = validate(POPETableRow, row)
        if found.category == self.variant:
            image = f"{found.image_source}.jpg"
            yield self._question(found.question_id, image, found.question, found.answer.lower())

    def _question(self, id: str, image: str, text: str, label: str) -> Sample:
        if label not in ("yes", "no"):
            raise ValueError(f"the answer must be yes or no, got {label!r:.40}")
        return Sample(
            id=id,
            image=NamedImage(key=image),
            question=text,
            answers=(label,),
            kind="exists",
            provenance=Provenance(dataset="pope", split=self.variant, licence="MIT"),
        )
