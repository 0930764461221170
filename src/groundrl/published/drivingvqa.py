"""DrivingVQA (arXiv 2501.04671): a driving theory exam; any number of options is right."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final

from pydantic import BeforeValidator

from groundrl.answers.options import distinct_options
from groundrl.json_rows import Corners, Flag, Text, Whole
from groundrl.published.files import Download, FoundFiles, pixel_box, read_json, with_places
from groundrl.published.reader import RowReader, Target
from groundrl.questions.sentences import weave
from groundrl.records import Form, Grounding, NamedImage, Provenance, Sample, Segments

SOURCE: Final = "https://huggingface.co/datasets/EPFL-DrivingVQA/DrivingVQA"
MAX_AREA: Final = 3_686_400
"""Pixels of the largest image asked about, as published ("Visual Reasoning", study 2)."""
FIRST_LETTERS: Final = "AB"
"""Of two questions, the options of the first one; the others belong to the second."""
_NUMBER: Final = r"\s*-?\d+(?:\.\d+)?\s*"
_BOX: Final = re.compile(rf"\s?\[(?:{_NUMBER},){{3}}{_NUMBER}\]", re.ASCII)


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


@dataclass(frozen=True, slots=True, kw_only=True)
class DrivingVQARow:
    """A scene of the exam with its question, or two."""

    img_filename: Text
    has_multiple_questions: Flag
    questions: Annotated[tuple[Text, ...], BeforeValidator(_listed)]
    """A text, or a list."""
    possible_answers: dict[Text, Text]
    """Letter -> option."""
    true_answers: tuple[Text, ...]
    """Letters."""
    explanation: Text | None = None
    interleaved_explanation: Text | None = None
    """The same with numbers in square brackets after each entity."""
    relevant_entities: tuple[dict[Text, Corners], ...] | None = None
    """``[{"car": [x, y, width, height]}, ...]``."""
    img_size: tuple[Whole, Whole] | None = None

    def __post_init__(self) -> None:
        expected = 2 if self.has_multiple_questions else 1
        if len(self.questions) != expected:
            raise ValueError(f"questions: expected {expected}, got {len(self.questions)}")

    @property
    def entities(self) -> tuple[Grounding, ...]:
        """What the explanation speaks of. Raises ValueError for a box of negative size."""
        return tuple(
            Grounding(label=label.strip(), box=pixel_box(x, y, x + width, y + height))
            for entity in self.relevant_entities or ()
            for label, (x, y, width, height) in entity.items()
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DrivingVQAReader(RowReader):
    """Questions with two to four options; worked answers give the explanation, with boxes where it
    is published with boxes.

    The defaults are the published filters ("Visual Reasoning", study 2): single questions, images
    of at most ``MAX_AREA`` pixels. ``two_questions`` also reads items of two questions about one
    scene: both are put at once, with numbers before them and before their options.
    """

    split: str = "test"
    two_questions: bool = False
    max_area: int | None = MAX_AREA
    """Width times height, pixels; None: any."""

    form: ClassVar[Form] = Form.OPTIONS
    targets: ClassVar[tuple[Target, ...]] = ("answer_only", "rationale", "boxed_rationale")
    row: ClassVar[type] = DrivingVQARow
    sizes: ClassVar[Mapping[str, int]] = {"test": 474}

    @property
    def part(self) -> str:
        """See ``PublishedReader``."""
        return self.split

    @property
    def download(self) -> Download:
        """See ``PublishedReader``."""
        return Download(
            name="DrivingVQA",
            parts={f"**/{self.split}.json": SOURCE},
            images={"**/images": SOURCE},
            images_beside=True,
            world="world_vqa",
        )

    def image_folders(self, files: FoundFiles) -> Sequence[Path]:
        """See ``PublishedReader``."""
        return [place for folder in files.folders for place in (folder, folder.parent)]

    def rows(self, files: FoundFiles) -> Iterable[tuple[str, Any]]:
        """Those with one question, or all."""
        content = read_json(files.parts[0])
        rows = list(content.values()) if isinstance(content, dict) else content
        for where, row in with_places(files.parts[0], rows):
            several = isinstance(row, dict) and row.get("has_multiple_questions") is True
            if self.two_questions or not several:
                yield where, row

    def read(self, number: int, row: DrivingVQARow) -> Iterable[Sample]:
        """See ``RowReader``."""
        letters = sorted(row.possible_answers)
        strangers = [letter for letter in sorted(row.true_answers) if letter not in letters]
        if strangers:
            raise ValueError(f"true_answers {strangers} are not among {letters}")
        words = [row.possible_answers[letter] for letter in letters]
        question, kind = row.questions[0], "several" if len(row.true_answers) > 1 else "single"
        if row.has_multiple_questions:
            question, kind = "1. {} 2. {}".format(*row.questions), "two_questions"
            words = [
                f"{1 if letter in FIRST_LETTERS else 2}. {word}"
                for letter, word in zip(letters, words, strict=True)
            ]
        named = dict(zip(letters, distinct_options(words), strict=True))
        width, height = row.img_size or (0, 0)
        yield Sample(
            id=Path(row.img_filename).stem,
            image=NamedImage(key=row.img_filename, width=width, height=height),
            question=question,
            options=tuple(named.values()),
            answers=tuple(named[letter] for letter in sorted(row.true_answers)),
            groundings=row.entities,
            rationale=_explanation(row),
            kind=kind,
            provenance=Provenance(
                dataset="drivingvqa", split=self.split, licence="MIT", source=SOURCE
            ),
        )

    def complete(self, sample: Sample) -> Sample | None:
        """Not asked about images that are too large."""
        area = sample.image.width * sample.image.height
        return sample if self.max_area is None or area <= self.max_area else None


def _explanation(row: DrivingVQARow) -> Segments | None:
    if row.interleaved_explanation and row.interleaved_explanation.strip():
        return interleave(row.interleaved_explanation.strip(), row.entities)
    plain = (row.explanation or "").strip()
    return (plain,) if plain else None


def interleave(text: str, entities: Sequence[Grounding]) -> Segments:
    """A text with numbers in square brackets after the names of entities, ``The **car** [1, 2, 3,
    4] turns``, with the entities in their place.

    The box comes from the entity, since the frame of the numbers is not declared; entities of one
    name come in their order, the last one repeatedly. Brackets after another name are left out.
    """
    left: dict[str, list[Grounding]] = {}
    for one in entities:
        left.setdefault(one.label.lower(), []).append(one)
    parts: list[str | Grounding] = []
    position = 0
    for found in _BOX.finditer(text):
        before = text[position : found.start()].replace("**", "")
        position = found.end()
        names = [name for name in left if _ends_with(before, name)]
        if names:
            name = max(names, key=len)
            same = left[name]
            before = before[: -len(name)]
            parts += [before, same.pop(0) if len(same) > 1 else same[0]]
        else:
            parts.append(before)
    return weave(*parts, text[position:].replace("**", ""))


def _ends_with(text: str, name: str) -> bool:
    """Whether the text ends with the words of this name."""
    head = text[: -len(name)] if name else text
    return bool(name) and text[len(head) :].lower() == name and not head[-1:].isalnum()
