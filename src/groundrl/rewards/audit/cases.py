"""Samples as cheats see them, and a choice of samples of many kinds."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice, zip_longest

import numpy as np

from groundrl.answers.attempt import ABSENCE_KINDS, Attempt, read_attempt
from groundrl.boxes import Frame, ImageSizes
from groundrl.data.datasets import SampleSource
from groundrl.data.world_captions import WorldCaptions
from groundrl.grammar.base import Grammar
from groundrl.prompts import PromptTemplate
from groundrl.questions.sentences import listing, weave
from groundrl.records import CAPTION, Completion, RolloutGroup, Sample, Segments
from groundrl.world.graph import SceneSpec, Subject
from groundrl.world.questions import KINDS, questions_about
from groundrl.world.render import build_scene

LOOKED_AT = 8
"""Samples of a data set that are looked at, for each one that is chosen."""
SCENES_EACH = 8
"""Scenes that are looked at for a question of a kind; few have none."""

_DELIMITERS = re.compile(r'[<>\[\]{}"\\]')


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A sample, with what honest completions and cheats are written from."""

    number: int
    """Its place among the cases of an audit."""
    sample: Sample
    grammar: Grammar
    reasoning: Segments
    """The sample's rationale, else a list of its groundings; empty where a caption is asked for."""
    answer: str
    """The right one, as the warm-up teaches it; of a caption the whole of it."""
    others: tuple[Sample, ...]
    """The other samples of the audit."""

    def write(self, reasoning: Segments | None = None, answer: str | None = None) -> str:
        """A completion with this reasoning and answer, boxes in pixels; right where not given."""
        body = self.grammar.render_segments(
            weave(*(self.reasoning if reasoning is None else reasoning))
        )
        return f"<think>{body}</think><answer>{self.answer if answer is None else answer}</answer>"

    def read(self, text: str) -> Attempt:
        """The text as a completion; its words count as tokens."""
        words = len(text.split())
        completion = Completion(
            text=text, tokens=(0,) * words, logprobs=(0.0,) * words, truncated=False
        )
        sizes = image_sizes(self.sample)
        group = RolloutGroup(sample=self.sample, sizes=sizes, completions=(completion,))
        return read_attempt(group, completion, self.grammar, Frame.PIXEL)

    @property
    def is_caption(self) -> bool:
        """Whether a caption is asked for."""
        return self.sample.kind == CAPTION

    @property
    def wrong_options(self) -> tuple[str, ...]:
        """Options that are not right."""
        sample = self.sample
        return tuple(option for option in sample.options if option not in sample.answers)


def without_delimiters(text: str) -> str:
    """The text without the signs that a grammar may read as a box or a tag."""
    return " ".join(_DELIMITERS.sub(" ", text).split()) or "it"


def image_sizes(sample: Sample) -> ImageSizes:
    """For boxes in pixels: no processor has resized the image."""
    width, height = sample.image.width, sample.image.height
    return ImageSizes(width=width, height=height, model_width=width, model_height=height)


def make_cases(samples: Sequence[Sample], grammar: Grammar) -> list[Case]:
    """A case of each sample that the grammar can write, since a label may hold its delimiters.

    Raises UserError for a sample without answers and groundings, or with images of unknown size.
    """
    cases: list[Case] = []
    for sample in samples:
        reasoning = sample.rationale or weave("I see ", *listing(sample.groundings, "the"), ".")
        reasoned = replace(sample, rationale=reasoning)
        response = PromptTemplate().response(reasoned, image_sizes(sample), Frame.PIXEL)
        try:
            grammar.render(response)
        except ValueError:
            continue
        answer = response.answer
        cases.append(
            Case(
                number=len(cases),
                sample=sample,
                grammar=grammar,
                reasoning=response.reasoning,
                answer=answer if isinstance(answer, str) else grammar.render_segments(answer),
                others=tuple(other for other in samples if other is not sample),
            )
        )
    return cases


def choose_samples(source: SampleSource, size: int, seed: int) -> list[Sample]:
    """Up to ``size`` samples: of every kind of question in turn, with and without boxes."""
    order = np.random.default_rng(seed).permutation(len(source))[: LOOKED_AT * size]
    by_kind: dict[tuple[str, bool], list[Sample]] = {}
    for index in order:
        sample = source[int(index)]
        by_kind.setdefault((sample.kind, bool(sample.groundings)), []).append(sample)
    turns = zip_longest(*by_kind.values())
    return [sample for turn in turns for sample in turn if sample is not None][:size]


def world_samples(size: int, seed: int) -> list[Sample]:
    """Questions of all kinds about drawn scenes of both subjects, in turn; every second question
    of a kind is about something absent where the kind asks such questions."""
    subjects = tuple(Subject)
    chosen = []
    for number in range(size):
        turn, place = divmod(number, len(KINDS))
        # The other subject in the next turn, although the number of kinds is even.
        subject = subjects[(turn + place) % len(subjects)]
        scenes = (
            SceneSpec(seed=seed, index=SCENES_EACH * number + index, subject=subject)
            for index in range(SCENES_EACH)
        )
        asked = (
            one for spec in scenes for one in questions_about(build_scene(spec), [KINDS[place]], 1)
        )
        absent = turn % 2 == 1 and KINDS[place] in ABSENCE_KINDS
        found = list(asked) if absent else list(islice(asked, 1))
        chosen += sorted(found, key=lambda sample: bool(sample.groundings))[:1]
    return chosen


def world_caption_samples(size: int, seed: int) -> list[Sample]:
    """Exact descriptions of drawn scenes, of both subjects in turn."""
    subjects = tuple(Subject)
    sources = [WorldCaptions(seed=seed, size=size, subject=subject) for subject in subjects]
    return [sources[number % len(sources)][number] for number in range(size)]
