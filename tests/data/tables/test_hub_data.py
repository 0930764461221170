"""Hub data sets, Parquet and folders are opened by the datasets library, and told in one line."""

import json
import logging
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import datasets
import datasets.config
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from omegaconf import OmegaConf
from PIL import Image

from groundrl.data.module import GroundingDataModule
from groundrl.errors import UserError
from groundrl.launch.make import make

CONF = Path(__file__).parents[3] / "conf/data/hub.yaml"

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path_factory.mktemp("cache"))
    datasets.disable_progress_bars()


def build(path: Path | str, **values: Any) -> GroundingDataModule:
    config = OmegaConf.merge(OmegaConf.load(CONF), {"path": str(path), **values})
    return make(OmegaConf.create({"data": config}).data)


def png(color: str = "red") -> bytes:
    buffer = BytesIO()
    Image.new("RGB", (100, 80), color).save(buffer, "PNG")
    return buffer.getvalue()


def rows(number: int, color: str = "red") -> list[dict[str, Any]]:
    """R1 rows with images as hub data sets store them."""
    image = {"bytes": png(color), "path": None}
    return [
        {"images": [image], "problem": f"<image>How many, {k}?", "solution": "<answer> 3 </answer>"}
        for k in range(number)
    ]


def write(path: Path, content: list[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(content), path)
    return path


def test_a_parquet_file_is_read_and_told_in_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "groundrl"):
        module = build(write(tmp_path / "t.parquet", rows(4)))
    sample = module.train[2]
    assert (sample.question, sample.answers) == ("How many, 2?", ("3",))
    assert sample.image.load().size == (100, 80)
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.endswith(
        "4 rows, format table (question from problem, answer from solution, image from images)"
    )


def test_a_folder_has_splits(tmp_path: Path) -> None:
    write(tmp_path / "data/train-00000-of-00001.parquet", rows(5))
    write(tmp_path / "data/test-00000-of-00001.parquet", rows(3, "blue"))
    module = build(tmp_path, heldout_split="test", heldout_size=2)
    assert (len(module.train), len(module.heldout["heldout"])) == (5, 2)
    assert module.heldout["heldout"][0].provenance.split == "test"
    with pytest.raises(UserError, match=r"split nonsense cannot be opened.*\n.*data.split="):
        build(tmp_path, split="nonsense")


def test_training_and_heldout_images_are_compared(tmp_path: Path) -> None:
    train, test = write(tmp_path / "a.parquet", rows(2)), write(tmp_path / "b.parquet", rows(2))
    with pytest.raises(UserError, match="shares 1 images with the training set"):
        build(train, heldout_path=str(test))


def test_a_folder_of_images_and_metadata_is_read(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    (tmp_path / "train/a.png").write_bytes(png())
    line = {"file_name": "a.png", "problem": "How many?", "solution": "2"}
    (tmp_path / "train/metadata.jsonl").write_text(json.dumps(line))
    sample = build(tmp_path).train[0]
    assert (sample.answers, sample.image.width) == (("2",), 100)


def test_only_the_first_rows_are_fetched_from_a_stream(tmp_path: Path) -> None:
    write(tmp_path / "train.parquet", rows(9))
    module = build(tmp_path, stream_rows=4)
    assert [module.train[k].id for k in range(len(module.train))] == ["1", "2", "3", "4"]


def test_columns_are_mapped_by_hand(tmp_path: Path) -> None:
    content = [{"q": "How many?", "a": "2", "picture": {"bytes": png(), "path": None}}]
    path = write(tmp_path / "t.parquet", content)
    with pytest.raises(UserError, match=r"no known format has the columns q, a, picture") as error:
        build(path)
    assert "data.columns.question=<column>" in str(error.value)
    columns = {"question": "q", "answer": "a", "image": "picture"}
    assert build(path, columns=columns).train[0].answers == ("2",)
    with pytest.raises(UserError, match="has no column 'nope': q, a, picture"):
        build(path, columns=columns | {"id": "nope"})


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("nowhere/at/all", "Type a hub id"),
        ("gone.parquet", "no such file"),
        ("gone.jsonl", "no such file"),
    ],
)
def test_a_path_that_leads_nowhere_is_explained(path: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        build(path)


def test_an_empty_or_foreign_file_is_explained(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text("\n")
    with pytest.raises(UserError, match="has no rows"):
        build(tmp_path / "t.jsonl")
    (tmp_path / "t.parquet").write_text("no Parquet")
    with pytest.raises(UserError, match="cannot be opened"):
        build(tmp_path / "t.parquet")
    (tmp_path / "t.jsonl").write_text("{\n{\n")
    with pytest.raises(UserError, match=r"has 2 problems(.|\n)*t.jsonl:2: "):
        build(tmp_path / "t.jsonl")
    (tmp_path / "t.jsonl").write_text('{"problem": "?"}')
    with pytest.raises(UserError, match=r"data.format=nope is unknown: type one of ms_swift"):
        build(tmp_path / "t.jsonl", format="nope")
    with pytest.raises(UserError, match=r"data.images=.*nowhere: no such folder"):
        build(tmp_path / "t.jsonl", format="table", images=str(tmp_path / "nowhere"))


def test_a_format_from_outside_is_recognised(
    tmp_path: Path, image_file: Callable[..., Path]
) -> None:
    image_file(tmp_path / "a.png")
    path = tmp_path / "t.jsonl"
    row = {"picture": "a.png", "caption": "A ___ on a sofa", "gap": "cat"}
    path.write_text(json.dumps(row))
    formats = {"cloze": {"_target_": "mylab.formats.ClozeRows"}}
    assert build(path, formats=formats).train[0].answers == ("cat",)
    path.write_text(json.dumps(row | {"caption": "A cat"}))
    with pytest.raises(UserError, match=r"t.jsonl:1: no ___ in the caption 'A cat'"):
        build(path, formats=formats)


def test_messages_of_parquet_lose_nothing(tmp_path: Path, image_file: Callable[..., Path]) -> None:
    image_file(tmp_path / "a.png")
    turn = {"role": "user", "content": "<image>Find it"}
    said = {"role": "assistant", "content": "<bbox>"}
    objects = {"ref": [], "bbox": [[1.0, 2.0, 3.0, 4.0]], "bbox_type": None}
    row = {"messages": [turn, said], "images": ["a.png"], "objects": objects}
    (found,) = build(write(tmp_path / "t.parquet", [row])).train[0].groundings
    assert found.box.corners == (1, 2, 3, 4)
