"""Sentences are scored where they end, in one pass, by every family; models are loaded again."""

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest
import torch
from families import FAMILIES, build
from labelled_world import QUESTION, labelled_captions
from own_inputs import own_inputs

from groundrl.boxes import Frame
from groundrl.errors import UserError
from groundrl.feedback.captions import OUTPUTS, CaptionToScore, Level, caption_sample
from groundrl.feedback.labels import SentenceError
from groundrl.feedback.load import DESCRIPTION, load_reward_model, save_reward_model
from groundrl.feedback.reward_model import RewardModel
from groundrl.language.splitting import split_sentences
from groundrl.policy.adapters.adapter import Adapter
from groundrl.policy.load import load_policy
from groundrl.policy.policy import Policy
from groundrl.prompts import PromptTemplate
from groundrl.running.full_memory import MemoryLimit

TEXT = "A red cup is near a box.  There are two, e.g. blue!\n\nSchön… 茶碗。\nIs it a bus?"
HALF = [0.5] * len(OUTPUTS)
MakePolicy = Callable[..., Policy]


def with_random_head(model: RewardModel) -> RewardModel:
    torch.manual_seed(4)
    torch.nn.init.normal_(model.head.weight, std=0.1)
    return model


def family_policy(family: str, prefix_sharing: bool = True) -> Policy:
    vlm, processor = build(family)
    return Policy(
        model=Adapter(kind="lora", rank=4, alpha=8).apply(vlm),
        processor=processor,
        template=PromptTemplate(instruction="Think first."),
        frame=Frame.PERMILLE,
        prefix_sharing=prefix_sharing,
    )


