"""Questions for yes or no: POPE (arXiv 2305.10355) and MME (arXiv 2306.13394)."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np

from groundrl.answers.attempt import Attempt
from groundrl.errors import UserError
from groundrl.evaluation.benchmarks.base import (
    Figures,
    Form,
    QuestionSet,
    ScoredAttempt,
    answer_text,
    image_keys,
    of_sums,
    precision_recall_f1,
    ratio,
    score_column,
    share,
)
from groundrl.evaluation.benchmarks.files import (
    COCO_FOLDERS,
    COCO_PLACE,
    Download,
    ImageFinder,
    PublishedBenchmark,
    QuestionCollector,
    read_lines,
)
from groundrl.fields import Fields
from groundrl.files import json_lines
from groundrl.records import Provenance, Sample

_FIRST_WORD = re.compile(r"\W*(yes|no)\b", re.IGNORECASE)
_NEGATIONS = frozenset({"No", "not", "no"})

PERCEPTION = (
    *("existence", "count", "position", "color", "posters"),
    *("celebrity", "scene", "landmark", "artwork", "OCR"),
)
COGNITION = (
    *("commonsense_reasoning", "numerical_calculation", "text_translation", "code_reasoning"),
)


def says_yes_officially(text: str) -> bool:
    """POPE's reading: "No", "not" or "no" before the first full stop is no, anything else yes."""
    head = text.partition(".")[0].replace(",", "")
    return _NEGATIONS.isdisjoint(head.split(" "))


def says_yes_strictly(text: str) -> bool | None:
    """The first word, "yes" or "no"; None for any other."""
    word = _FIRST_WORD.match(text)
    return None if word is None else word[1].lower() == "yes"


def says_yes_in_mme(text: str) -> bool | None:
    """MME's reading: the whole answer, else its first four characters hold "yes" or "no"."""
    head = text.lower()[:4]
    if "yes" in head:
        return True
    return False if "no" in head else None


class Presence:
    """POPE's protocol.

    ``acc``, ``precision``, ``recall``, ``f1`` (positive = yes), ``yes_ratio`` as published:
    whatever is no "no" is a yes. The same with ``strict_``: an answer that begins with neither
    counts as the wrong one.
    """

    __slots__ = ()
    form: ClassVar[Form] = Form.YES_NO

    def score(self, attempt: Attempt) -> dict[str, float]:
        """Both readings of an answer."""
        text = answer_text(attempt)
        true = attempt.sample.answers == ("yes",)
        strict = says_yes_strictly(text)
        official = says_yes_officially(text)
        return {
            "correct": float(official == true),
            "true": float(true),
            "yes": float(official),
            "strict_yes": float(not true if strict is None else strict),
            "parsed": float(strict is not None),
        }

    def figures(self, answered: Sequence[ScoredAttempt]) -> Figures:
        """See the class."""
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
class POPE(Presence, PublishedBenchmark):
    """Is there such an object in the picture? 3000 questions, half of them with yes."""

    variant: Literal["random", "popular", "adversarial"]

    sizes: ClassVar[Mapping[str, int]] = {"": 3000}

    def questions(self, images: bool = True) -> QuestionSet:
        """See ``PublishedBenchmark``."""
        file = f"**/coco_pope_{self.variant}.json"
        place = "https://github.com/AoiDragon/POPE/tree/main/output/coco"
        download = Download(name="POPE", parts={file: place}, images={COCO_FOLDERS: COCO_PLACE})
        found = download.find(self.root, images)
        path = found[file][0]
        asked = QuestionCollector("POPE", ImageFinder(found[COCO_FOLDERS]), images)
        asked.each(json_lines(path, path.read_bytes()), lambda _, row: self._read(row, asked))
        return asked.questions()

    def _read(self, row: Fields, asked: QuestionCollector) -> None:
        name, label = str(row.whole("question_id")), row.text("label")
        if label not in ("yes", "no"):
            raise ValueError(f"label must be yes or no, got {label!r}")
        image = asked.image(name, row.text("image"))
        if image is not None:
            asked.add(
                Sample(
                    id=name,
                    image=image,
                    question=row.text("text"),
                    answers=(label,),
                    kind="exists",
                    provenance=Provenance(dataset="pope", split=self.variant, licence="MIT"),
                )
            )


