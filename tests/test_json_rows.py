"""Rows from outside: typed strictly, and every problem is reported with its place."""

import re
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydantic import ConfigDict

from groundrl.json_rows import Corners, Flag, Number, Text, Whole, read_json_lines, validate


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Of a row."""

    label: Text
    box: Corners


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One of each type."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    name: Text
    count: Whole = 0
    share: Number = 0.0
    right: Flag = True
    words: tuple[Text, ...] = ()
    parts: tuple[Part, ...] = ()


def test_a_row_becomes_its_dataclass() -> None:
    part = {"label": "cup", "box": [0, 1, 2.5, 3]}
    row = validate(Row, {"name": "a", "share": 1, "words": ["b"], "parts": [part]})
    assert row == Row(
        name="a", share=1.0, words=("b",), parts=(Part(label="cup", box=(0, 1, 2.5, 3)),)
    )


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ([], "expected an object, got []"),
        ({}, "lacks the field 'name'"),
        ({"parts": [{}]}, "lacks the field 'name'; parts[0]: lacks the fields 'label', 'box'"),
        ({"name": "a", "nam": 1}, "has an unknown field 'nam'"),
        ({"name": 3}, "name: expected text, got 3"),
        ({"name": "a", "count": True}, "count: expected a whole number, got True"),
        ({"name": "a", "count": "1"}, "count: expected a whole number, got '1'"),
        ({"name": "a", "count": -1}, "count: expected a number from 0 on, got -1"),
        ({"name": "a", "share": False}, "share: expected a number, got False"),
        ({"name": "a", "share": float("nan")}, "share: expected a number, got nan"),
        ({"name": "a", "share": 10**400}, "share: expected a number, got 1"),
        ({"name": "a", "right": 1}, "right: expected true or false, got 1"),
        ({"name": "a", "words": "bc"}, "words: expected a list, got 'bc'"),
        ({"name": "a", "words": ["b", None]}, "words[1]: expected text, got None"),
        (
            {"name": "a", "parts": [{"label": "cup", "box": [1, 2, 3]}]},
            "parts[0].box: expected 4 items, got [1, 2, 3]",
        ),
        (
            {"name": "a", "parts": [{"box": [1, 2, 3, 4, 5]}]},
            "parts[0]: lacks the field 'label'; parts[0].box: expected at most 4 items",
        ),
    ],
)
def test_every_problem_of_a_row_is_named_with_its_path(value: object, problem: str) -> None:
    with pytest.raises(ValueError, match="^" + re.escape(problem)):
        validate(Row, value)


def test_a_lone_surrogate_is_replaced_so_that_the_text_can_be_written_again() -> None:
    row = validate(Row, {"name": "a\ud800b", "words": ["\udfff"]})
    assert (row.name, row.words) == ("a\ufffdb", ("\ufffd",))


def test_all_broken_lines_of_a_file_are_reported_with_their_numbers() -> None:
    content = b'{"name": "a"}\n\n{"name": 1}\nnot JSON\n{"name": "b"}\n'
    found: list[tuple[str, str]] = []
    rows = list(
        read_json_lines(Path("x.jsonl"), content, Row, lambda *problem: found.append(problem))
    )
    assert rows == [("x.jsonl:1", Row(name="a")), ("x.jsonl:5", Row(name="b"))]
    assert found[0] == ("x.jsonl:3", "name: expected text, got 1")
    assert found[1][0] == "x.jsonl:4"
    assert found[1][1].startswith("Expecting value")
