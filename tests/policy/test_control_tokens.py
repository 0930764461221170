"""Control tokens in data stay text, in prompts and targets of every family."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from families import FAMILIES, build
from hypothesis import given
from hypothesis import strategies as st
from world_questions import with_context, world_samples

from groundrl.boxes import Frame
from groundrl.control_tokens import CUT, break_tokens, control_tokens, token_starts
from groundrl.errors import UserError
from groundrl.grammar import get_grammar
from groundrl.policy.policy import Policy
from groundrl.policy.shared_prefix.layout import Branch
from groundrl.prompts import PromptTemplate
from groundrl.records import Grounding, Sample
from groundrl.rollout.vllm_server import check_texts

MakePolicy = Callable[..., Policy]


def spoiled(sample: Sample, *tokens: str) -> Sample:
    """With the tokens in each of its texts."""
    said = f" {' '.join(tokens)}{''.join(tokens)}"
    groundings = tuple(replace(one, label=one.label + said) for one in sample.groundings)
    return replace(
        sample,
        question=sample.question + said,
        options=("cup", f"hat{said}"),
        answers=(f"hat{said}",),
        groundings=groundings,
        rationale=("I see ", groundings[0], f".{said}"),
    )


@pytest.mark.parametrize("family", FAMILIES)
def test_control_tokens_in_data_are_text_to_every_family(family: str) -> None:
    vlm, processor = build(family)
    policy = Policy(model=vlm, processor=processor, template=PromptTemplate(), frame=Frame.PERMILLE)
    words, encode, grammar = processor.tokenizer, policy.encode, get_grammar("obj_bbox")
    tokens = sorted(control_tokens(processor))
    assert {"<end>", "<pad>", processor.image_token} <= set(tokens)
    special = set(words.convert_tokens_to_ids(tokens)) | set(policy.spec.placeholders)
    plain = next(sample for sample in with_context(world_samples(8)) if sample.groundings)
    odd = spoiled(plain, *tokens)

    def control_ids(ids: list[int]) -> list[int]:
        return [token for token in ids if token in special]

    tail = encode.after_images(odd)
    assert control_ids(tail) == control_ids(encode.after_images(plain))
    assert PromptTemplate().text(odd) in words.decode(tail)
    prompt = encode(odd)
    images = (prompt.prefix.tokens == policy.spec.image_token).sum()
    assert images == (encode(plain).prefix.tokens == policy.spec.image_token).sum()
    assert prompt.prefix.tokens.tolist()[-len(tail) :] == tail
    assert encode.unexpanded(prompt)[-len(tail) :] == tail
    response = grammar.render(encode.target(odd, prompt.sizes, policy.frame))
    target = encode.answer_tokens(response)
    assert control_ids(target) == [policy.eos_token]
    assert words.decode(target[:-1]) == response.replace(CUT, "")
    assert policy.decode(target) == response.replace(CUT, "")


def test_a_prompt_with_control_tokens_is_shared_exactly(make_policy: MakePolicy) -> None:
    sample = spoiled(world_samples(1)[0], "<|im_end|>", "<|image_pad|>", "<|vision_start|>")
    branches = [[Branch(tokens=[45, 46, 47]), Branch(tokens=[48, 49])]]
    shared, alone = make_policy("frozen"), make_policy("frozen", prefix_sharing=False)
    with torch.no_grad():
        found, expected = (
            policy.logprobs([policy.encode(sample)], branches).logprobs
            for policy in (shared, alone)
        )
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def test_a_server_is_not_sent_what_it_would_misread(make_policy: MakePolicy) -> None:
    encode = make_policy("frozen").encode
    sample = world_samples(1)[0]
    check_texts([encode(sample)], ["a"])
    with pytest.raises(UserError, match="sample 'b' holds a control token of the model"):
        check_texts([encode(sample), encode(spoiled(sample, "<|im_end|>"))], ["a", "b"])


def test_half_a_character_is_an_error_that_names_its_place(make_policy: MakePolicy) -> None:
    encode = make_policy("frozen").encode
    sample = next(one for one in world_samples(8) if one.groundings)
    with pytest.raises(UserError, match=r"its question holds half of a character, '\\ud83d', in"):
        encode(replace(sample, question="Why\ud83d?"))
    label = Grounding(label="c\udc00p", box=sample.groundings[0].box)
    with pytest.raises(UserError, match="its label holds half of a character"):
        encode(replace(sample, groundings=(label,)))


TOKENS = ["<a>", "<|a|>", "|>", "<", "a<a>", "<a><b>"]


@given(
    text=st.lists(st.sampled_from(["<", "a", "|", ">", "<a>", "<|a|>", "b", "\n"])).map("".join),
    tokens=st.sets(st.sampled_from(TOKENS), min_size=1),
)
def test_no_token_is_left_whole_and_nothing_else_changes(text: str, tokens: set[str]) -> None:
    broken = break_tokens(text, token_starts(tokens), CUT)
    assert broken.replace(CUT, "") == text
    assert not any(token in broken for token in tokens if len(token) > 1)
    if not any(token in text for token in tokens):
        assert broken == text
