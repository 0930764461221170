"""Builds a training run from a checked config."""

import inspect
import logging
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import torch
from lightning_utilities.core.rank_zero import rank_zero_only
from omegaconf import DictConfig, OmegaConf

from groundrl.answers.attempt import ABSENCE_KINDS
from groundrl.config.problems import raise_all
from groundrl.data.datasets import SampleSource, known_samples
from groundrl.errors import UserError
from groundrl.evaluation.heldout import HeldOut
from groundrl.evaluation.prompting import choose_template
from groundrl.grammar import get_grammar
from groundrl.launch.make import make
from groundrl.launch.resolved import chosen_options
from groundrl.launch.warmup import ANSWER_TOKENS, find_warmup
from groundrl.policy.processor import Processor, pixel_limits
from groundrl.pretraining.make_embedded import Pretraining
from groundrl.rewards.base import RewardTerm
from groundrl.rewards.function import Function
from groundrl.rewards.policy_weights import lend_weights
from groundrl.rollout.base import Sampling
from groundrl.rollout.sampler import Sampler
from groundrl.running.launched import runs_alone
from groundrl.stages.fit import MakeTrainer
from groundrl.stages.fitting.strategy import LIGHTNING_STRATEGIES
from groundrl.stages.pipeline import Pipeline
from groundrl.stages.reward_model import check_two_classes
from groundrl.stages.reward_model_run import RewardModelTraining

T = TypeVar("T")

logger = logging.getLogger(__name__)


def build_training(cfg: DictConfig, run_dir: Path) -> Pipeline | Pretraining | RewardModelTraining:
    """The training run that ``cfg`` describes, with its output in ``run_dir``."""
    if "pretrain" in cfg.pipeline:
        return build_pretraining(cfg, run_dir)
    if "reward_model" in cfg.pipeline:
        return build_reward_model(cfg, run_dir)
    torch.manual_seed(cfg.seed)  # fresh adapters are random
    grammar = get_grammar(cfg.grammar)
    # The data is read before the weights: its mistakes are the commoner and the cheaper ones.
    data = make(cfg.data, seed=cfg.seed)
    terms = make(cfg.reward.terms)
    check_terms_apply(terms, data.train)
    try_functions(terms, data.train)
    if "sft" in cfg.pipeline:
        check_rationales(data.train)
    policy = make(cfg.model)
    # Prompts ask for what the data is about as an evaluation of it does.
    template = choose_template(policy.encode.template, data.form, grammar, "grounded")
    policy.encode = policy.encode.with_template(template)
    report_shrunk((data.train, *data.heldout.values()), policy.processor)
    reward = lend_weights(make(cfg.reward, grammar=grammar, frame=policy.frame), policy)
    engine = make(cfg.rollout)  # one: it may hold a second copy of the weights
    supplied = {"policy": policy, "grammar": grammar, "reward": reward, "engine": engine}
    greedy = Sampling(max_tokens=OmegaConf.select(cfg, ANSWER_TOKENS), temperature=0.0)
    return Pipeline(
        policy=policy,
        data=data,
        plans={name: make(cfg.stage[name]) for name in cfg.pipeline},
        build=partial(build_part, supplied=supplied),
        held_out=HeldOut(
            sets=data.heldout,
            sampler=Sampler(engine, greedy, group_size=1),
            reward=reward,
            num_workers=data.num_workers,
        ),
        make_trainer=make_trainer(cfg.trainer),
        run_dir=run_dir,
        hparams=chosen_options(cfg),
        warmup=find_warmup(cfg, data),
    )


def make_trainer(node: DictConfig) -> MakeTrainer:
    """The trainer; several processes work together as ``LIGHTNING_STRATEGIES`` has it."""
    if runs_alone(node):
        # Lightning reads RANK, which a container may have set.
        rank_zero_only.rank = 0  # pyright: ignore[reportFunctionMemberAccess]
        return partial(make(node), strategy="auto")
    return partial(make(node), strategy=LIGHTNING_STRATEGIES[node.get("strategy", "auto")])


