"""The native engine: each prompt is prefilled once, then its G completions decode together."""

import os
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from shutil import which
from typing import ClassVar

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from groundrl.config_node import ConfigNode
from groundrl.policy.policy import Policy
from groundrl.policy.prompt import Prompt
from groundrl.policy.vision_store import VisionFeatures
from groundrl.rollout.base import LoadFeatures, RolloutEngine, SampledTokens, Sampling
from groundrl.rollout.cache import KVCache, make_kv_cache
from groundrl.rollout.prefill import order_by_length, prefill
from groundrl.rollout.randomness import RolloutSeeds
from groundrl.rollout.token_sampling import sample_tokens
from groundrl.running.full_memory import MemoryLimit

DecodeStep = Callable[
    [Policy, KVCache, Int[Tensor, "B"], Int[Tensor, "axes B"]], Float[Tensor, "B V"]
]
"""``decode_step``, compiled or not."""
COMPACTION_SHARE = 0.25
"""When this share of the rows of a batch has ended, the others go on in a smaller batch. 64 rows
go through 13 batch sizes at most."""


class NativeEngine(RolloutEngine):
    """Samples with the policy's own weights, in the policy's own process."""

    resource_options: ClassVar[frozenset[str]] = frozenset({"tokens_per_batch"})

    def __init__(self, tokens_per_batch: int = 65536, compile: bool = False) -> None:
        """``tokens_per_batch``: size of the KV cache in tokens, of the prompts that are decoded
        together and of their completions, padding included; it bounds memory and changes no
        result; it is halved where memory is full. ``compile``: fuse the work of a decoding step
        with ``torch.compile``, after half a minute of compilation."""
        self.memory_limit = MemoryLimit("tokens", tokens_per_batch, "rollout.tokens_per_batch")
        # One compilation serves all numbers of rows, prompts and tokens above one.
        self._step: DecodeStep = (
            torch.compile(decode_step, dynamic=True) if compile else decode_step
        )

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
        features: LoadFeatures,
        seeds: RolloutSeeds,
        sampling: Sampling,
    ) -> Generator[tuple[int, list[SampledTokens]]]:
        """See ``RolloutEngine``. A group is yielded while others are still being decoded."""
        uniforms = seeds.uniforms(sampling.max_tokens)
        loaded = features()
        everything = PromptBatch(
            order=order_by_length(prompts),
            lengths=[len(prompt.prefix.tokens) for prompt in prompts],
            group_tokens=seeds.group_size * sampling.max_tokens,
        )
        done = set[int]()
        for batch, attempt in self.memory_limit.attempts([everything]):
            # A group is the same in any batch, so those from before a failure count.
            rows = [i for i in batch.order if i not in done]
            with attempt:
                for place, group in _decode(
                    policy,
                    [prompts[i] for i in rows],
                    [loaded[i] for i in rows],
                    uniforms[rows],
                    sampling,
                    self._step,
                ):
                    done.add(rows[place])
                    yield rows[place], group


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptBatch:
    """Prompts whose completions decode together."""

    order: Sequence[int]
    """Indices of the prompts."""
    lengths: Sequence[int]
    """Tokens of every prompt."""
    group_tokens: int
    """Of a prompt's completions."""

    @property
    def size(self) -> int:
        """Tokens of the KV cache, padding included."""
        longest = max((self.lengths[i] for i in self.order), default=0)
        return len(self.order) * (longest + self.group_tokens)

    def within(self, limit: int) -> "list[PromptBatch]":
        """See ``batch_prompts``."""
        batches = batch_prompts(self.order, self.lengths, self.group_tokens, limit)
        return [replace(self, order=batch) for batch in batches]


def batch_prompts(
    order: Iterable[int], lengths: Sequence[int], group_tokens: int, budget: int
) -> Iterator[list[int]]:
    """Split ``order`` into batches of P prompts with ``P * (longest + group_tokens) <= budget``,
    or of one prompt. ``lengths``: tokens of each prompt; ``group_tokens``: of its completions."""
    batch: list[int] = []
    longest = 0
    for index in order:
        longest = max(longest, lengths[index])
        if batch and (len(batch) + 1) * (longest + group_tokens) > budget:
            yield batch
            batch, longest = [], lengths[index]
        batch.append(index)
    if batch:
        yield batch


@dataclass(slots=True)
class _DecodingRows:
    """State of the completions that decode together; some of them may have ended."""

    cache: KVCache
    position: Int[Tensor, "axes B"]
    """Rotary position of the next token."""
    logits: Float[Tensor, "B V"]
    """Of the next token."""
    row: Int[Tensor, "B"]
    """Index of the completion among the ``P * G`` of the batch."""

    def select(self, going: Bool[Tensor, "B"]) -> None:
        """Remove the rows that are not ``going``; their logits are not needed any more."""
        index = going.nonzero()[:, 0]
        self.cache.select_rows(index)
        self.position, self.row = self.position[:, index], self.row[index]


