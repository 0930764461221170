"""Which answers a report shows, and how."""

from pathlib import Path

import pytest
from report_files import record, write_answers

from groundrl.errors import UserError
from groundrl.report.gallery import BEST, WORST, Answer, gallery, picked, read_answers


def answers(stage: str, numbers: range, **changes: object) -> list[Answer]:
    """Records as answers."""
    return [Answer.of(record(k, **changes), stage) for k in numbers]


def test_the_worst_come_first_and_then_the_best() -> None:
    picks = picked([answers("grpo", range(4))])
    assert [(pick, a.id) for pick, a in picks] == [
        ("worst", "q1"),
        ("worst", "q3"),
        ("best", "q2"),
        ("best", "q0"),
    ]


def test_a_long_file_is_cut_to_its_extremes() -> None:
    picks = picked([answers("grpo", range(100))])
    assert len(picks) == WORST + BEST
    assert next(a.id for pick, a in picks if pick == "best") == "q98"


def test_every_set_has_its_own_extremes() -> None:
    mixed = answers("grpo", range(50)) + answers("grpo", range(50), set="street")
    assert len(picked([mixed])) == 2 * (WORST + BEST)


def test_earlier_stages_show_the_questions_that_the_last_one_chose() -> None:
    picks = picked([answers("start", range(40, 200)), answers("grpo", range(100))])
    chosen = [a.id for _, a in picks if a.stage == "grpo" and int(a.id[1:]) >= 40]
    assert [a.id for _, a in picks if a.stage == "start"] == chosen


def test_other_questions_have_their_own_extremes() -> None:
    picks = picked([answers("rollout", range(200, 300)), answers("grpo", range(100))])
    assert len([a for _, a in picks if a.stage == "rollout"]) == WORST + BEST


def test_stages_stand_in_the_order_of_the_metrics(run_dir: Path) -> None:
    write_answers(run_dir / "heldout_step.jsonl", [record(1)])
    write_answers(run_dir / "heldout_empty.jsonl", [])
    stages = [found[0].stage for found in read_answers(run_dir, ["start", "sft", "grpo"])]
    assert stages == ["start", "sft", "grpo", "step"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"boxes_true": [["cup", [9, 2, 1, 8]]]}, "box needs x1 <= x2"),
        ({"boxes_true": [["cup", [1, 2]]]}, "not enough values"),
        ({"correct": 0.5}, "correct must be true, false or null"),
        ({"options": None}, "TypeError"),
    ],
)
def test_a_bad_record_is_named_with_file_and_line(
    run_dir: Path, change: dict[str, object], reason: str
) -> None:
    write_answers(run_dir / "heldout_grpo.jsonl", [record(0), record(1, **change)])
    with pytest.raises(UserError, match=rf"heldout_grpo.jsonl, line 2: .*{reason}"):
        read_answers(run_dir, [])


def test_a_picture_outside_the_run_is_refused(run_dir: Path) -> None:
    with pytest.raises(UserError, match="outside"):
        gallery(run_dir, [answers("grpo", range(1), image="../secret.png")])


def test_an_answer_without_its_picture_still_shows(run_dir: Path) -> None:
    shown = gallery(run_dir, [answers("grpo", range(1), image="images/gone.png")])
    assert "<article" in shown
    assert "<img" not in shown


def test_text_is_escaped_and_tags_are_marked(run_dir: Path) -> None:
    shown = gallery(run_dir, [answers("grpo", range(2), text="<obj>a</obj><script>x()</script>")])
    assert '<span class="tag">&lt;obj&gt;</span>a' in shown
    assert "<script" not in shown


def test_buttons_stand_only_where_there_is_a_choice(run_dir: Path) -> None:
    shown = gallery(run_dir, [answers("grpo", range(4))])
    assert 'data-key="result"' in shown
    assert 'data-key="set"' not in shown
    assert 'data-key="stage"' not in shown


def test_a_question_about_boxes_only_is_neither_right_nor_wrong() -> None:
    (answer,) = answers("grpo", range(1), correct=None, answers=[], iou=None)
    assert answer.result == "boxes"
    assert answer.quality == (True, 0.0)
