"""The model card of a run, ``README.md``: made of the run's own files."""

import html
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal

import yaml

from groundrl.config_node import value_at
from groundrl.data.provenance import read_sources
from groundrl.errors import UserError
from groundrl.export.description import ModelDescription
from groundrl.export.how_to import how_to_use
from groundrl.export.licence import is_hub_id, state_licence
from groundrl.files import read_yaml
from groundrl.policy.embedded import EMBEDDED
from groundrl.report.answers.stage_answers import StageAnswer, pick_examples, read_answers
from groundrl.report.runs import read_metrics
from groundrl.report.tables import Metrics, Table, before_after, number, to_markdown

Form = Literal["adapter", "merged"]
"""An adapter for its base, or a whole model."""

CARD: Final = "README.md"
MAX_LENGTH: Final = 120
"""Characters of a text of a model or a data set, in a table."""
MOST_WORST: Final = 8
"""Answers shown."""
MOST_KINDS: Final = 6
_MARKUP = re.compile(r"[\[\]`*_~!\\]")


def write_card(run_dir: Path, description: ModelDescription, form: Form) -> str:
    """Markdown with the metadata of the hub in front."""
    file = run_dir / "resolved.yaml"
    config = read_yaml(file) if file.is_file() else {}
    if not isinstance(config, dict):
        raise UserError(f"{file} is no config of a run: restore the file")
    stages, _ = read_metrics(run_dir)
    parts = [
        *_head(config, description, form),
        *_training(config),
        *_data(run_dir),
        *_figures(stages),
        *_weaknesses(stages, read_answers(run_dir, list(stages))),
        *how_to_use(
            description,
            "soft_prompt" if value_at(config, "adapter.kind") == "soft_prompt" else form,
            rank=value_at(config, "adapter.rank"),
            tower_adapted=value_at(config, "adapter.vision") == "lora",
        ),
    ]
    return "\n".join(parts)


def _head(config: Mapping[str, Any], description: ModelDescription, form: Form) -> Iterator[str]:
    base = description.base
    pipeline = config.get("pipeline") or []
    tags = ["visual-grounding", "groundrl", *pipeline]
    metadata: dict[str, Any] = {
        "library_name": "peft" if form == "adapter" else "transformers",
        "pipeline_tag": "image-text-to-text",
        "tags": list(dict.fromkeys(tags)),
    }
    if is_hub_id(base):
        metadata["base_model"] = base
        metadata["base_model_relation"] = "adapter" if form == "adapter" else "finetune"
    if base == EMBEDDED:
        metadata["license"] = state_licence(base).lower()
    yield f"---\n{yaml.safe_dump(metadata, sort_keys=False)}---\n"
    yield f"# {Path(base).name or 'A model'}, trained to point at what it talks about\n"
    kind = value_at(config, "adapter.kind")
    what = {
        "adapter": f"A soft prompt of {value_at(config, 'adapter.tokens')} vectors for"
        if kind == "soft_prompt"
        else f"A LoRA adapter (rank {value_at(config, 'adapter.rank')}) for",
        "merged": "A whole model, trained from" if kind == "none" else "An adapter merged into",
    }[form]
    yield (
        f"{what} {_name(base)}. It writes boxes beside the words that they belong to, as "
        f"`{description.notation.grammar.syntax}`, in the frame `{description.frame}`.\n"
    )
    if kind == "qlora":
        full = "; it is merged into weights of full precision" if form == "merged" else ""
        yield f"The adapter was trained on 4-bit weights of the base{full}.\n"
    if begun := value_at(config, "adapter.path"):
        name = "/".join(Path(begun).parts[-2:])
        yield f"Training began with the adapter `{name}`; what that learned is not listed here.\n"
    yield f"Licence of the base: {state_licence(base)}. Those of the data stand below.\n"


def _name(base: str) -> str:
    if base == EMBEDDED:
        return "the embedded model of the package groundrl"
    if is_hub_id(base):
        return f"[{base}](https://huggingface.co/{base})"
    return f"`{Path(base).name}`"  # its path means nothing on another machine


