"""Annotators of the embedded world: exact labels, or labels that are wrong now and then."""

import hashlib
from dataclasses import dataclass
from typing import Final

import numpy as np

from groundrl.errors import UserError
from groundrl.feedback.labels import LabelledCaption, SentenceError, SentenceLabel
from groundrl.feedback.world_judge import judge_caption, make_label
from groundrl.world.render import build_scene
from groundrl.world.source import SceneImage

ERRORS: Final = tuple(SentenceError)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldAnnotator:
    """Labels captions of scenes by ``judge_caption``, and errs as people do.

    With probability ``flip_rate`` the label of a sentence is turned round: one with errors is
    called right, a right one gets a random error. Which ones is a function of (seed, id, text).
    """

    name: str = "exact"
    """Of the annotator, as in the file."""
    flip_rate: float = 0.0
    """From 0 to 1."""
    seed: int = 0

    def __post_init__(self) -> None:
        """Raises UserError for a rate that is no share."""
        if not 0 <= self.flip_rate <= 1:
            raise UserError(f"flip_rate={self.flip_rate} is no share: type 0.1")

    def __call__(self, id: str, image: SceneImage, question: str, text: str) -> LabelledCaption:
        """The labelled caption; ``id``: of the caption."""
        # A digest, not hash(): Python salts the hash of strings anew in every process.
        digest = hashlib.blake2b(f"{self.seed}/{id}/{text}".encode(), digest_size=16).digest()
        rng = np.random.default_rng(int.from_bytes(digest, "big"))
        labels = judge_caption(build_scene(image.spec), text)
        return LabelledCaption(
            id=id,
            image=image,
            question=question,
            text=text,
            sentences=tuple(self._flip(label, rng) for label in labels),
            annotator=self.name,
        )

    def _flip(self, label: SentenceLabel, rng: np.random.Generator) -> SentenceLabel:
        error = ERRORS[rng.integers(len(ERRORS))]
        if rng.random() >= self.flip_rate:
            return label
        return make_label((label.start, label.stop), () if label.errors else (error,))
