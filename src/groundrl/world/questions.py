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
from groundrl.questions import counts, places, pointing, things
from groundrl.questions.draft import Asker, check_kinds, make_sample
from groundrl.questions.draws import NumpyDraws
from groundrl.questions.known import KnownImage
from groundrl.records import Sample
from groundrl.world.graph import Scene, SceneSpec
from groundrl.world.known import known_scene
from groundrl.world.render import build_scene
from groundrl.world.source import SceneImage, provenance

ASKERS: Final[dict[str, Asker]] = {
    "describe": partial(
        pointing.describe, questions=("What objects are there?", "Describe the objects.")
    ),
    "locate": pointing.locate,
    "color": partial(things.color, relational=True),
    "category": things.category,
    "side": places.side,
    "depth": places.depth,
    "relation_which": places.relation_which,
    "multi_color": things.multi_color,
    "multi_side": places.multi_side,
    "count": counts.count_in_words,
    "exists": things.presence_of_color,
    "presence": things.presence,
}
"""A module adds a kind of its own by an entry."""
KINDS: tuple[str, ...] = tuple(ASKERS)
"""All kinds of question."""
POINTING_KINDS: tuple[str, ...] = ("describe", "locate")
"""No options and no answer words: the boxes are the answer."""
UNGROUNDED_KINDS: tuple[str, ...] = ("presence",)
"""With options; an answer may have nothing to point at, so ``groundings`` may be empty."""
ANSWER_KINDS: tuple[str, ...] = tuple(
    kind for kind in KINDS if kind not in POINTING_KINDS + UNGROUNDED_KINDS
)
"""With options, and with at least one object to point at."""

DRAWS_PER_KIND = 4
"""How often a turn redraws a kind before it gives up finding a question not asked before."""


def ask(scene: Scene, kind: str, rng: np.random.Generator) -> Sample | None:
    """One question of ``kind``, or None when the scene holds none without a second reading.

    Raises UserError for an unknown kind.
    """
    check_kinds((kind,), ASKERS)
    return _ask(known_scene(scene), scene.spec, kind, rng)


def _ask(image: KnownImage, spec: SceneSpec, kind: str, rng: np.random.Generator) -> Sample | None:
    draft = ASKERS[kind](image, NumpyDraws(rng))
    if draft is None:
        return None
    return make_sample(
        draft,
        id=f"{spec.subject}-{spec.look}-{spec.seed}-{spec.index}-{kind}-0",
        image=SceneImage(spec=spec),
        kind=kind,
        provenance=provenance(spec),
    )


def questions_about(scene: Scene, kinds: Sequence[str], turns: int) -> list[Sample]:
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
        sample = _new_question(image, scene.spec, kinds, asked, rng)
        if sample is None:
            break
        found.append(replace(sample, id=f"{sample.id.removesuffix('-0')}-{turn}"))
    return found


def sample_question(spec: SceneSpec, kinds: Sequence[str], turn: int = 0) -> Sample:
    """Question number ``turn`` of ``questions_about``, counted round when the scene holds fewer.

    Raises UserError when the scene has no question of any of ``kinds``.
    """
    found = questions_about(build_scene(spec), kinds, turn + 1)
    if not found:
        raise UserError(
            f"scene {spec.index} of seed {spec.seed} ({spec.subject}, {spec.look}) has no question "
            f"of {', '.join(kinds)}; add a kind that every scene has, such as count or exists"
        )
    return found[turn % len(found)]


def _new_question(
    image: KnownImage,
    spec: SceneSpec,
    kinds: Sequence[str],
    asked: set[str],
    rng: np.random.Generator,
) -> Sample | None:
    for i in rng.permutation(len(kinds)):
        for _ in range(DRAWS_PER_KIND):
            sample = _ask(image, spec, kinds[int(i)], rng)
            if sample is not None and sample.question not in asked:
                return sample
    return None


def _generator(spec: SceneSpec, kinds: Sequence[str], turn: int) -> np.random.Generator:
    # A digest, not hash(): Python salts the hash of strings anew in every process.
    text = f"{spec.seed}/{spec.index}/{spec.subject}/{spec.look}/{','.join(kinds)}/{turn}"
    digest = hashlib.blake2b(text.encode(), digest_size=16).digest()
    return np.random.default_rng(int.from_bytes(digest, "big"))