def _training(config: Mapping[str, Any]) -> Iterator[str]:
    rows = []
    for name in config.get("pipeline") or ():
        stage = value_at(config, f"stage.{name}") or {}
        found = (
            stage.get("steps"),
            stage.get("prompts_per_step"),
            value_at(stage, "module.sampler.group_size"),
            value_at(stage, "module.optimization.lr"),
        )
        rows.append((name, *map(_figure, found)))
    terms = value_at(config, "reward.terms") or {}
    if not rows:
        return
    yield "## Training\n"
    columns = ("stage", "steps", "prompts a step", "completions a prompt", "learning rate")
    yield to_markdown(Table(columns=columns, rows=tuple(rows)))
    if terms and any(row[3] for row in rows):
        weights = {name: _figure(value_at(term, "weight")) for name, term in terms.items()}
        listed = ", ".join(f"{k} (weight {v})" if v else k for k, v in weights.items())
        yield f"Reward: the sum of {listed}. Seed {config.get('seed')}.\n"


def _figure(value: object) -> str:
    """Empty for what is no number: a class from outside may have other options."""
    return f"{value:g}" if isinstance(value, int | float) else ""


def _data(run_dir: Path) -> Iterator[str]:
    rows = tuple(
        (one.set, cell(one.dataset), cell(one.split), cell(one.licence), f"{one.samples}")
        for one in read_sources(run_dir)
    )
    if rows:
        yield "## Data\n"
        columns = ("set", "data set", "split", "licence", "samples")
        yield to_markdown(Table(columns=columns, rows=rows))


def _figures(stages: Mapping[str, Metrics]) -> Iterator[str]:
    if not stages:
        return
    yield "## Figures\n"
    yield to_markdown(before_after(stages, list(stages)))
    yield (
        "On held-out questions, with half the width of the 95 % interval; `n` questions a set. "
        "`start` is the base before training.\n"
    )


def _weaknesses(
    stages: Mapping[str, Metrics], answers: Sequence[Sequence[StageAnswer]]
) -> Iterator[str]:
    if not answers:
        return
    yield "## Known weaknesses\n"
    last = list(stages.values())[-1] if stages else {}
    for name, meaning in {
        "truncated": "answers are longer than the limit of tokens",
        "parse_failure": "answers are not well-formed",
    }.items():
        shares = {key: last[key] for key in last if key.endswith(f"/{name}")}
        found = ", ".join(f"{key.split('/')[0]} {number(share)}" for key, share in shares.items())
        if any(shares.values()):
            yield f"* Share of answers by set, {meaning}: {found}."
    yield from _weak_kinds(answers[-1])
    yield "\nThe worst answers to held-out questions:\n"
    worst = [one for pick, one in pick_examples(answers[-1:]) if pick == "worst"]
    rows = tuple(
        (
            cell(one.record.question),
            cell(", ".join(one.record.answers)),
            cell(one.record.text),
            "" if one.record.iou is None else f"{one.record.iou:.2f}",
        )
        for one in worst[:MOST_WORST]
    )
    yield to_markdown(Table(columns=("question", "right", "answer", "IoU of boxes"), rows=rows))
    yield (
        "Other pictures, other kinds of question and other languages than those of the data above "
        "were not measured.\n"
    )


def _weak_kinds(answers: Sequence[StageAnswer]) -> Iterator[str]:
    """The kinds of question with the fewest right answers, as one line."""
    kinds: dict[str, list[bool]] = {}
    for one in answers:
        if one.record.correct is not None:
            kinds.setdefault(one.record.kind, []).append(one.record.correct)
    ranked = sorted(kinds.items(), key=lambda item: (sum(item[1]) / len(item[1]), item[0]))
    if len(ranked) > 1:
        listed = ", ".join(f"{k} {sum(v)} of {len(v)}" for k, v in ranked[:MOST_KINDS])
        yield f"* Right answers by kind of question, the fewest first: {listed}."


def cell(text: str) -> str:
    """An untrusted text for a table: on one line, without markup, at most ``MAX_LENGTH`` long."""
    line = " ".join(text.split())
    cut = line if len(line) <= MAX_LENGTH else f"{line[:MAX_LENGTH]} …"
    return _MARKUP.sub(lambda found: f"&#{ord(found[0])};", html.escape(cut))
