"""Records of answers are read whichever program wrote them; unknown keys of a line are named."""

import json
from pathlib import Path
from typing import Any

import pytest
from replies import LINE

from groundrl.answers.record import read_record, read_record_file, read_records
from groundrl.data.problems import Problems
from groundrl.errors import UserError


def test_a_record_is_written_as_it_was_read() -> None:
    assert json.loads(json.dumps(read_record(LINE).json)) == LINE
    unknown = LINE | dict.fromkeys(("prompt", "prompting", "seed", "correct", "iou"))
    assert json.loads(json.dumps(read_record(unknown).json)) == unknown


@pytest.mark.parametrize("name", LINE)
def test_no_field_may_be_missing_or_of_another_type(name: str) -> None:
    with pytest.raises(ValueError, match=f"lacks the field '{name}'"):
        read_record({key: value for key, value in LINE.items() if key != name})
    with pytest.raises(ValueError, match=rf"{name}.*: expected .*, got "):
        read_record(LINE | {name: {"no": "such"}})


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"options": "abc"}, "options: expected a list, got 'abc'"),
        ({"options": [1, 2]}, r"options\[0\]: expected text, got 1; options\[1\]: expected text"),
        ({"answers": [1]}, r"answers\[0\]: expected text"),
        ({"truncated": "no"}, "truncated: expected true or false, got 'no'"),
        ({"tokens": [True]}, r"tokens\[0\]: expected a whole number, got True"),
        ({"image_size": ["a", "b"]}, r"image_size\[0\]: expected a whole number"),
        ({"image_size": [None, None]}, r"image_size\[0\]: expected a whole number"),
        ({"image_size": [-1, 6]}, r"image_size\[0\]: expected a number from 0 on"),
        ({"model_size": [float("inf"), 6]}, r"model_size\[0\]: expected a whole number"),
        ({"scores": {"correct": float("nan")}}, "scores.correct: expected a number, got nan"),
        ({"boxes_true": [["dog", [0, 0, 1]]]}, r"boxes_true\[0\]\[1\]: expected 4 items"),
        ({"boxes_predicted": [["dog", [9, 0, 1, 1]]]}, r"boxes_predicted\[0\]: box needs x1 <= x2"),
        ({"spans_predicted": [[1]]}, r"spans_predicted\[0\]: expected 2 items"),
        ({"frame": "unit", "image_size": [0, 0]}, "boxes in unit need image_size"),
    ],
)
def test_a_value_without_meaning_is_an_error(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        read_record(LINE | change)


def test_half_of_a_character_is_replaced_and_places_stay() -> None:
    text = "Yes \ud83d [1,2,3,4 d\udc00g]"
    record = read_record(json.loads(json.dumps(LINE | {"text": text, "question": "\ud83d?"})))
    assert record.text == "Yes \ufffd [1,2,3,4 d\ufffdg]"
    assert record.question == "\ufffd?"
    assert len(record.text) == len(text)


def test_every_broken_line_of_a_file_is_named_at_once(tmp_path: Path) -> None:
    path = tmp_path / "predictions.jsonl"
    lines = [LINE, LINE | {"seed": -1}, LINE | {"grammar": "yaml"}, [1]]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.raises(UserError) as told:
        read_record_file(path)
    for number, reason in (
        (2, "seed: expected"),
        (3, "unknown grammar"),
        (4, "expected an object"),
    ):
        assert f"predictions.jsonl:{number}: no answer record ({reason}" in str(told.value)
    problems = Problems("x")
    assert len(list(read_records(path, path.read_bytes(), problems))) == 1
