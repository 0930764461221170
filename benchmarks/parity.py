"""How exact a shared pass is: ours and ``transformers``' own class, one row per completion, beside
each other and beside the same class in float64."""

import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from measuring import ALPHA, RANK, Figures
from policies import policy_for
from random_models import build
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from work import Work

from groundrl.policy.adapters.adapter import Adapter
from groundrl.policy.policy import Policy
from groundrl.policy.processor import Processor
from groundrl.policy.shared_prefix.layout import Branch
from groundrl.policy.vision import VisionTower
from groundrl.prompts import PromptTemplate
from groundrl.records import Sample


@dataclass(frozen=True, slots=True, kw_only=True)
class Passed:
    """What a forward and a backward pass give."""

    logprobs: Tensor
    grad: Tensor
    """Of the mean log-probability, by every weight that learns."""

    def differences(self, other: "Passed", suffix: str = "") -> Figures:
        """The largest ones; those of gradients relative to the other's largest entry."""
        logprobs, grad = self.logprobs - other.logprobs, self.grad - other.grad
        return {
            f"max_abs_logprob{suffix}": float(logprobs.abs().max()),
            f"max_rel_grad{suffix}": float(grad.abs().max() / other.grad.abs().max()),
        }


class Double(TorchFunctionMode):
    """Inside, what a model computes in float32 whatever its weights is computed in float64."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        if func is torch.Tensor.float:
            func = torch.Tensor.double

        def wider(x: Any) -> Any:
            return torch.float64 if x is torch.float32 else x

        return func(*map(wider, args), **{k: wider(x) for k, x in (kwargs or {}).items()})


def parity(work: Work, folder: Path) -> Figures:
    """Differences between our shared pass and the model's own class, in all and where both have
    the same image features; and of each of them to float64."""
    policy = policy_for(work, sharing=True)
    for parameter in policy.parameters():
        if parameter.requires_grad:
            parameter.data.normal_(std=0.02)
    question = work.question(policy.processor)
    samples = [work.sample(i, question) for i in range(work.prompts)]
    draw = random.Random(0).choices
    vocabulary = sorted({*range(len(policy.processor.tokenizer))} - {*policy.spec.placeholders})
    groups = [
        [Branch(tokens=draw(vocabulary, k=work.completion)) for _ in range(work.group)]
        for _ in samples
    ]
    ours = shared(policy, samples, groups)
    vlm = copied(policy, work, work.dtype)
    stock = row_by_row(vlm, policy.processor, samples, groups)
    tower = VisionTower(vlm.get_base_model(), policy.spec, store=None)
    alike = shared(policy, samples, groups, tower)
    with Double():
        exact = row_by_row(copied(policy, work, torch.float64), policy.processor, samples, groups)
    return {
        **ours.differences(stock),
        **alike.differences(stock, "_same_features"),
        **ours.differences(exact, "_float64"),
        **{f"stock_{name}": x for name, x in stock.differences(exact, "_float64").items()},
    }


def shared(
    policy: Policy,
    samples: list[Sample],
    groups: list[list[Branch]],
    tower: VisionTower | None = None,
) -> Passed:
    """Ours; ``tower``: whose image features, if not the policy's."""
    prompts = [policy.encode(sample) for sample in samples]
    with torch.no_grad():
        features = (tower or policy.tower)(prompts)
    logprobs = policy.logprobs(prompts, groups, features).logprobs
    logprobs.mean().backward()
    return Passed(logprobs=logprobs.detach().double(), grad=grad_of(policy.model))


def copied(policy: Policy, work: Work, dtype: torch.dtype) -> Any:
    """The model's own class with the same weights."""
    vlm, _ = build(work.family, work.size, work.device, work.dtype)
    stock: Any = Adapter(rank=RANK, alpha=ALPHA).apply(vlm)
    stock.load_state_dict(policy.model.state_dict())
    return stock.to(dtype) if dtype is torch.float64 else stock  # adapters are float32


def row_by_row(
    vlm: nn.Module, processor: Processor, samples: list[Sample], groups: list[list[Branch]]
) -> Passed:
    """Nothing but ``transformers``, one completion after the other."""
    tokens = sum(len(branch.tokens) for group in groups for branch in group)
    rows = []
    for sample, group in zip(samples, groups, strict=True):
        for branch in group:
            row = stock_logprobs(vlm, processor, sample, list(branch.tokens))
            (row.sum() / tokens).backward()
            rows.append(row.detach().double())
    return Passed(logprobs=torch.stack(rows), grad=grad_of(vlm))


def grad_of(model: nn.Module) -> Tensor:
    """All gradients in a row; they are forgotten."""
    grads = [p.grad.double().flatten() for p in model.parameters() if p.grad is not None]
    model.zero_grad()
    return torch.cat(grads)


def stock_logprobs(
    vlm: nn.Module, processor: Processor, sample: Sample, tokens: list[int]
) -> Tensor:
    """Of one completion; tokens that stand for pixels are no answers."""
    text = processor.apply_chat_template(
        PromptTemplate().messages(sample), tokenize=False, add_generation_prompt=True
    )
    device = next(vlm.parameters()).device
    inputs = processor(text=[text], images=[sample.image.load()], return_tensors="pt").to(device)
    answer = torch.tensor([tokens], device=device)
    for name, more in (
        ("input_ids", answer),
        ("attention_mask", torch.ones_like(answer)),
        ("mm_token_type_ids", torch.zeros_like(answer)),
    ):
        inputs[name] = torch.cat([inputs[name], more], dim=1)
    logits = vlm(**inputs).logits[0, -len(tokens) - 1 : -1].float()
    config: Any = vlm.config
    logits[:, [config.image_token_id, config.video_token_id]] = -torch.inf
    return logits.log_softmax(-1).gather(-1, answer.T)[:, 0]
