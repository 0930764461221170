"""A full memory is told with what to lower, and with what it is now."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from families import build
from stage_runs import MakePolicy, grpo_module, sft_module, train

from groundrl.boxes import Frame
from groundrl.errors import UserError
from groundrl.policy.policy import Policy
from groundrl.prompts import PromptTemplate
from groundrl.rollout.memory import explain_full_memory, pixel_option
from groundrl.rollout.native import NativeEngine


def full_gpu(*_: object) -> None:
    raise torch.OutOfMemoryError("tried to allocate 2 GiB")


def full_machine(*_: object) -> None:
    torch.empty(10**15)


full = pytest.mark.parametrize("full", [full_gpu, full_machine])


class Full(NativeEngine):
    """Has no memory left in its third rollout."""

    rollouts = 0

    def generate(self, *arguments: Any, **named: Any) -> Any:
        self.rollouts += 1
        if self.rollouts == 3:
            full_machine()
        return super().generate(*arguments, **named)


@pytest.mark.slow
def test_a_rollout_names_rows_lengths_and_pixels(make_policy: MakePolicy, tmp_path: Path) -> None:
    module = grpo_module(make_policy(), engine=Full(tokens_per_batch=96))
    message = (
        r"tried to allocate 4000000000000000 bytes.*lower one of "
        r"rollout\.tokens_per_batch \(now 96\), "
        r".*max_tokens \(now 8\), model\.max_pixels \(now 65536\)\. "
    )
    with pytest.raises(UserError, match=message):
        train(module, tmp_path)
    assert (tmp_path / "checkpoints" / "stage" / "last.ckpt").is_file()


@pytest.mark.slow
@full
@pytest.mark.parametrize("make", [sft_module, grpo_module])
def test_an_update_names_the_tokens_of_a_pass(
    make_policy: MakePolicy, tmp_path: Path, make: Callable[..., Any], full: Callable[..., None]
) -> None:
    module = make(make_policy(), tokens_per_forward=1000)
    module.policy.vlm.lm_head.register_full_backward_pre_hook(full)
    message = r"tried to allocate .* lower one of .*tokens_per_forward \(now 1000\), .*65536"
    with pytest.raises(UserError, match=message):
        train(module, tmp_path)


@pytest.mark.parametrize(
    ("family", "option"),
    [
        ("qwen2_5_vl", {"model.max_pixels": 28 * 28 * 16}),
        ("gemma3", {}),
        ("internvl", {}),
    ],
)
def test_pixels_are_named_where_the_processor_is_given_a_limit(
    family: str, option: dict[str, int]
) -> None:
    assert pixel_option(Policy(*build(family), PromptTemplate(), Frame.PERMILLE)) == option


def test_other_errors_stay_what_they_are() -> None:
    with pytest.raises(RuntimeError, match="memory format"), explain_full_memory({}):
        raise RuntimeError("unsupported memory format option")
