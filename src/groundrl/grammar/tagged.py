"""The tags that all grammars share: ``<think>reasoning</think><answer>answer</answer>``."""

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Final

from groundrl.boxes import Box, Frame
from groundrl.grammar.base import NUMBER_START, FoundBoxes, Parsed, Span, read_box, round_box
from groundrl.grammar.reasoning import TAG, divide
from groundrl.records import Grounding, Response, Segments

_EXPECTED = ("<think>", "</think>", "<answer>", "</answer>")
# Four numbers between brackets and nothing else, fenced or not.
_LONE_BOX: Final = re.compile(
    rf"(?:```\w*+\s*+)?[\[(][\[(\s]*+({NUMBER_START}[^\[\]()`]*+"
    r"(?:\)\s*+,\s*+\([^\[\]()`]*+)?)[\])][\])\s]*+(?:```)?\.?"
)
_N: Final = r"\s*+[-+]?\d[\d.]*+\s*+%?\s*+"
_ANY_BOX: Final = re.compile(
    rf"\[{_N},{_N},{_N},{_N}|\({_N},{_N}\)\s*+,\s*+\({_N},|[\"'](?:bbox_2d|box_2d)[\"']\s*+:"
    r"|<(?:bbox|box|\|box_start\||\|det\||loc_?\d+|patch_index_\d+)>|\{<\d"
)
"""What stands in boxes of some grammar or other."""


class TaggedGrammar(ABC):
    """Writes and reads think and answer tags; subclasses write and find the boxes inside."""

    name: str

    @property
    def frames(self) -> frozenset[Frame]:
        """See ``Grammar.frames``."""
        return frozenset(Frame)

    @abstractmethod
    def write_segments(self, segments: Segments) -> str:
        """The segments as text."""

    @abstractmethod
    def find_boxes(self, text: str, frame: Frame) -> FoundBoxes:
        """See ``Grammar.find_boxes``."""

    def read_corners(self, words: Sequence[str], frame: Frame) -> Box | str:
        """A box from its numbers in the order in which they are written, or the reason why they are
        none."""
        return read_box(words, frame)

    def round_box(self, box: Box) -> Box:
        """The box as it reads back."""
        return round_box(box)

    def comparable(self, segments: Segments) -> object:
        """Equal for segments of which one is what the other reads back as."""
        return segments

    def render(self, response: Response) -> str:
        """See ``Grammar.render``."""
        body = self.write_segments(response.reasoning)
        answer, pointing = response.answer, response.reasoning
        if not isinstance(answer, str):
            answer, pointing = self.render_segments(answer), (*pointing, *answer)
        text = f"<think>{body}</think><answer>{answer}</answer>"
        parsed = self.parse(text, _frame_of(pointing))
        readable = parsed.tagged_answer == answer and self._reads_back(
            parsed.reasoning, response.reasoning
        )
        if not readable or not parsed.well_formed:
            raise ValueError(
                f"the grammar {self.name} cannot express {response}: "
                f"{'; '.join(parsed.failures) or 'it would not read back as it was'}"
            )
        return text

    def render_segments(self, segments: Segments) -> str:
        """See ``Grammar.render_segments``."""
        text = self.write_segments(segments)
        found = self.find_boxes(text, _frame_of(segments))
        failures = (*found.failures, *found.slips)
        if failures or not self._reads_back(found.segments(text), segments):
            raise ValueError(
                f"the grammar {self.name} cannot express {segments}: "
                f"{'; '.join(failures) or 'it would not read back as it was'}"
            )
        return text

    def _reads_back(self, found: Segments, segments: Segments) -> bool:
        rounded = tuple(
            part if isinstance(part, str) else replace(part, box=self.round_box(part.box))
            for part in segments
        )
        return self.comparable(found) == self.comparable(rounded)

    def parse(self, text: str, frame: Frame) -> Parsed:
        """See ``Grammar.parse``."""
        tags = list(TAG.finditer(text))
        division = divide(text, tags)
        failures = _tag_failures(text, tags)
        tagged = _block(tags, "answer")
        if tagged is not None and not text[slice(*tagged)].strip():
            failures.append("empty <answer>")
        # Reasoning and answer are searched separately, so that no box extends beyond them.
        thought, answer = division.reasoning or (0, 0), division.answer
        edges = [0, *thought, *(answer or (len(text), len(text))), len(text)]
        found = [self.find_boxes(text[start:end], frame) for start, end in pairwise(edges)]
        if not found[3].spans and (lone := self._lone_box(text[edges[3] : edges[4]], frame)):
            found[3] = lone
        damaged = tuple(dict.fromkeys(reason for boxes in found for reason in boxes.failures))
        slips = dict.fromkeys(reason for boxes in found for reason in boxes.slips)
        spans = tuple(
            (offset + span.start, offset + span.end)
            for offset, boxes in zip(edges[:-1], found, strict=True)
            for span in boxes.spans
        )
        gaps = zip(
            (0, *(end for _, end in spans)), (*(s for s, _ in spans), len(text)), strict=True
        )
        if not damaged and any(_ANY_BOX.search(text, *gap) for gap in gaps):
            damaged = (f"a box that is not written as {self.name}",)
        return Parsed(
            reasoning=found[1].segments(text[slice(*thought)]),
            groundings=tuple(one for boxes in found for one in boxes.groundings),
            spans=spans,
            answer=None if answer is None else text[slice(*answer)],
            answer_span=answer,
            tagged_answer=None if tagged is None else text[slice(*tagged)].strip(),
            failures=(*failures, *slips, *damaged),
            damaged=damaged,
        )

    def _lone_box(self, answer: str, frame: Frame) -> FoundBoxes | None:
        """Of an answer that is the numbers of a box between brackets and nothing else."""
        numbers = _LONE_BOX.fullmatch(answer)
        words = re.findall(r"[^\s,()]+", numbers[1]) if numbers else ()
        box = self.read_corners(words, frame) if len(words) == 4 else ""
        if isinstance(box, str):
            return None
        grounding = Grounding(label="", box=box)
        return FoundBoxes(
            spans=(Span(start=0, end=len(answer), grounding=grounding),),
            failures=(),
            slips=(f"a box that is not quite written as {self.name}",),
        )


