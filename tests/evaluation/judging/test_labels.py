"""What people said: which answer a label is of, and how far a judge agrees."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from replies import reply

from groundrl.errors import UserError
from groundrl.evaluation.benchmarks.base import ScoredAttempt
from groundrl.evaluation.benchmarks.world import WorldVQA
from groundrl.evaluation.judging.labels import agreement, read_labels
from groundrl.world.graph import SceneSpec
from groundrl.world.source import SceneImage


def written(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps({"aligned": True} | row) + "\n" for row in rows))
    return path


def labels_of(path: Path) -> dict[str, bool]:
    """Of the only set."""
    return read_labels(path).by_set({"vqa": "abcz"})["vqa"]


def answers(names: Sequence[str], images: int) -> list[ScoredAttempt]:
    """One to each id, about ``images`` images in turn."""
    (sample,) = WorldVQA(size=1).questions().samples
    scenes = [SceneImage(spec=SceneSpec(seed=1, index=index)) for index in range(images)]
    return [
        ScoredAttempt(
            attempt=reply(replace(sample, id=name, image=scenes[index % images]), "because"),
            scores={},
        )
        for index, name in enumerate(names)
    ]


def test_people_and_judge_are_compared_on_what_both_saw(tmp_path: Path) -> None:
    path = written(tmp_path / "labels.jsonl", *({"id": i, "aligned": i != "c"} for i in "abcd"))
    judged = {"a": True, "b": False, "c": False, "z": True}
    found = agreement(judged, labels_of(path), answers("abcz", 4))
    assert found["labels_n"] == 3
    assert (found["agreement"], found["people_aligned"]) == pytest.approx((2 / 3, 2 / 3))
    assert found["kappa"] == pytest.approx(0.4)
    assert agreement({"z": True}, labels_of(path), answers("z", 1)) == {"labels_n": 0}


@pytest.mark.slow
def test_kappa_is_as_sure_as_there_are_images() -> None:
    names = [str(index) for index in range(400)]
    judged = {name: int(name) % 2 == 0 for name in names}
    people = {name: said == (int(name) % 20 > 2) for name, said in judged.items()}
    widths = {}
    for images in (20, 400):
        found = agreement(judged, people, answers(names, images))
        assert found["kappa"] == pytest.approx(1 - 2 * 3 / 20, abs=0.01)
        assert found["kappa_low"] < found["kappa"] < found["kappa_high"]
        widths[images] = found["kappa_high"] - found["kappa_low"]
    # Twenty questions about an image that all go wrong together tell as much as one.
    assert widths[20] > 3 * widths[400]


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


def test_one_error_lists_all_labels_that_could_be_of_several_sets(tmp_path: Path) -> None:
    path = written(tmp_path / "labels.jsonl", {"id": "a"}, {"id": "b"}, {"id": "c"})
    with pytest.raises(UserError, match=r"2 rows .* 'a' \(vsr, rel3d\): write \"set\""):
        read_labels(path).by_set({"vsr": "abc", "rel3d": "ab"})
    written(path, {"set": "vsr", "id": "a"}, {"id": "a"})
    with pytest.raises(UserError, match=r"1 answers are labelled .* 'a' of vsr: drop one"):
        read_labels(path).by_set({"vsr": "abc"})


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"id": "b", "aligned": "false"}', "aligned: expected true or false"),
        (b'{"id": "\xe9", "aligned": true}', "'utf-8' codec can't decode"),
        (b'{"aligned": true}', "lacks the field 'id'"),
        (b"7", "expected"),
        (b'{"set": 1, "id": "b", "aligned": true}', "set: expected text, got 1"),
        (b'{"id": "a", "aligned": false}', "a second label of 'a'"),
    ],
)
def test_a_line_that_is_no_label_is_named(tmp_path: Path, line: bytes, reason: str) -> None:
    path = tmp_path / "labels.jsonl"
    path.write_bytes(b'{"id": "a", "aligned": true}\n' + line)
    with pytest.raises(UserError, match=rf"labels.jsonl:2: {reason}"):
        read_labels(path)
