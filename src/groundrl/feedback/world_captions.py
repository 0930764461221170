"""Captions of the embedded world with labels for a reward model: endless, and nothing to label."""

from groundrl.config_node import config_hooks
from groundrl.data.world_captions import WorldCaptions
from groundrl.feedback.annotators import WorldAnnotator
from groundrl.feedback.captions import (
    CaptionData,
    needs_reward_model,
    rate_captions,
    split_by_image,
)
from groundrl.feedback.labels import LabelledCaption
from groundrl.records import Grounding, Sample
from groundrl.world.source import SceneImage


@config_hooks(problems=needs_reward_model, resource_options=frozenset({"num_workers"}))
def labelled_world_captions(
    *,
    captions: WorldCaptions,
    annotator: WorldAnnotator,
    heldout_size: int | None = None,
    num_workers: int = 0,
) -> CaptionData:
    """All of ``captions``, one of each image, as plain text; ``annotator`` labels their sentences.
    ``heldout_size`` as in ``labelled_captions``."""
    samples = (captions[index] for index in range(len(captions)))
    labelled = [label_sample(sample, annotator) for sample in samples]
    train, heldout = split_by_image(rate_captions(labelled), heldout_size)
    return CaptionData(train=train, heldout=heldout, num_workers=num_workers)


def label_sample(sample: Sample, annotator: WorldAnnotator) -> LabelledCaption:
    """The caption to learn of a sample of the world, labelled."""
    image, rationale = sample.image, sample.rationale
    assert isinstance(image, SceneImage)
    assert rationale is not None
    text = "".join(part.label if isinstance(part, Grounding) else part for part in rationale)
    return annotator(sample.id, image, sample.question, text)
