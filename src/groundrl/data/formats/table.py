"""Tables with a column for each part of a question: R1-style rows and their kin."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Final

from groundrl.boxes import Frame
from groundrl.data.formats.base import UNNAMED, RowContent, make_box
from groundrl.data.formats.target import make_content, without_marks
from groundrl.errors import UserError
from groundrl.records import Grounding

NAMES: Final[dict[str, tuple[str, ...]]] = {
    "question": ("problem", "question", "query", "instruction", "expression", "prompt"),
    "answer": ("solution", "answer", "answers", "response", "output", "ground_truth"),
    "answer_index": ("correct_choice_idx",),
    "image": ("image", "images", "image_path", "img_path", "img"),
    "options": ("options", "choices"),
    "boxes": ("boxes", "bbox", "bboxes", "bbox_2d"),
    "labels": ("labels", "label"),
    "rationale": ("rationale", "reasoning", "thinking"),
    "id": ("id", "question_id", "sample_id"),
}
"""Part of a question -> the names that a column of it usually has, most telling first."""
Number = int | float


@dataclass(frozen=True, slots=True, kw_only=True)
class TableRows:
    """One column for each part; a solution may hold ``<think>`` and ``<answer>`` tags, and boxes.

    ``columns`` maps parts (the keys of ``NAMES``) to columns by hand. Boxes of columns and of
    bare text are in the frame that the caller gives.
    """

    form: ClassVar[str] = "a table with columns such as problem, solution and image (R1 style)"
    columns: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Raises UserError for a part that no table has."""
        for part in self.columns:
            if part not in NAMES:
                raise UserError(
                    f"data.columns.{part} is unknown: type data.columns.<part>=<column>, where "
                    f"the part is one of {', '.join(NAMES)}"
                )

    def recognises(self, columns: Collection[str]) -> bool:
        """A question, an image, and an answer of some kind."""
        found = self.roles(columns)
        return {"question", "image"} <= found.keys() and bool(
            found.keys() & {"answer", "answer_index", "boxes"}
        )

    def roles(self, columns: Collection[str]) -> Mapping[str, str]:
        """By hand, or by the first known name."""
        usual = {
            part: next((name for name in names if name in columns), None)
            for part, names in NAMES.items()
        }
        return {part: name for part, name in {**usual, **self.columns}.items() if name is not None}

    def read(self, row: Mapping[str, Any], frame: Frame | None) -> RowContent:
        """See ``RowFormat``."""
        parts = {part: row.get(name) for part, name in self.roles(row.keys()).items()}
        images = listed(parts.get("image"))
        question = text_of(parts.get("question"), "question")
        options = tuple(text_of(item, "option") for item in listed(parts.get("options")))
        drawn = _groundings(parts.get("boxes"), parts.get("labels"), frame)
        answers = _answer_texts(parts, options)
        if _is_box(parts.get("answer")):
            drawn, answers = (*drawn, *_groundings(parts["answer"], None, frame)), []
        thought = parts.get("rationale")
        id = parts.get("id")
        if not answers:
            if not drawn:
                raise ValueError("no answer and no boxes")
            return RowContent(
                question=without_marks(question, len(images)),
                options=options,
                groundings=drawn,
                told=drawn,
                images=images,
                id=None if id is None else str(id),
            )
        contents = [
            make_content(
                question=question,
                answer=answer,
                images=images,
                frame=frame,
                options=options,
                reasoning=None if thought is None else text_of(thought, "rationale"),
                id=None if id is None else str(id),
            )
            for answer in answers
        ]
        first = contents[0]
        boxes = tuple(dict.fromkeys([*drawn, *(g for c in contents for g in c.groundings)]))
        accepted = tuple(dict.fromkeys(text for one in contents for text in one.answers))
        return replace(first, answers=accepted, groundings=boxes)


def listed(value: object) -> tuple[object, ...]:
    """One value or a list of them; nothing for None."""
    if value is None:
        return ()
    return tuple(value) if isinstance(value, list | tuple) else (value,)


def text_of(value: object, part: str) -> str:
    """Text, or a number as text. Raises ValueError for anything else."""
    if isinstance(value, str):
        return value
    if isinstance(value, Number) and not isinstance(value, bool):
        return f"{value:g}" if isinstance(value, float) else str(value)
    raise ValueError(f"the {part} must be text, got {value!r:.60}")


def _answer_texts(parts: Mapping[str, Any], options: tuple[str, ...]) -> list[str]:
    """The accepted answers; an index counts options from 0."""
    index = parts.get("answer_index")
    if index is not None:
        if isinstance(index, bool) or not isinstance(index, int) or not 0 <= index < len(options):
            raise ValueError(f"answer_index {index!r} is none of {len(options)} options, from 0 on")
        return [options[index]]
    given = parts.get("answer")
    if isinstance(given, bool):
        return ["yes" if given else "no"]
    return [] if _is_box(given) else [text_of(item, "answer") for item in listed(given)]


def _is_box(value: object) -> bool:
    """Four numbers, or a list of such."""
    items = listed(value)
    return bool(items) and isinstance(value, list | tuple) and all(map(_is_corners, _boxes(items)))


def _boxes(items: tuple[object, ...]) -> tuple[object, ...]:
    return (items,) if all(isinstance(item, Number) for item in items) else items


def _is_corners(value: object) -> bool:
    return (
        isinstance(value, list | tuple)
        and len(value) == 4
        and all(isinstance(item, Number) and not isinstance(item, bool) for item in value)
    )


def _groundings(boxes: object, labels: object, frame: Frame | None) -> tuple[Grounding, ...]:
    items = listed(boxes)
    if not items:
        return ()
    corners = _boxes(items)
    names = [text_of(label, "label") for label in listed(labels)] or [UNNAMED] * len(corners)
    if len(names) != len(corners):
        raise ValueError(f"{len(names)} labels for {len(corners)} boxes")
    found = []
    for name, values in zip(names, corners, strict=True):
        if not (isinstance(values, list | tuple) and _is_corners(values)):
            raise ValueError(f"a box must be four numbers x1, y1, x2, y2, got {values!r:.60}")
        found.append(Grounding(label=name.strip() or UNNAMED, box=make_box(values, frame)))
    return tuple(dict.fromkeys(found))
