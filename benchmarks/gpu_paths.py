"""What only a GPU runs beside what runs everywhere: ``benchmarks/gpu_paths.py --device cuda``.

First table: kinds of attention and gradient checkpointing, one forward and backward pass over the
completions of a step: seconds, MB above the loaded model, and the largest differences from
``sdpa``, those of gradients relative to the largest gradient. Second: a rollout in tokens per
second, plain and, on a GPU, compiled. Third: the memory of the first pass beside what
``groundrl.doctor`` estimates for this shape. What does not run here is left out with its reason.
"""

import argparse
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec

import history
import torch
from measuring import ALPHA, RANK, Figures, forget_peak, in_use
from random_models import build
from torch import Tensor
from work import Work, add_options

from groundrl.boxes import Frame
from groundrl.doctor.memory import Load, estimate
from groundrl.doctor.shapes import ModelShape
from groundrl.launch.logs import silence_libraries
from groundrl.policy.adapters.adapter import Adapter
from groundrl.policy.policy import Attention, Policy
from groundrl.policy.shared_prefix.layout import Branch
from groundrl.prompts import PromptTemplate
from groundrl.report.tables import Table, number, to_text
from groundrl.rollout.base import Sampling
from groundrl.rollout.native import NativeEngine
from groundrl.rollout.sampler import Sampler

TRIES = 3
"""The fastest counts; the first one also prepares kernels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A way to compute the same log-probabilities."""

    attention: Attention = "sdpa"
    prefix_sharing: bool = True
    checkpointing: bool = False

    @property
    def name(self) -> str:
        """As the table shows it."""
        parts = [self.attention]
        parts += [] if self.prefix_sharing else ["one row a completion"]
        parts += ["checkpointing"] if self.checkpointing else []
        return ", ".join(parts)


def paths(device: str) -> Iterator[Way]:
    """Those that run here; prints why the others do not."""
    yield Way()
    yield Way(checkpointing=True)
    yield Way(prefix_sharing=False)
    if device == "cpu":
        print("flex_attention and flash_attention_2 need a GPU")
        return
    yield Way(attention="flex_attention")
    if find_spec("flash_attn") is None:
        print("flash_attention_2 needs flash-attn, which is not installed")
    else:
        yield Way(attention="flash_attention_2", prefix_sharing=False)


def policy_of(work: Work, path: Way) -> Policy:
    """A random model with an adapter that does something."""
    vlm, processor = build(work.family, work.size, work.device, work.dtype)
    if path.attention == "flash_attention_2":
        vlm.set_attn_implementation("flash_attention_2")
    model = Adapter(rank=RANK, alpha=ALPHA).apply(vlm)
    noise = torch.Generator(work.device).manual_seed(0)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            parameter.data.normal_(0, 0.01, generator=noise)
    return Policy(
        model=model,
        processor=processor,
        template=PromptTemplate(),
        frame=Frame.PERMILLE,
        prefix_sharing=path.prefix_sharing,
        gradient_checkpointing=path.checkpointing,
        attention=path.attention,
    )


def pass_over(work: Work, path: Way) -> tuple[Figures, Tensor, Tensor]:
    """Figures, log-probabilities and the gradient of their mean."""
    policy = policy_of(work, path)
    question = work.question(policy.processor)
    prompts = [policy.encode(work.sample(i, question)) for i in range(work.prompts)]
    draw = random.Random(0)
    words = len(policy.processor.tokenizer)
    groups = [
        [
            Branch(tokens=[draw.randrange(20, words) for _ in range(work.completion)])
            for _ in range(work.group)
        ]
        for _ in prompts
    ]
    features = policy.fixed_features(prompts)
    seconds = []
    before, logprobs = in_use(work.device), torch.zeros(0)
    for _ in range(TRIES):
        policy.zero_grad(set_to_none=True)
        forget_peak(work.device)
        start = time.perf_counter()
        logprobs = policy.logprobs(prompts, groups, features).logprobs
        logprobs.mean().backward()
        logprobs.sum().item()  # wait for a GPU
        seconds.append(time.perf_counter() - start)
    gradient = torch.cat(
        [p.grad.flatten().float() for p in policy.parameters() if p.grad is not None]
    )
    memory = in_use(work.device, peak=True) - before
    return {"seconds": min(seconds), "memory": memory}, logprobs.detach().float(), gradient


