"""Reward functions as other trainers take them."""

from typing import Any

import numpy as np
import torch


def trl_messages(prompts: Any, completions: Any, **columns: Any) -> list[float]:
    assert prompts[0][0]["role"] == "user"
    return [float(len(one[0]["content"])) for one in completions]


def trl_hidden_messages(completions: Any, **columns: Any) -> list[float]:
    return [float(len(_said(one))) for one in completions]


def _said(completion: Any) -> str:
    return completion[0]["content"]


def trl_solution(completions: Any, solution: list[str], **columns: Any) -> list[float]:
    return [float(one == right) for one, right in zip(completions, solution, strict=True)]


def numpy_array(completions: Any, **columns: Any) -> Any:
    return np.array([0.5] * len(completions), dtype=np.float32)


def numpy_numbers(completions: Any, **columns: Any) -> Any:
    return [np.float32(0.5) for _ in completions]


def torch_tensor(completions: Any, **columns: Any) -> Any:
    return torch.tensor([0.5] * len(completions))


def torch_numbers(completions: Any, **columns: Any) -> Any:
    return [torch.tensor(0.5) for _ in completions]


def in_a_tuple(completions: Any, **columns: Any) -> Any:
    return tuple(0.5 for _ in completions)


def truths(completions: Any, **columns: Any) -> list[bool]:
    return [True for _ in completions]


async def coroutine(completions: Any, **columns: Any) -> list[float]:
    return [0.5 for _ in completions]


class Instance:
    async def __call__(self, completions: Any, **columns: Any) -> list[float]:
        return [0.5 for _ in completions]


instance = Instance()


def verl(data_source: str, solution_str: str, ground_truth: str, extra_info: Any = None) -> float:
    assert (data_source, extra_info["id"]) == ("test", "s-1")
    return float(solution_str == ground_truth)


def verl_score(data_source: str, solution_str: str, ground_truth: str) -> dict[str, Any]:
    return {"score": np.float64(solution_str == ground_truth), "note": "x"}


def verl_batch(data_sources: Any, solution_strs: Any, ground_truths: Any) -> list[float]:
    return [float(a == b) for a, b in zip(solution_strs, ground_truths, strict=True)]


def easyr1(reward_inputs: list[dict[str, Any]]) -> list[dict[str, float]]:
    return [{"overall": float(x["response"] == x["ground_truth"])} for x in reward_inputs]


def easyr1_one(reward_input: dict[str, Any]) -> dict[str, float]:
    return {"overall": float(reward_input["response"] == reward_input["ground_truth"])}


def easyr1_first(predict: str, ground_truth: str) -> dict[str, float]:
    return {"overall": float(predict == ground_truth)}


def no_overall(reward_input: dict[str, Any]) -> dict[str, float]:
    return {"total": 1.0}


def raises(completions: Any, **columns: Any) -> list[float]:
    return columns["image"]


def trainer_state(completions: Any, trainer_state: Any, **columns: Any) -> list[float]:
    return [0.0]


def log_extra(completions: Any, log_extra: Any = None, **columns: Any) -> list[float]:
    return [0.0]


def unknown(queries: Any, labels: Any) -> list[float]:
    return [0.0]
