"""What people said: which answer a label is of, and how far a judge agrees."""

import json
from pathlib import Path
from typing import Any

import pytest

from groundrl.errors import UserError
from groundrl.evaluation.labels import agreement, read_labels


def written(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps({"aligned": True} | row) + "\n" for row in rows))
    return path


def labels_of(path: Path) -> dict[str, bool]:
    """Of the only set."""
    return read_labels(path).by_set({"vqa": "abcz"})["vqa"]


def test_people_and_judge_are_compared_on_what_both_saw(tmp_path: Path) -> None:
    path = tmp_path / "labels.jsonl"
    rows = [{"id": name, "aligned": name != "c"} for name in "abcd"]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    judged = {"a": True, "b": False, "c": False, "z": True}
    found = agreement(judged, labels_of(path))
    assert found["labels_n"] == 3
    assert (found["agreement"], found["people_aligned"]) == pytest.approx((2 / 3, 2 / 3))
    assert found["kappa"] == pytest.approx(0.4)
    assert agreement({"z": True}, labels_of(path)) == {"labels_n": 0}
    path.write_text("yes\n")
    with pytest.raises(UserError, match=r"labels.jsonl:1: expected"):
        read_labels(path)


def test_a_label_is_of_its_set(tmp_path: Path) -> None:
    path = written(
        tmp_path / "labels.jsonl",
        {"set": "vsr", "id": "a"},
        {"set": "rel3d", "id": "a", "aligned": False},
        {"id": "b"},
        {"set": "pope", "id": "a"},
        {"id": 7},
    )
    found = read_labels(path).by_set({"vsr": {"a", "b"}, "rel3d": {"a", "7"}, "vqa": {"c"}})
    assert found == {"vsr": {"a": True, "b": True}, "rel3d": {"a": False, "7": True}, "vqa": {}}


def test_all_labels_that_could_be_of_several_sets_are_told_at_once(tmp_path: Path) -> None:
    path = written(tmp_path / "labels.jsonl", {"id": "a"}, {"id": "b"}, {"id": "c"})
    with pytest.raises(UserError, match=r"2 rows .* 'a' \(vsr, rel3d\): write \"set\""):
        read_labels(path).by_set({"vsr": "abc", "rel3d": "ab"})
    written(path, {"set": "vsr", "id": "a"}, {"id": "a"})
    with pytest.raises(UserError, match=r"1 answers are labelled .* 'a' of vsr: drop one"):
        read_labels(path).by_set({"vsr": "abc"})


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"id": "b", "aligned": "false"}', "expected"),
        (b'{"id": "\xe9", "aligned": true}', "expected"),
        (b'{"aligned": true}', "expected"),
        (b"7", "expected"),
        (b'{"set": 1, "id": "b", "aligned": true}', "set must be the name of a benchmark"),
        (b'{"id": "a", "aligned": false}', "a second label of 'a'"),
    ],
)
def test_a_line_that_is_no_label_is_named(tmp_path: Path, line: bytes, reason: str) -> None:
    path = tmp_path / "labels.jsonl"
    path.write_bytes(b'{"id": "a", "aligned": true}\n' + line)
    with pytest.raises(UserError, match=rf"labels.jsonl:2: {reason}"):
        read_labels(path)
