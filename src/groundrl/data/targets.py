"""What worked answers consist of."""

from dataclasses import replace
from typing import Literal

from groundrl.questions.sentences import in_words
from groundrl.records import CAPTION, Sample

Target = Literal["answer_only", "rationale", "boxed_rationale"]
"""What a worked answer consists of: the answer; reasoning in words before it; reasoning that points
at objects before it."""


def worked_answer(sample: Sample, target: Target) -> Sample:
    """The sample with no more of its rationale than the target has. Of a caption the rationale is
    the answer, so that it loses its boxes at most."""
    if target == "answer_only" and sample.kind != CAPTION:
        return replace(sample, rationale=())
    if target == "boxed_rationale" or sample.rationale is None:
        return sample
    return replace(sample, rationale=in_words(sample.rationale))
