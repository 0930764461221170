"""Rewards as a command line composes them."""

from groundrl.boxes import Frame
from groundrl.grammar import GRAMMARS, Grammar
from groundrl.launch.commands.base import ROOT, compose_checked, make_reward, open_command
from groundrl.rewards.base import RewardSum

SHIPPED = sorted(path.stem for path in (ROOT / "conf/reward").glob("*.yaml"))
"""Names of the options."""
ASKING = {"judged_consistency", "sentence"}
"""Terms that ask for a model."""
READY = [name for name in SHIPPED if ASKING.isdisjoint(name.split("+"))]
"""Options that ask for nothing."""


def compose_reward(*overrides: str, grammar: Grammar = GRAMMARS["obj_bbox"]) -> RewardSum:
    """Boxes in pixels."""
    with open_command("audit", overrides, None):
        return make_reward(compose_checked("audit", overrides), grammar, Frame.PIXEL)