def _frame_of(segments: Segments) -> Frame:
    frames = {part.box.frame for part in segments if isinstance(part, Grounding)}
    if len(frames) > 1:
        raise ValueError(f"boxes of several frames in one text: {sorted(frames)}")
    return frames.pop() if frames else Frame.PIXEL


def _block(tags: list[re.Match[str]], name: str) -> tuple[int, int] | None:
    """Start and end of the text between the first opening tag and the next closing one."""
    start = None
    for tag in tags:
        if start is None and tag[0] == f"<{name}>":
            start = tag.end()
        elif start is not None and tag[0] == f"</{name}>":
            return start, tag.start()
    return None


def _tag_failures(text: str, tags: list[re.Match[str]]) -> list[str]:
    found = [tag[0] for tag in tags]
    failures = [f"missing {tag}" for tag in _EXPECTED if tag not in found]
    failures += [f"more than one {tag}" for tag in _EXPECTED if found.count(tag) > 1]
    if failures:
        return failures
    if tuple(found) != _EXPECTED:
        return ["think and answer tags in the wrong order"]
    if text[: tags[0].start()].strip():
        failures.append("text before <think>")
    if text[tags[1].end() : tags[2].start()].strip():
        failures.append("text between </think> and <answer>")
    if text[tags[3].end() :].strip():
        failures.append("text after </answer>")
    return failures


def check_separable(segments: Segments) -> None:
    """Raise ValueError for neighbouring or empty strings, which cannot be read back from text."""
    if "" in segments:
        raise ValueError("empty string among the segments")
    if any(isinstance(a, str) and isinstance(b, str) for a, b in pairwise(segments)):
        raise ValueError("neighbouring strings among the segments: join them")
