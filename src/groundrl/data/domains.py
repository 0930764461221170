"""Training in one domain, and measuring in two ("Visual Reasoning", study 3)."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final, Literal

from groundrl.data.datasets import SampleList
from groundrl.data.module import GroundingDataModule
from groundrl.errors import UserError
from groundrl.questions.yes_no import TRUE_OR_FALSE
from groundrl.records import Sample

Domain = Literal["synthetic", "real", "mixed"]
"""Where training samples come from; "mixed": half from either."""
OTHER_WORDING: Final = "Is this so? "
"""Stands before a statement of which a model is not asked so elsewhere."""


def two_domains(
    *,
    synthetic: GroundingDataModule,
    real: GroundingDataModule,
    domain: Domain = "synthetic",
    matched_prompts: bool = True,
    heldout_size: int | None = 500,
    prompts_per_step: int = 8,
    seed: int = 0,
    num_workers: int = 0,
) -> GroundingDataModule:
    """Statements of two data sets: ``domain`` is trained on, both are held out under their names.

    ``matched_prompts=False`` puts the training statements in other words than the held-out ones.
    "mixed" has as many samples as the smaller data set. Raises UserError for a data set without
    exactly one held-out set, or that is not listed beforehand.
    """
    modules = {"synthetic": synthetic, "real": real}
    train = _mixed(modules) if domain == "mixed" else _listed(domain, modules[domain])
    if not matched_prompts:
        train = SampleList(tuple(map(in_other_words, train.samples)))
    return GroundingDataModule(
        train=train,
        heldout={name: _only_heldout(name, one, heldout_size) for name, one in modules.items()},
        prompts_per_step=prompts_per_step,
        seed=seed,
        num_workers=num_workers,
        form=synthetic.form,
    )


def in_other_words(sample: Sample) -> Sample:
    """ "True or false: ..." becomes "Is this so? ..."; the answer stays true or false.

    Raises UserError for a sample that is no statement.
    """
    if TRUE_OR_FALSE not in sample.question:
        raise UserError(
            f"data.matched_prompts=false rewords statements, and sample {sample.id!r} of "
            f"{sample.provenance.dataset} is none: type data.matched_prompts=true"
        )
    return replace(sample, question=sample.question.replace(TRUE_OR_FALSE, OTHER_WORDING, 1))


def _mixed(modules: Mapping[str, GroundingDataModule]) -> SampleList:
    first, second = (_listed(name, module) for name, module in modules.items())
    size = min(len(first), len(second))
    # By two seeds: domains that show the same statements are not asked the same half of them.
    return SampleList(
        first.take(size // 2, seed=0).samples + second.take(size - size // 2, seed=1).samples
    )


def _listed(name: str, module: GroundingDataModule) -> SampleList:
    if not isinstance(module.train, SampleList):
        raise UserError(f"data.{name} draws its samples when they are needed: expected a list")
    return module.train


def _only_heldout(name: str, module: GroundingDataModule, size: int | None) -> SampleList:
    sets = list(module.heldout.values())
    if len(sets) != 1 or not isinstance(sets[0], SampleList):
        raise UserError(f"data.{name} has {len(sets)} held-out sets: expected one list of samples")
    return sets[0].take(size, seed=0)
