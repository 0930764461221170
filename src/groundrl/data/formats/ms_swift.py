"""Rows of ms-swift: messages whose boxes stand in ``objects``, with a mark in the text for each."""

import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any, ClassVar, Final

from groundrl.boxes import Frame
from groundrl.data.formats.base import UNNAMED, RowContent, UnusableRowError, make_box
from groundrl.data.formats.conversations import SYSTEM, image_and_id
from groundrl.data.formats.table import listed, text_of
from groundrl.data.formats.target import BOX_ASKED, content_of_segments, split_tags, without_marks
from groundrl.data.formats.turns import join_turns, read_turns
from groundrl.data.formats.written_boxes import read_segments
from groundrl.questions.sentences import weave
from groundrl.records import Grounding, Segments

REF: Final = "<ref-object>"
BOX: Final = "<bbox>"
FRAMES: Final = {"real": Frame.PIXEL, "norm1": Frame.UNIT}
"""``bbox_type`` -> frame; a row without one is "real", as ms-swift reads it."""
_MARKS: Final = re.compile(rf"{REF}\s*{BOX}|{REF}|{BOX}")


@dataclass(frozen=True, slots=True)
class MsSwiftRows:
    """``messages``, ``images`` and ``objects`` (``ref``, ``bbox``, ``bbox_type``, ``image_id``)."""

    form: ClassVar[str] = "messages with objects (ms-swift)"

    def recognises(self, columns: Collection[str]) -> bool:
        """Messages and objects."""
        return {"messages", "objects"} <= set(columns)

    def roles(self, columns: Collection[str]) -> Mapping[str, str]:
        """Boxes come from objects."""
        turns = {"question": "messages", "answer": "messages", "boxes": "objects"}
        return {**turns, **image_and_id(columns)}

    def read(self, row: Mapping[str, Any], frame: Frame | None) -> RowContent:
        """See ``RowFormat``; ``frame`` must not contradict ``bbox_type``."""
        exchange = join_turns(read_turns(row["messages"], "messages"))
        images = (*listed(row.get("images", row.get("image"))), *exchange.images)
        if not images:
            raise UnusableRowError("the row has no image")
        objects = row["objects"] or {}
        stated = _frame(objects, frame)
        refs = [text_of(ref, "ref") for ref in listed(objects.get("ref"))]
        boxes = _boxes(objects, stated)
        texts = (exchange.question, exchange.answer)
        for mark, items, name in ((REF, refs, "ref"), (BOX, boxes, "bbox")):
            marks = sum(text.count(mark) for text in texts)
            if marks != len(items):
                raise ValueError(f"{marks} {mark} marks for {len(items)} items of objects.{name}")
        if BOX in exchange.question:
            raise UnusableRowError(BOX_ASKED)
        named = iter(refs)
        question = _MARKS.sub(lambda _: next(named), exchange.question)
        thought, answer = split_tags(exchange.answer)
        drawn = iter(boxes)
        reasoning = None if thought is None else _fill(thought, named, drawn, stated)
        id = row.get("id")
        return content_of_segments(
            question=without_marks(question, len(images)),
            told=_fill(answer, named, drawn, stated),
            reasoning=reasoning,
            images=images,
            id=None if id is None else text_of(id, "id"),
            left_out=(SYSTEM,) if exchange.has_system else (),
        )


def _frame(objects: Mapping[str, Any], asked: Frame | None) -> Frame:
    kind = objects.get("bbox_type") or "real"
    if not isinstance(kind, str) or kind not in FRAMES:
        raise ValueError(f"objects.bbox_type must be {' or '.join(FRAMES)}, got {kind!r:.60}")
    if asked is not None and asked is not FRAMES[kind]:
        raise ValueError(
            f"objects.bbox_type={kind} means data.frame={FRAMES[kind]}, and data.frame={asked} is "
            "typed: leave it out"
        )
    return FRAMES[kind]


def _boxes(objects: Mapping[str, Any], frame: Frame) -> list[Grounding]:
    found = []
    for index, values in enumerate(listed(objects.get("bbox"))):
        if not isinstance(values, list | tuple) or not all(
            isinstance(value, int | float) and not isinstance(value, bool) for value in values
        ):
            raise ValueError(f"objects.bbox[{index}] must be four numbers, got {values!r:.60}")
        if len(values) == 2:
            raise UnusableRowError("objects.bbox holds a point, and samples have boxes only")
        if len(values) != 4:
            raise ValueError(f"objects.bbox[{index}] must be four numbers, got {values!r:.60}")
        found.append(Grounding(label=UNNAMED, box=make_box(values, frame)))
    if any(listed(objects.get("image_id"))):
        raise UnusableRowError("objects.image_id: boxes lie in another image than the first")
    return found


def _fill(text: str, refs: Iterator[str], boxes: Iterator[Grounding], frame: Frame) -> Segments:
    """The text with a grounding for each mark; boxes written as JSON are read as such."""
    if "bbox_2d" in text:
        filled = _MARKS.sub(lambda match: _as_text(match[0], refs, boxes), text)
        return read_segments(filled, frame)
    parts: list[str | Grounding] = []
    end = 0
    for match in _MARKS.finditer(text):
        between = text[end : match.start()]
        end = match.end()
        parts.append("" if parts and not between.strip(" \n,;[]") else between)
        if match[0] == REF:
            parts.append(next(refs))
        else:
            label = next(refs).strip() if match[0].startswith(REF) else UNNAMED
            parts.append(Grounding(label=label or UNNAMED, box=next(boxes).box))
    return weave(*chain(parts, [text[end:]]))


def _as_text(mark: str, refs: Iterator[str], boxes: Iterator[Grounding]) -> str:
    written = json.dumps(next(refs))[1:-1] if mark.startswith(REF) else ""
    return written + (str(list(next(boxes).box.corners)) if mark.endswith(BOX) else "")
