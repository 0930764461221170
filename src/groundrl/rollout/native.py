"""The native engine: prompts are prefilled once per group, then G completions decode together."""

import os
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from shutil import which
from typing import ClassVar

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from groundrl.config_node import ConfigNode
from groundrl.policy.policy import Policy
from groundrl.policy.prompt import Prompt
from groundrl.policy.vision import VisionFeatures
from groundrl.rollout.base import Features, SampledTokens, Sampling
from groundrl.rollout.cache import Past, past_of
from groundrl.rollout.prefill import by_length, prefill
from groundrl.rollout.randomness import Draws, choose

Step = Callable[[Policy, Past, Int[Tensor, "B"], Int[Tensor, "axes B"]], Float[Tensor, "B V"]]
"""``next_logits``, compiled or not."""
ENDED_SHARE = 0.25
"""Of the rows of a batch: when so many have ended, the others go on in a smaller batch. 64 rows go
through 13 sizes at most."""


class NativeEngine:
    """Samples with the policy's own weights, in the policy's own process."""

    resource_options: ClassVar[frozenset[str]] = frozenset({"tokens_per_batch"})

    max_model_len: int | None = None
    prefetch: int = 0

    def __init__(self, tokens_per_batch: int = 65536, compile: bool = False) -> None:
        """``tokens_per_batch``: room for keys and values of the prompts that are read together and
        of their completions, padding included; it bounds memory and changes no result.
        ``compile``: fuse the work of a token with ``torch.compile``, which takes a while at first.
        """
        self.tokens_per_batch = tokens_per_batch
        # One compilation serves all numbers of rows, prompts and tokens above one.
        self._step: Step = torch.compile(next_logits, dynamic=True) if compile else next_logits

    @classmethod
    def config_problems(cls, node: ConfigNode) -> Iterator[str]:
        """``torch.compile`` writes C++ code, which needs a compiler."""
        compilers = filter(None, (os.environ.get("CXX"), "g++", "clang++"))
        if node.options.get("compile") is True and not any(map(which, compilers)):
            yield (
                f"{node.path}.compile=true needs a C++ compiler, and there is no g++ or clang++ "
                f"here: install one, or type {node.path}.compile=false"
            )

    @torch.no_grad()
    def generate(
        self,
        policy: Policy,
        prompts: list[Prompt],
        features: Features,
        draws: Draws,
        sampling: Sampling,
    ) -> Generator[tuple[int, list[SampledTokens]]]:
        """A group when its last completion has ended, while others go on."""
        uniforms = draws.uniforms(sampling.max_tokens)
        seen = features()
        lengths = [len(prompt.prefix.tokens) for prompt in prompts]
        own = draws.group_size * sampling.max_tokens
        for chosen in batches(by_length(prompts), lengths, own, self.tokens_per_batch):
            rows = _prefill(
                policy,
                [prompts[i] for i in chosen],
                [seen[i] for i in chosen],
                draws.group_size,
                sampling.max_tokens,
            )
            for place, group in _decode(policy, rows, uniforms[chosen], sampling, self._step):
                yield chosen[place], group


def batches(
    order: Iterable[int], lengths: Sequence[int], own: int, budget: int
) -> Iterator[list[int]]:
    """``order`` in runs of P prompts, ``P * (longest + own) <= budget``; or of one prompt."""
    chosen: list[int] = []
    longest = 0
    for index in order:
        longest = max(longest, lengths[index])
        if chosen and (len(chosen) + 1) * (longest + own) > budget:
            yield chosen
            chosen, longest = [], lengths[index]
        chosen.append(index)
    if chosen:
        yield chosen


@dataclass(slots=True)
class _Rows:
    """The rows that decode together; some may have ended."""

    past: Past
    position: Int[Tensor, "axes B"]
    logits: Float[Tensor, "B V"]
    row: Int[Tensor, "B"]
    """Which completion each row is."""

    def keep(self, going: Bool[Tensor, "B"]) -> None:
        """Drop the rows that have ended."""
        index = going.nonzero()[:, 0]
        self.past.keep(index)
        self.position, self.row = self.position[:, index], self.row[index]


class _Output:
    """What the rows have said so far."""

    def __init__(self, groups: int, group_size: int, max_tokens: int) -> None:
        count = groups * group_size
        self.group_size = group_size
        self.tokens = torch.zeros((count, max_tokens), dtype=torch.long)
        self.logprobs = torch.zeros((count, max_tokens))
        self.length = torch.full((count,), max_tokens)
        self.ended = torch.zeros(count, dtype=torch.bool)
        self.open = list(range(groups))
        """Groups with a row that goes on."""

    def add(
        self,
        step: int,
        row: Int[Tensor, "B"],
        token: Int[Tensor, "B"],
        logprob: Float[Tensor, "B"],
        end: int,
    ) -> None:
        """One token for each of ``row``; what a row says after its end does not count."""
        going = ~self.ended[row]
        row, token, logprob = row[going], token[going], logprob[going]
        self.tokens[row, step], self.logprobs[row, step] = token, logprob
        ending = row[token == end]
        self.length[ending], self.ended[ending] = step + 1, True

    def complete(self, last: bool) -> Iterator[tuple[int, list[SampledTokens]]]:
        """Groups that have just ended, or all that are left."""
        ended = self.ended.view(-1, self.group_size).all(1)
        for group in [group for group in self.open if last or ended[group]]:
            self.open.remove(group)
            rows = range(group * self.group_size, (group + 1) * self.group_size)
            yield group, [self._drawn(row) for row in rows]

    def _drawn(self, row: int) -> SampledTokens:
        length = int(self.length[row])
        return SampledTokens(
            tokens=tuple(self.tokens[row, :length].tolist()),
            logprobs=tuple(self.logprobs[row, :length].tolist()),
            truncated=not bool(self.ended[row]),
        )


