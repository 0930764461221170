"""Benchmarks read Parquet files as the hub has them: question, answer and image in one row."""

from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import datasets.config
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from replies import figures, images, oracle

from groundrl.data.tables.images import RowImage
from groundrl.errors import UserError
from groundrl.evaluation.benchmarks.aokvqa import AOKVQA, AOKVQADirect
from groundrl.evaluation.benchmarks.mme import MME
from groundrl.evaluation.benchmarks.published import PublishedBenchmark
from groundrl.evaluation.benchmarks.refcoco import RefCOCO
from groundrl.evaluation.benchmarks.statements import VSR
from groundrl.evaluation.benchmarks.yes_no import POPE


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


def held(shade: int) -> dict[str, Any]:
    """An image as the hub holds it in a row."""
    content = BytesIO()
    Image.new("RGB", (8, 6), (shade, 0, 0)).save(content, "PNG")
    return {"bytes": content.getvalue(), "path": None}


def pope(number: int, category: str = "random") -> dict[str, Any]:
    return {
        "id": str(number),
        "question_id": str(number + 1),
        "question": "Is there a dog in the image?",
        "answer": ("yes", "no")[number % 2],
        "image_source": f"COCO_val2014_{number // 2:012d}",
        "image": held(number // 2),
        "category": category,
    }


def mme(number: int, task: str = "count") -> dict[str, Any]:
    return {
        "question_id": f"{task}/{number // 2}.jpg",
        "image": held(number // 2),
        "question": "Are there two dogs? Please answer yes or no.",
        "answer": ("Yes", "No")[number % 2],
        "category": task,
    }


def refcoco(number: int) -> dict[str, Any]:
    return {
        "question_id": str(number),
        "image": held(number),
        "question": "Which expression fits the box?",
        "answer": ["left dog", "the dog on the left"],
        "segmentation": [1.0, 2.0],
        "bbox": [1.0, 2.0, 3.0, 4.0],
        "iscrowd": 0,
        "file_name": "COCO_train2014_000000000009_1.jpg",
    }


def aokvqa(number: int) -> dict[str, Any]:
    return {
        "image": held(number),
        "question_id": f"q{number}",
        "question": "What is it?",
        "choices": ["cat", "dog"],
        "correct_choice_idx": 1,
        "direct_answers": "['dog', \"dog's\", 'dog']",
        "difficult_direct_answer": False,
        "rationales": ["It barks."],
    }


def vsr(image: Any) -> dict[str, Any]:
    return {"image": image, "caption": "The dog is on the mat.", "label": 1, "relation": "on"}


def table(path: Path, *rows: dict[str, Any]) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(list(rows)), path)
    return str(path)


CASES: dict[str, tuple[Any, list[dict[str, Any]], str, str]] = {
    "pope": (
        POPE(variant="random"),
        [*map(pope, range(4)), pope(4, "popular")],
        "test-00000-of-00001",
        "acc",
    ),
    "mme": (MME(), [mme(n) for n in range(4)], "test-00000-of-00001", "acc"),
    "refcoco": (
        RefCOCO(dataset="refcoco", split="testA"),
        [refcoco(n) for n in range(2)],
        "testA-00000-of-00001",
        "acc_50",
    ),
    "aokvqa": (AOKVQA(), [aokvqa(n) for n in range(4)], "validation-00000-of-00001", "exam_score"),
    "vsr": (VSR(), [vsr(held(n)) for n in range(4)], "test-00000-of-00001", "acc"),
}
"""A benchmark without a root, rows of four questions, the name of the file, and its figure."""


def at(benchmark: PublishedBenchmark, root: object) -> PublishedBenchmark:
    """The benchmark that reads ``root``."""
    return replace(benchmark, root=str(root))


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("as_folder", [True, False])
def test_a_benchmark_reads_its_table(name: str, as_folder: bool, tmp_path: Path) -> None:
    benchmark, rows, file, figure = CASES[name]
    path = table(tmp_path / f"hub/data/{file}.parquet", *rows)
    found = at(benchmark, tmp_path / "hub" if as_folder else path).questions()
    assert len(found.samples) == 4
    assert len({sample.id for sample in found.samples}) == 4
    image = found.samples[-1].image
    assert isinstance(image, RowImage)
    assert image.load().size == (image.width, image.height) == (8, 6)
    right = figures(benchmark, found.samples, lambda s: oracle(s) if s.answers else "[1,2,4,6 it]")
    assert right[figure] == 1


def test_the_questions_are_those_of_the_published_files(tmp_path: Path) -> None:
    (row, *_) = (
        at(POPE(variant="random"), table(tmp_path / "a.parquet", pope(0))).questions().samples
    )
    assert (row.id, row.question, row.answers, row.kind) == (
        *("1", "Is there a dog in the image?", ("yes",), "exists"),
    )
    (first, second, *_) = (
        at(RefCOCO(dataset="refcoco", split="val"), table(tmp_path / "b.parquet", refcoco(0)))
        .questions()
        .samples
    )
    assert first.question == "Where is this: left dog?"
    assert first.groundings[0].box.corners == (1, 2, 4, 6)
    assert second.image.key == first.image.key
    path = table(tmp_path / "c.parquet", aokvqa(0))
    assert at(AOKVQADirect(), path).questions().samples[0].answers == ("dog", "dog's", "dog")
    assert at(AOKVQA(), path).questions().samples[0].rationale == ("It barks.",)


def test_both_questions_of_an_image_count_as_a_pair(tmp_path: Path) -> None:
    path = table(
        tmp_path / "a.parquet", *(mme(n, task) for task in ("count", "OCR") for n in (0, 1))
    )
    samples = at(MME(), path).questions().samples
    half = figures(MME(), samples, lambda s: "yes" if s.kind == "count" else s.answers[0])
    assert (half["count/acc"], half["count/acc_plus"], half["OCR/acc_plus"]) == (0.5, 0, 1)


def test_an_image_that_a_row_names_is_looked_for(tmp_path: Path) -> None:
    images(tmp_path / "val2017", ["000000000001.jpg"])
    table(tmp_path / "vsr/test.parquet", vsr("000000000001.jpg"), vsr("000000000002.jpg"))
    found = at(VSR(), tmp_path).questions()
    assert [sample.id for sample in found.samples] == ["1"]
    assert found.missing == ("2: no image 000000000002.jpg",)


def test_data_sets_below_one_folder_are_told_apart(tmp_path: Path) -> None:
    table(tmp_path / "POPE/data/test-0.parquet", *map(pope, range(2)))
    table(tmp_path / "POPE/Full/random-0.parquet", *map(pope, range(2)))
    table(tmp_path / "MME/data/test-0.parquet", *map(mme, range(2)))
    for benchmark in (POPE(variant="random"), MME()):
        assert len(at(benchmark, tmp_path).questions().samples) == 2
    table(tmp_path / "copy/test-0.parquet", *map(pope, range(2)))
    with pytest.raises(UserError, match=r"type data.root=<one of them>:\n.*data\n.*copy"):
        at(POPE(variant="random"), tmp_path).questions()


@pytest.mark.parametrize(
    ("benchmark", "row", "message"),
    [
        (POPE(variant="random"), pope(0) | {"answer": "perhaps"}, "must be yes or no"),
        (POPE(variant="random"), pope(0) | {"image": {"bytes": b"x"}}, "row 1: .*image"),
        (MME(), mme(0, "cooking"), "'cooking' is no task of MME"),
        (MME(), mme(0) | {"answer": "maybe"}, "must be Yes or No"),
        (MME(), pope(0) | {"image_source": 3}, "'random' is no task of MME"),
        (AOKVQADirect(), aokvqa(0) | {"direct_answers": "dog, cat"}, "no list of texts"),
        (AOKVQA(), aokvqa(0) | {"correct_choice_idx": 2}, "none of 2 choices"),
        (VSR(), {"image": "a.jpg", "caption": "x"}, "lacks the columns label, relation; it"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_table_is_said(
    benchmark: PublishedBenchmark, row: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=message):
        at(benchmark, table(tmp_path / "a.parquet", row)).questions()


def test_a_damaged_or_missing_table_is_an_error(tmp_path: Path) -> None:
    path = Path(table(tmp_path / "a.parquet", pope(0)))
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(UserError, match="cannot be opened as Parquet"):
        at(POPE(variant="random"), path).questions()
    with pytest.raises(UserError, match=r"b\.parquet: no such file"):
        at(POPE(variant="random"), tmp_path / "b.parquet").questions()
    with pytest.raises(UserError, match="Or it holds Parquet files with the columns question_id"):
        at(POPE(variant="random"), tmp_path / "nothing").questions()
