"""A finished run as a folder to share.

``python -m groundrl.export run=outputs/my_run to=folder``

form=merged (the default): a whole model of transformers, the adapter merged into its base in
float32 and compared with the adapter beside it. form=adapter: the adapter alone, as vLLM serves it.
Both hold a model card (README.md) and groundrl.json, by which groundrl.ask and its client ask.
push=you/name uploads the folder as a private repository. base=<folder or hub id>: where the base
is now, if not where it was.
"""

import json
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast, get_args

import torch
from omegaconf import DictConfig

from groundrl.errors import UserError
from groundrl.export.card import CARD, Form, write_card
from groundrl.export.description import ModelDescription, read_description, write_description
from groundrl.export.folder import check_new, new_folder
from groundrl.export.push import check_push, push_folder
from groundrl.feedback.options import read_options
from groundrl.files import read_json, write_text
from groundrl.grammar import get_grammar
from groundrl.grammar.base import Grammar
from groundrl.launch.trained_run import load_trained, open_run, saved_adapter
from groundrl.policy.adapters.merge import MergeDifferences, merge_adapter
from groundrl.policy.policy import Policy
from groundrl.rewards.audit.cases import world_samples

USAGE = (
    "python -m groundrl.export run=<run directory> to=<new folder> [form=merged|adapter] "
    "[push=<you/name>] [base=<folder or hub id>]"
)
COMPARED = 8
"""Answers about the embedded world by which the merged model is compared."""
ADAPTER_FILES = ("adapter_config.json", "adapter_model.safetensors")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportOptions:
    """What the command line says."""

    run: Path
    to: Path
    form: Form
    push: str
    """Empty: nowhere."""
    base: str
    """Empty: where it was."""


def parse_options(arguments: Sequence[str]) -> ExportOptions:
    """Raises UserError."""
    defaults = {"run": None, "to": None, "form": "merged", "push": "", "base": ""}
    values = read_options(arguments, USAGE, defaults)
    form = values["form"]
    if form not in get_args(Form):
        raise UserError(f"form={form} is unknown: type form=merged or form=adapter")
    return ExportOptions(
        run=Path(values["run"]).expanduser(),
        to=Path(values["to"]).expanduser(),
        form=cast(Form, form),
        push=values["push"],
        base=values["base"],
    )


def main(arguments: Sequence[str]) -> int:
    """Run the command; returns the exit status."""
    if "--help" in arguments or "-h" in arguments:
        print(f"{__doc__}\n{USAGE}")
        return 0
    try:
        options = parse_options(arguments)
        trained = open_run(options.run)
        check_new(options.to)
        if options.push:
            check_push(options.push)
        export = export_adapter if options.form == "adapter" else export_merged
        export(options, trained)
        print(options.to)
        if options.push:
            print(push_folder(options.to, options.push))
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def export_adapter(options: ExportOptions, trained: DictConfig) -> None:
    """Copy the adapter of the run, with a card."""
    source = options.run / "adapter"
    if not saved_adapter(options.run):
        raise UserError(
            f"run={options.run} trained the whole model, and has no adapter: type form=merged"
        )
    description = describe_run(options)
    weights = (source / "adapter_model.safetensors").stat().st_size
    with new_folder(options.to, weights) as folder:
        for name in ADAPTER_FILES:
            shutil.copyfile(source / name, folder / name)
        if options.base:
            name_base(folder / "adapter_config.json", options.base)
        write_description(folder, description)
        write_text(folder / CARD, write_card(options.run, description, "adapter"))


def describe_run(options: ExportOptions) -> ModelDescription:
    """What the run says about its model, with the base where it is now. Raises UserError."""
    found = read_description(options.run / "adapter")
    return replace(found, base=options.base) if options.base else found


def name_base(path: Path, base: str) -> None:
    """Write the base into the config of an adapter."""
    config = read_json(path)
    config["base_model_name_or_path"] = base
    write_text(path, json.dumps(config, indent=2))


def export_merged(options: ExportOptions, trained: DictConfig) -> None:
    """Merge, compare, print the differences, and write the whole model."""
    if trained.adapter.kind == "soft_prompt":
        raise UserError(
            f"run={options.run} trained a soft prompt, which stands before the model and cannot "
            "be merged into its weights: type form=adapter"
        )
    description = describe_run(options)
    policy = load_trained(str(options.run), options.base)
    grammar = get_grammar(trained.grammar)
    dtype = policy.vlm.dtype
    size = sum(p.numel() for p in policy.vlm.parameters()) * dtype.itemsize
    with new_folder(options.to, size) as folder:
        print(compare_merged(policy, grammar, dtype), file=sys.stderr)
        policy.save(folder)
        write_description(folder, description)
        write_text(folder / CARD, write_card(options.run, description, "merged"))


def compare_merged(policy: Policy, grammar: Grammar, dtype: torch.dtype) -> str:
    """Merge, and say by how much answers about the embedded world change."""
    samples = world_samples(COMPARED, seed=0)
    examples = policy.encode.examples(samples)
    template = policy.encode.template
    answers = [
        policy.encode.answer_tokens(
            grammar.render(template.response(sample, prompt.sizes, policy.frame))
        )
        for sample, prompt in examples
    ]
    return tell_differences(merge_adapter(policy, dtype, examples, answers), dtype)


def tell_differences(found: MergeDifferences, dtype: torch.dtype) -> str:
    """One line."""
    name = str(dtype).removeprefix("torch.")
    return (
        f"merged in float32: log-probabilities of {found.tokens} tokens differ by at most "
        f"{found.merged:.2g} from those of the adapter beside its base; saved in {name}: by at "
        f"most {found.saved:.2g}"
    )
