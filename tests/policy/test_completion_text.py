"""What counts as the text of a completion, for chat templates and tokens of several families."""

from typing import Any, cast

import pytest
from families import build
from family_parts import chat_template, token_id, tokenizer
from transformers import PreTrainedModel
from world_questions import world_samples

from groundrl.boxes import Frame
from groundrl.grammar import get_grammar
from groundrl.grammar.families import is_box_token
from groundrl.policy.completion_text import find_opening, find_silent_tokens
from groundrl.policy.policy import Policy
from groundrl.prompts import PromptTemplate

QWEN = ("<|object_ref_start|>", "<|object_ref_end|>", "<|box_start|>", "<|box_end|>")


@pytest.mark.parametrize(
    ("header", "opening"),
    [
        ("assistant: ", ""),
        ("assistant: <think>", "<think>"),
        ("assistant: <think>\n", "<think>\n"),
        ("assistant: <think>\n\n</think>\n\n", ""),
    ],
)
def test_a_template_opens_reasoning_where_its_prompt_ends_with_the_tag(
    header: str, opening: str
) -> None:
    words = tokenizer("<image>")
    words.chat_template = chat_template("<image>").replace("assistant: ", header)
    assert find_opening(words) == opening


def test_special_tokens_of_boxes_are_text_and_others_are_not() -> None:
    words = tokenizer("<image>", *QWEN)
    words.add_special_tokens({"additional_special_tokens": list(QWEN)})
    silent = find_silent_tokens(words)
    assert silent == {token_id(words, one) for one in ("<pad>", "<end>", "<image>")}
    text = "<|object_ref_start|>cup<|object_ref_end|><|box_start|>(1,2),(3,4)<|box_end|>"
    kept = [one for one in words.encode(text + "<end>") if one not in silent]
    assert words.decode(kept) == text


@pytest.mark.parametrize("token", [*QWEN, "<box>", "<loc0123>", "<loc_7>", "<patch_index_0001>"])
def test_the_tokens_of_boxes_are_known(token: str) -> None:
    assert is_box_token(token)


@pytest.mark.parametrize("token", ["<|im_end|>", "</s>", "<image>", "<pad>", "<|image_pad|>"])
def test_other_tokens_are_none_of_boxes(token: str) -> None:
    assert not is_box_token(token)


@pytest.mark.slow
def test_reasoning_that_a_template_opens_counts_as_written() -> None:
    vlm, processor = cast(tuple[PreTrainedModel, Any], build("qwen3_vl"))
    processor.chat_template = processor.chat_template.replace("assistant: ", "assistant: <think>\n")
    policy = Policy(model=vlm, processor=processor, template=PromptTemplate(), frame=Frame.PERMILLE)
    (sample,) = world_samples(1)
    response = policy.encode.template.response(sample, policy.encode(sample).sizes, Frame.PERMILLE)
    grammar = get_grammar("obj_bbox")
    target = policy.encode.answer_tokens(grammar.render(response))
    own = processor.tokenizer.decode(target[:-1])
    assert own == grammar.render(response).removeprefix("<think>")
    read = grammar.parse(policy.decode(target), Frame.PERMILLE)
    assert read.well_formed
    assert read.answer == response.answer
