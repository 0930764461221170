"""One GRPO step in three ways: ours, ours with nothing shared, and TRL's trainer."""

import random
import time
from collections.abc import Callable, Generator, Mapping
from functools import partial
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any, ClassVar

import lightning as L
from measuring import COUNTED, KL_COEF, STEPS, Figures, forget_peak, in_use
from parity import parity
from policies import policy_for
from roofline import measured_peak, rollout_cost, shape_of, update_cost
from torch import Tensor
from trl_step import trl
from work import Work

from groundrl.advantages import Advantage
from groundrl.answers.attempt import Attempt
from groundrl.data.datasets import SampleList
from groundrl.data.module import GroundingDataModule
from groundrl.grammar import get_grammar
from groundrl.losses import Normalizer, PolicyLoss
from groundrl.policy.policy import Policy
from groundrl.policy.prompt import Prompt
from groundrl.policy.shared_prefix.scoring import TokenLogprobs
from groundrl.records import Sample
from groundrl.report.run_report import read_curves
from groundrl.rewards.base import RewardSum
from groundrl.rollout.base import LoadFeatures, RolloutEngine, SampledTokens, Sampling
from groundrl.rollout.native import NativeEngine
from groundrl.rollout.randomness import RolloutSeeds
from groundrl.rollout.sampler import Sampler
from groundrl.stages.fit import StagePlan, fit
from groundrl.stages.fitting.batches import Batch, Group
from groundrl.stages.fitting.optimization import Optimization
from groundrl.stages.grpo import GRPOModule


class Dice:
    """A reward that leaves no group without variance."""

    needs: ClassVar[frozenset[str]] = frozenset()
    weight = 1.0

    def __init__(self) -> None:
        self.rng = random.Random(0)

    def __call__(self, attempt: Attempt) -> float:
        return self.rng.random()


class Watched(GRPOModule):
    """Remembers when its steps end, and the memory of the last update."""

    memory: float = 0.0

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.ends: list[float] = []

    def log_step(self, metrics: Mapping[str, float | Tensor], step: int) -> None:
        super().log_step(metrics, step)
        self.ends.append(time.perf_counter())

    def optimize(self, batches: list[Batch], normalizer: Normalizer) -> Figures:
        last = self.rollouts_done + 1 == STEPS
        if last:
            forget_peak(self.device.type)
        metrics = super().optimize(batches, normalizer)
        if last:
            self.memory = in_use(self.device.type, peak=True)
        return metrics


class NothingShared(Watched):
    """Every completion brings its prompt along, and its image."""

    def logprobs(self, groups: list[Group]) -> TokenLogprobs:
        rows = [(group.prompt, branch) for group in groups for branch in group.completions]
        images = [image for prompt, _ in rows for image in prompt.images]
        return self.policy.logprobs(
            [prompt for prompt, _ in rows],
            [[branch] for _, branch in rows],
            # The tower by itself would look at equal images once.
            features=self.policy.tower.compute(images),
            temperature=self.sampler.sampling.temperature,
        )


class GenerateEngine(RolloutEngine):
    """``model.generate`` on one row per completion."""

    def generate(
        self,
        policy: Policy,
        prompts: list[Prompt],
        features: LoadFeatures,
        seeds: RolloutSeeds,
        sampling: Sampling,
    ) -> Generator[tuple[int, list[SampledTokens]]]:
        chat = partial(
            policy.processor.apply_chat_template, tokenize=False, add_generation_prompt=True
        )
        rows = [prompt for prompt in prompts for _ in range(seeds.group_size)]
        inputs = policy.processor(
            text=[chat(prompt.messages) for prompt in rows],
            images=[[image.source.load() for image in prompt.images] for prompt in rows],
            return_tensors="pt",
        ).to(policy.device)
        length = inputs["input_ids"].shape[1]
        new = sampling.max_tokens
        sequences: Any = policy.vlm.generate(
            **inputs,
            do_sample=True,
            min_new_tokens=new,
            max_new_tokens=new,
            suppress_tokens=list(policy.spec.placeholders),
        )
        nothing = (0.0,) * new
        drawn = [
            SampledTokens(tokens=tuple(tokens[length:].tolist()), logprobs=nothing, truncated=True)
            for tokens in sequences
        ]
        for i in range(len(prompts)):
            yield i, drawn[i * seeds.group_size :][: seeds.group_size]


