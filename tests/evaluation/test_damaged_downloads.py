"""Damaged published files: one message with the file, the record and what is wrong in it."""

import json
import pickle
from pathlib import Path
from typing import Any

import pytest
from replies import images, written

from groundrl.errors import UserError
from groundrl.evaluation.benchmarks.aokvqa import AOKVQA, AOKVQADirect
from groundrl.evaluation.benchmarks.chair import CHAIR
from groundrl.evaluation.benchmarks.choice import DrivingVQA
from groundrl.evaluation.benchmarks.mme import COGNITION, MME, PERCEPTION
from groundrl.evaluation.benchmarks.mmhal import MMHal
from groundrl.evaluation.benchmarks.published import PublishedBenchmark
from groundrl.evaluation.benchmarks.refcoco import RefCOCO
from groundrl.evaluation.benchmarks.rel3d import Rel3D
from groundrl.evaluation.benchmarks.statements import VSR, SpatialSense
from groundrl.evaluation.benchmarks.yes_no import POPE

DRIVING = {
    "img_filename": "a.jpg",
    "has_multiple_questions": False,
    "questions": ["May I?"],
    "possible_answers": {"A": "yes", "B": "no"},
    "true_answers": ["B"],
    "relevant_entities": [{"car": [1, 2, 3, 4]}],
}
CHOICE = {
    "image_id": 9,
    "question_id": "q",
    "question": "What?",
    "choices": ["cat", "dog"],
    "correct_choice_idx": 1,
    "direct_answers": ["dog"] * 10,
    "difficult_direct_answer": False,
}
VSR_ROW = {"image": "a.jpg", "caption": "It is on it.", "label": 1, "relation": "on"}
POPE_ROW = {"question_id": 1, "image": "a.jpg", "text": "Is there a cat?", "label": "yes"}
THING = {"name": "cat", "bbox": [2, 8, 10, 29]}
URL = {"url": "http://a/a.jpg", "split": "test"}
RELATION = {"predicate": "on", "subject": THING, "object": THING, "label": True}
REF = {
    "ann_id": 5,
    "file_name": "COCO_train2014_000000000007_16.jpg",
    "split": "val",
    "sentences": [{"sent": "the cat", "sent_id": 2}],
}
DEPTH_THING = {"name": "cup", "bbox": {"left": 0, "top": 0, "width": 4, "height": 4}}
DEPTH = {
    **{"rgb": "data/20200223/a.jpg", "depth": "data/20200223/a.jpg", "width": 8, "height": 6},
    **{"subject": DEPTH_THING, "object": DEPTH_THING, "predicate": "on", "label": True},
}
HALLUCINATED = {
    **{"image_id": "x", "image_src": "http://a/a.jpg", "image_content": ["cat"]},
    **{"question": "What?", "gt_answer": "A cat."},
}


def placed(
    root: Path, kind: type[PublishedBenchmark], change: dict[str, Any]
) -> PublishedBenchmark:
    """A download with one record, changed."""
    for folder in ("images", "val2014", "val2017", "20200223"):
        images(root / folder, ["a.jpg", "000000000009.jpg"])
    images(root / "train2014", ["COCO_train2014_000000000007.jpg"])
    if kind is DrivingVQA:
        written(root / "test.json", [DRIVING | change])
    elif kind in (AOKVQA, AOKVQADirect):
        written(root / "aokvqa_v1p0_val.json", [CHOICE | change])
    elif kind is VSR:
        written(root / "zeroshot/test.jsonl", VSR_ROW | change)
    elif kind is POPE:
        written(root / "coco_pope_random.json", POPE_ROW | change)
        return POPE(variant="random", root=str(root))
    elif kind is SpatialSense:
        row = URL | {"annotations": [RELATION | change]}
        written(root / "annotations.json", [row])
        return SpatialSense(published_split=True, root=str(root))
    elif kind is RefCOCO:
        (root / "refcoco").mkdir()
        written(root / "refcoco/instances.json", {"annotations": [{"id": 5, "bbox": [1, 2, 3, 4]}]})
        (root / "refcoco/refs(unc).p").write_bytes(pickle.dumps([REF | change]))
        return RefCOCO(dataset="refcoco", split="val", root=str(root))
    elif kind is Rel3D:
        written(root / "c_0.9_c_0.1.json", {"test": [DEPTH | change]})
    elif kind is MMHal:
        written(root / "response_template.json", [HALLUCINATED | change])
    return kind(root=str(root))


