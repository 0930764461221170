"""Questions about a scene, with their options, answers, boxes and a short boxed rationale.

Every question has one reading: an object is asked for by a name that only it has, and a pair too
close to call is never asked about. Equal (spec, kinds, turn), equal question.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Final

import numpy as np

from groundrl.errors import UserError
from groundrl.questions import counts, places, pointing, things, yes_no
from groundrl.questions.draft import Asker, Draft, check_kinds, make_sample
from groundrl.questions.draws import NumpyDraws
from groundrl.questions.known import KnownImage
from groundrl.questions.sentences import Order
from groundrl.records import Sample
from groundrl.relations import Relation
from groundrl.world.graph import Scene, SceneSpec
from groundrl.world.known import known_scene
from groundrl.world.render import build_scene
from groundrl.world.source import SceneImage, provenance

STATED_RELATIONS: Final = (
    Relation.LEFT_OF,
    Relation.RIGHT_OF,
    Relation.IN_FRONT_OF,
    Relation.BEHIND,
    Relation.ON,
    Relation.NEAR,
)
"""Relations of statements and of questions for yes or no."""
ASKERS: Final[dict[str, Asker]] = {
    "describe": partial(
        pointing.describe, questions=("What objects are there?", "Describe the objects.")
    ),
    "locate": pointing.locate,
    "color": partial(things.color, relational=True),
    "category": things.category,
    "side": partial(places.either, relations=(Relation.LEFT_OF, Relation.RIGHT_OF)),
    "depth": partial(places.either, relations=(Relation.IN_FRONT_OF, Relation.BEHIND)),
    "relation_which": places.relation_which,
    "multi_color": things.multi_color,
    "multi_side": places.multi_side,
    "count": counts.count_in_words,
    "exists": things.presence_of_color,
    "presence": partial(things.presence, places=("", things.IN_PICTURE, "in the image")),
    "is_related": partial(yes_no.related, relations=STATED_RELATIONS),
    "statement": partial(yes_no.related, relations=STATED_RELATIONS, stated=True),
    "is_colored": yes_no.colored,
    "is_numbered": yes_no.numbered,
}
"""A module adds a kind of its own as one more entry."""
KINDS: tuple[str, ...] = tuple(ASKERS)
"""All kinds of question."""
POINTING_KINDS: tuple[str, ...] = ("describe", "locate")
"""No options and no answer words: the boxes are the answer."""
UNGROUNDED_KINDS: tuple[str, ...] = ("presence",)
"""With options; an answer may have nothing to point at, so ``groundings`` may be empty."""
VERDICT_KINDS: tuple[str, ...] = ("is_related", "statement", "is_colored", "is_numbered")
"""Answered with yes or no, or with true or false."""
ANSWER_KINDS: tuple[str, ...] = tuple(
    kind for kind in KINDS if kind not in POINTING_KINDS + UNGROUNDED_KINDS + VERDICT_KINDS
)
"""With options, and with at least one object to point at."""

DRAWS_PER_KIND = 4
"""How often a turn redraws a kind before it gives up finding a question not asked before."""


def ask(
    scene: Scene, kind: str, rng: np.random.Generator, order: Order = "look_first"
) -> Sample | None:
    """One question of ``kind``, or None when the scene holds none without a second reading.

    Raises UserError for an unknown kind.
    """
    check_kinds((kind,), ASKERS)
    draft = ASKERS[kind](known_scene(scene), NumpyDraws(rng))
    return None if draft is None else sample_of(draft, scene.spec, kind, order)


def sample_of(
    draft: Draft, spec: SceneSpec, kind: str, order: Order = "look_first", id: str | None = None
) -> Sample:
    """The draft with the image of its scene."""
    return make_sample(
        draft,
        id=id or f"{spec.subject}-{spec.look}-{spec.seed}-{spec.index}-{kind}-0",
        image=SceneImage(spec=spec),
        kind=kind,
        provenance=provenance(spec),
        order=order,
    )


def questions_about(
    scene: Scene, kinds: Sequence[str], turns: int, order: Order = "look_first"
) -> list[Sample]:
    """Up to ``turns`` different questions about one scene; fewer when it holds fewer.

    Each turn draws a kind uniformly among those the scene still has a new question of. The first
    questions do not depend on ``turns``. Raises UserError for an unknown kind.
    """
    check_kinds(kinds, ASKERS)
    image = known_scene(scene)
    found: list[Sample] = []
    for turn in range(turns):
        rng = _generator(scene.spec, kinds, turn)
        asked = {earlier.question for earlier in found}
        drawn = _new_question(image, kinds, asked, rng)
        if drawn is None:
            break
        sample = sample_of(drawn[0], scene.spec, drawn[1], order)
        found.append(replace(sample, id=f"{sample.id.removesuffix('-0')}-{turn}"))
    return found


def sample_question(
    spec: SceneSpec, kinds: Sequence[str], turn: int = 0, order: Order = "look_first"
) -> Sample:
    """Question number ``turn`` of ``questions_about``, counted round when the scene holds fewer.

    Raises UserError when the scene has no question of any of ``kinds``.
    """
    found = questions_about(build_scene(spec), kinds, turn + 1, order)
    if not found:
        raise UserError(
            f"scene {spec.index} of seed {spec.seed} ({spec.subject}, {spec.look}) has no question "
            f"of {', '.join(kinds)}; add a kind that every scene has, such as count or exists"
        )
    return found[turn % len(found)]


def _new_question(
    image: KnownImage, kinds: Sequence[str], asked: set[str], rng: np.random.Generator
) -> tuple[Draft, str] | None:
    """A draft and its kind."""
    for i in rng.permutation(len(kinds)):
        kind = kinds[int(i)]
        for _ in range(DRAWS_PER_KIND):
            draft = ASKERS[kind](image, NumpyDraws(rng))
            if draft is not None and draft.claim.question not in asked:
                return draft, kind
    return None


def _generator(spec: SceneSpec, kinds: Sequence[str], turn: int) -> np.random.Generator:
    # A digest, not hash(): Python salts the hash of strings anew in every process.
    text = f"{spec.seed}/{spec.index}/{spec.subject}/{spec.look}/{','.join(kinds)}/{turn}"
    digest = hashlib.blake2b(text.encode(), digest_size=16).digest()
    return np.random.default_rng(int.from_bytes(digest, "big"))
