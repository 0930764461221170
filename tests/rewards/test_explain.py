"""One reward, taken apart: terms, boxes, failures with their places."""

import json
from pathlib import Path

import pytest
from attempts import attempt, box, sample
from browsing import read
from PIL import Image

from groundrl.answers.notation import Notation
from groundrl.answers.record import AnswerOrigin, image_file_name, make_record
from groundrl.boxes import Frame
from groundrl.grammar import GRAMMARS
from groundrl.launch.commands.explain import main
from groundrl.rewards.base import RewardSum
from groundrl.rewards.explain.explanation import explain
from groundrl.rewards.explain.failures import locate_failures
from groundrl.rewards.explain.page import failure_lines, term_table, to_terminal
from groundrl.rewards.terms.acc import Acc
from groundrl.rewards.terms.format import Format
from groundrl.rewards.terms.iou import Iou
from groundrl.rewards.terms.repetition import Repetition

GRAMMAR = GRAMMARS["inline_box"]
REWARD = RewardSum(
    terms={"iou": Iou(weight=2.0), "acc": Acc(), "format": Format(), "repetition": Repetition()},
    grammar=GRAMMAR,
    frame=Frame.PIXEL,
)


def test_terms_add_up_and_say_how() -> None:
    of = sample(box(0, 0, 50, 50), box(100, 0, 150, 50))
    one = explain(attempt(of, "<think>[0,0,50,50 cup]</think><answer>B</answer>"), REWARD)
    assert one.total == sum(term.adds for term in one.terms)
    assert [(term.name, term.value) for term in one.terms[:3]] == [
        ("iou", 0.5),
        ("acc", 0.0),
        ("format", 1.0),
    ]
    assert one.terms[0].adds == 1.0
    assert one.terms[0].why == "(1.00) / 2 boxes"
    assert one.terms[3].why == ""  # this term does not say
    assert (one.chosen, one.correct) == ("blue", False)


def test_boxes_are_paired_and_missing_ones_are_told() -> None:
    of = sample(box(0, 0, 50, 50), box(100, 0, 150, 50))
    text = "<think>[0,0,9,9 spot] [110,0,150,50 vase]</think><answer>red</answer>"
    pairs = explain(attempt(of, text), REWARD).boxes
    assert [(pair.number, pair.true and pair.true.label) for pair in pairs] == [
        (1, "cup"),
        (2, "vase"),
    ]
    assert pairs[1].iou == pytest.approx(0.8)
    nothing = explain(attempt(of, ""), REWARD).boxes
    assert [(pair.number, pair.true and pair.true.label) for pair in nothing] == [
        (None, "cup"),
        (None, "vase"),
    ]


def test_a_term_that_does_not_apply_says_why() -> None:
    one = explain(attempt(sample(answers=()), "<think></think><answer>x</answer>"), REWARD)
    assert [term.value for term in one.terms[:2]] == [None, None]
    assert one.terms[0].why == "does not apply: the true boxes of this sample are unknown"
    assert one.terms[1].why.startswith("does not apply: the sample asks for boxes only")
    assert one.correct is None
    assert term_table(one).rows[0][2] == ""


@pytest.mark.parametrize(
    ("grammar", "text", "reason", "excerpt"),
    [
        ("obj_bbox", "<obj>a</obj><bbox>[1, 2, 3, 4]</bbox> <obj>b</obj><bbox>[1]</bbox>",
         "a box has 4 numbers, not 1", "<obj>b</obj>"),
        ("obj_bbox", "x <bbox>[1, 2, 3, 4]</bbox>", "<bbox> without <obj>", "<bbox>[1"),
        ("inline_box", "ok [1,2,3,4 a] but [9,2,3,4 b]", "box with swapped corners", "[9,2"),
        ("inline_box", "[nan,0,0,0 a]", "non-finite number in a box", "[nan"),
        ("bbox_2d", 'see [{"bbox_2d": [1, 2, 3], "label": "a"}]',
         "a box has 4 numbers, not 3", '{"bbox_2d"'),
    ],
)  # fmt: skip
def test_the_place_of_a_damaged_box_is_found(
    grammar: str, text: str, reason: str, excerpt: str
) -> None:
    whole = f"<think>{text}</think><answer>red</answer>"
    parsed = GRAMMARS[grammar].parse(whole, Frame.PIXEL)
    (failure,) = [
        one
        for one in locate_failures(whole, parsed, GRAMMARS[grammar], Frame.PIXEL)
        if one.reason == reason
    ]
    assert failure.excerpt.startswith(excerpt)
    assert failure.start == whole.index(excerpt)


