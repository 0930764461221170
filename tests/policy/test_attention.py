"""Which tokens of a row see which, read off what attention gathers."""

import pytest
import torch
from families import build
from jaxtyping import Bool
from torch import Tensor
from world_questions import world_samples

from groundrl.boxes import Frame
from groundrl.policy.policy import Attention, Policy
from groundrl.policy.shared_prefix.layout import LENGTH_STEP, Branch, Layout, Prefix, lay_out
from groundrl.prompts import PromptTemplate


def prefix(*images: int) -> Prefix:
    """A token for each entry: k for the k-th image, 0 for text."""
    count = len(images)
    return Prefix(
        tokens=torch.arange(5, 5 + count),
        positions=torch.arange(count).expand(3, -1),
        images=torch.tensor(images),
    )


def seen(layout: Layout, sliding: bool = False) -> Bool[Tensor, "R L L"]:
    """True where a place sees a place of its row: the value of each place is a mark of its own."""
    rows, length = layout.input_ids.shape
    value = torch.eye(length).expand(rows, 1, -1, -1)
    nothing = torch.zeros_like(value)
    gathered = layout.attention.attend(0, nothing, nothing, value, scaling=None, sliding=sliding)
    return gathered[:, :, 0] > 0


def table(seen: Bool[Tensor, "L L"], size: int) -> list[str]:
    """The first places as rows of 0 and 1; nothing beyond them may be seen."""
    assert not seen[:size, size:].any()
    return ["".join(str(int(x)) for x in row[:size]) for row in seen[:size]]


def test_a_branch_sees_the_prefix_and_itself_only() -> None:
    layout = lay_out([prefix(0, 0)], [[Branch(tokens=[7, 8]), Branch(tokens=[9])]], pad=0)
    assert layout.input_ids.shape == (1, LENGTH_STEP)
    assert layout.input_ids[:, :5].tolist() == [[5, 6, 7, 8, 9]]
    assert not layout.input_ids[:, 5:].any()
    assert layout.position_ids[0, :, :5].tolist() == [[0, 1, 2, 3, 2]]
    assert table(seen(layout)[0], 5) == ["10000", "11000", "11100", "11110", "11001"]
    assert layout.source.tolist() == [[1, 2], [1, 0]]
    assert layout.targets.tolist() == [[7, 8], [9, 0]]


def test_rows_of_other_lengths_change_nothing() -> None:
    groups = [[Branch(tokens=[7, 8]), Branch(tokens=[9])], [Branch(tokens=[7, 8, 9])]]
    layout = lay_out([prefix(0, 0), prefix(0, 0, 0, 0)], groups, pad=0)
    assert table(seen(layout)[0], 5) == ["10000", "11000", "11100", "11110", "11001"]
    assert table(seen(layout)[1], 7) == [
        *("1000000", "1100000", "1110000", "1111000", "1111100", "1111110", "1111111")
    ]


def test_a_window_counts_places_of_the_own_branch_and_of_the_prefix() -> None:
    layout = lay_out([prefix(0, 0)], [[Branch(tokens=[7, 8]), Branch(tokens=[9])]], pad=0, window=2)
    assert table(seen(layout, sliding=True)[0], 5) == ["10000", "11000", "01100", "00110", "01001"]
    assert table(seen(layout)[0], 5) == ["10000", "11000", "11100", "11110", "11001"]


def test_tokens_of_an_image_see_each_other() -> None:
    group = [[Branch(tokens=[7])]]
    layout = lay_out([prefix(1, 1, 0, 2, 2)], group, pad=0, images_see_themselves=True)
    assert table(seen(layout)[0], 6) == [
        *("110000", "110000", "111000", "111110", "111110", "111111")
    ]


@pytest.mark.slow
@pytest.mark.parametrize("family", ["qwen2_5_vl", "gemma3"])
@pytest.mark.parametrize("attention", ["flex_attention", "flash_attention_2"])
def test_every_kind_of_attention_gives_the_same_logprobs(family: str, attention: Attention) -> None:
    """Flash-attn itself needs a GPU: here the model's own attention stands in its place."""
    vlm, processor = build(family)
    policy = Policy(vlm, processor, PromptTemplate(), Frame.PERMILLE)
    prompts = [policy.encode(sample) for sample in world_samples(2)]
    groups = [[Branch(tokens=range(20, 20 + n)) for n in sizes] for sizes in ((30, 4), (1, 7, 28))]
    with torch.no_grad():
        expected = policy.logprobs(prompts, groups).logprobs
        other = Policy(*build(family), PromptTemplate(), Frame.PERMILLE, attention=attention)
        got = other.logprobs(prompts, groups).logprobs
    torch.testing.assert_close(got, expected)
