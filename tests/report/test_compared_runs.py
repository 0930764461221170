"""Which runs are compared, under which names, and which are refused."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from compared_runs import answer, write_evaluation, write_rights, write_run
from report_files import write_answers

from groundrl.errors import UserError
from groundrl.report.comparison.runs import find_compared, shared_questions


def names(*places: Path) -> list[tuple[str, str]]:
    return [(run.setting, run.name) for run in find_compared([str(one) for one in places]).runs]


def test_runs_are_named_by_their_path_and_settings_leave_out_the_seed(tmp_path: Path) -> None:
    for name in ("acc/seed=0", "acc/seed=1", "lr=1,seed=0"):
        write_rights(tmp_path / "sweep" / name, [True], [True])
    write_rights(tmp_path / "alone", [True], [True])
    sweep = tmp_path / "sweep"
    assert names(sweep) == [
        ("acc", "acc/seed=0"),
        ("acc", "acc/seed=1"),
        ("lr=1", "lr=1,seed=0"),
    ]
    assert names(sweep / "acc") == [("acc", "acc/seed=0"), ("acc", "acc/seed=1")]
    assert names(tmp_path / "alone") == [("alone", "alone")]
    assert names(tmp_path / "alone", sweep / "acc" / "seed=1") == [
        ("alone", "alone"),
        ("sweep/acc", "sweep/acc/seed=1"),
    ]
    # Typed twice, compared once.
    assert len(names(sweep, sweep / "acc" / "seed=0")) == 3


def test_what_is_not_finished_is_named_and_left_out(tmp_path: Path) -> None:
    write_rights(tmp_path / "a" / "seed=0", [True], [True])
    started = tmp_path / "a" / "seed=1"
    started.mkdir()
    write_answers(started / "heldout_start.jsonl", [answer(0, True)])
    (started / "resolved.yaml").write_text("seed: 1")
    failed = tmp_path / "a" / "seed=2"
    failed.mkdir()
    (failed / "error.txt").write_text("out of memory\nat step 3\n")
    other = tmp_path / "pretrained"
    other.mkdir()
    (other / "metrics.json").write_text(json.dumps({"loss": 1.0}))
    found = find_compared([str(tmp_path)])
    assert [run.name for run in found.runs] == ["a/seed=0"]
    assert found.left_out == [
        f"left out: {started}, unfinished; resume={started} goes on with it",
        f"left out: {failed}, it failed (out of memory)",
        f"left out: {other}, it has no answers to questions",
    ]
    with pytest.raises(UserError, match=r"no finished run(.|\n)*seed=1(.|\n)*python -m groundrl"):
        find_compared([str(started)])


@pytest.mark.parametrize("name", ["nothing", "empty"])
def test_a_folder_without_runs_is_answered_with_what_to_type(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"Type python -m groundrl.report <run> \[<run> \.\.\.\]"):
        find_compared([str(tmp_path / name)])


def write_two(folder: Path, first: Sequence[Mapping[str, Any]], second: Any) -> list[str]:
    return [
        str(write_run(folder / name, {"grpo": answers}))
        for name, answers in (("a", first), ("b", second))
    ]


def test_other_held_out_sets_are_refused_with_the_difference(tmp_path: Path) -> None:
    first = [answer(n, True) for n in range(3)]
    street = [answer(n, True, set="street") for n in range(2)]
    with pytest.raises(UserError) as caught:
        find_compared(write_two(tmp_path, first, [*first[:2], *street]))
    assert str(caught.value).splitlines() == [
        "the runs answer different held-out questions:",
        "  a: 3 of tabletop; not asked: street",
        "  b: 2 of street, 2 of tabletop; not asked: 1 of tabletop",
        "Compare runs with the same held-out data, or evaluations of the same benchmark.",
    ]


@pytest.mark.parametrize(
    "change", [{"question": "Which cup is blue?"}, {"answers": ["right"]}], ids=str
)
def test_other_questions_with_the_same_id_are_refused(
    tmp_path: Path, change: dict[str, Any]
) -> None:
    first = [answer(n, True) for n in range(5)]
    second = [one | change for one in first]
    with pytest.raises(UserError, match=r"5 questions with the same id.*q0 of tabletop, q1 of"):
        find_compared(write_two(tmp_path, first, second))


def test_right_answers_may_differ_in_case_and_order(tmp_path: Path) -> None:
    first = [answer(0, True, answers=["Left", "right"])]
    second = [answer(0, True, answers=["right", "left"])]
    assert len(find_compared(write_two(tmp_path, first, second)).runs) == 2


def test_evaluations_may_lack_what_they_count_as_missing(tmp_path: Path) -> None:
    answers = [answer(n, True) for n in range(4)]
    whole = write_evaluation(tmp_path / "mine", answers)
    part = write_evaluation(tmp_path / "theirs", answers[1:], tabletop__missing=1.0)
    runs = find_compared([str(whole), str(part)]).runs
    assert [run.last for run in runs] == ["result", "result"]
    assert shared_questions(runs) == [("tabletop", f"q{n}") for n in (1, 2, 3)]
    less = write_evaluation(tmp_path / "less", answers[2:], tabletop__missing=1.0)
    with pytest.raises(UserError, match="less: 2 of tabletop; not asked: 2 of tabletop"):
        find_compared([str(whole), str(less)])


def test_damaged_answers_are_named(tmp_path: Path) -> None:
    run = write_rights(tmp_path / "run", [True], [True, False])
    file = run / "heldout_grpo.jsonl"
    lines = file.read_text()
    write_answers(file, [answer(0, True), answer(0, False)])
    with pytest.raises(UserError, match="1 questions are answered twice"):
        find_compared([str(run)])
    file.write_text(lines + "{")
    with pytest.raises(UserError, match=r"heldout_grpo\.jsonl:3"):
        find_compared([str(run)])
    file.unlink()
    with pytest.raises(UserError, match="no answers of the last stage"):
        find_compared([str(run)])
    (run / "metrics.json").write_text('{"start": ')
    with pytest.raises(UserError, match=r"metrics\.json is not valid JSON"):
        find_compared([str(run)])