def check_terms_apply(terms: Mapping[str, RewardTerm], train: SampleSource) -> None:
    """Raise UserError for terms that apply to no sample; samples of the world fit all of them."""
    known = known_samples(train)
    if known is None:
        return
    found = {
        "answers": any(sample.answers for sample in known.samples),
        "groundings": any(s.groundings or s.kind in ABSENCE_KINDS for s in known.samples),
    }
    raise_all(
        [
            f"reward.terms.{name} needs {need}, but none of the {len(known)} training samples has "
            f"any: drop the term with ~reward.terms.{name}, or put {need} into the data"
            for name, term in terms.items()
            for need in sorted(term.needs)
            if not found[need]
        ],
        "The reward",
    )


def try_functions(terms: Mapping[str, object], train: SampleSource) -> None:
    """Call each reward function of another trainer once, about the first sample; raises UserError
    for one that fails."""
    for name, term in terms.items():
        if isinstance(term, Function):
            try:
                term.try_on(train[0])
            except UserError as error:
                raise UserError(f"reward.terms.{name}: {error}") from error


def check_rationales(train: SampleSource) -> None:
    """Raise UserError for samples without a rationale; those of the world all have one."""
    known = known_samples(train)
    if known is None:
        return
    lacking = [sample.id for sample in known.samples if sample.rationale is None]
    if lacking:
        raise UserError(
            f"{len(lacking)} of {len(known)} training samples have no rationale, {lacking[0]!r} "
            "for example, and the SFT warm-up needs one for every sample: add them, learn answers "
            "alone with data.target=answer_only where the data has that option, or skip the "
            "warm-up with pipeline=[grpo]"
        )


def report_shrunk(sources: Iterable[SampleSource], processor: Processor) -> None:
    """Log how many images have more pixels than the model sees of them, if any."""
    limit = pixel_limits(processor).get("max_pixels")
    found = [known_samples(source) for source in sources]
    listed = [known for known in found if known is not None]
    areas = {
        image.key: image.width * image.height
        for known in listed
        for sample in known.samples
        for image in sample.images
    }
    large = [area for area in areas.values() if limit is not None and area > limit]
    if large:
        logger.info(
            "%d of %d images have more than model.max_pixels=%d pixels (up to %d): the model sees "
            "them shrunk to that, in nearly the same shape",
            *(len(large), len(areas), limit, max(large)),
        )


def build_pretraining(cfg: DictConfig, run_dir: Path) -> Pretraining:
    """The run that makes the embedded model."""
    return Pretraining(
        plan=make(cfg.stage.pretrain),
        grammar=get_grammar(cfg.grammar),
        template=make(cfg.model.template),
        make_trainer=make_trainer(cfg.trainer),
        run_dir=run_dir,
        seed=cfg.seed,
    )


def build_reward_model(cfg: DictConfig, run_dir: Path) -> RewardModelTraining:
    """The run that trains a reward model."""
    torch.manual_seed(cfg.seed)  # fresh adapters are random
    # The data is read before the weights: its mistakes are the commoner and the cheaper ones.
    data = make(cfg.data)
    plan = make(cfg.stage.reward_model)
    check_two_classes(data.train, plan.module.keywords["level"])
    supplied = {"policy": make(cfg.model), "captions": data.train}
    return RewardModelTraining(
        data=data,
        plan=plan,
        build=partial(build_part, supplied=supplied),
        make_trainer=make_trainer(cfg.trainer),
        run_dir=run_dir,
        seed=cfg.seed,
        hparams=chosen_options(cfg),
    )


def build_part(make: Callable[..., T], /, supplied: dict[str, Any]) -> T:
    """See ``Build``: made with those of ``supplied`` that the constructor has parameters for."""
    assert isinstance(make, partial)
    wanted = inspect.signature(make.func).parameters
    return make(**{name: value for name, value in supplied.items() if name in wanted})