@pytest.mark.parametrize("family", FAMILIES)
def test_each_sentence_ends_with_a_token(family: str) -> None:
    model = RewardModel(family_policy(family), HALF)
    read = model.read(TEXT)
    assert read.spans == split_sentences(TEXT)
    assert len(read.ends) == 4
    for (_, stop), end in zip(read.spans, read.ends, strict=True):
        assert model.policy.decode(read.branch.tokens[: end + 1]) == TEXT[:stop]


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_the_head_reads_the_models_own_hidden_states(family: str) -> None:
    model = with_random_head(RewardModel(family_policy(family), HALF))
    (caption,) = labelled_captions(1)
    prompt = model.encode(caption_sample(caption.image, QUESTION))
    read = model.read(TEXT)
    with torch.no_grad():
        found = model.logits([prompt], [[read]])
        inputs = own_inputs(model.policy, prompt, list(read.branch.tokens))
        states = model.policy.vlm(**inputs, output_hidden_states=True).hidden_states[-1][0]
        expected = model.head(states[len(prompt.prefix.tokens) :][list(read.ends)])
    torch.testing.assert_close(found, expected, atol=5e-5, rtol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("budget", [1, 8192])
@pytest.mark.parametrize("sharing", [True, False])
def test_many_captions_have_the_scores_of_each_alone(budget: int, sharing: bool) -> None:
    policy = family_policy("qwen3_vl", sharing)
    model = with_random_head(RewardModel(policy, HALF, memory_limit=MemoryLimit("tokens", budget)))
    captions = [
        CaptionToScore(image=one.image, question=QUESTION, text=text)
        for one in labelled_captions(6, per_scene=2)
        for text in (one.text, "", TEXT)
    ]
    random.Random(1).shuffle(captions)
    together = model.score_many(captions)
    for caption, scores in zip(captions, together, strict=True):
        alone = model.score(caption.image, caption.question, caption.text)
        assert [(s.start, s.stop) for s in scores] == split_sentences(caption.text)
        assert [s.wrong for s in scores] == pytest.approx([s.wrong for s in alone], abs=1e-5)


def test_the_instruction_of_the_policy_is_no_part_of_the_prompt(make_policy: MakePolicy) -> None:
    model = RewardModel(make_policy(), HALF)
    asked = caption_sample(labelled_captions(1)[0].image, QUESTION)
    assert "Think" not in model.policy.decode(model.encode(asked).prefix.tokens.tolist())


def test_weights_are_taken_back_from_probabilities(make_policy: MakePolicy) -> None:
    shares = [0.2, 0.001, 0.5, 0.5, 0.5, 0.999]
    model = RewardModel(make_policy(), shares)
    zero = torch.zeros(1, len(OUTPUTS))
    expected = torch.tensor([[0.2, 1 / 11, 0.5, 0.5, 0.5, 10 / 11]])
    torch.testing.assert_close(model.probabilities(zero), expected)
    # The best constant for the weighted loss of a fifth of errors gives a fifth.
    targets = torch.zeros(5, len(OUTPUTS))
    targets[0, 0] = 1.0
    z = torch.zeros(5, len(OUTPUTS), requires_grad=True)
    (gradient,) = torch.autograd.grad(model.losses(z, targets).sum(), z)
    assert gradient[:, 0].sum().item() == pytest.approx(0.0, abs=1e-6)
    assert model.threshold == pytest.approx(0.2)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny base on disk."""
    folder = tmp_path_factory.mktemp("base")
    vlm, processor = build("qwen3_vl")
    vlm.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def trained(
    base: Path,
    folder: Path,
    kind: Literal["lora", "none"] = "lora",
    level: Level = "sentence",
) -> RewardModel:
    """A model with random adapter and head, saved in ``folder``."""
    policy = load_policy(str(base), Frame.PERMILLE, PromptTemplate(), Adapter(kind=kind, rank=4))
    model = with_random_head(RewardModel(policy, [0.3] * len(OUTPUTS), level))
    for parameter in model.parameters():
        if parameter.requires_grad and parameter.ndim == 2:
            torch.nn.init.normal_(parameter, std=0.1)
    save_reward_model(model, folder)
    return model


@pytest.mark.slow
@pytest.mark.parametrize("level", ["sentence", "caption"])
@pytest.mark.parametrize("kind", ["lora", "none"])
def test_a_loaded_model_scores_as_the_saved_one(
    base: Path, tmp_path: Path, kind: Literal["lora", "none"], level: Level
) -> None:
    model = trained(base, tmp_path, kind, level)
    loaded = load_reward_model(tmp_path)
    (caption,) = labelled_captions(1)
    expected = model.score(caption.image, QUESTION, TEXT)
    found = loaded.score(caption.image, QUESTION, TEXT)
    assert found == expected
    assert len(found) == (1 if level == "caption" else 4)
    assert all(score.is_wrong == (score.wrong >= 0.3) for score in found)
    assert list(found[0].errors) == list(SentenceError)
    assert not any(parameter.requires_grad for parameter in loaded.parameters())


@pytest.mark.slow
def test_an_image_may_be_a_path(base: Path, tmp_path: Path) -> None:
    model = trained(base, tmp_path)
    (caption,) = labelled_captions(1)
    caption.image.load().save(tmp_path / "a.png")
    found = model.score(str(tmp_path / "a.png"), QUESTION, TEXT)
    assert found == model.score(caption.image, QUESTION, TEXT)
    with pytest.raises(UserError, match=r"b\.png: no such image"):
        model.score(tmp_path / "b.png", QUESTION, TEXT)


@pytest.mark.slow
def test_another_base_or_prompt_is_refused(base: Path, tmp_path: Path) -> None:
    trained(base, tmp_path / "model")
    vlm, processor = build("qwen3_vl", seed=1)
    vars(processor)["chat_template"] = vars(processor)["chat_template"].replace("user", "human")
    vlm.save_pretrained(tmp_path / "other")
    processor.save_pretrained(tmp_path / "other")
    with pytest.raises(UserError, match=r"its weights and its prompt .* changed\. Pass base="):
        load_reward_model(tmp_path / "model", base=str(tmp_path / "other"))


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"is no reward model: it has no reward_model\.json"):
        load_reward_model(tmp_path)
    (tmp_path / DESCRIPTION).write_text(json.dumps({"base": "embedded", "level": "word"}))
    with pytest.raises(UserError, match=r"level: expected 'sentence' or 'caption', got 'word'"):
        load_reward_model(tmp_path)
