"""What worked answers consist of."""

from dataclasses import replace
from typing import Literal

from groundrl.cache_key import digest
from groundrl.errors import UserError
from groundrl.questions.sentences import in_words
from groundrl.records import CAPTION, Sample

Target = Literal["answer_only", "rationale", "boxed_rationale"]
"""What a worked answer consists of: the answer; reasoning in words before it; reasoning that points
at objects before it."""


def check_boxed_share(share: float) -> None:
    """Raises UserError for a share outside 0 .. 1."""
    if not 0 <= share <= 1:
        raise UserError(f"boxed_share={share} is no share: type data.boxed_share=0.5")


def worked_answer(sample: Sample, target: Target, boxed_share: float = 1.0) -> Sample:
    """The sample with no more of its rationale than the target has. Of a caption the rationale is
    the answer, so that it loses its boxes at most.

    ``boxed_share``: of the samples with a boxed rationale, chosen by their ids, the share that
    keeps the boxes; those whose answer is boxes, or a caption, all keep them.
    """
    if target == "answer_only" and sample.kind != CAPTION:
        return replace(sample, rationale=())
    if sample.rationale is None or (target == "boxed_rationale" and _points(sample, boxed_share)):
        return sample
    return replace(sample, rationale=in_words(sample.rationale))


def _points(sample: Sample, boxed_share: float) -> bool:
    answered_in_words = sample.answers and sample.kind != CAPTION
    return not answered_in_words or place_of(sample.id) < boxed_share


def place_of(id: str) -> float:
    """A number from 0 to below 1, evenly spread over ids."""
    return int(digest(id), 16) / 16**16
