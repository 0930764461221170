"""Each of the four mistakes of the published loss, and what it does."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from stage_runs import sft_module, train
from torch import Tensor
from torch.nn import functional as F
from world_questions import world_samples

from groundrl.grammar import get_grammar
from groundrl.policy.policy import Policy
from groundrl.policy.shared_prefix.layout import Branch
from groundrl.stages.fitting.optimization import Optimization
from groundrl.stages.published_prompt_tuning import PublishedPromptTuning, published_losses

MakePolicy = Callable[..., Policy]
WORDS = 7
ROW = torch.tensor([4, 2, 5, 1, 6, 3])
"""A prompt of four words and an answer of two, no word twice."""
PROMPT = 4


def sure(words: Tensor) -> Tensor:
    """Logits of a model that is sure of one word at each place."""
    return 20.0 * F.one_hot(words, WORDS)


def published(logits: Tensor, virtual: int = 0) -> float:
    return published_losses(logits, ROW, virtual).mean().item()


def right(logits: Tensor) -> float:
    """Next-token cross-entropy of the answer."""
    return F.cross_entropy(logits[PROMPT - 1 : -1], ROW[PROMPT:]).item()


def test_the_formula_is_a_softmax_over_places() -> None:
    logits = torch.randn(len(ROW), WORDS, generator=torch.Generator().manual_seed(0))
    expected = [
        (logits[:, word].exp().sum().log() - logits[place, word]).item()
        for place, word in enumerate(ROW.tolist())
    ]
    found = published_losses(logits, ROW, virtual=2)
    torch.testing.assert_close(found, torch.tensor(expected[2:]))


def test_without_the_shift_to_repeat_is_right_and_to_foresee_is_wrong() -> None:
    repeats, foresees = sure(ROW), sure(ROW.roll(-1))
    assert published(repeats) < 1e-6 < 10 < published(foresees)
    assert right(foresees) < 1e-6 < 10 < right(repeats)


def test_real_tokens_are_left_out_for_virtual_ones_that_are_elsewhere() -> None:
    losses = published_losses(sure(ROW), ROW, virtual=3)
    assert len(losses) == len(ROW) - 3
    # Behind a prompt shorter than the soft prompt the answer itself is left out.
    assert len(published_losses(sure(ROW), ROW, virtual=len(ROW))) == 0


def test_peft_leaves_the_virtual_tokens_out_by_itself(make_policy: MakePolicy) -> None:
    policy = make_policy("soft_prompt")
    assert isinstance(policy.model, PeftModel)
    tokens = torch.arange(50, 60)[None]
    with torch.no_grad():
        output = policy.model(input_ids=tokens, labels=tokens)
    assert output.logits.shape[1] == 20 + tokens.shape[1]
    # All ten real tokens count: the first is foreseen by the last virtual one.
    expected = F.cross_entropy(output.logits[0, 19:-1], tokens[0])
    torch.testing.assert_close(output.loss, expected)


def test_the_prompt_counts_as_much_as_the_answer() -> None:
    knows_the_answer = torch.zeros(len(ROW), WORDS)
    knows_the_answer[PROMPT:] = sure(ROW[PROMPT:])
    losses = published_losses(knows_the_answer, ROW, virtual=0)
    assert losses[PROMPT:].max() < 1e-6 < 1 < losses[:PROMPT].min()


def test_a_word_that_wins_everywhere_costs_nothing() -> None:
    wrong = sure(ROW)
    wrong[:, 0] += 40.0  # the most probable word at every place, and never the right one
    assert (wrong.argmax(-1) == 0).all()
    assert published(wrong) == published(sure(ROW)) < 1e-6
    assert F.cross_entropy(wrong, ROW) > 10


def published_module(policy: Policy, lr: float) -> PublishedPromptTuning:
    optimization = Optimization(lr=lr, steps=8, warmup=2)
    return PublishedPromptTuning(policy, get_grammar("obj_bbox"), optimization)


def test_the_loss_of_a_step_is_that_of_its_rows(make_policy: MakePolicy) -> None:
    policy = make_policy("soft_prompt")
    module = published_module(policy, lr=0.1)
    prompts = [policy.encode(sample) for sample in world_samples(2)]
    targets = [[Branch(tokens=range(50, 57))], [Branch(tokens=range(60, 63))]]
    features = policy.features(prompts)
    loss, _ = module.summed_loss(prompts, targets, features)
    alone = [
        module.summed_loss([prompts[i]], [targets[i]], [features[i]])[0].item() for i in range(2)
    ]
    assert loss.item() == pytest.approx(sum(alone), rel=1e-5)
    counted = module.counted_tokens(prompts[0], targets[0][0])
    assert counted == len(prompts[0].prefix.tokens) + 7 - 2 * 20


@pytest.mark.slow
def test_it_falls_while_the_answers_become_no_more_probable(
    make_policy: MakePolicy, tmp_path: Path
) -> None:
    found = {}
    for name in ("published", "right"):
        policy = make_policy("soft_prompt")
        module = published_module(policy, lr=0.3)
        judge = sft_module(policy)
        if name == "right":
            module = sft_module(policy, lr=0.3, steps=8)
        train(module, tmp_path / name, steps=8, samples=world_samples(3))
        examples = policy.encode.examples(world_samples(3))
        targets = [[Branch(tokens=judge.target(*example))] for example in examples]
        with torch.no_grad():
            scored = policy.logprobs([prompt for _, prompt in examples], targets)
        found[name] = -(scored.logprobs.sum() / scored.mask.sum()).item()
    assert found["right"] < found["published"] - 0.3
