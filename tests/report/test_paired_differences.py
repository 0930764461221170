"""Differences between settings and stages, question by question."""

import json
import random
from pathlib import Path

import numpy as np
import pytest
from compared_runs import answer, write_evaluation, write_rights
from report_files import record

from groundrl.answers.record import read_record
from groundrl.intervals import mcnemar
from groundrl.report.comparison.options import option_table
from groundrl.report.comparison.paired import (
    compare_settings,
    compare_stages,
    difference_table,
    is_right,
)
from groundrl.report.comparison.results import list_alarms, results_tables
from groundrl.report.comparison.runs import ComparedRun, find_compared, shared_questions


def read(folder: Path) -> list[ComparedRun]:
    return list(find_compared([str(folder)]).runs)


def draw(seed: int, share: float, count: int = 60) -> list[bool]:
    rng = random.Random(seed)
    return [rng.random() < share for _ in range(count)]


def test_two_runs_are_tested_as_mcnemar_does(tmp_path: Path) -> None:
    a, b = draw(0, 0.4), draw(1, 0.7)
    write_rights(tmp_path / "a", a, a)
    write_rights(tmp_path / "b", b, b)
    runs = read(tmp_path)
    correct, iou = compare_settings(runs, shared_questions(runs))
    assert (correct.score, correct.names) == ("tabletop/correct", ("a", "b"))
    assert correct.means == (pytest.approx(np.mean(a)), pytest.approx(np.mean(b)))
    assert correct.change.mean == pytest.approx(np.mean(b) - np.mean(a))
    only_a = sum(x and not y for x, y in zip(a, b, strict=True))
    only_b = sum(y and not x for x, y in zip(a, b, strict=True))
    assert correct.p == pytest.approx(mcnemar(only_a, only_b), abs=0.01)
    assert iou.score == "tabletop/iou"
    assert iou.change.mean == pytest.approx(correct.change.mean / 2)
    # Two tests: the smaller p is doubled.
    smaller, _ = difference_table([correct, iou], "").rows
    assert float(smaller[5]) == pytest.approx(2 * float(smaller[4]), abs=2e-4)


def test_several_runs_of_a_setting_count_by_their_mean_per_question(tmp_path: Path) -> None:
    for seed in range(3):
        write_rights(tmp_path / "a" / f"seed={seed}", draw(9, 0.5), draw(seed, 0.5))
    write_rights(tmp_path / "b" / "seed=0", draw(9, 0.5), draw(7, 0.5))
    runs = read(tmp_path)
    correct, _ = compare_settings(runs, shared_questions(runs))
    mean = np.mean([draw(seed, 0.5) for seed in range(3)])
    assert correct.means == (pytest.approx(mean), pytest.approx(np.mean(draw(7, 0.5))))
    assert correct.change.n == 60


def test_stages_are_compared_within_each_setting(tmp_path: Path) -> None:
    for name, share in (("a", 0.9), ("b", 0.5)):
        write_rights(tmp_path / name, draw(9, 0.5), draw(1, share))
    runs = read(tmp_path)
    found = compare_stages(runs, shared_questions(runs))
    assert [one.names for one in found if one.score == "tabletop/correct"] == [
        ("a start", "a grpo"),
        ("b start", "b grpo"),
    ]
    table = difference_table(found, "Between stages")
    assert table.columns[3:6] == ("change", "p", "p (Holm)")
    adjusted = [float(row[5]) for row in table.rows]
    assert adjusted == sorted(adjusted)
    assert adjusted[0] == pytest.approx(4 * min(one.p for one in found), abs=1e-4)


def test_one_run_of_one_stage_leaves_nothing_to_test(tmp_path: Path) -> None:
    write_evaluation(tmp_path / "run", [answer(0, True)])
    runs = read(tmp_path)
    assert compare_settings(runs, shared_questions(runs)) == []
    assert compare_stages(runs, shared_questions(runs)) == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"correct": True, "iou": 0.0}, True),
        ({"correct": False, "iou": 1.0}, False),
        ({"correct": None, "iou": 0.5}, True),
        ({"correct": None, "iou": 0.49}, False),
        ({"correct": None, "iou": 0.1, "scores": {"correct": 1.0}}, True),
        ({"correct": None, "iou": None}, None),
    ],
)
def test_an_answer_is_right_by_its_verdict_else_by_its_boxes(
    changes: dict[str, object], expected: bool | None
) -> None:
    assert is_right(read_record(record(0, **changes))) is expected


def test_results_are_means_over_seeds_with_their_interval(tmp_path: Path) -> None:
    for seed, right in enumerate((5, 6, 7)):
        rights = [n < right for n in range(10)]
        write_rights(tmp_path / "a" / f"seed={seed}", rights, rights)
    write_rights(tmp_path / "b" / "seed=0", [True], [n < 4 for n in range(10)])
    main, other = results_tables(read(tmp_path))
    assert main.columns == ("figure", "a", "b")
    # As in the table of a sweep: 4.3027 * 0.1 / sqrt(3) = 0.248; one run: its own interval.
    assert main.rows == (
        ("runs", "3", "1"),
        ("tabletop/acc", "0.600 ± 0.248", "0.400 ± 0.100"),
    )
    assert other.rows == ()


def test_a_benchmark_is_shown_by_what_it_is_quoted_by(tmp_path: Path) -> None:
    run = write_evaluation(tmp_path / "run", [answer(0, True)], tabletop__unparsed=0.5)
    info = {"meaning": "", "score": "", "alarm_from": None, "alarm": ""}
    infos = {
        "acc": info | {"quoted": True},
        "unparsed": info | {"quoted": False, "alarm_from": 0.1, "alarm": "cannot be read"},
    }
    (run / "figures.json").write_text(json.dumps({"tabletop": infos}))
    main, other = results_tables(read(run))
    assert [row[0] for row in main.rows] == ["runs", "tabletop/acc"]
    assert [row[0] for row in other.rows] == ["tabletop/unparsed"]
    assert list_alarms(read(run)) == ["run: tabletop: 50% cannot be read"]


def test_the_options_in_which_settings_differ_are_listed(tmp_path: Path) -> None:
    for name, lr in (("a", 0.1), ("b", 0.2)):
        run = write_rights(tmp_path / name, [True], [True])
        config = {"seed": name, "output_dir": name, "stage": {"lr": lr, "steps": 3, "seed": name}}
        (run / "resolved.yaml").write_text(json.dumps(config | ({"more": [1]} if lr > 0.1 else {})))
    table = option_table(read(tmp_path))
    assert table.columns == ("option", "a", "b")
    assert table.rows == (("stage.lr", "0.1", "0.2"), ("more", "", "[1]"))
