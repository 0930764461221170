"""``python -m groundrl.rewards.audit reward=iou+acc``: does a reward pay for cheating?

Scores a bank of cheats and searches for new ones (``groundrl.rewards.audit``), prints who pays and
writes a page. The exit status is 1 if a cheat pays that no term declares (``gamed_by``: ablations
do), and 2 for a mistake in the command.

The reward is composed as train.py composes it: any of its overrides may follow, and options of your
own are found with --config-dir. Without reward= every option is audited.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from hydra.core.config_loader import ConfigLoader
from hydra.core.object_type import ObjectType

from groundrl.boxes import Frame
from groundrl.errors import UserError
from groundrl.files import write_text
from groundrl.grammar import check_frame, get_grammar
from groundrl.launch.commands.base import (
    command_line,
    compose_checked,
    make_reward,
    make_source,
    open_command,
)
from groundrl.report.tables import to_text
from groundrl.rewards.audit.audit import Audit, audit
from groundrl.rewards.audit.bank import make_bank
from groundrl.rewards.audit.cases import choose_samples, make_cases, world_samples
from groundrl.rewards.audit.page import cheat_table, render_page, summarize

NAME = "audit"
"""Of the config."""


def main(argv: Sequence[str]) -> int:
    """Run the command; returns the exit status."""
    assert __doc__ is not None
    flags = command_line("groundrl.rewards.audit", __doc__).parse_intermixed_args(argv)
    try:
        check_reward_chosen(flags.overrides)
        with open_command(NAME, flags.overrides, flags.config_dir) as loader:
            audits, left_out, page = run(flags.overrides, loader)
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    for one in audits:
        if len(audits) == 1:
            print(f"{to_text(cheat_table(one))}\n")
        print(f"{one.name}: {summarize(one)}")
    for line in left_out:
        print(line)
    paying = dict.fromkeys(name for one in audits for name in one.undeclared)
    print(f"cheats that pay: {', '.join(paying) or 'none'}\n{page}")
    return 1 if paying else 0


def check_reward_chosen(overrides: Sequence[str]) -> None:
    """Raises UserError for changes of a reward that is not chosen."""
    changes = [line for line in overrides if line.lstrip("+~").startswith("reward")]
    if changes and not any(line.startswith("reward=") for line in overrides):
        raise UserError(f"{changes[0]} changes a reward: type also reward=<option>, as reward=acc")


def run(overrides: Sequence[str], loader: ConfigLoader) -> tuple[list[Audit], list[str], Path]:
    """Audit the reward of the command, or every option, and write the page.

    Returns the audits, a line for each option that asks for something (a model) and is left out,
    and the page.
    """
    cfg = compose_checked(NAME, overrides)
    grammar = get_grammar(cfg.grammar)
    check_frame(grammar, Frame.PIXEL)
    source = make_source(cfg)
    samples = (
        world_samples(cfg.samples, cfg.seed)
        if source is None
        else choose_samples(source, cfg.samples, cfg.seed)
    )
    cases = make_cases(samples, grammar)
    if not cases:
        raise UserError(
            f"the grammar {grammar.name} can write none of {len(samples)} samples: type another "
            "grammar=, or data=<other samples>"
        )
    bank = make_bank(cases)
    audits, left_out = [], []
    for lines in rewards_to_audit(overrides, chosen="reward" in cfg, loader=loader):
        typed = [line for line in lines if "reward" in line]
        name = " ".join(line.removeprefix("reward=") for line in typed)
        try:
            chosen = compose_checked(NAME, lines)
        except UserError as error:
            if "reward" in cfg:
                raise
            left_out.append(
                f"{name} is left out: {str(error).splitlines()[-1].removeprefix('1. ')}"
            )
            continue
        reward = make_reward(chosen, grammar, Frame.PIXEL)
        options = {"steps": cfg.steps, "seed": cfg.seed, "tolerance": cfg.tolerance}
        audits.append(audit(name, reward, bank, **options))
    facts = [
        f"{len(cases)} samples of {'the embedded world' if source is None else 'data='}",
        f"{len({entry.name for one in bank for entry in one.cheats})} kinds of cheats",
        f"{cfg.steps} edits per sample",
        f"seed {cfg.seed}",
        f"grammar {grammar.name}",
    ]
    page = Path(cfg.page)
    page.parent.mkdir(parents=True, exist_ok=True)
    write_text(page, render_page(audits, facts))
    return audits, left_out, page


def rewards_to_audit(
    overrides: Sequence[str], *, chosen: bool, loader: ConfigLoader
) -> list[list[str]]:
    """The command's overrides, once with each option unless one is ``chosen``."""
    if chosen:
        return [list(overrides)]
    options = loader.get_group_options("reward", ObjectType.CONFIG)
    return [[f"reward={option}", *overrides] for option in options]
