"""A reward model computes with the frozen base of the policy."""

from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest
import torch
from attempts import SIZES, completion, sample
from torch import nn

from groundrl.answers.attempt import Attempt, read_attempt
from groundrl.boxes import Frame
from groundrl.detectors.oracle import OracleDetector
from groundrl.feedback.captions import OUTPUTS
from groundrl.feedback.load import load_reward_model, save_reward_model
from groundrl.feedback.reward_model import RewardModel
from groundrl.feedback.shared_base import share_base
from groundrl.grammar import GRAMMARS
from groundrl.policy.adapters.adapter import Adapter
from groundrl.policy.load import load_policy
from groundrl.policy.policy import Policy
from groundrl.prompts import PromptTemplate
from groundrl.records import RolloutGroup
from groundrl.rewards.base import Rating, RewardSum
from groundrl.rewards.policy_weights import lend_weights
from groundrl.rewards.terms.noun import Noun
from groundrl.rewards.terms.sentence import Sentence
from groundrl.world.graph import Look, SceneSpec, Subject
from groundrl.world.source import SceneImage

pytestmark = pytest.mark.slow

IMAGE = SceneImage(spec=SceneSpec(seed=3, index=0, subject=Subject.TABLETOP, look=Look.PLAIN))
CAPTIONS = ("There is a red cup. It is left of a lamp.", "A blue book is behind the cup.")


def make_policy(kind: Literal["lora", "none"], rank: int = 8) -> Policy:
    return load_policy("embedded", Frame.PERMILLE, PromptTemplate(), Adapter(kind=kind, rank=rank))


def make_random(model: nn.Module) -> None:
    """Random adapters: fresh ones change nothing."""
    torch.manual_seed(0)
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            nn.init.normal_(parameter, std=0.05)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A reward model with an adapter and a head of its own."""
    policy = make_policy("lora", rank=4)
    make_random(policy)
    model = RewardModel(policy, [0.3] * len(OUTPUTS))
    nn.init.normal_(model.head.weight, std=0.5)
    save_reward_model(model, tmp_path)
    return tmp_path


def attempts() -> list[Attempt]:
    of = replace(sample(), image=IMAGE, question="Describe the image.", options=(), answers=())
    found = []
    for text in CAPTIONS:
        said = completion(text)
        group = RolloutGroup(sample=of, sizes=SIZES, completions=(said,))
        found.append(read_attempt(group, said, GRAMMARS["inline_box"], Frame.PIXEL))
    return found


def rate(term: Sentence) -> list[float]:
    ratings = term.rate(attempts())
    assert all(isinstance(one, Rating) for one in ratings)
    return [one.value for one in ratings if one is not None]


def megabytes(*modules: nn.Module) -> float:
    weights = {id(one): one for module in modules for one in module.parameters()}
    return sum(one.numel() * one.element_size() for one in weights.values()) / 1e6


def test_scores_are_equal_and_the_base_is_in_memory_once(folder: Path) -> None:
    policy = make_policy("lora")
    make_random(policy)
    policy.fix_reference()
    before, frozen = megabytes(policy), policy.fixed_weights()
    alone, shared = Sentence(model=str(folder)), Sentence(model=str(folder)).with_policy(policy)
    assert rate(shared) == rate(alone)
    base, own = megabytes(make_policy("none")), shared._loaded
    assert megabytes(policy, own) - before < 0.03 * base
    assert megabytes(policy, alone._loaded) - before > base
    # The policy is what it was, and the two adapters are apart.
    assert policy.fixed_weights() == frozen
    trained = {id(one) for one in policy.parameters() if one.requires_grad}
    assert trained
    assert trained.isdisjoint(id(one) for one in own.parameters())


def test_the_shared_base_moves_with_the_policy(folder: Path) -> None:
    policy, model = make_policy("lora"), load_reward_model(folder)
    saved = share_base(model, policy)
    assert saved / 1e6 == pytest.approx(megabytes(make_policy("none")))
    policy.to(torch.float64)
    kinds = {name: one.dtype for name, one in model.policy.vlm.named_parameters()}
    assert {kind for name, kind in kinds.items() if "lora_" not in name} == {torch.float64}
    assert {kind for name, kind in kinds.items() if "lora_" in name} == {torch.float32}


def test_a_base_that_is_trained_or_another_one_is_not_shared(folder: Path) -> None:
    model = load_reward_model(folder)
    own = [*model.parameters()]
    other = make_policy("lora")
    other.vlm.lm_head.weight.data[0, 0] += 1
    assert share_base(model, make_policy("none")) == share_base(model, other) == 0
    assert all(a is b for a, b in zip(own, model.parameters(), strict=True))


def test_a_device_that_is_named_keeps_a_base_of_its_own(folder: Path) -> None:
    assert Sentence(model=str(folder), device="cpu").with_policy(make_policy("lora")).policy is None


def test_the_terms_of_a_sum_that_have_a_model_get_the_policy(folder: Path) -> None:
    terms = {"noun": Noun(detector=OracleDetector()), "sentence": Sentence(model=str(folder))}
    reward = RewardSum(terms=terms, grammar=GRAMMARS["inline_box"], frame=Frame.PIXEL)
    policy = make_policy("lora")
    lent = lend_weights(reward, policy).terms
    assert lent["noun"] is terms["noun"]
    assert isinstance(lent["sentence"], Sentence)
    assert lent["sentence"].policy is policy
