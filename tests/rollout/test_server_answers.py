"""What a server may answer, and what becomes of an answer that cannot be learned from."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from stage_runs import MakePolicy, grpo_module, logged, train
from vllm_stub import Choices, stub_server
from world_questions import world_samples

from groundrl.errors import UserError
from groundrl.losses import PolicyLoss
from groundrl.policy.policy import Policy
from groundrl.rollout.servers import pool
from groundrl.rollout.servers.answers import InvalidAnswer, read_completions
from groundrl.rollout.servers.engine import VLLMServers

pytestmark = pytest.mark.slow


@pytest.fixture
def policy(make_policy: MakePolicy) -> Policy:
    policy = make_policy()
    policy.vlm.name_or_path = "/models/tiny"
    return policy


def choice(index: int, tokens: list[Any], logprobs: list[Any]) -> dict[str, Any]:
    content = [{"logprob": value} for value in logprobs]
    return {"index": index, "token_ids": tokens, "logprobs": {"content": content}}


def test_completions_are_in_the_order_of_their_indices(policy: Policy) -> None:
    end = policy.eos_token
    choices = [choice(1, [40, end], [-1.5, 0]), choice(0, [41, 42, 43], [-0.5, -9999.0, 1e-6])]
    first, second = read_completions(policy, {"choices": choices}, 2, max_tokens=3)
    assert (first.tokens, first.logprobs) == ((41, 42, 43), (-0.5, -math.inf, 1e-6))
    assert (second.tokens, second.logprobs) == ((40, end), (-1.5, 0.0))
    assert (first.truncated, second.truncated) == (True, False)


WRONG: dict[str, tuple[str, Any]] = {
    "a list": ("no completions instead of 2", lambda a: [a]),
    "no choices": ("no completions instead of 2", lambda a: {}),
    "one completion": ("1 completions instead of 2", lambda a: a["choices"].pop()),
    "three": ("3 completions instead of 2", lambda a: a["choices"].append(choice(2, [1], [0.0]))),
    "the same twice": ("not numbered from 0 to 1", lambda a: a["choices"][0].update(index=1)),
    "no index": ("not numbered from 0 to 1", lambda a: a["choices"][0].pop("index")),
    "a completion of text": ("not numbered", lambda a: a["choices"].__setitem__(0, "yes")),
    "no tokens": ("no token ids", lambda a: a["choices"][0].update(token_ids=None)),
    "an empty answer": ("0 token ids", lambda a: a["choices"][0].update(token_ids=[])),
    "too many": ("4 token ids .*1 to 3", lambda a: a["choices"][0].update(token_ids=[1] * 4)),
    "beyond the vocabulary": ("token id 400000, of a", lambda a: set_token(a, 400_000)),
    "negative": ("token id -1", lambda a: set_token(a, -1)),
    "a fraction": (r"token id 40\.0", lambda a: set_token(a, 40.0)),
    "a word": ("token id 'cup'", lambda a: set_token(a, "cup")),
    "true": ("token id True", lambda a: set_token(a, True)),
    "no log-probabilities": ("no log-prob", lambda a: a["choices"][0].update(logprobs=None)),
    "fewer than tokens": (
        "1 log-probabilities of 2 tokens",
        lambda a: a["choices"][0]["logprobs"]["content"].pop(),
    ),
    "null": ("log-probability None", lambda a: set_logprob(a, None)),
    "missing": ("log-probability None", lambda a: set_logprob(a, None, delete=True)),
    "nan": ("log-probability nan", lambda a: set_logprob(a, math.nan)),
    "infinite": ("log-probability inf", lambda a: set_logprob(a, math.inf)),
    "above certainty": (r"log-probability 0\.5", lambda a: set_logprob(a, 0.5)),
    "text": ("log-probability '-1'", lambda a: set_logprob(a, "-1")),
}


def set_token(answer: dict[str, Any], token: object) -> None:
    answer["choices"][0]["token_ids"][1] = token


def set_logprob(answer: dict[str, Any], value: object, delete: bool = False) -> None:
    content = answer["choices"][0]["logprobs"]["content"]
    content[1] = {} if delete else {"logprob": value}


@pytest.mark.parametrize(("message", "damage"), WRONG.values(), ids=WRONG)
def test_an_answer_that_breaks_a_rule_is_refused(
    policy: Policy, message: str, damage: Callable[[Any], Any]
) -> None:
    answer = {"choices": [choice(i, [40, 41], [-0.5, -0.5]) for i in range(2)]}
    read_completions(policy, answer, 2, max_tokens=3)
    other = damage(answer)
    found = other if message.startswith("no completions") else answer
    found = json.loads(json.dumps(found))  # as it travels, NaN included
    with pytest.raises(InvalidAnswer, match=message):
        read_completions(policy, found, 2, max_tokens=3)


def test_an_image_token_is_no_part_of_an_answer(policy: Policy) -> None:
    image = policy.spec.image_token
    with pytest.raises(InvalidAnswer, match="stands for a part of an image"):
        read_completions(policy, {"choices": [choice(0, [image], [-1.0])]}, 1, max_tokens=3)


def take_one_away(choices: Choices) -> None:
    choices.pop()


def forget_a_logprob(choices: Choices) -> None:
    choices[0]["logprobs"]["content"][0]["logprob"] = None


def no_logprob(choices: Choices) -> None:
    choices[0]["logprobs"]["content"][0]["logprob"] = math.nan


@pytest.mark.parametrize("spoil", [take_one_away, forget_a_logprob, no_logprob])
def test_the_group_is_asked_for_again_and_the_step_counts_it(
    policy: Policy,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    spoil: Callable[[Choices], None],
) -> None:
    prompt = policy.encode(world_samples(1)[0]).prefix.tokens.tolist()
    known = {"tokens": prompt, "placeholder": policy.spec.image_token}
    with stub_server(**known, spoil=staticmethod(spoil)) as (url, server):
        engine = VLLMServers([url], str(tmp_path / "served"))
        module = grpo_module(policy, engine=engine, loss=PolicyLoss(importance_cap=2.0))
        train(module, tmp_path, steps=2, samples=world_samples(1))
    assert len(server.requests) == 2 * 3 + 1
    curves = logged(tmp_path)
    assert curves["rollout/invalid"] == {1: 1.0, 2: 0.0}
    assert curves["rollout/failed"] == {1: 0.0, 2: 0.0}
    (told,) = [message for message in caplog.messages if message.startswith(url)]
    assert "(asked again; " in told


def test_a_sample_without_a_usable_answer_is_named(
    policy: Policy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "TRIES", 2)
    (sample,) = world_samples(1)
    prompt = policy.encode(sample).prefix.tokens.tolist()
    known = {"tokens": prompt, "placeholder": policy.spec.image_token}
    with stub_server(**known) as (url, server):
        engine = VLLMServers([url], str(tmp_path / "served"))
        # The stub answers with two tokens.
        module = grpo_module(
            policy, engine=engine, loss=PolicyLoss(importance_cap=2.0), max_tokens=1
        )
        told = rf"sample '{sample.id}' .*no usable answer.*2 token ids \(expected 1 to 1\)"
        with pytest.raises(UserError, match=told):
            train(module, tmp_path, steps=1, prompts_per_step=1, samples=[sample])
    assert len(server.requests) == 2
