"""Two runs over the same questions: paired tests against independent implementations."""

import json
import math
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from replies import LINE

from groundrl.answers.record import AnswerRecord, read_record
from groundrl.errors import UserError
from groundrl.evaluation.compare import Comparison, Records, compare, list_unpaired, read_run
from groundrl.intervals import cohen_kappa, mcnemar


def written(number: int, correct: bool, **changes: Any) -> dict[str, Any]:
    own = {
        "set": "pope",
        "id": str(number),
        "question": "Is there a dog?",
        "image_key": str(number // 3),
        "iou": 0.5 if correct else 0.25,
        "scores": {"correct": float(correct), "yes": 1.0},
    }
    return LINE | own | changes


def record(number: int, correct: bool, **changes: Any) -> AnswerRecord:
    return read_record(written(number, correct, **changes))


def run(rights: list[bool], **changes: Any) -> Records:
    return {("pope", str(n)): record(n, right, **changes) for n, right in enumerate(rights)}


def plain_mcnemar(b: int, c: int) -> float:
    """Twice the smaller tail of a fair coin."""
    tail = sum(math.comb(b + c, k) for k in range(min(b, c) + 1)) / 2 ** (b + c)
    return min(1.0, 2 * tail)


@pytest.mark.parametrize(("b", "c"), [(0, 0), (1, 0), (5, 5), (10, 2), (3, 17), (40, 60)])
def test_mcnemar_equals_the_tail_of_a_fair_coin(b: int, c: int) -> None:
    assert mcnemar(b, c) == pytest.approx(plain_mcnemar(b, c))
    assert mcnemar(b, c) == mcnemar(c, b)


def test_kappa_of_the_textbook_example() -> None:
    # 20 and 15 agreements of 50, 5 and 10 disagreements: kappa 0.4.
    assert cohen_kappa(np.array([[20.0, 5], [10, 15]])) == pytest.approx(0.4)
    several = cohen_kappa(np.array([[[20.0, 5], [10, 15]], [[25, 0], [0, 25]], [[0, 0], [0, 9]]]))
    assert several == pytest.approx([0.4, 1, 1])


def test_a_run_differs_from_itself_by_nothing() -> None:
    same = run([True, False, True])
    for one in compare(same, same):
        assert (one.change.mean, one.change.low, one.change.high) == (0, 0, 0)
    assert compare(same, same)[0].p == 1


def test_pairing_sees_what_two_intervals_hide() -> None:
    rng = random.Random(0)
    a = [rng.random() < 0.5 for _ in range(300)]
    b = [right or rng.random() < 0.1 for right in a]
    first, boxes = compare(run(a), run(b))  # equal in "yes", which is no verdict
    won = sum(y and not x for x, y in zip(a, b, strict=True))
    assert [first.name, boxes.name] == ["pope/correct", "pope/iou"]
    assert first.change.mean == pytest.approx(won / 300)
    assert first.p == pytest.approx(plain_mcnemar(0, won))
    assert first.change.low > 0
    assert boxes.change.mean == pytest.approx(0.25 * won / 300)
    # A plain loop of paired resamples by image gives the same interval.
    gaps = np.array([float(y) - float(x) for x, y in zip(a, b, strict=True)]).reshape(100, 3)
    draws = np.random.default_rng(1)
    means = [gaps[draws.integers(0, 100, 100)].mean() for _ in range(4000)]
    low, high = np.quantile(means, (0.025, 0.975))
    assert (first.change.low, first.change.high) == pytest.approx((low, high), abs=0.006)


def test_a_score_that_the_first_answer_lacks_is_compared_and_omissions_are_reported() -> None:
    rated: list[dict[str, Any]] = [{}, {"rating": 2.0}, {"rating": 4.0}]
    ious = [(None, None), (None, None), (0.25, 0.5)]
    a, b = (
        {
            ("mmhal", str(n)): read_record(
                written(n, True) | {"scores": scores[n], "iou": ious[n][place], "correct": None}
            )
            for n in range(3)
        }
        for place, scores in enumerate((rated, [{"rating": 5.0}] * 3))
    )
    boxes, rating = compare(a, b)
    assert (boxes.name, boxes.change.n, boxes.change.mean) == ("mmhal/iou", 1, 0.25)
    assert (rating.name, rating.change.n, rating.change.mean) == ("mmhal/rating", 2, 2.0)
    (told,) = list_unpaired(a, b)
    assert told.startswith("mmhal/rating: 1 of 3 questions are left out, only one run has")
    assert list_unpaired(b, b) == []


def test_answers_of_a_training_are_right_or_wrong_without_a_benchmark() -> None:
    a, b = (
        {
            ("pope", str(n)): read_record(written(n, True) | {"correct": right, "scores": {}})
            for n in range(3)
        }
        for right in (True, False)
    )
    found = {one.name: one for one in compare(a, b)}
    assert (found["pope/correct"].a, found["pope/correct"].b) == (1, 0)
    assert found["pope/correct"].p == pytest.approx(plain_mcnemar(3, 0))


def test_runs_that_cannot_be_paired_are_refused(tmp_path: Path) -> None:
    one = run([True])
    with pytest.raises(UserError, match="one answers pope, the other vsr"):
        compare(one, {("vsr", "0"): record(0, True)})
    with pytest.raises(UserError, match="in other words"):
        compare(one, run([True], question="Is there a cat?"))
    with pytest.raises(UserError, match=r"Type compare=\[<run>,<run>\]"):
        read_run(str(tmp_path))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{}", "lacks the fields 'set', 'id'"),
        (b"3", "expected an object, got 3"),
        (b'{"set": "po', "Unterminated string"),
        (b'{"set": "\xe9"}', "codec can't decode"),
        (json.dumps(written(0, True)).encode(), "a second answer to question '0' of 'pope'"),
    ],
)
def test_a_line_that_is_no_answer_is_named(tmp_path: Path, line: bytes, reason: str) -> None:
    good = json.dumps(written(0, True)).encode()
    (tmp_path / "predictions.jsonl").write_bytes(good + b"\n" + line + b"\n")
    with pytest.raises(UserError, match=rf"predictions.jsonl:2.*{reason}"):
        read_run(str(tmp_path))


def test_the_comparison_leaves_a_table_and_a_page(
    tmp_path: Path,
) -> None:
    places = []
    for name, rights in (("a", [True, False, False]), ("b", [True, True])):
        (tmp_path / name).mkdir()
        lines = [json.dumps(one.json) for one in run(rights).values()]
        (tmp_path / name / "predictions.jsonl").write_text("\n".join(lines) + "\n")
        places.append(str(tmp_path / name))
    text = Comparison(places=(places[0], places[1]), run_dir=tmp_path, benchmarks={}).run()
    figures = json.loads((tmp_path / "metrics.json").read_text())
    assert figures["pope/correct_change"] == 0.5
    assert (figures["pope/correct_n"], figures["pope/correct_p"]) == (2, 1)
    assert "1 of 3 questions of the first run are left out, the other run does not" in text
    assert "pope: its scores are compared answer by answer only" in text
    assert text.splitlines()[-1] == str(tmp_path)
    assert "McNemar" in (tmp_path / "report.html").read_text()