class TaskPairs:
    """MME's protocol: two questions about each image, one with yes and one with no.

    Per task: ``acc``, ``acc_plus`` (images with both questions right), ``score`` (their sum in
    per cent, at most 200). ``perception`` and ``cognition``: sums of scores. A question's id is
    ``task/pair/0`` or ``task/pair/1``, its kind the task.
    """

    __slots__ = ()
    form: ClassVar[Form] = Form.YES_NO

    def score(self, attempt: Attempt) -> dict[str, float]:
        """Right or wrong; an answer with neither word is wrong."""
        yes = says_yes_in_mme(answer_text(attempt))
        right = yes is not None and yes == (attempt.sample.answers == ("yes",))
        return {"correct": float(right), "parsed": float(yes is not None)}

    def figures(self, answered: Sequence[ScoredAttempt]) -> Figures:
        """See the class."""
        pairs: dict[str, list[bool]] = {}
        for one in answered:
            sample = one.attempt.sample
            # With the image: one that is drawn twice by a bootstrap is another pair.
            pair = f"{sample.id.rpartition('/')[0]} {sample.image.key}"
            pairs.setdefault(pair, []).append(one.scores["correct"] > 0)
        tasks = sorted({pair.partition("/")[0] for pair in pairs})
        # Per pair and task: questions right, questions, both right, pairs.
        parts = np.zeros((len(pairs), 4 * len(tasks)))
        for row, (pair, right) in enumerate(pairs.items()):
            at = 4 * tasks.index(pair.partition("/")[0])
            parts[row, at : at + 4] = sum(right), len(right), all(right) and len(right) > 1, 1

        def per_cent(sums: np.ndarray, chosen: Sequence[str]) -> np.ndarray:
            table = sums.reshape(len(sums), len(tasks), 4)[
                :, [tasks.index(task) for task in chosen]
            ]
            plain = ratio(table[..., 0], table[..., 1]) + ratio(table[..., 2], table[..., 3])
            return 100 * plain.sum(axis=1)

        figures: Figures = {}
        for name, group in (("perception", PERCEPTION), ("cognition", COGNITION)):
            here = [task for task in tasks if task in group]
            if here:
                figures |= of_sums({name: lambda s, t=here: per_cent(s, t)}, parts, list(pairs))
        figures |= share("acc", score_column(answered, "correct"))
        figures |= share("unparsed", 1 - score_column(answered, "parsed"))
        for place, task in enumerate(tasks):
            own = parts[parts[:, 4 * place + 3] > 0]
            figures |= of_sums(
                {f"{task}/score": lambda s, t=task: per_cent(s, [t])}, own, _range(own)
            )
            right = [one.scores["correct"] for one in answered if one.attempt.sample.kind == task]
            figures |= share(f"{task}/acc", np.array(right))
            figures |= share(f"{task}/acc_plus", own[:, 4 * place + 2])
        return figures


def _range(rows: np.ndarray) -> list[str]:
    return [str(row) for row in range(len(rows))]


@dataclass(frozen=True, slots=True, kw_only=True)
class MME(TaskPairs, PublishedBenchmark):
    """14 tasks with two questions per image."""

    told_by_lists: ClassVar[bool] = False  # neither tasks nor images
    sizes: ClassVar[Mapping[str, int]] = {"": 2374}

    def questions(self, images: bool = True) -> QuestionSet:
        """Lists ``<task>.txt`` of image, question and Yes or No; images below ``<task>/``."""
        place = (
            "https://github.com/BradyFU/Awesome-Multimodal-Large-Language-Models/tree/Evaluation"
        )
        lists = {f"**/{task}.txt": place for task in (*PERCEPTION, *COGNITION)}
        found = Download(name="MME", parts=lists).find(self.root)
        root = Path(self.root or "").expanduser()
        coco = [path for pattern in COCO_FOLDERS.split("|") for path in root.glob(pattern)]
        asked = QuestionCollector("MME", ImageFinder([]), images)
        for file in lists:
            path = found[file][0]
            own = [*root.glob(f"**/{path.stem}/images"), *root.glob(f"**/{path.stem}")]
            asked.images = ImageFinder([*own, *coco])
            self._read(path, asked)
        return asked.questions()

    def _read(self, path: Path, asked: QuestionCollector) -> None:
        rows = [line.split("\t") for line in read_lines(path)]
        for number, cells in enumerate(rows):
            if len(cells) < 3 or cells[2].strip().lower() not in ("yes", "no"):
                raise UserError(f"{path}:{number + 1}: expected image, question and Yes or No")
            if number % 2 == 1 and cells[0] != rows[number - 1][0]:
                raise UserError(
                    f"{path}:{number}: expected two questions in a row about each image, and "
                    f"{rows[number - 1][0]} has one"
                )
            name = f"{path.stem}/{number // 2}/{number % 2}"
            image = asked.image(name, cells[0])
            if image is not None:
                asked.add(
                    Sample(
                        id=name,
                        image=image,
                        question=cells[1],
                        answers=(cells[2].strip().lower(),),
                        kind=path.stem,
                        provenance=Provenance(dataset="mme", split=path.stem),
                    )
                )
        if len(rows) % 2:
            raise UserError(
                f"{path}:{len(rows)}: expected two questions in a row about each image, and "
                f"{rows[-1][0]} has one"
            )