DAMAGES: list[tuple[type[PublishedBenchmark], dict[str, Any], str]] = [
    (DrivingVQA, {"relevant_entities": [{"car": [1, 2, -3, 4]}]}, "record 0: box needs x1 <= x2"),
    (
        DrivingVQA,
        {"relevant_entities": [{"car": [1, 2, 3]}]},
        r"record 0: relevant_entities\[0\].car: expected 4 items",
    ),
    (DrivingVQA, {"possible_answers": ["yes"]}, "record 0: possible_answers: expected an object"),
    (DrivingVQA, {"questions": []}, "record 0: questions: expected 1, got 0"),
    (DrivingVQA, {"true_answers": ["C"]}, r"record 0: true_answers \['C'\] are not among"),
    (AOKVQA, {"correct_choice_idx": 7}, "record 0: correct_choice_idx 7 is none of 2"),
    (
        AOKVQA,
        {"correct_choice_idx": -1},
        "record 0: correct_choice_idx: expected a number from 0 on",
    ),
    (AOKVQA, {"image_id": "9"}, "record 0: image_id: expected a whole number, got '9'"),
    (AOKVQA, {"choices": None}, "record 0: choices: expected a list"),
    (AOKVQADirect, {"direct_answers": "dog"}, "record 0: direct_answers: expected a list"),
    (VSR, {"label": "False"}, "jsonl:1: label: expected true or false, or 1 or 0, got 'False'"),
    (VSR, {"caption": 5}, "jsonl:1: caption: expected text"),
    (POPE, {"label": "perhaps"}, "json:1: label: expected 'yes' or 'no', got 'perhaps'"),
    (POPE, {"text": None}, "json:1: text: expected text, got None"),
    (SpatialSense, {"label": "0"}, r"record 0: annotations\[0\].label: expected true or false"),
    (SpatialSense, {"subject": THING | {"bbox": [8, 2, 10, 29]}}, "record 0: box needs x1 <= x2"),
    (
        SpatialSense,
        {"object": {"bbox": [2, 8, 1, 2]}},
        r"record 0: annotations\[0\].object: lacks the field 'name'",
    ),
    (
        RefCOCO,
        {"sentences": [{"sent": "cat"}]},
        r"record 0: sentences\[0\]: lacks the field 'sent_id'",
    ),
    (RefCOCO, {"ann_id": 6}, "record 0: ann_id 6 is not in instances.json"),
    (Rel3D, {"label": "no"}, "test 0: label: expected true or false"),
    (Rel3D, {"subject": {"name": "cup"}}, "test 0: subject: lacks the field 'bbox'"),
    (MMHal, {"image_content": "cat"}, "record 0: image_content: expected a list"),
]


@pytest.mark.parametrize(("kind", "change", "message"), DAMAGES)
def test_a_damaged_record_is_named_with_its_file(
    tmp_path: Path, kind: type[PublishedBenchmark], change: dict[str, Any], message: str
) -> None:
    assert len(placed(tmp_path / "whole", kind, {}).questions().samples) == 1
    with pytest.raises(UserError, match=message):
        placed(tmp_path / "damaged", kind, change).questions()


def test_all_damaged_records_are_named_at_once(tmp_path: Path) -> None:
    benchmark = placed(tmp_path, AOKVQA, {})
    rows = [CHOICE, CHOICE | {"question": 1, "choices": 2}, CHOICE | {"correct_choice_idx": 9}]
    written(tmp_path / "aokvqa_v1p0_val.json", rows)
    with pytest.raises(UserError) as caught:
        benchmark.questions()
    first, second = str(caught.value).splitlines()[1:3]
    assert first.endswith(
        "record 1: question: expected text, got 1; choices: expected a list, got 2"
    )
    assert second.endswith("record 2: correct_choice_idx 9 is none of 2 choices")


