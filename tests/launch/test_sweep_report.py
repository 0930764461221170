"""Which seed a sweep runs next."""

import json
from pathlib import Path

import pytest

from groundrl.launch.sweeps.report import next_seed
from groundrl.studies.conclusions import Conclusion, Side
from groundrl.studies.report import SweepSummary, report_sweep

CLAIM = Conclusion(
    claim="GRPO raises accuracy",
    source="ours",
    metric="t/acc",
    of=Side(stage="grpo"),
    against=Side(stage="sft"),
    expected="higher",
)


def summary(root: Path, *changes: float | None) -> SweepSummary:
    """Of one setting, by seed; None: a run that did not finish."""
    for seed, change in enumerate(changes):
        folder = root / "acc" / f"seed={seed}"
        folder.mkdir(parents=True)
        if change is not None:
            stages = {"sft": {"t/acc": 0.5}, "grpo": {"t/acc": 0.5 + change}}
            (folder / "metrics.json").write_text(json.dumps(stages))
    return report_sweep(root, {}, [CLAIM], width=100)


DECIDED, UNDECIDED = (0.1, 0.1, 0.11), (0.1, 0.0, 0.05)


@pytest.mark.parametrize(
    ("changes", "done", "max_seeds", "expected"),
    [
        (DECIDED, "012", 10, None),
        (UNDECIDED, "012", 10, 3),
        (UNDECIDED, "012", 4, 3),
        (UNDECIDED, "012", 3, None),
        ((0.1,), "0", 2, 1),
        # Stopped in an earlier call: finished first, whatever is decided by now.
        ((*DECIDED, None), "012", 10, 3),
        ((*UNDECIDED, 0.05, None), "012", 10, 4),
        # A job that fails would fail again.
        ((*UNDECIDED, None), "3", 10, None),
    ],
)
def test_seeds_are_added_while_a_conclusion_is_undecided(
    tmp_path: Path,
    changes: tuple[float | None, ...],
    done: str,
    max_seeds: int,
    expected: int | None,
) -> None:
    assert next_seed(summary(tmp_path, *changes), frozenset(done), max_seeds) == expected
