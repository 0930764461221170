"""Does a reward pay for cheating? ``python -m groundrl.rewards.audit reward=iou+acc``

Scores the bank of ``cheats.py`` and exits with 1 if a cheat earns as much as the worst honest
completion about the same question. A cheat counts where it is worse in something that the reward
claims to measure: a right answer with wrong boxes does not count against ``reward=acc``. Any
override of the reward may follow (``reward.terms.iou.weight=0.5``), and ``grammar=<name>``; without
``reward=`` every option in ``conf/reward`` is audited.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from groundrl.boxes import Frame, ImageSizes
from groundrl.errors import UserError
from groundrl.grammar import Grammar, get_grammar
from groundrl.records import Completion, RolloutGroup
from groundrl.rewards.base import RewardSum
from groundrl.rewards.cheats import FORMAT, SAMPLES, SIZE, Entry, bank
from groundrl.rewards.format import Format

CONF = Path(__file__).parents[3] / "conf"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one completion of the bank earned."""

    entry: Entry
    total: float
    bar: float
    """The lowest total of an honest completion about the same question."""
    counts: bool
    """Whether it is a cheat in something that the reward claims to measure."""

    @property
    def pays(self) -> bool:
        """Whether the cheat is worth it: it earns at least the bar, up to rounding."""
        return self.counts and self.total >= self.bar - 1e-9


def audit(reward: RewardSum) -> list[Finding]:
    """Score the bank in the reward's grammar. Token counts are the texts' words."""
    in_pixels = replace(reward, frame=Frame.PIXEL)
    measured = measures(reward)
    entries = bank(reward.grammar)
    totals = [_total(in_pixels, entry) for entry in entries]
    bars = {
        sample.id: min(
            total
            for entry, total in zip(entries, totals, strict=True)
            if entry.sample is sample and not entry.worse_in
        )
        for sample in SAMPLES
    }
    return [
        Finding(
            entry=entry,
            total=total,
            bar=bars[entry.sample.id],
            counts=bool(entry.worse_in & measured),
        )
        for entry, total in zip(entries, totals, strict=True)
    ]


def measures(reward: RewardSum) -> frozenset[str]:
    """What the terms with a positive weight claim to measure: answers, groundings, format."""
    terms = [term for term in reward.terms.values() if term.weight > 0]
    needs = frozenset[str]().union(*(term.needs for term in terms))
    return needs | ({FORMAT} if any(isinstance(term, Format) for term in terms) else set())


def table(findings: Sequence[Finding]) -> str:
    """One row per completion, one column per question; ``(0.00)`` does not count, ``!`` pays."""
    rows: dict[str, dict[str, Finding]] = {}
    for finding in findings:
        rows.setdefault(finding.entry.name, {})[finding.entry.sample.id] = finding
    columns = [sample.id for sample in SAMPLES]
    lines = [_line("completion", "worse in", columns)]
    for name, row in rows.items():
        worse_in = frozenset[str]().union(*(finding.entry.worse_in for finding in row.values()))
        cells = [_cell(row.get(column)) for column in columns]
        lines.append(_line(name, ", ".join(sorted(worse_in)) or "(honest)", cells))
    return "\n".join(lines)


def compose_reward(overrides: Sequence[str], grammar: Grammar) -> RewardSum:
    """The reward of a ``reward=<option>`` and its overrides, from ``conf/``. Raises UserError."""
    from hydra import compose, initialize_config_dir
    from hydra.errors import HydraException
    from hydra.utils import instantiate

    for line in overrides:
        key, _, option = line.partition("=")
        if key == "reward" and option not in shipped():
            raise UserError(f"there is no {line}; choose reward= from {', '.join(shipped())}")
    # Without a primary config there is no reward yet, so the option is added, not replaced.
    lines = [f"+{line}" if line.startswith("reward=") else line for line in overrides]
    try:
        with initialize_config_dir(str(CONF), version_base="1.3"):
            cfg = compose(overrides=lines)
    except HydraException as error:
        raise UserError(
            f"{' '.join(overrides)} cannot be composed ({str(error).splitlines()[0]}); type for "
            "example reward=iou+acc reward.terms.iou.weight=0.5"
        ) from error
    return instantiate(cfg.reward, grammar=grammar, frame=Frame.PIXEL)


def shipped() -> list[str]:
    """Names of the reward options in ``conf/reward``. Raises UserError outside a checkout."""
    names = sorted(path.stem for path in (CONF / "reward").glob("*.yaml"))
    if not names:
        raise UserError(f"no reward options in {CONF / 'reward'}: run the audit from a checkout")
    return names


def main(arguments: Sequence[str]) -> int:
    """Print the tables; 0 if no cheat pays, 1 if one does, 2 for a mistake in the command."""
    grammars = [line.removeprefix("grammar=") for line in arguments if line.startswith("grammar=")]
    overrides = [line for line in arguments if not line.startswith("grammar=")]
    paying: list[str] = []
    try:
        grammar = get_grammar(grammars[-1] if grammars else "obj_bbox")
        chosen = any(line.startswith("reward=") for line in overrides)
        for option in [None] if chosen else shipped():
            lines = overrides if option is None else [f"reward={option}", *overrides]
            findings = audit(compose_reward(lines, grammar))
            print(f"{' '.join(lines)}\n{table(findings)}\n")
            paying += [f.entry.name for f in findings if f.pays]
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"cheats that pay: {', '.join(dict.fromkeys(paying)) or 'none'}")
    return 1 if paying else 0


def _total(reward: RewardSum, entry: Entry) -> float:
    words = len(entry.text.split())
    completion = Completion(
        text=entry.text, tokens=(0,) * words, logprobs=(0.0,) * words, truncated=False
    )
    sizes = ImageSizes(width=SIZE, height=SIZE, model_width=SIZE, model_height=SIZE)
    group = RolloutGroup(sample=entry.sample, sizes=sizes, completions=(completion,))
    return reward([group])[0][0].score.total


def _line(name: str, worse_in: str, cells: Sequence[str]) -> str:
    return f"{name:<34}{worse_in:<30}" + "".join(f"{cell:>9}" for cell in cells)


def _cell(finding: Finding | None) -> str:
    if finding is None:
        return ""
    value = f"{finding.total:.2f}"
    if not finding.counts and finding.entry.worse_in:
        return f"({value})"
    return f"{value}{'!' if finding.pays else ' '}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
