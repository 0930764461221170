"""Statements about how two objects of a scene stand, whose relation and truth are prescribed."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice
from typing import Final, Literal

import numpy as np

from groundrl.questions.draws import NumpyDraws
from groundrl.questions.references import object_meant
from groundrl.questions.sentences import Order
from groundrl.questions.yes_no import Related, related
from groundrl.records import Sample
from groundrl.relations import Relation
from groundrl.world.graph import Scene
from groundrl.world.known import known_scene
from groundrl.world.quarters import AUGMENTED, QUARTERS_SIDE, QuarteredScene
from groundrl.world.questions import sample_of

MOST_SCENES: Final = 60
"""Looked at for one statement before the next is drawn: some relations are rare."""

View = Literal["rgb", "quarters"]
"""The scene; or four quarters: the scene, its depth, and a filled mask of either object."""


def state(
    scene: Scene,
    relation: Relation,
    true: bool,
    *,
    view: View = "rgb",
    order: Order = "look_first",
) -> Sample | None:
    """A statement with this relation, its kind; or None when the scene has none of that truth."""
    known = known_scene(scene)
    draws = NumpyDraws(np.random.default_rng(scene.spec.index))
    draft = related(known, draws, relations=(relation,), verdicts=(true,), stated=True)
    if draft is None:
        return None
    sample = sample_of(draft, scene.spec, str(relation), order, id=str(scene.spec.index))
    sample = replace(sample, options=())
    if view == "rgb":
        return sample
    assert isinstance(draft.claim, Related)
    a, b = object_meant(draft.claim.subject, known), object_meant(draft.claim.object, known)
    assert a is not None
    assert b is not None
    image = QuarteredScene(spec=scene.spec, boxes=(a.box, b.box), side=QUARTERS_SIDE)
    return replace(sample, image=image, question=f"{AUGMENTED} {sample.question}")


def state_each(
    scenes: Iterator[Scene],
    wanted: Iterable[tuple[Relation, bool]],
    *,
    view: View = "rgb",
    order: Order = "look_first",
) -> Iterator[Sample]:
    """A statement for each (relation, truth), about the next scene that has one; what none of
    ``MOST_SCENES`` scenes has is left out."""
    for relation, true in wanted:
        for scene in islice(scenes, MOST_SCENES):
            sample = state(scene, relation, true, view=view, order=order)
            if sample is not None:
                yield sample
                break