def rollout_speed(work: Work, compiled: bool) -> float:
    """Tokens per second of a rollout, after one that prepares kernels."""
    policy = policy_of(work, Way())
    policy.encode.end_token = -1  # nothing ends early
    question = work.question(policy.processor)
    examples = policy.encode.examples([work.sample(i, question) for i in range(work.prompts)])
    sampler = Sampler(
        NativeEngine(compile=compiled), Sampling(max_tokens=work.completion), work.group
    )
    for step in range(2):
        start = time.perf_counter()
        sampler(policy, examples, step=step)
    return work.prompts * work.group * work.completion / (time.perf_counter() - start)


def estimated_activations(work: Work) -> float:
    """MB of an update, as ``groundrl.doctor`` estimates them."""
    vlm = build(work.family, work.size, "meta", work.dtype)[0]
    text = vlm.config.get_text_config()
    head = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
    shape = ModelShape(
        layers=text.num_hidden_layers,
        width=text.hidden_size,
        inner=text.intermediate_size,
        query_width=text.num_attention_heads * head,
        key_width=text.num_key_value_heads * head,
        vocabulary=text.vocab_size,
        tied=True,
        tower=sum(p.numel() for p in vlm.model.visual.parameters()),
    )
    load = Load(
        dtype="float32" if work.device == "cpu" else "bfloat16",
        rank=RANK,
        tokens_per_forward=work.prompts * (work.prompt + work.group * work.completion),
        rollout_tokens=work.prompts * (work.prompt + work.group * work.completion),
        checkpointing=False,
    )
    return estimate(shape, "lora", load).activations / 1e6


def measure(work: Work) -> dict[str, dict[str, float]]:
    """Every figure by the name of its row."""
    found: dict[str, dict[str, float]] = {}
    expected: tuple[Tensor, Tensor] | None = None
    for path in paths(work.device):
        figures, logprobs, gradient = pass_over(work, path)
        expected = expected or (logprobs, gradient)
        found[path.name] = figures | {
            "max_abs_logprob": float((logprobs - expected[0]).abs().max()),
            "max_rel_grad": float((gradient - expected[1]).abs().max() / expected[1].abs().max()),
        }
    found["rollout"] = {"plain": rollout_speed(work, compiled=False)}
    if work.device != "cpu":  # where compiling takes minutes and brings nothing
        found["rollout"]["compiled"] = rollout_speed(work, compiled=True)
    found["activations"] = {
        "measured": found[Way().name]["memory"],
        "estimated": estimated_activations(work),
    }
    return found


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_options(parser)
    history.add_options(parser)
    options = parser.parse_args()
    silence_libraries()
    work = Work.of(options)
    figures = measure(work)
    rollout, activations = figures["rollout"], figures["activations"]
    columns = ("seconds", "memory", "max_abs_logprob", "max_rel_grad")
    rows = [
        (name, *(f"{row[column]:.3g}" for column in columns))
        for name, row in figures.items()
        if "seconds" in row
    ]
    tables = (
        Table(columns=("path", "seconds", "MB", *columns[2:]), rows=tuple(rows)),
        Table(
            columns=("rollout", "tokens/s"), rows=tuple((k, number(v)) for k, v in rollout.items())
        ),
        Table(columns=("update", "MB"), rows=tuple((k, number(v)) for k, v in activations.items())),
    )
    print(*map(to_text, tables), sep="\n\n")
    history.keep(options, figures)


if __name__ == "__main__":
    main()
