"""Functions that configs call: names of runs, the syntax of a box, the folder of the repository."""

from collections.abc import Sequence
from pathlib import Path

from omegaconf import OmegaConf

NAMED_BY_VALUE = ("reward", "ablation", "variant")
"""Options of which a run's name has only the value: ``reward=iou+acc`` becomes ``iou+acc``.
``variant`` is the one of a sweep file that changes several options together."""
ALWAYS_NAMED = (*NAMED_BY_VALUE, "seed")
"""Options that are in a run's name even where all runs of the multirun share them."""


def run_name(overrides: Sequence[str], varied: Sequence[str]) -> str:
    """The folder of a run within its multirun, named after the options that differ between runs.

    ``["seed=0", "reward=iou+acc", "adapter=qlora", "debug=tiny"]``, of which ``["adapter"]`` is
    varied, becomes ``iou+acc/adapter=qlora/seed=0``.
    """
    parts: dict[str, str] = {}
    for override in overrides:
        key, _, value = override.partition("=")
        key = key.lstrip("+")
        if key in NAMED_BY_VALUE:
            parts[key] = value
        elif key in (*ALWAYS_NAMED, *varied):
            parts[key] = f"{key}={value}".replace("/", "-")
    # The seed comes last, so that the runs of one setting lie side by side.
    order = sorted(parts, key=lambda key: (key == "seed", key not in NAMED_BY_VALUE))
    return "/".join(parts[key] for key in order) or "run"


def box_syntax(grammar: str) -> str:
    """How the grammar of that name writes a box, for the instruction in a prompt."""
    from groundrl.grammar import get_grammar  # here: its imports take a second

    return get_grammar(grammar).syntax


def either(value: object, otherwise: object) -> object:
    """``value``, or ``otherwise`` where it is null."""
    return otherwise if value is None else value


def job_slots() -> int:
    """How many jobs of a multirun run at once on this machine."""
    from groundrl.launch.sweeps import parallel_jobs  # here: only launchers ask

    return parallel_jobs.job_slots()


def register_resolvers(root: Path) -> None:
    """Let configs call the functions above, and find ``sweeps/`` below ``root``."""
    OmegaConf.register_new_resolver("run_name", run_name, replace=True)
    OmegaConf.register_new_resolver("box_syntax", box_syntax, replace=True)
    OmegaConf.register_new_resolver("job_slots", job_slots, replace=True)
    OmegaConf.register_new_resolver("either", either, replace=True)
    OmegaConf.register_new_resolver("root", lambda: str(root.resolve()), replace=True)