def _decode(
    policy: Policy,
    rows: _Rows,
    uniforms: Float[Tensor, "P G T"],
    sampling: Sampling,
    step: Step,
) -> Iterator[tuple[int, list[SampledTokens]]]:
    written = _Output(*uniforms.shape)
    uniforms = uniforms.flatten(0, 1)
    for place in range(sampling.max_tokens):
        row = rows.row.cpu()
        token, logprob = draw(rows.logits, uniforms[row, place], sampling)
        written.add(place, row, token.cpu(), logprob.cpu(), policy.eos_token)
        yield from written.complete(last=place + 1 == sampling.max_tokens)
        if not written.open:
            return
        going = ~written.ended[row]
        if going.sum() <= (1 - ENDED_SHARE) * len(going):
            going = going.to(token.device)
            rows.keep(going)
            token = token[going]
        _advance(policy, rows, token, step)


def _prefill(
    policy: Policy,
    prompts: list[Prompt],
    features: list[VisionFeatures],
    group: int,
    max_tokens: int,
) -> _Rows:
    """G rows per prompt."""
    read = prefill(policy, prompts, features)
    after = [prompt.prefix.positions.max() + 1 for prompt in prompts]
    position = torch.stack(after).to(policy.device).repeat_interleave(group)
    return _Rows(
        past=past_of(policy, read.cache, read.mask, group, max_tokens),
        position=position.repeat(len(prompts[0].prefix.positions), 1),
        logits=policy.logits(read.last).repeat_interleave(group, 0),
        row=torch.arange(len(prompts) * group, device=policy.device),
    )


def _advance(policy: Policy, rows: _Rows, token: Int[Tensor, "B"], step: Step) -> None:
    """Feed one token per row."""
    # Compilers treat 0 and 1 as constants, and tell views from other tensors.
    if rows.past.length < 2:
        step = next_logits
    rows.logits = step(policy, rows.past, token.clone(), rows.position)
    rows.position = rows.position + 1
    rows.past.extend()


def next_logits(
    policy: Policy, past: Past, token: Int[Tensor, "B"], position: Int[Tensor, "axes B"]
) -> Float[Tensor, "B V"]:
    """Of the tokens after ``token``, whose keys and values are written into ``past``."""
    output = policy.vlm.model(
        input_ids=token[:, None],
        position_ids=policy.positions(position[:, :, None]),
        use_cache=True,
        **past.inputs(),
    )
    return policy.logits(output.last_hidden_state[:, -1])


def draw(
    logits: Float[Tensor, "B V"], uniform: Float[Tensor, "B"], sampling: Sampling
) -> tuple[Int[Tensor, "B"], Float[Tensor, "B"]]:
    """A token for each row, and its log-probability at the sampling temperature, uncut."""
    if sampling.temperature == 0:
        token = logits.argmax(-1)
        logprobs = torch.log_softmax(logits, dim=-1)
    else:
        logprobs = torch.log_softmax(logits / sampling.temperature, dim=-1)
        token = choose(cut(logprobs, sampling), uniform.to(logits.device))
    return token, logprobs.gather(-1, token[:, None])[:, 0]


def cut(logprobs: Float[Tensor, "B V"], sampling: Sampling) -> Float[Tensor, "B V"]:
    """Remove tokens outside top-k, the top-p nucleus or above min-p times the likeliest."""
    if sampling.top_k:
        smallest = logprobs.topk(min(sampling.top_k, logprobs.shape[-1]), dim=-1).values[:, -1:]
        logprobs = logprobs.masked_fill(logprobs < smallest, -torch.inf)
    if sampling.min_p:
        floor = logprobs.amax(-1, keepdim=True) + torch.tensor(sampling.min_p).log()
        logprobs = logprobs.masked_fill(logprobs < floor, -torch.inf)
    if sampling.top_p < 1:
        ordered, index = logprobs.softmax(-1).sort(dim=-1, descending=True)
        # A token stays while the probability of the likelier ones has not reached top_p.
        drop = ordered.cumsum(-1) - ordered >= sampling.top_p
        logprobs = logprobs.masked_fill(drop.scatter(-1, index, drop), -torch.inf)
    return logprobs
