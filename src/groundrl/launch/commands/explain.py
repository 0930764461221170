"""How the reward of one completion comes about: every term, every matched box, every failure.

  --record runs/1/heldout_grpo.jsonl --id street-plain-7   an answer of a run, its sample included
  --text '<think>...</think><answer>red</answer>' --sample 3   any text about a sample of data=
  --file completion.txt --sample 3                         the same from a file; -: standard input

Prints tables and writes a page. The reward is composed as train.py composes it (reward=, weights,
--config-dir); data=, grammar= and frame= say what a text is about and how it writes boxes.
"""

import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from omegaconf import DictConfig

from groundrl.answers.attempt import read_attempt
from groundrl.answers.notation import Notation
from groundrl.answers.record import AnswerRecord, read_record_file
from groundrl.errors import UserError
from groundrl.files import write_text
from groundrl.launch.commands.base import (
    command_line,
    compose_checked,
    make_reward,
    make_source,
    open_command,
)
from groundrl.records import Completion, RolloutGroup, Sample
from groundrl.report.answers.cards import read_run_image
from groundrl.report.pictures.image_view import inline_jpeg
from groundrl.rewards.audit.cases import image_sizes, world_samples
from groundrl.rewards.explain.explanation import explain
from groundrl.rewards.explain.page import render_page, to_terminal

NAME = "explain"
"""Of the config."""
IMAGE_SIDE = 640
"""Pixels of the longer side of the image on the page."""


def main(argv: Sequence[str]) -> int:
    """Run the command; returns the exit status."""
    assert __doc__ is not None
    parser = command_line("groundrl.rewards.explain", __doc__)
    given = parser.add_mutually_exclusive_group(required=True)
    given.add_argument("--record", type=Path, help="heldout_<stage>.jsonl or predictions.jsonl")
    given.add_argument("--text", help="a completion")
    given.add_argument("--file", help="a file with a completion; -: standard input")
    parser.add_argument("--id", help="of the record; without it, the first one")
    parser.add_argument("--sample", default="0", help="id or number of a sample of data=")
    flags = parser.parse_intermixed_args(argv)
    try:
        with open_command(NAME, flags.overrides, flags.config_dir):
            print(run(flags, compose_checked(NAME, flags.overrides)))
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def run(flags: Namespace, cfg: DictConfig) -> str:
    """Explain, write the page, and return the text for the terminal."""
    if flags.record is not None:
        record = find_record(flags.record, flags.id)
        notation, sample, group = record.origin.notation, record.sample, record.group(record.sample)
        image = None
        if record.images:
            found = read_run_image(flags.record.parent, record.images[0], record, IMAGE_SIDE)
            image = None if found is None else found[0]
    else:
        notation = Notation.of(cfg.grammar, cfg.frame)
        sample = find_sample(cfg, flags.sample)
        group = _group(sample, _read_text(flags))
        image = inline_jpeg(sample.image.load(), IMAGE_SIDE)
    attempt = read_attempt(group, group.completions[0], notation.grammar, notation.frame)
    one = explain(attempt, make_reward(cfg, notation.grammar, notation.frame))
    facts = [
        *(line for line in flags.overrides if "reward" in line),
        sample.id,
        sample.kind,
        f"grammar {notation.grammar.name}",
        f"frame {notation.frame}",
        f"{len(attempt.completion.tokens)} tokens",
    ]
    page = Path(cfg.page)
    page.parent.mkdir(parents=True, exist_ok=True)
    write_text(page, render_page(one, image, facts))
    return f"{to_terminal(one)}\n\n{page}"


def find_record(path: Path, id: str | None) -> AnswerRecord:
    """The record of that id, or the first one. Raises UserError."""
    if not path.is_file():
        raise UserError(f"{path}: no such file. Type --record <run directory>/heldout_grpo.jsonl")
    records = read_record_file(path)
    if not records:
        raise UserError(f"{path} holds no record")
    if id is None:
        return records[0]
    found = [record for record in records if record.id == id]
    if not found:
        near = ", ".join(record.id for record in records[:3])
        raise UserError(f"{path} has no record of the id {id!r}: type --id <id>, such as {near}")
    return found[0]


def find_sample(cfg: DictConfig, wanted: str) -> Sample:
    """The sample of that id or number. Raises UserError."""
    source = make_source(cfg)
    if wanted.isdecimal():
        number = int(wanted)
        if source is None:
            return world_samples(number + 1, cfg.seed)[number]
        if number < len(source):
            return source[number]
        raise UserError(f"--sample {number} is beyond the {len(source)} samples of data=")
    if source is None:
        raise UserError(f"--sample {wanted}: type a number, or data=<samples> for an id")
    for index in range(len(source)):
        if source[index].id == wanted:
            return source[index]
    raise UserError(f"data= has no sample of the id {wanted!r}: type a number, --sample 0")


def _read_text(flags: Namespace) -> str:
    if flags.text is not None:
        return flags.text
    if flags.file == "-":
        return sys.stdin.read()
    path = Path(flags.file)
    if not path.is_file():
        raise UserError(f"{path}: no such file. Type --file <a text file>, or --text '<think>...'")
    return path.read_text(encoding="utf-8", errors="replace").rstrip("\n")


def _group(sample: Sample, text: str) -> RolloutGroup:
    """Words count as tokens: no tokenizer has written the text."""
    words = len(text.split())
    completion = Completion(text=text, tokens=(0,) * words, logprobs=(), truncated=False)
    return RolloutGroup(sample=sample, sizes=image_sizes(sample), completions=(completion,))
