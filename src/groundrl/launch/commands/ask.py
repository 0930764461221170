"""A question about pictures, answered by a run of train.py or by any model.

  python -m groundrl.ask run=outputs/my_run image=photo.jpg "Where is the red cup?"
  python -m groundrl.ask model=qwen2_5_vl_3b trainer=gpu image=photos/ image=b.png "What is new?"

Prints each answer with its boxes in pixels of the picture, and writes a picture with the boxes.
image= takes a file or a folder and may be given several times; every picture gets its own answer.
Without a question a page for browsers on this machine is served, on which you ask.
"""

import json
import re
import sys
from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from hydra import compose
from omegaconf import DictConfig

from groundrl.answers.notation import Notation
from groundrl.ask.answer import Answered, draw_answer, name_pictures, to_json, to_terminal
from groundrl.ask.asker import Asker
from groundrl.ask.page_server import AskServer
from groundrl.ask.pictures import find_pictures
from groundrl.ask.question import check_question
from groundrl.config.check import check_config
from groundrl.errors import UserError, is_disk_full
from groundrl.launch.commands.base import command_line, open_command
from groundrl.launch.make import make, resolved
from groundrl.launch.trained_run import check_base, take_run
from groundrl.launch.training import make_trainer
from groundrl.policy.policy import Policy
from groundrl.records import ImageFile
from groundrl.stages.processes import open_policy

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
    parser.add_argument("--port", type=int, default=8766, help="of the page; 0: any that is free")
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
    """Check the question and the pictures, then load the model, then print the answers; or serve
    the page until Ctrl-C."""
    overrides, paths, question = split_words(flags.overrides, flags.question)
    if flags.json and not question:
        raise UserError('--json prints answers, and nothing is asked: type "Where is the red cup?"')
    images = find_pictures(paths) if question or paths else []
    with open_command(NAME, overrides, flags.config_dir):
        cfg = compose(NAME, overrides)
        take_run(cfg, overrides)
        check_config(cfg)
    with open_asker(cfg) as asker:
        if not question:
            serve(asker, images, flags.port, Path(str(cfg.run or cfg.model.path)).name)
            return
        for one in answer(asker, images, question, flags.pictures):
            if flags.json:
                print(json.dumps(to_json(one), ensure_ascii=False), flush=True)
            else:
                print(to_terminal(one), end="\n\n", flush=True)


def serve(asker: Asker, images: Sequence[ImageFile], port: int, name: str) -> None:
    """Answer what is asked on the page until Ctrl-C."""
    with TemporaryDirectory() as uploads, AskServer(asker, images, Path(uploads), port, name) as s:
        print(f"{s.url}\nCtrl-C ends", flush=True)
        with suppress(KeyboardInterrupt):
            s.serve()


def split_words(words: Sequence[str], given: str | None) -> tuple[list[str], list[str], str]:
    """Options of the config, paths of pictures, and the question, empty where none is typed. Raises
    UserError."""
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
    return overrides, paths, check_question(questions[0]) if questions else ""


@contextmanager
def open_asker(cfg: DictConfig) -> Iterator[Asker]:
    """Inside, the model of a checked config is loaded. Raises UserError where its base is another
    one than in the training of the run."""
    load = partial(make, resolved(cfg.model))
    with open_policy(load, make_trainer(cfg.trainer)) as policy:
        yield make_asker(cfg, policy)


def make_asker(cfg: DictConfig, policy: Policy) -> Asker:
    """The loaded model of a checked config; raises as ``open_asker``."""
    if cfg.run is not None:
        check_base(Path(str(cfg.run)).expanduser(), policy)
    return Asker(
        policy=policy,
        notation=Notation.of(cfg.grammar, cfg.model.frame),
        engine=make(cfg.rollout),
        sampling=make(cfg.sampling),
        seed=cfg.seed,
    )


def answer(
    asker: Asker, images: Sequence[ImageFile], question: str, folder: Path
) -> Iterator[Answered]:
    """The answer about each image, in order; pictures with boxes are written into ``folder``."""
    names = name_pictures(folder, images)
    for image, path, attempt in zip(images, names, asker(images, question), strict=True):
        picture = draw_answer(image, attempt, path)
        yield Answered(image=image, attempt=attempt, picture=picture)