class _SampledRows:
    """The tokens sampled so far for the ``P * G`` completions of a batch, on the CPU."""

    def __init__(self, groups: int, group_size: int, max_tokens: int) -> None:
        count = groups * group_size
        self.group_size = group_size
        self.tokens = torch.zeros((count, max_tokens), dtype=torch.long)
        self.logprobs = torch.zeros((count, max_tokens))
        self.length = torch.full((count,), max_tokens)
        self.ended = torch.zeros(count, dtype=torch.bool)
        self.open = list(range(groups))
        """Groups that have not been yielded."""

    def add(
        self,
        step: int,
        row: Int[Tensor, "B"],
        token: Int[Tensor, "B"],
        logprob: Float[Tensor, "B"],
        end: int,
    ) -> None:
        """Add one token to each of ``row``; tokens after the end token are ignored."""
        going = ~self.ended[row]
        row, token, logprob = row[going], token[going], logprob[going]
        self.tokens[row, step], self.logprobs[row, step] = token, logprob
        ending = row[token == end]
        self.length[ending], self.ended[ending] = step + 1, True

    def complete(self, last: bool) -> Iterator[tuple[int, list[SampledTokens]]]:
        """Yield the groups whose completions have all ended since the last call; all others, too,
        when the token was the ``last``."""
        ended = self.ended.view(-1, self.group_size).all(1)
        for group in [group for group in self.open if last or ended[group]]:
            self.open.remove(group)
            rows = range(group * self.group_size, (group + 1) * self.group_size)
            yield group, [self._completion(row) for row in rows]

    def _completion(self, row: int) -> SampledTokens:
        length = int(self.length[row])
        return SampledTokens(
            tokens=tuple(self.tokens[row, :length].tolist()),
            logprobs=tuple(self.logprobs[row, :length].tolist()),
            truncated=not bool(self.ended[row]),
        )


def _decode(
    policy: Policy,
    prompts: list[Prompt],
    features: list[VisionFeatures],
    uniforms: Float[Tensor, "P G T"],
    sampling: Sampling,
    step: DecodeStep,
) -> Iterator[tuple[int, list[SampledTokens]]]:
    """Sample until all rows have ended or have ``max_tokens``; yield groups as they complete."""
    if not prompts:
        return
    rows = _start_rows(policy, prompts, features, uniforms.shape[1], sampling.max_tokens)
    sampled = _SampledRows(*uniforms.shape)
    uniforms = uniforms.flatten(0, 1)
    for place in range(sampling.max_tokens):
        row = rows.row.cpu()
        token, logprob = sample_tokens(rows.logits, uniforms[row, place], sampling)
        sampled.add(place, row, token.cpu(), logprob.cpu(), policy.eos_token)
        yield from sampled.complete(last=place + 1 == sampling.max_tokens)
        if not sampled.open:
            return
        going = ~sampled.ended[row]
        if going.sum() <= (1 - COMPACTION_SHARE) * len(going):
            going = going.to(token.device)
            rows.select(going)
            token = token[going]
        _feed_tokens(policy, rows, token, step)


def _start_rows(
    policy: Policy,
    prompts: list[Prompt],
    features: list[VisionFeatures],
    group_size: int,
    max_tokens: int,
) -> _DecodingRows:
    """Prefill the prompts and start ``group_size`` rows for each."""
    prefilled = prefill(policy, prompts, features)
    after = [prompt.prefix.positions.max() + 1 for prompt in prompts]
    position = torch.stack(after).to(policy.device).repeat_interleave(group_size)
    return _DecodingRows(
        cache=make_kv_cache(policy, prefilled.cache, prefilled.mask, group_size, max_tokens),
        position=position.repeat(len(prompts[0].prefix.positions), 1),
        logits=policy.logits(prefilled.last_hidden).repeat_interleave(group_size, 0),
        row=torch.arange(len(prompts) * group_size, device=policy.device),
    )


def _feed_tokens(
    policy: Policy, rows: _DecodingRows, token: Int[Tensor, "B"], step: DecodeStep
) -> None:
    """Feed one token per row, and set the logits of the next one."""
    # Compilers treat 0 and 1 as constants, and distinguish views from other tensors.
    if rows.cache.length < 2:
        step = decode_step
    rows.logits = step(policy, rows.cache, token.clone(), rows.position)
    rows.position = rows.position + 1
    rows.cache.extend()


def decode_step(
    policy: Policy, cache: KVCache, token: Int[Tensor, "B"], position: Int[Tensor, "axes B"]
) -> Float[Tensor, "B V"]:
    """Logits of the tokens after ``token``, whose keys and values are added to ``cache``."""
    output = policy.vlm.model(
        input_ids=token[:, None],
        position_ids=policy.positions(position[:, :, None]),
        use_cache=True,
        **cache.inputs(),
    )
    return policy.logits(output.last_hidden_state[:, -1])
