"""Descriptions of the embedded world as samples; those to learn may err."""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from groundrl.data.datasets import WorldScenes
from groundrl.records import CAPTION, Sample
from groundrl.world.captions.descriptions import boxed_caption, describe, plain_caption
from groundrl.world.captions.errors import EXACT, CaptionErrors
from groundrl.world.graph import Scene, SceneSpec
from groundrl.world.render import build_scene
from groundrl.world.source import SceneImage, provenance

DESCRIBE: Final = "Describe the image."


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldCaptions(WorldScenes):
    """Descriptions of scenes as text of their own: no options, no right answer."""

    errors: CaptionErrors = EXACT
    boxes: bool = True
    """Whether captions link the first mention of an object to its box; what is invented has an
    invented one."""

    def sample(self, spec: SceneSpec) -> Sample:
        """The sample about a scene. Its rationale is the caption to learn; its groundings, where
        captions have boxes, are the objects that are there."""
        scene = build_scene(spec)
        rng = np.random.default_rng((spec.seed, spec.index))
        sentences = describe(scene, rng, self.errors)
        sample = ask_for_caption(scene)
        if not self.boxes:
            return replace(sample, rationale=(plain_caption(sentences),))
        groundings = tuple(one.grounding for one in scene.objects)
        return replace(sample, rationale=boxed_caption(sentences), groundings=groundings)


def ask_for_caption(scene: Scene) -> Sample:
    """The question for a description."""
    spec = scene.spec
    return Sample(
        id=f"{spec.subject}-{spec.look}-{spec.seed}-{spec.index}-{CAPTION}",
        image=SceneImage(spec=spec),
        question=DESCRIBE,
        kind=CAPTION,
        provenance=provenance(spec),
    )
