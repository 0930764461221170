"""A vision-language model that names and boxes what it sees; several answers vote.

With the embedded model on 200 tabletop scenes, IoU 0.5: objects that half of 8 answers name are
found with recall 0.78 and precision 0.90, those that 3 name with 0.82 and 0.85, those of one greedy
answer with 0.79 and 0.85, three times as fast. Asking for each class in turn has lower recall and
lower precision.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from statistics import median

import torch

from groundrl.answers.attempt import read_attempt
from groundrl.boxes import Box, iou
from groundrl.cache_key import cache_key
from groundrl.detectors.base import check_doubt, check_vocabulary, clip_region
from groundrl.detectors.records import InputImage, Region
from groundrl.errors import UserError
from groundrl.grammar import get_grammar
from groundrl.policy.fingerprint import fingerprint
from groundrl.policy.policy import Policy
from groundrl.policy.processor import pixel_limits
from groundrl.prompts import PromptTemplate
from groundrl.records import Grounding, Provenance, RolloutGroup, Sample
from groundrl.rollout.base import RolloutEngine, Sampling
from groundrl.rollout.lengths import pixel_option
from groundrl.rollout.sampler import Sampler
from groundrl.running.full_memory import explain_full_memory

SAME_OBJECT = 0.5
"""Least IoU of two boxes of one object in different answers."""


class VlmDetector:
    """Asks for all objects several times; an object's score is the share of answers with it.

    Its box is the median of its boxes, corner by corner. Of two objects in one place, whatever they
    are called, the one with more votes is sure; the other, and what fewer answers call the first,
    is in doubt.
    """

    def __init__(
        self,
        policy: Policy,
        engine: RolloutEngine,
        sampling: Sampling,
        question: str,
        vocabulary: Sequence[str] = (),
        grammar: str = "obj_bbox",
        answers: int = 8,
        threshold: float = 0.5,
        doubt: float = 0.2,
        batch_size: int = 16,
        seed: int = 0,
    ) -> None:
        """``question``: may hold ``{vocabulary}`` and ``{syntax}``, the grammar's way to write a
        box. ``vocabulary``: labels that are kept; empty keeps all. ``threshold``: least score of a
        sure region. ``doubt``: see ``check_doubt``. Raises UserError."""
        if answers < 1 or not 0 <= threshold <= 1:
            raise UserError(
                f"detector.answers={answers} and detector.threshold={threshold}: at least one "
                "answer, and a share of them from 0 to 1; type detector.answers=8 "
                "detector.threshold=0.5"
            )
        self.vocabulary = check_vocabulary(vocabulary) if vocabulary else ()
        self.batch_size = batch_size
        """Images that are answered together."""
        self.policy = policy.eval().to("cuda" if torch.cuda.is_available() else "cpu")
        # The policy's own instruction asks for an answer to a question with options.
        self.encode = policy.encode.with_template(PromptTemplate())
        self.grammar = get_grammar(grammar)
        self.threshold = threshold
        self.doubt = check_doubt(doubt)
        values = {"{vocabulary}": ", ".join(self.vocabulary), "{syntax}": self.grammar.syntax}
        for name, text in values.items():
            question = question.replace(name, text)
        self.question = question
        self.sampler = Sampler(engine, sampling, group_size=answers, seed=seed)
        self.name = cache_key(
            "vlm",
            weights=f"{fingerprint(policy.vlm.state_dict().values()):016x}",
            pixels=pixel_limits(policy.processor),
            frame=policy.frame,
            grammar=grammar,
            question=question,
            vocabulary=self.vocabulary,
            answers=answers,
            threshold=threshold,
            doubt=doubt,
            sampling=sampling,
            seed=seed,
        )
        """Cache key of the weights, the question, and how answers are sampled and counted."""

    def __call__(self, images: Sequence[InputImage]) -> list[tuple[Region, ...]]:
        """The regions of each image, those with most votes first."""
        found = []
        for start in range(0, len(images), self.batch_size):
            chosen = images[start : start + self.batch_size]
            samples = [self._sample(image) for image in chosen]
            with explain_full_memory(self._memory_options()):
                rollout = self.sampler(self.policy, self.encode.examples(samples), step=0)
            for image, group in zip(chosen, rollout.groups, strict=True):
                found.append(self._regions(image, group))
        return found

    def _memory_options(self) -> dict[str, object]:
        """On which the memory for a single image depends, with their values."""
        return {
            "detector.answers": self.sampler.group_size,
            "detector.sampling.max_tokens": self.sampler.sampling.max_tokens,
            **pixel_option(self.policy),
        }

    def _sample(self, image: InputImage) -> Sample:
        # Answers are drawn by the sample's id: equal pixels, equal answers.
        return Sample(
            id=image.digest,
            image=image.source,
            question=self.question,
            provenance=Provenance(dataset="images", split="all"),
        )

    def _regions(self, image: InputImage, group: RolloutGroup) -> tuple[Region, ...]:
        answers = [
            self._match_vocabulary(
                read_attempt(group, one, self.grammar, self.policy.frame).parsed.groundings
            )
            for one in group.completions
        ]
        return self._vote(image, answers)

    def _vote(
        self, image: InputImage, answers: Sequence[Sequence[tuple[str, Box]]]
    ) -> tuple[Region, ...]:
        sure: list[Region] = []
        doubts: list[tuple[Region, ObjectVotes]] = []
        for seen in sorted(group_boxes(answers), key=lambda seen: -len(seen.boxes)):
            corners = [median(side) for side in zip(*(b.corners for b in seen.boxes), strict=True)]
            for label, votes in Counter(seen.labels).most_common():
                first = label == seen.label
                score = (len(seen.boxes) if first else votes) / len(answers)
                one = clip_region(label, corners, score, image.source)
                if one is None or score < self.doubt * self.threshold:
                    continue
                # Boxes of one object may lie too far apart to be counted together.
                apart = all(iou(one.box, other.box) < SAME_OBJECT for other in sure)
                if first and apart and score >= self.threshold:
                    sure.append(one)
                else:
                    doubts.append((replace(one, sure=False), seen))
        plausible = (one for one, seen in doubts if _is_plausible(one, seen, sure, answers))
        return (*sure, *plausible)

    def _match_vocabulary(self, groundings: Sequence[Grounding]) -> list[tuple[str, Box]]:
        """Labels and boxes. A label becomes the one of the vocabulary that it ends with ("red cup":
        "cup"), or is dropped if there is none. An empty vocabulary keeps all labels."""
        found = []
        for grounding in groundings:
            label = " ".join(grounding.label.lower().split())
            if self.vocabulary:
                ends = [word for word in self.vocabulary if f" {label}".endswith(f" {word}")]
                label = max(ends, key=len, default="")
            if label:
                found.append((label, grounding.box))
        return found


def _is_plausible(
    doubt: Region,
    seen: "ObjectVotes",
    sure: Sequence[Region],
    answers: Sequence[Sequence[tuple[str, Box]]],
) -> bool:
    """Whether a doubt is kept: it is another name of its object, or no sure region has its label,
    or one answer with its object has more objects of this label than are sure. (The boxes of one
    object scatter over the answers; within one answer each box is an object.)"""
    known = sum(region.label == doubt.label for region in sure)
    named = (sum(label == doubt.label for label, _ in answers[i]) for i in seen.answers)
    return doubt.label != seen.label or known == 0 or max(named) > known


@dataclass(slots=True)
class ObjectVotes:
    """The labels and boxes that the answers give to one object."""

    labels: list[str] = field(default_factory=list)
    boxes: list[Box] = field(default_factory=list)
    """At most one of each answer."""
    answers: list[int] = field(default_factory=list)
    """Indices of the answers in ``boxes``."""

    @property
    def label(self) -> str:
        """The most frequent label; the first one among equally frequent ones."""
        return Counter(self.labels).most_common(1)[0][0]


def group_boxes(answers: Sequence[Sequence[tuple[str, Box]]]) -> list[ObjectVotes]:
    """Group the (label, box) pairs of all answers by object, in the order of first mention.

    A box belongs to the object whose first box it overlaps most, with an IoU of at least
    ``SAME_OBJECT``. Boxes of one answer belong to different objects.
    """
    found: list[ObjectVotes] = []
    for index, answer in enumerate(answers):
        free = list(found)
        for label, box in answer:
            best = max(free, key=lambda seen: iou(box, seen.boxes[0]), default=None)
            if best is None or iou(box, best.boxes[0]) < SAME_OBJECT:
                best = ObjectVotes()
                found.append(best)
            else:
                free.remove(best)
            best.labels.append(label)
            best.boxes.append(box)
            best.answers.append(index)
    return found
