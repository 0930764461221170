"""Which answers a page shows, and how."""

from pathlib import Path

import pytest
from browsing import Page
from report_files import record, write_answers

from groundrl.answers.record import read_record
from groundrl.errors import UserError
from groundrl.report.answers.cards import answer_gallery
from groundrl.report.answers.stage_answers import (
    MAX_BEST,
    MAX_WORST,
    StageAnswer,
    pick_examples,
    read_answers,
)
from groundrl.report.page import MAX_CHARACTERS
from groundrl.report.pictures.image_view import MAX_BOXES


def answers(stage: str, numbers: range, **changes: object) -> list[StageAnswer]:
    """Records as answers."""
    return [StageAnswer(stage=stage, record=read_record(record(k, **changes))) for k in numbers]


def test_the_worst_come_first_and_then_the_best() -> None:
    picks = pick_examples([answers("grpo", range(4))])
    assert [(pick, a.record.id) for pick, a in picks] == [
        ("worst", "q1"),
        ("worst", "q3"),
        ("best", "q2"),
        ("best", "q0"),
    ]


def test_a_long_file_is_cut_to_its_extremes() -> None:
    picks = pick_examples([answers("grpo", range(100))])
    assert len(picks) == MAX_WORST + MAX_BEST
    assert next(a.record.id for pick, a in picks if pick == "best") == "q98"


def test_every_set_has_its_own_extremes() -> None:
    mixed = answers("grpo", range(50)) + answers("grpo", range(50), set="street")
    assert len(pick_examples([mixed])) == 2 * (MAX_WORST + MAX_BEST)


def test_earlier_stages_show_the_questions_that_the_last_one_chose() -> None:
    picks = pick_examples([answers("start", range(40, 200)), answers("grpo", range(100))])
    chosen = [a.record.id for _, a in picks if a.stage == "grpo" and int(a.record.id[1:]) >= 40]
    assert [a.record.id for _, a in picks if a.stage == "start"] == chosen


def test_other_questions_have_their_own_extremes() -> None:
    picks = pick_examples([answers("rollout", range(200, 300)), answers("grpo", range(100))])
    assert len([a for _, a in picks if a.stage == "rollout"]) == MAX_WORST + MAX_BEST


def test_stages_stand_in_the_order_of_the_metrics(run_dir: Path) -> None:
    write_answers(run_dir / "heldout_step.jsonl", [record(1)])
    write_answers(run_dir / "heldout_empty.jsonl", [])
    stages = [found[0].stage for found in read_answers(run_dir, ["start", "sft", "grpo"])]
    assert stages == ["start", "sft", "grpo", "step"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"boxes_true": [["cup", [9, 2, 1, 8]]]}, "box needs x1 <= x2"),
        (
            {"boxes_true": [["cup", [1, 2]]]},
            r"boxes_true\[0\]\[1\]: expected 4 items",
        ),
        ({"correct": 0.5}, "correct: expected true or false, got 0.5"),
        ({"options": None}, "options: expected a list, got None"),
    ],
)
def test_a_bad_record_is_named_with_file_and_line(
    run_dir: Path, change: dict[str, object], reason: str
) -> None:
    write_answers(run_dir / "heldout_grpo.jsonl", [record(0), record(1, **change)])
    with pytest.raises(UserError, match=rf"heldout_grpo.jsonl:2: .*{reason}"):
        read_answers(run_dir, [])


def test_an_image_outside_the_run_is_refused(run_dir: Path) -> None:
    with pytest.raises(UserError, match="outside"):
        answer_gallery(run_dir, [answers("grpo", range(1), images=["../secret.png"])])


def test_without_its_image_the_boxes_stand_on_an_empty_sheet(run_dir: Path) -> None:
    shown = answer_gallery(run_dir, [answers("grpo", range(1), images=["images/gone.png"])])
    assert "<img" not in shown
    assert "the image is not here" in shown
    assert 'style="aspect-ratio:9/8"' in shown  # as far as the boxes reach
    bare = {"images": ["images/gone.png"], "boxes_true": [], "boxes_predicted": []}
    assert 'class="image"' not in answer_gallery(run_dir, [answers("grpo", range(1), **bare)])


def test_a_phrase_and_its_box_have_the_same_key(run_dir: Path) -> None:
    shown = answer_gallery(run_dir, [answers("grpo", range(1))])
    assert 'class="phrase" tabindex="0" data-box="predicted0"' in shown
    assert "<b>cup</b>" in shown
    box = '<span class="box magenta" tabindex="0" role="img" data-box="predicted0"'
    assert box in shown
    # 2.5, 2, 9, 8 of an image of 16 x 12.
    assert "left:15.62%;top:16.67%;width:40.62%;height:50.00%" in shown.split(box)[1]
    assert 'class="phrase green" tabindex="0" data-box="true0">cup<' in shown


