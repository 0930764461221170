"""Rows of files are read by number, without reading the others."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundrl.data.tables import files
from groundrl.data.tables.files import JsonLines, open_file
from groundrl.errors import UserError


@given(
    lines=st.lists(st.sampled_from(["", "  ", " " * 9, '{"a": 1}', '{"é": "' + "x" * 40 + '"}'])),
    end=st.sampled_from(["\n", "\r\n"]),
    last=st.booleans(),
    bom=st.booleans(),
)
def test_lines_are_found_as_a_text_editor_numbers_them(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], end: str, last: bool, bom: bool
) -> None:
    path = tmp_path_factory.mktemp("lines") / "t.jsonl"
    text = end.join(lines) + (end if last else "")
    path.write_bytes((b"\xef\xbb\xbf" if bom else b"") + text.encode())
    table = files.open_json_lines(path)
    expected = [(number, json.loads(line)) for number, line in enumerate(lines, 1) if line.strip()]
    places = [(int(table.numbers[i]), table.row(i)) for i in range(len(table))]
    assert places == expected


def test_blocks_do_not_cut_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text("".join(f'{{"number": {number}}}\n' for number in range(50)))
    monkeypatch.setattr(files, "BLOCK", 7)
    table = open_file(path)
    assert [table.row(i)["number"] for i in range(len(table))] == list(range(50))
    assert table.where(49) == f"{path}:50"


def test_json_is_read_as_a_list_or_line_by_line(tmp_path: Path) -> None:
    path = tmp_path / "t.json"
    path.write_text('\ufeff [{"a": 1}, 2]', encoding="utf-8")
    table = open_file(path)
    assert (table.row(0), table.where(1)) == ({"a": 1}, f"{path}: row 2")
    with pytest.raises(ValueError, match="expected an object, got 2"):
        table.row(1)
    path.write_text('{"a": 1}\n{"a": 2}\n')
    assert isinstance(open_file(path), JsonLines)


def test_values_of_csv_are_texts(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text('question,answer\n"What,\nwho?",None\nHow many?,\n')
    table = open_file(path)
    assert table.row(0) == {"question": "What,\nwho?", "answer": "None"}
    assert table.row(1) == {"question": "How many?", "answer": None}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.json", "[1,", "is not valid JSON"),
        ("t.json", "7", "expected a JSON list of rows"),
        ("t.csv", "a,b\n1\n", "row 1 has another number of fields"),
        ("t.csv", "a,b\n1,2,3\n", "row 1 has another number of fields"),
        ("t.csv", b"a\n\xff\n", "is not a CSV file in UTF-8"),
    ],
)
def test_a_damaged_file_is_named(
    tmp_path: Path, name: str, content: str | bytes, message: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(UserError, match=message):
        open_file(path)
    with pytest.raises(UserError, match="no such file"):
        open_file(tmp_path / "other.json")


def test_a_large_array_is_refused_with_a_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "t.json"
    path.write_text('[{"a": 1}]')
    monkeypatch.setattr(files, "MAX_ARRAY", 5)
    with pytest.raises(UserError, match=r"jq -c '\.\[\]' .*t\.json > .*t\.jsonl"):
        open_file(path)


def test_a_line_that_is_no_object_is_a_problem_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_bytes(b'{"a": 1}\n[1]\n{"a"\n\xff\xfe-------------\n')
    table = open_file(path)
    assert table.row(0) == {"a": 1}
    for index in (1, 2, 3):
        with pytest.raises(ValueError, match=r"object|delimiter|decode"):
            table.row(index)
