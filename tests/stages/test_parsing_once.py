"""An answer is parsed once: for its reward, the metrics, the image and the records together."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from stage_runs import MakePolicy, grpo_module, train
from world_questions import world_samples

from groundrl.boxes import Frame
from groundrl.data.datasets import SampleList
from groundrl.evaluation.heldout import HeldOut
from groundrl.grammar import get_grammar
from groundrl.grammar.base import FoundBoxes, Grammar, Parsed
from groundrl.records import Response, Segments
from groundrl.rewards.base import RewardSum
from groundrl.rewards.terms.acc import Acc
from groundrl.rollout.base import Sampling
from groundrl.rollout.native import NativeEngine
from groundrl.rollout.sampler import Sampler


@dataclass
class CountingGrammar:
    """A real grammar that counts how often each text is parsed."""

    grammar: Grammar = field(default_factory=lambda: get_grammar("obj_bbox"))
    parsed: Counter[str] = field(default_factory=Counter)

    @property
    def name(self) -> str:
        return self.grammar.name

    @property
    def syntax(self) -> str:
        return self.grammar.syntax

    @property
    def frames(self) -> frozenset[Frame]:
        return self.grammar.frames

    def find_boxes(self, text: str, frame: Frame) -> FoundBoxes:
        return self.grammar.find_boxes(text, frame)

    def render(self, response: Response) -> str:
        return self.grammar.render(response)

    def render_segments(self, segments: Segments) -> str:
        return self.grammar.render_segments(segments)

    def parse(self, text: str, frame: Frame) -> Parsed:
        self.parsed[text] += 1
        return self.grammar.parse(text, frame)


@pytest.mark.slow
@pytest.mark.parametrize("resample", [0, 1])
def test_a_grpo_step_parses_each_completion_once(
    make_policy: MakePolicy, tmp_path: Path, resample: int
) -> None:
    """The first step also draws the rollouts into TensorBoard."""
    module = grpo_module(make_policy(), Acc(), resample=resample)  # right by chance: never
    grammar = CountingGrammar()
    module.reward = RewardSum(terms=module.reward.terms, grammar=grammar, frame=Frame.PERMILLE)
    train(module, tmp_path, steps=1, prompts_per_step=3)
    assert module.rollout_image() is not None
    assert grammar.parsed.total() == 3 * 4 * (1 + resample)


def test_a_held_out_answer_is_parsed_once(make_policy: MakePolicy, tmp_path: Path) -> None:
    policy, grammar = make_policy(), CountingGrammar()
    held_out = HeldOut(
        sets={"world": SampleList(tuple(world_samples(5)))},
        sampler=Sampler(NativeEngine(), Sampling(max_tokens=4, temperature=0.0), group_size=1),
        reward=RewardSum(terms={"acc": Acc()}, grammar=grammar, frame=Frame.PERMILLE),
    )
    figures = held_out(policy, tmp_path, "start")
    assert figures["world/n"] == 5
    assert grammar.parsed.total() == 5
