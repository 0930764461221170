"""What the embedded model can do, in scenes that it was not trained on."""

import itertools
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from groundrl.boxes import Frame, convert, iou
from groundrl.grammar.base import Grammar
from groundrl.policy.policy import Policy
from groundrl.records import RolloutGroup, Sample
from groundrl.rollout.base import Sampling
from groundrl.rollout.native import NativeEngine
from groundrl.rollout.sampler import Sampler
from groundrl.world.graph import Look, SceneSpec, Subject
from groundrl.world.questions import ask
from groundrl.world.render import build_scene

HELD_OUT_SEED = 7_000_003
"""Far from every training seed."""


SKILLS = {
    "category": "class",
    "color": "color",
    "locate": "locate_iou",
    "is_related": "is_related",
    "statement": "statement",
    "presence": "presence",
    "count": "count",
}
"""Kinds of question, and the names of their figures."""


def skill_report(policy: Policy, grammar: Grammar, scenes: int = 100) -> dict[str, float]:
    """``<subject>-<look>/<skill>``: share of right answers, and ``.../locate_iou`` mean IoU.

    One question of each kind about ``scenes`` scenes of 3 to 5 objects; greedy decoding.
    """
    sampler = Sampler(NativeEngine(), Sampling(max_tokens=128, temperature=0.0), group_size=1)
    report = {}
    for subject in Subject:
        for look in Look:
            for kind, name in SKILLS.items():
                samples = list(_questions(subject, look, kind, scenes))
                groups = sampler(policy, policy.encode.examples(samples), step=0).groups
                scores = [_score(group, grammar, policy.frame) for group in groups]
                report[f"{subject}-{look}/{name}"] = sum(scores) / len(scores)
    return report


def _questions(subject: Subject, look: Look, kind: str, count: int) -> Iterator[Sample]:
    """The first ``count`` scenes that have such a question."""
    found = 0
    for index in itertools.count():
        scene = build_scene(SceneSpec(seed=HELD_OUT_SEED, index=index, subject=subject, look=look))
        sample = ask(scene, kind, np.random.default_rng(index))
        if sample is not None:
            yield replace(sample, options=())
            found += 1
        if found == count:
            return


def _score(group: RolloutGroup, grammar: Grammar, frame: Frame) -> float:
    """1 for the right word; for "locate" the IoU of the first box."""
    sample, parsed = group.sample, grammar.parse(group.completions[0].text, frame)
    if sample.kind != "locate":
        return float(parsed.answer in sample.answers)
    if not parsed.groundings:
        return 0.0
    return iou(
        convert(parsed.groundings[0].box, Frame.PIXEL, group.sizes), sample.groundings[0].box
    )
