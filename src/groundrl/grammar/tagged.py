"""The tags that all grammars share: ``<think>reasoning</think><answer>answer</answer>``."""

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from itertools import pairwise

from groundrl.boxes import Frame
from groundrl.grammar.base import Parsed, round_segments
from groundrl.records import Grounding, Response, Segments

_TAG = re.compile(r"</?(?:think|answer)>")
_EXPECTED = ("<think>", "</think>", "<answer>", "</answer>")


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """The position of a grounding in a text: ``text[start:end]``."""

    start: int
    end: int
    grounding: Grounding


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundBoxes:
    """The boxes of a text."""

    spans: tuple[Span, ...]
    """In reading order, without overlap."""
    failures: tuple[str, ...]
    """Why boxes could not be read, each reason once."""

    def segments(self, text: str) -> Segments:
        """The text split into strings and groundings."""
        parts: list[str | Grounding] = []
        position = 0
        for span in self.spans:
            parts += [text[position : span.start], span.grounding]
            position = span.end
        parts.append(text[position:])
        return tuple(part for part in parts if part != "")


class TaggedGrammar(ABC):
    """Writes and reads think and answer tags; subclasses write and find the boxes inside."""

    name: str

    @abstractmethod
    def write_segments(self, segments: Segments) -> str:
        """The segments as text."""

    @abstractmethod
    def find_boxes(self, text: str, frame: Frame) -> FoundBoxes:
        """All boxes of any text. Must not raise and must take linear time."""

    def render(self, response: Response) -> str:
        """See ``Grammar.render``."""
        body = self.write_segments(response.reasoning)
        answer, pointing = response.answer, response.reasoning
        if not isinstance(answer, str):
            answer, pointing = self.render_segments(answer), (*pointing, *answer)
        text = f"<think>{body}</think><answer>{answer}</answer>"
        parsed = self.parse(text, _frame_of(pointing))
        readable = (parsed.reasoning, parsed.answer) == (
            round_segments(response.reasoning),
            answer,
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
        if found.failures or found.segments(text) != round_segments(segments):
            raise ValueError(
                f"the grammar {self.name} cannot express {segments}: "
                f"{'; '.join(found.failures) or 'it would not read back as it was'}"
            )
        return text

    def parse(self, text: str, frame: Frame) -> Parsed:
        """See ``Grammar.parse``."""
        tags = list(_TAG.finditer(text))
        failures = _tag_failures(text, tags)
        think = _block(tags, "think")
        answer = _block(tags, "answer")
        if answer is not None and not text[slice(*answer)].strip():
            failures.append("empty <answer>")
        # Reasoning is searched separately, so that no box extends beyond it.
        start, end = think or (0, 0)
        pieces = (text[:start], text[start:end], text[end:])
        found = [self.find_boxes(piece, frame) for piece in pieces]
        damaged = tuple(dict.fromkeys(reason for boxes in found for reason in boxes.failures))
        return Parsed(
            reasoning=found[1].segments(text[start:end]),
            groundings=tuple(span.grounding for boxes in found for span in boxes.spans),
            spans=tuple(
                (offset + span.start, offset + span.end)
                for offset, boxes in zip((0, start, end), found, strict=True)
                for span in boxes.spans
            ),
            answer=None if answer is None else text[slice(*answer)].strip(),
            failures=(*failures, *damaged),
            damaged=damaged,
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