def test_a_box_that_leaves_the_image_is_cut_at_its_edge(run_dir: Path) -> None:
    boxes = [["cup", [-5, 6, 99, 999]]]
    shown = answer_gallery(run_dir, [answers("grpo", range(1), boxes_predicted=boxes)])
    assert "left:0.00%;top:50.00%;width:100.00%;height:50.00%" in shown


def test_further_images_of_a_question_stand_below_the_first(run_dir: Path) -> None:
    images = ["images/cup.png", "images/cup.png", "images/gone.png"]
    shown = answer_gallery(run_dir, [answers("grpo", range(1), images=images)])
    assert shown.count("<img") == 2
    assert '<div class="context"><img' in shown


@pytest.mark.slow
def test_a_megabyte_of_an_answer_leaves_the_page_small(run_dir: Path) -> None:
    piece = "<obj>cup</obj><bbox>[1, 2, 9, 8]</bbox>"
    count = 1_000_000 // len(piece)
    spans = [[k * len(piece), (k + 1) * len(piece)] for k in range(count)]
    changes = {"text": piece * count, "boxes_predicted": [["cup", [1, 2, 9, 8]]] * count}
    shown = answer_gallery(run_dir, [answers("grpo", range(1), spans_predicted=spans, **changes)])
    assert len(shown) < 40_000
    assert shown.count('class="box magenta"') == MAX_BOXES
    assert f"… and {len(piece) * count - MAX_CHARACTERS:,} more characters" in shown


def test_many_kinds_are_a_list_to_choose_from(run_dir: Path) -> None:
    kinds = [answers("grpo", range(k, k + 1), kind=f"k{k}")[0] for k in range(12)]
    shown = answer_gallery(run_dir, [kinds])
    assert '<select data-key="kind"><option value="">all</option><option value="k0">' in shown
    assert '<button data-key="result"' in shown


def test_text_is_escaped_and_tags_are_marked(run_dir: Path) -> None:
    shown = answer_gallery(
        run_dir,
        [answers("grpo", range(2), text="<obj>a</obj><script>x()</script>", spans_predicted=[])],
    )
    assert '<span class="tag">&lt;obj&gt;</span>a' in shown
    assert "<script" not in shown


EVIL = "\"'><script>x()</script>"


@pytest.mark.parametrize(
    "change",
    [
        {"text": EVIL, "spans_predicted": [], "boxes_predicted": []},
        {"text": EVIL * 2, "spans_predicted": [[0, 26]]},
        {"boxes_predicted": [[EVIL, [1, 2, 9, 8]]]},
        {"boxes_true": [[EVIL, [1, 2, 9, 8]]]},
        {"question": EVIL},
        {"options": [EVIL, "left"]},
        {"answers": [EVIL], "options": []},
        {"id": EVIL},
        {"kind": EVIL},
        {"set": EVIL},
        {"scores": {EVIL: 1.0}},
    ],
)
def test_no_field_of_an_answer_becomes_markup(run_dir: Path, change: dict[str, object]) -> None:
    few = answers("grpo", range(1), **change) + answers("grpo", range(1, 2))
    many = [answers("grpo", range(k, k + 1), kind=f"{EVIL}{k}")[0] for k in range(9)]
    for shown in (answer_gallery(run_dir, [few]), answer_gallery(run_dir, [many])):
        parser = Page()
        parser.feed(shown)
        assert "script" not in parser.counts
        assert parser.open == []
    assert "&lt;script&gt;" in answer_gallery(run_dir, [few])


def test_buttons_stand_only_where_there_is_a_choice(run_dir: Path) -> None:
    shown = answer_gallery(run_dir, [answers("grpo", range(4))])
    assert 'data-key="result"' in shown
    assert 'data-key="set"' not in shown
    assert 'data-key="stage"' not in shown


def test_a_question_about_boxes_only_is_neither_right_nor_wrong() -> None:
    (answer,) = answers("grpo", range(1), correct=None, answers=[], iou=None)
    assert answer.result == "boxes"
    assert answer.quality == (True, 0.0)


def test_a_rated_answer_shows_its_rating_and_the_lowest_come_first() -> None:
    rated = [
        answers("result", range(k, k + 1), correct=None, iou=None, scores={"rating": value})[0]
        for k, value in ((0, 6), (1, 2), (2, 3))
    ]
    picks = pick_examples([rated])
    assert [answer.record.scores["rating"] for _, answer in picks] == [2, 3, 6]
    assert [answer.result for _, answer in picks] == ["invents", "sound", "sound"]
    assert "rating 2" in answer_gallery(Path("nowhere"), [rated])
