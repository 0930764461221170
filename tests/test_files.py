"""Files are replaced whole, and a torn last line is dropped."""

from pathlib import Path

import pytest

from groundrl.errors import UserError
from groundrl.files import (
    drop_torn_line,
    partial_path,
    read_json,
    replace_file,
    whole_lines,
    write_json,
    write_text,
)


def test_a_reader_sees_the_old_file_until_the_new_one_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "new" / "metrics.json"
    write_json(path, 1)
    with replace_file(path) as partial:
        partial.write_text("2")
        assert path.read_text() == "1"
    assert path.read_text() == "2"
    assert list(path.parent.iterdir()) == [path]


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "metrics.json"
    path.write_text("old")
    with pytest.raises(UnicodeEncodeError):
        write_text(path, "new \ud800")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_two_writers_of_one_file_do_not_meet(tmp_path: Path) -> None:
    path = tmp_path / "features"
    with replace_file(path) as first, replace_file(path) as second:
        first.write_text("a")
        second.write_text("b")
    assert first != second
    assert path.read_text() == "a"


def test_what_a_killed_writer_left_is_overwritten_where_there_is_only_one(tmp_path: Path) -> None:
    path = tmp_path / "last.ckpt"
    partial_path(path).write_text("half")
    with replace_file(path, only_writer=True) as partial:
        partial.write_text("whole")
    assert list(tmp_path.iterdir()) == [path]


def test_a_torn_last_line_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    assert drop_torn_line(path) == b""
    path.write_bytes(b'{"a": 1}\n{"a"')
    assert drop_torn_line(path) == b'{"a": 1}\n'
    assert path.read_bytes() == b'{"a": 1}\n'
    assert whole_lines(b"torn") == b""


def test_a_whole_file_is_not_written_to(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b"{}\n")
    path.chmod(0o400)
    before = path.stat().st_mtime_ns
    assert drop_torn_line(path) == b"{}\n"
    assert path.stat().st_mtime_ns == before


@pytest.mark.parametrize("content", [b"", b'{"a": [1', b"\xff\xfe{", b"[" * 200_000])
def test_json_that_is_cut_short_is_an_error_that_names_the_file(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"a": [1]})
    assert read_json(path) == {"a": [1]}
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"a\.json is no"):
        read_json(path)