def test_a_box_of_negative_width_is_named(tmp_path: Path) -> None:
    benchmark = placed(tmp_path, RefCOCO, {})
    written(
        tmp_path / "refcoco/instances.json", {"annotations": [{"id": 5, "bbox": [1, 2, -3, 4]}]}
    )
    with pytest.raises(UserError, match=r"instances.json: annotations 0: box needs x1 <= x2"):
        benchmark.questions()


def test_an_annotation_of_an_image_that_is_not_listed_is_named(tmp_path: Path) -> None:
    images(tmp_path / "val2014", ["a.jpg"])
    content = {
        "images": [{"id": 1, "file_name": "a.jpg"}],
        "annotations": [{"image_id": 2, "category_id": 18}],
        "categories": [{"id": 18, "name": "dog"}],
    }
    written(tmp_path / "instances_val2014.json", content)
    written(tmp_path / "captions_val2014.json", {"annotations": []})
    with pytest.raises(UserError, match="annotations 0: image_id 2 or category_id 18 is not"):
        CHAIR(root=str(tmp_path)).questions()
    written(tmp_path / "instances_val2014.json", {"images": 1})
    with pytest.raises(UserError, match="expected a list of records below 'images'"):
        CHAIR(root=str(tmp_path)).questions()


def mme(root: Path, lines: list[str]) -> MME:
    for task in (*PERCEPTION, *COGNITION):
        images(root / task, ["1.jpg", "2.jpg"])
        (root / f"{task}.txt").write_text("1.jpg\tIs it?\tYes\n1.jpg\tIs it not?\tNo\n")
    (root / "count.txt").write_text("".join(f"{line}\tIs it?\tYes\n" for line in lines))
    return MME(root=str(root))


@pytest.mark.parametrize(
    ("lines", "place"),
    [(["1.jpg", "2.jpg", "2.jpg"], "count.txt:1: .* 1.jpg has one"), (["1.jpg"], "count.txt:1: ")],
)
def test_an_image_that_lost_one_of_its_two_questions_is_named(
    tmp_path: Path, lines: list[str], place: str
) -> None:
    with pytest.raises(UserError, match=place):
        mme(tmp_path, lines).questions()


def test_a_home_folder_may_be_written_short(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mme(tmp_path / "mme", ["1.jpg", "1.jpg"])
    monkeypatch.setenv("HOME", str(tmp_path))
    assert len(MME(root="~/mme").questions().samples) == 28


def test_benchmarks_in_one_folder_do_not_take_each_others_files(tmp_path: Path) -> None:
    for name, kind in (("drivingvqa", DrivingVQA), ("spatialsense", SpatialSense)):
        placed(tmp_path / name, kind, {})
    written(tmp_path / "aaa/test.json", [{"another": "benchmark"}])
    written(tmp_path / "aaa/annotations.json", [{"another": "benchmark"}])
    (tmp_path / "drivingvqa/images/a.jpg").rename(tmp_path / "drivingvqa/images/b.jpg")
    found = SpatialSense(published_split=True, root=str(tmp_path)).questions().samples
    assert "spatialsense/images" in found[0].image.key
    written(tmp_path / "drivingvqa/test.json", [DRIVING | {"img_filename": "b.jpg"}])
    assert DrivingVQA(root=str(tmp_path)).questions().samples[0].id == "b"


def test_a_part_without_questions_is_an_error(tmp_path: Path) -> None:
    benchmark = placed(tmp_path, RefCOCO, {"split": "train"})
    with pytest.raises(UserError, match="refcoco: its files hold no question of the part"):
        benchmark.questions()
    (tmp_path / "coco_pope_random.json").write_text(json.dumps(POPE_ROW | {"image": "no.jpg"}))
    with pytest.raises(UserError, match="POPE: none of 1 questions has its image, for example"):
        POPE(variant="random", root=str(tmp_path)).questions()