def test_the_place_of_a_tag_is_told_unless_it_is_missing() -> None:
    text = "<think>a</think> so <answer>red</answer><answer>blue</answer>"
    one = explain(attempt(sample(box(0, 0, 9, 9)), text), REWARD)
    assert failure_lines(one) == [
        "more than one <answer>, at character 41: '<answer>blue</answer>'",
        "more than one </answer>, at character 53: '</answer>'",
    ]
    missing = explain(attempt(sample(), "I know."), REWARD)
    assert failure_lines(missing)[0] == "missing <think>"
    late = explain(attempt(sample(), "<think>a</think><answer>red</answer> so."), REWARD)
    assert failure_lines(late) == ["text after </answer>, at character 37: ' so.'"]


def test_any_text_is_explained_on_the_terminal() -> None:
    text = "<think>[0,0,50,50 cup] [1,2</think><answer>red, blue</answer>"
    told = to_terminal(explain(attempt(sample(box(0, 0, 50, 50)), text), REWARD))
    assert "answer    blue, red (wrong; true answer: red)" in told
    assert "unclosed box, at character 24: '[1,2</think>" in told
    assert told.index("iou ") < told.index("reward ")


@pytest.mark.slow
def test_a_text_about_a_sample_becomes_tables_and_a_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, page = tmp_path / "text.txt", tmp_path / "explain.html"
    file.write_text("<think><obj>cup</obj><bbox>[0, 0, 40, 40]</bbox></think><answer>x</answer>\n")
    assert main(["--file", str(file), "--sample", "2", "reward=iou+acc", f"page={page}"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("question  ")
    assert out.endswith(f"{page}\n")
    assert "1: 0." in page.read_text()
    assert [one[:15] for one in read(page).addresses] == ["data:image/jpeg"]


@pytest.mark.slow
def test_a_record_of_a_run_brings_its_sample_grammar_and_frame(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    of = sample(box(20, 10, 100, 50))
    # Thousandths of an image of 200 x 100.
    text = "<think>[100,100,500,500 cup]</think><answer>red</answer>"
    notation = Notation.of("inline_box", "permille")
    record = make_record(
        attempt(of, text, Frame.PERMILLE), "street", True, AnswerOrigin(notation=notation)
    )
    (tmp_path / "heldout_grpo.jsonl").write_text(f"{json.dumps(record.json)}\n")
    (tmp_path / "images").mkdir()
    Image.new("RGB", (200, 100)).save(tmp_path / image_file_name(of.image))
    page = tmp_path / "explain.html"
    chosen = ["--record", str(tmp_path / "heldout_grpo.jsonl"), "--id", of.id]
    assert main(["reward=iou+acc", *chosen, f"page={page}"]) == 0
    (total,) = [x for x in capsys.readouterr().out.splitlines() if x.startswith("reward ")]
    assert total.split() == ["reward", "2.000"]
    assert "data:image/jpeg" in page.read_text()
    assert main([*chosen[:3], "other"]) == 2
    assert "no record of the id 'other': type --id <id>, such as s-1" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--record", "nowhere.jsonl"], "nowhere.jsonl: no such file"),
        (["--file", "nowhere.txt"], "nowhere.txt: no such file"),
        (["--text", "x", "--sample", "abc"], "type a number, or data=<samples> for an id"),
        (["--text", "x", "reward=nope"], "reward has no option 'nope'"),
        (["--text", "x", "frame=inch"], "frame=inch is unknown"),
    ],
)
def test_a_mistake_in_the_command_is_answered_with_what_to_type(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    assert message in capsys.readouterr().err
