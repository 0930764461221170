"""A question about pictures, answered by a run of train.py or by any model.

  python -m groundrl.ask run=outputs/my_run image=photo.jpg "Where is the red cup?"
  python -m groundrl.ask model=qwen2_5_vl_3b trainer=gpu image=photos/ image=b.png "What is new?"

Prints each answer with its boxes in pixels of the picture, and writes a picture with the boxes.
image= takes a file or a folder and may be given several times; every picture gets its own answer.
"""

import json
import re
import sys
from argparse import Namespace
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from hydra import compose
from omegaconf import DictConfig

from groundrl.answers.attempt import read_attempt
from groundrl.answers.notation import Notation
from groundrl.ask.answer import Answered, draw_answer, name_pictures, to_json, to_terminal
from groundrl.ask.pictures import find_pictures
from groundrl.ask.question import (
    check_no_control_tokens,
    check_question,
    make_sample,
    open_template,
)
from groundrl.config.check import check_config
from groundrl.data.datasets import SampleList
from groundrl.errors import UserError, is_disk_full
from groundrl.evaluation.heldout import answers_to
from groundrl.launch.commands import command_line, open_command
from groundrl.launch.make import make, resolved
from groundrl.launch.trained_run import check_base, take_run
from groundrl.launch.training import make_trainer
from groundrl.records import ImageFile
from groundrl.rollout.sampler import Sampler
from groundrl.stages.fit import open_policy

NAME = "ask"
"""Of the config."""
OPTION = re.compile(r"~[\w./@-]+|[+~]*[\w./@-]+=.*", re.DOTALL)
"""Words of the command that change the config; the others are the question."""
IMAGE = "image="


def main(argv: Sequence[str]) -> int:
    """Run the command; returns the exit status."""
    assert __doc__ is not None
    parser = command_line("groundrl.ask", __doc__)
    parser.add_argument("--question", help="one that looks like an option, or begins with -")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("--pictures", type=Path, default=Path("outputs/ask"), help="folder")
    flags = parser.parse_intermixed_args(argv)
    try:
        run(flags)
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    except OSError as error:
        if not (is_disk_full(error) or isinstance(error, PermissionError)):
            raise
        print(f"{error.filename}: {error.strerror}; type --pictures=<folder>", file=sys.stderr)
        return 2
    return 0


def run(flags: Namespace) -> None:
    """Check the question and the pictures, then load the model, then print the answers."""
    overrides, paths, question = split_words(flags.overrides, flags.question)
    images = find_pictures(paths)
    with open_command(NAME, overrides, flags.config_dir):
        cfg = compose(NAME, overrides)
        take_run(cfg, overrides)
        check_config(cfg)
    for one in answer(cfg, images, question, flags.pictures):
        if flags.json:
            print(json.dumps(to_json(one), ensure_ascii=False), flush=True)
        else:
            print(to_terminal(one), end="\n\n", flush=True)


def split_words(words: Sequence[str], given: str | None) -> tuple[list[str], list[str], str]:
    """Options of the config, paths of pictures, and the question. Raises UserError."""
    paths = [word.removeprefix(IMAGE) for word in words if word.startswith(IMAGE)]
    rest = [word for word in words if not word.startswith(IMAGE)]
    overrides = [word for word in rest if OPTION.fullmatch(word)]
    questions = [word for word in rest if not OPTION.fullmatch(word)]
    questions += [] if given is None else [given]
    if len(questions) > 1:
        raise UserError(
            f"one question is asked, and there are {len(questions)}: put quotation marks around "
            f'it, "{" ".join(questions)[:80]}"'
        )
    return overrides, paths, check_question("".join(questions))


def answer(
    cfg: DictConfig, images: Sequence[ImageFile], question: str, folder: Path
) -> Iterator[Answered]:
    """The answer about each image, in order; pictures with boxes are written into ``folder``."""
    notation = Notation.of(cfg.grammar, cfg.model.frame)
    sampler = Sampler(make(cfg.rollout), make(cfg.sampling), group_size=1, seed=cfg.seed)
    load = partial(make, resolved(cfg.model))
    with open_policy(load, make_trainer(cfg.trainer)) as policy:
        if cfg.run is not None:
            check_base(Path(cfg.run), policy)
        check_no_control_tokens(question, policy.processor)
        encode = policy.encode.with_template(
            open_template(policy.encode.template, notation.grammar)
        )
        samples = SampleList(tuple(make_sample(image, question) for image in images))
        names = name_pictures(folder, images)
        asked = iter(images)
        for groups in answers_to(samples, policy, encode, sampler):
            for group, image, path in zip(groups, asked, names, strict=False):
                found = read_attempt(group, group.completions[0], notation.grammar, notation.frame)
                yield Answered(image=image, attempt=found, picture=draw_answer(image, found, path))
