"""Held-out measurement: the same questions, honest figures, every answer kept."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import pytest
import torch
from world_questions import world_samples

from groundrl.data.datasets import SampleList
from groundrl.data.world_captions import WorldCaptions
from groundrl.errors import UserError
from groundrl.evaluation.heldout import HeldOut
from groundrl.grammar import get_grammar
from groundrl.policy.policy import Policy
from groundrl.policy.prompt import Example
from groundrl.records import Completion, RolloutGroup, Sample
from groundrl.rewards.base import RewardSum
from groundrl.rewards.terms.acc import Acc
from groundrl.rewards.terms.iou import Iou
from groundrl.rollout.base import Sampling
from groundrl.rollout.native import NativeEngine
from groundrl.rollout.sampler import FeatureLoader, OnGroup, Rollout, Sampler
from groundrl.world.captions.errors import CaptionErrors

MakePolicy = Callable[..., Policy]


class Oracle(Sampler):
    """Answers every question with its worked answer, or with nothing."""

    def __init__(self, knows: bool) -> None:
        super().__init__(NativeEngine(), Sampling(), group_size=1)
        self.knows = knows

    def __call__(
        self,
        policy: Policy,
        examples: Sequence[Example],
        step: int,
        on_group: OnGroup | None = None,
    ) -> Rollout:
        return Rollout(
            groups=tuple(self.group(policy, sample) for sample, _ in examples),
            features=FeatureLoader(policy=policy, prompts=[]),
        )

    def group(self, policy: Policy, sample: Sample) -> RolloutGroup:
        sizes = policy.encode(sample).sizes
        response = policy.encode.template.response(sample, sizes, policy.frame)
        text = get_grammar("obj_bbox").render(response) if self.knows else ""
        tokens = tuple(policy.encode.answer_tokens(text))
        completion = Completion(
            text=text, tokens=tokens, logprobs=(0.0,) * len(tokens), truncated=False
        )
        return RolloutGroup(sample=sample, sizes=sizes, completions=(completion,))


def held_out(policy: Policy, sampler: Sampler) -> HeldOut:
    reward = RewardSum(
        terms={"acc": Acc(), "iou": Iou()}, grammar=get_grammar("obj_bbox"), frame=policy.frame
    )
    return HeldOut(
        sets={"tabletop": SampleList(tuple(world_samples(6)))}, sampler=sampler, reward=reward
    )


@pytest.mark.slow
def test_captions_of_scenes_are_judged_by_the_scenes(
    make_policy: MakePolicy, tmp_path: Path
) -> None:
    policy = make_policy(None)
    measure = held_out(policy, Oracle(knows=True))
    sets = {
        "exact": WorldCaptions(seed=3, size=4, boxes=False),
        "invented": WorldCaptions(
            seed=3, size=4, boxes=False, errors=CaptionErrors(hallucination=0.5, habit=0.0)
        ),
        "asked": SampleList(tuple(world_samples(2))),
    }
    figures = replace(measure, sets=sets)(policy, tmp_path, "sft")
    assert (figures["exact/chair_i"], figures["exact/recall"], figures["exact/errors"]) == (0, 1, 0)
    assert figures["invented/chair_i"] > 0.2
    assert figures["invented/chair_i_low"] <= figures["invented/chair_i_high"]
    assert "asked/chair_i" not in figures


@pytest.mark.slow
@pytest.mark.parametrize("knows", [True, False])
def test_worked_answers_score_the_maximum_and_silence_nothing(
    make_policy: MakePolicy, tmp_path: Path, knows: bool
) -> None:
    policy = make_policy(None)
    figures = held_out(policy, Oracle(knows))(policy, tmp_path, "start")
    assert figures["tabletop/n"] == 6
    for name in ("acc", "acc_strict", "format"):
        assert figures[f"tabletop/{name}"] == float(knows)
    assert figures["tabletop/iou"] == pytest.approx(float(knows), abs=0.03)  # boxes are rounded
    assert figures["tabletop/reward"] == pytest.approx(2 * float(knows), abs=0.03)
    assert (figures["tabletop/boxes"] == figures["tabletop/boxes_true"]) is knows
    assert figures["tabletop/alignment_judged"] == float(knows)
    assert figures.get("tabletop/alignment") == (1.0 if knows else None)


def test_a_full_memory_is_an_error_that_names_what_to_lower(
    make_policy: MakePolicy, tmp_path: Path
) -> None:
    class Full(NativeEngine):
        def generate(self, *_: object, **__: object) -> NoReturn:
            raise torch.OutOfMemoryError("tried to allocate 2 GiB")

    sampler = Sampler(Full(tokens_per_batch=96), Sampling(), group_size=1)
    with pytest.raises(
        UserError, match=r"2 GiB.*rollout\.tokens_per_batch \(now 96\), model\.max_pixels"
    ):
        held_out(make_policy(), sampler)(make_policy(), tmp_path, "x")


@pytest.mark.slow
def test_every_answer_is_kept_with_its_image(make_policy: MakePolicy, tmp_path: Path) -> None:
    policy = make_policy(None)
    sampler = Sampler(NativeEngine(), Sampling(max_tokens=8, temperature=0.0), group_size=1)
    measure = held_out(policy, sampler)
    first = measure(policy, tmp_path, "start")
    assert first == measure(policy, tmp_path, "again")
    lines = (tmp_path / "heldout_start.jsonl").read_text().splitlines()
    records = [json.loads(line) for line in lines]
    assert [record["id"] for record in records] == [sample.id for sample in world_samples(6)]
    assert all((tmp_path / name).is_file() for record in records for name in record["images"])
    assert all(record["set"] == "tabletop" for record in records)


@pytest.mark.slow
def test_kept_answers_score_again_as_they_did(make_policy: MakePolicy, tmp_path: Path) -> None:
    policy = make_policy(None)
    measure = held_out(policy, Oracle(knows=True))
    figures = measure(policy, tmp_path, "start")
    again = measure.rescore(tmp_path, "start")
    assert again == {name: figures[name] for name in figures if "/reward" in name}
    other = replace(measure, reward=replace(measure.reward, terms={"acc": Acc(weight=3.0)}))
    assert other.rescore(tmp_path, "start")["tabletop/reward"] == 3.0
