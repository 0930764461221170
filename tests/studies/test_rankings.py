"""Systems ranked by hand-made answers."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from report_files import record, write_answers

from groundrl.errors import UserError
from groundrl.studies.rankings import Ranking, ranking_problems, read_rankings
from groundrl.studies.ranks import mean_ranks
from groundrl.studies.report import report_sweep

ROWS = ("both", "detector", "online")
FOUR = Ranking(score="wrong_sentences", base="sft", settings=("both", "detector"))
ALL = Ranking(score="wrong_sentences", base="sft")
SETTING = {"score": "wrong_sentences", "base": "sft"}


def finish(root: Path, setting: str, seed: int, sft: Sequence[int], last: Sequence[int]) -> None:
    """A run whose captions have so many wrong sentences after its two stages."""
    folder = root / setting / f"seed={seed}"
    folder.mkdir(parents=True)
    stages = {"sft": sft, "grpo" if setting == "online" else "rejection_sampling": last}
    metrics = {stage: {"t/wrong_sentences": sum(counts) / 9} for stage, counts in stages.items()}
    (folder / "metrics.json").write_text(json.dumps(metrics))
    for stage, counts in stages.items():
        answers = [
            record(number, scores={"wrong_sentences": count}) for number, count in enumerate(counts)
        ]
        write_answers(folder / f"heldout_{stage}.jsonl", answers)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Four images. By hand, of base, both and detector: (3, 1, 2), (2.5, 1, 2.5), (2, 2, 2) and
    (1, 2.5, 2.5), which makes 8.5, 6.5 and 9."""
    finish(tmp_path, "both", 0, [3, 2, 1, 0], [0, 1, 1, 1])
    finish(tmp_path, "detector", 0, [3, 2, 1, 0], [1, 2, 1, 1])
    finish(tmp_path, "online", 0, [3, 2, 1, 0], [0, 0, 0, 0])
    return tmp_path


def table(root: Path, **rankings: Ranking) -> dict[str, dict[str, str]]:
    """The rows of ``table.md`` below the heads of its first table."""
    published = {"sft": dict.fromkeys(rankings, 3.24) | {"source": "ViGoR"}}
    report_sweep(root, published, [], width=100, rankings=rankings)
    first = (root / "table.md").read_text().split("\n\n")[1]
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in first.splitlines()]
    heads, _, *rows = lines
    return {row[0]: dict(zip(heads, row, strict=True)) for row in rows}


def test_captions_with_fewer_wrong_sentences_rank_first_and_ties_share_their_rank(
    root: Path,
) -> None:
    found = table(root, preference_rank=FOUR)
    ranks = {row: cells["preference_rank"] for row, cells in found.items()}
    assert ranks == {"both": "1.625", "detector": "2.250", "online": "", "sft": "2.125"}
    assert found["sft"]["preference_rank (published)"] == "3.240"


def test_without_settings_every_row_is_ranked(root: Path) -> None:
    ranks = [float(cells["rank"]) for cells in table(root, rank=ALL).values()]
    assert sum(ranks) == pytest.approx(1 + 2 + 3 + 4)
    assert min(ranks) == ranks[ROWS.index("online")] == pytest.approx((1.5 + 1 + 1 + 1.5) / 4)


def test_a_seed_is_ranked_once_every_setting_has_finished(root: Path) -> None:
    for setting in ("both", "online"):
        finish(root, setting, 1, [1, 1, 1, 1], [0, 0, 0, 0])
    assert table(root, rank=FOUR)["both"]["rank"] == "1.625"
    finish(root, "detector", 1, [1, 1, 1, 1], [2, 2, 2, 2])
    found = table(root, rank=FOUR)
    assert found["both"]["rank"].startswith("1.312 ± ")
    assert found["sft"]["seeds"] == "2"


@pytest.mark.parametrize("counts", [[0, 1, 1], [0, 1, 1, 1, 1]])
def test_answers_to_other_questions_are_not_ranked(root: Path, counts: list[int]) -> None:
    answers = [record(number, scores={"wrong_sentences": n}) for number, n in enumerate(counts)]
    write_answers(root / "both" / "seed=0" / "heldout_rejection_sampling.jsonl", answers)
    assert "rank" not in table(root, rank=FOUR)["both"]


def test_answers_without_the_score_are_not_ranked(root: Path) -> None:
    assert "rank" not in table(root, rank=Ranking(score="rating", base="sft"))["both"]


@given(
    arrays(np.float64, st.tuples(st.integers(2, 5), st.integers(1, 6)), elements=st.integers(0, 4))
)
def test_a_rank_is_one_more_than_the_expected_number_of_better_systems(scores: np.ndarray) -> None:
    better = (scores[None] < scores[:, None]).sum(axis=1)
    equal = (scores[None] == scores[:, None]).sum(axis=1) - 1
    assert mean_ranks(scores) == pytest.approx((1 + better + equal / 2).mean(axis=1))


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"settings": ["detektor"]}, "rankings.rank.settings: 'detektor' is no row of the grid"),
        ({"base": "dpo"}, "rankings.rank.base: there is no stage 'dpo', expected one of start"),
    ],
)
def test_what_the_grid_has_not_is_a_problem(changed: dict[str, Any], problem: str) -> None:
    rankings = read_rankings({"rank": SETTING | changed})
    (found,) = ranking_problems(rankings, ROWS, ("start", "sft"))
    assert found.startswith(problem)


def test_a_ranking_needs_score_and_base() -> None:
    with pytest.raises(UserError, match=r"rankings\.rank: lacks the field 'base'"):
        read_rankings({"rank": {"score": "wrong_sentences"}})