class Encoding:
    """What a loader does for each sample, and how long it took."""

    def __init__(self, encode: Callable[[Sample], Prompt]) -> None:
        self.encode = encode
        self.seconds: list[float] = []

    def __call__(self, sample: Sample) -> Prompt:
        start = time.perf_counter()
        prompt = self.encode(sample)
        self.seconds.append(time.perf_counter() - start)
        return prompt


def ours(work: Work, folder: Path, sharing: bool) -> Figures:
    """Seconds from the end of a step to the end of the next one, and of its parts; MB of the
    update above those of the loaded model. Reading prompts and images is part of the rollout."""
    policy = policy_for(work, sharing)
    module = (Watched if sharing else NothingShared)(
        policy=policy,
        engine=NativeEngine() if sharing else GenerateEngine(),
        sampler=partial(
            Sampler, sampling=Sampling(max_tokens=work.completion), group_size=work.group
        ),
        reward=RewardSum(
            terms={"dice": Dice()}, grammar=get_grammar("obj_bbox"), frame=policy.frame
        ),
        advantage=Advantage(),
        loss=PolicyLoss(kl_coef=KL_COEF),
        optimization=Optimization(lr=1e-6, steps=STEPS),
        tokens_per_forward=2**20,  # the whole step at once, as TRL does it
    )
    question = work.question(policy.processor)
    samples = tuple(work.sample(i, question) for i in range(STEPS * work.prompts))
    encode = Encoding(policy.encode)
    data = GroundingDataModule(
        train=SampleList(samples),
        prompts_per_step=work.prompts,
        seed=0,
        encode=encode,
    )
    plan = StagePlan(module=GRPOModule, steps=STEPS, prompts_per_step=work.prompts)
    precision = {} if work.device == "cpu" else {"precision": "bf16-mixed"}
    before = in_use(work.device)
    fit(
        "grpo",
        module,
        data,
        plan,
        partial(L.Trainer, accelerator=work.device, devices=1, **precision),
        folder,
    )
    curves = read_curves(folder)["grpo"]
    parts = {
        part: median(value for _, value in curves[f"time/{part}"][COUNTED])
        for part in ("rollout", "update")
    }
    step = median([b - a for a, b in pairwise([0.0, *module.ends])][COUNTED])
    reading = work.prompts * median(encode.seconds)
    if sharing:
        parts["rollout"] += reading
    else:  # its engine has read them, too
        step -= reading
    return {"memory": module.memory - before, "step": step, **parts}


def floor(work: Work, folder: Path) -> Figures:
    """Seconds that rollout and update would take at the machine's measured peak."""
    policy = policy_for(work, sharing=True)
    model: Any = policy.vlm.model
    shape = shape_of(policy.vlm, model.language_model, model.visual)
    peak = measured_peak(work.device, work.dtype)
    rollout, update = rollout_cost(shape, work), update_cost(shape, work)
    return {
        "rollout": rollout.seconds(peak),
        "update": update.seconds(peak),
        "rollout_gflop": rollout.flops / 1e9,
        "update_gflop": update.flops / 1e9,
        "peak_gflops": peak.flops / 1e9,
        "peak_gb_per_second": peak.bytes / 1e9,
    }


RUNS: dict[str, Callable[[Work, Path], Figures]] = {
    "ours": partial(ours, sharing=True),
    "plain": partial(ours, sharing=False),
    "trl": trl,
    "parity": parity,
    "floor": floor,
}
