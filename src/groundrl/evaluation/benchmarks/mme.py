"""MME (arXiv 2306.13394): 14 tasks, two questions for yes or no about each image."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from groundrl.answers.attempt import Attempt
from groundrl.data.problems import Problems
from groundrl.evaluation.benchmarks.base import (
    UNPARSED,
    Figures,
    ScoredAttempt,
    answer_text,
    figures_of_sums,
    ratio,
    score_column,
    share,
)
from groundrl.evaluation.benchmarks.published import PublishedBenchmark
from groundrl.figures import FigureInfo, FigureInfos
from groundrl.json_rows import Text, validate
from groundrl.published.files import (
    COCO_FOLDERS,
    Download,
    FoundFiles,
    glob_all,
    read_lines,
)
from groundrl.records import Form, NamedImage, Provenance, Sample

PERCEPTION = (
    *("existence", "count", "position", "color", "posters"),
    *("celebrity", "scene", "landmark", "artwork", "OCR"),
)
COGNITION = (
    *("commonsense_reasoning", "numerical_calculation", "text_translation", "code_reasoning"),
)


def read_yes_as_mme(text: str) -> bool | None:
    """MME's reading: the whole answer, else its first four characters hold "yes" or "no"."""
    head = text.lower()[:4]
    if "yes" in head:
        return True
    return False if "no" in head else None


class TaskPairs:
    """MME's protocol: two questions about each image, one with yes and one with no.

    A question's id is ``task/pair/0`` or ``task/pair/1``, its kind the task.
    """

    __slots__ = ()
    form: ClassVar[Form] = Form.YES_NO
    figure_infos: ClassVar[FigureInfos] = {
        "perception": FigureInfo(
            meaning="Sum of the scores of perception tasks, at most 2000.", quoted=True
        ),
        "cognition": FigureInfo(
            meaning="Sum of the scores of cognition tasks, at most 800.", quoted=True
        ),
        "acc": FigureInfo(meaning="Share of right answers.", quoted=True, score="correct"),
        "unparsed": UNPARSED,
        "score": FigureInfo(meaning="Of a task: 100 (acc + acc_plus), at most 200."),
        "acc_plus": FigureInfo(meaning="Of a task: share of images with both questions right."),
    }

    def score(self, attempt: Attempt) -> dict[str, float]:
        """Right or wrong; an answer with neither word is wrong."""
        yes = read_yes_as_mme(answer_text(attempt))
        right = yes is not None and yes == (attempt.sample.answers == ("yes",))
        return {"correct": float(right), "parsed": float(yes is not None)}

    def figures(self, answered: Sequence[ScoredAttempt]) -> Figures:
        """See ``figure_infos``."""
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
                figures |= figures_of_sums(
                    {name: lambda s, t=here: per_cent(s, t)}, parts, list(pairs)
                )
        figures |= share("acc", score_column(answered, "correct"))
        figures |= share("unparsed", 1 - score_column(answered, "parsed"))
        for place, task in enumerate(tasks):
            own = parts[parts[:, 4 * place + 3] > 0]
            figures |= figures_of_sums(
                {f"{task}/score": lambda s, t=task: per_cent(s, [t])}, own, _range(own)
            )
            right = [one.scores["correct"] for one in answered if one.attempt.sample.kind == task]
            figures |= share(f"{task}/acc", np.array(right))
            figures |= share(f"{task}/acc_plus", own[:, 4 * place + 2])
        return figures


def _range(rows: np.ndarray) -> list[str]:
    return [str(row) for row in range(len(rows))]


@dataclass(frozen=True, slots=True, kw_only=True)
class MMETableRow:
    """A question beside its image; the two questions of an image share their id."""

    question_id: Text
    """``task/image``."""
    question: Text
    answer: Text
    category: Text
    """The task."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MME(TaskPairs, PublishedBenchmark):
    """14 tasks with two questions per image: lists ``<task>.txt`` of image, question and Yes or
    No; images below ``<task>/``."""

    scored_from_lists: ClassVar[bool] = False  # they hold neither tasks nor images
    sizes: ClassVar[Mapping[str, int]] = {"": 2374}

    @property
    def download(self) -> Download:
        """See ``PublishedReader``."""
        place = (
            "https://github.com/BradyFU/Awesome-Multimodal-Large-Language-Models/tree/Evaluation"
        )
        parts = {f"**/{task}.txt": place for task in (*PERCEPTION, *COGNITION)}
        columns = ("question_id", "question", "answer", "image", "category")
        return Download(name="MME", parts=parts, columns=columns, world="world_mme")

    def read_table(self, number: int, row: Mapping[str, Any]) -> Iterable[Sample]:
        """See ``PublishedReader``."""
        found = validate(MMETableRow, row)
        name = found.question_id.rpartition("/")[2]
        if found.category not in (*PERCEPTION, *COGNITION):
            raise ValueError(f"category {found.category!r:.40} is no task of MME")
        if found.answer.strip().lower() not in ("yes", "no"):
            raise ValueError(f"the answer must be Yes or No, got {found.answer!r:.40}")
        pair = f"{found.category}/{name}"
        yield _question(f"{pair}/{number}", name, found.question, found.answer, found.category)

    def sources(
        self, files: FoundFiles, problems: Problems
    ) -> Iterator[tuple[Sequence[Path], Iterable[Sample]]]:
        """One per task: images of several tasks have the same names."""
        coco = glob_all(files.root, COCO_FOLDERS)
        for path in files.parts:
            own = glob_all(files.root, f"**/{path.stem}/images|**/{path.stem}")
            yield [*own, *coco], _read_task(path, problems)

    def samples(self, files: FoundFiles, problems: Problems) -> Iterator[Sample]:
        """See ``PublishedReader``."""
        for path in files.parts:
            yield from _read_task(path, problems)


def _read_task(path: Path, problems: Problems) -> Iterator[Sample]:
    rows = [line.split("\t") for line in read_lines(path)]
    broken = [
        number
        for number, cells in enumerate(rows, 1)
        if len(cells) < 3 or cells[2].strip().lower() not in ("yes", "no")
    ]
    for number in broken:
        problems.add(f"{path}:{number}", "expected image, question and Yes or No")
    if broken:
        return
    for index, (image, question, answer, *_) in enumerate(rows):
        if index % 2 == 0 and (index + 1 == len(rows) or rows[index + 1][0] != image):
            what = f"expected two questions in a row about each image, and {image} has one"
            problems.add(f"{path}:{index + 1}", what)
            return
        yield _question(f"{path.stem}/{index // 2}/{index % 2}", image, question, answer, path.stem)


def _question(id: str, image: str, question: str, answer: str, task: str) -> Sample:
    return Sample(
        id=id,
        image=NamedImage(key=image),
        question=question,
        answers=(answer.strip().lower(),),
        kind=task,
        provenance=Provenance(dataset="mme", split=task),
    )
