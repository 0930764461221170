"""A format of answer files that is added from outside reads like the known ones."""

import json
from pathlib import Path
from typing import Any

import pytest
from mylab.answers import ArenaAnswers

from groundrl.errors import UserError
from groundrl.evaluation.answer_format import AnswerFormat
from groundrl.evaluation.recorded import read_predictions
from groundrl.grammar import get_grammar

ROW = {"picture": "a.jpg", "asked": "Is there a dog?", "reply": "Yes.", "truth": "yes"}


def read(path: Path, *rows: Any, formats: tuple[AnswerFormat, ...] = (ArenaAnswers(),)) -> Any:
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return read_predictions(path, get_grammar("inline_box"), formats)


def test_its_rows_become_answers(tmp_path: Path) -> None:
    (answer,) = read(tmp_path / "a.json", ROW)
    assert answer.group.completions[0].text == "Yes."
    assert answer.group.sample.question == "Is there a dog?"
    assert (answer.truth, answer.clue.image) == ("yes", "a.jpg")


def test_it_is_tried_before_the_known_ones(tmp_path: Path) -> None:
    (answer,) = read(tmp_path / "a.json", ROW | {"question": "Is there a cat?", "answer": "No."})
    assert answer.group.completions[0].text == "Yes."


def test_broken_rows_and_unknown_fields_are_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"a.jsonl:2: reply must be text, got 3"):
        read(tmp_path / "a.jsonl", ROW, ROW | {"reply": 3})
    with pytest.raises(
        UserError, match=r"expected.* answers of our arena \(asked, picture, reply\)"
    ):
        read(tmp_path / "b.json", {"reply": "Yes."})
    with pytest.raises(UserError, match="its rows have the fields picture, asked"):
        read(tmp_path / "c.json", ROW, formats=())
