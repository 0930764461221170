"""Questions about a scene, with their options, answers, boxes and a short boxed rationale.

Every question has one reading: an object is asked for by a name that only it has, and a pair too
close to call is never asked about. Equal (spec, kinds, turn), equal question.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from groundrl.errors import UserError
from groundrl.records import Grounding, Sample
from groundrl.world import place_kinds, thing_kinds
from groundrl.world.drafts import Draft
from groundrl.world.graph import Scene, SceneSpec
from groundrl.world.render import build_scene
from groundrl.world.source import SceneImage, provenance

DRAFTERS: dict[str, Callable[[Scene, np.random.Generator], Draft | None]] = {
    "describe": thing_kinds.describe,
    "locate": thing_kinds.locate,
    "color": thing_kinds.color,
    "category": thing_kinds.category,
    "side": place_kinds.side,
    "depth": place_kinds.depth,
    "relation_which": place_kinds.relation_which,
    "multi_color": thing_kinds.multi_color,
    "multi_side": place_kinds.multi_side,
    "count": place_kinds.count,
    "exists": thing_kinds.exists,
    "presence": thing_kinds.presence,
}
KINDS: tuple[str, ...] = tuple(DRAFTERS)
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
    _check_kinds((kind,))
    draft = DRAFTERS[kind](scene, rng)
    if draft is None:
        return None
    shown = draft.right + draft.wrong
    options = tuple(shown[int(i)] for i in rng.permutation(len(shown)))
    spec = scene.spec
    return Sample(
        id=f"{spec.subject}-{spec.look}-{spec.seed}-{spec.index}-{kind}-0",
        image=SceneImage(spec=spec),
        question=draft.question,
        options=options,
        answers=tuple(option for option in options if option in draft.right),
        groundings=tuple(part for part in draft.rationale if isinstance(part, Grounding)),
        rationale=draft.rationale,
        kind=kind,
        provenance=provenance(spec),
    )


def questions_about(scene: Scene, kinds: Sequence[str], turns: int) -> list[Sample]:
    """Up to ``turns`` different questions about one scene; fewer when it holds fewer.

    Each turn draws a kind uniformly among those the scene still has a new question of. The first
    questions do not depend on ``turns``. Raises UserError for an unknown kind.
    """
    _check_kinds(kinds)
    found: list[Sample] = []
    for turn in range(turns):
        rng = _generator(scene.spec, kinds, turn)
        sample = _new_question(scene, kinds, {earlier.question for earlier in found}, rng)
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
    scene: Scene, kinds: Sequence[str], asked: set[str], rng: np.random.Generator
) -> Sample | None:
    for i in rng.permutation(len(kinds)):
        for _ in range(DRAWS_PER_KIND):
            sample = ask(scene, kinds[int(i)], rng)
            if sample is not None and sample.question not in asked:
                return sample
    return None


def _check_kinds(kinds: Sequence[str]) -> None:
    unknown = [kind for kind in kinds if kind not in DRAFTERS]
    if unknown or not kinds:
        what = f"unknown kind of question: {', '.join(unknown)}" if unknown else "no kind given"
        raise UserError(f"{what}; choose from {', '.join(KINDS)}")


def _generator(spec: SceneSpec, kinds: Sequence[str], turn: int) -> np.random.Generator:
    # A digest, not hash(): Python salts the hash of strings anew in every process.
    text = f"{spec.seed}/{spec.index}/{spec.subject}/{spec.look}/{','.join(kinds)}/{turn}"
    digest = hashlib.blake2b(text.encode(), digest_size=16).digest()
    return np.random.default_rng(int.from_bytes(digest, "big"))
