"""JSONL and Parquet give back what was written, and name every broken row."""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from groundrl.boxes import Box, Frame
from groundrl.data.datasets import WorldDataset, sample_file
from groundrl.data.schema import read_jsonl, read_parquet, write_jsonl, write_parquet
from groundrl.errors import UserError
from groundrl.records import Grounding, ImageFile, Provenance, Sample

FORMATS = [("jsonl", write_jsonl, read_jsonl), ("parquet", write_parquet, read_parquet)]
numbers = st.floats(0, 1)
sides = st.floats(0.01, 1)


@st.composite
def groundings(draw: st.DrawFn) -> Grounding:
    x2, y2 = draw(sides) * 8, draw(sides) * 6
    x1, y1 = draw(numbers) * 0.9 * x2, draw(numbers) * 0.9 * y2
    return Grounding(label=draw(st.text()), box=Box(x1=x1, y1=y1, x2=x2, y2=y2, frame=Frame.PIXEL))


@st.composite
def rationales(draw: st.DrawFn) -> tuple[str | Grounding, ...]:
    parts = draw(st.lists(st.one_of(st.text(), groundings()), max_size=6))
    kept: list[str | Grounding] = []
    for part in parts:
        if not (isinstance(part, str) and kept and isinstance(kept[-1], str)):
            kept.append(part)
    return tuple(kept)


@st.composite
def samples(draw: st.DrawFn, image: ImageFile, number: int) -> Sample:
    options = draw(st.lists(st.text(), max_size=4, unique_by=str.strip))
    answers = options[: draw(st.integers(0, 4))] if options else draw(st.lists(st.text()))
    return Sample(
        id=f"{draw(st.text())}{number}",
        image=image,
        question=draw(st.text()),
        options=tuple(options),
        answers=tuple(answers),
        groundings=tuple(draw(st.lists(groundings(), max_size=3))),
        rationale=draw(st.none() | rationales()),
        kind=draw(st.text()),
        context_images=draw(st.sampled_from([(), (image,), (image, image)])),
        provenance=Provenance(
            dataset=draw(st.text()),
            split=draw(st.text()),
            licence=draw(st.text()),
            source=draw(st.text()),
        ),
    )


@pytest.mark.slow
@pytest.mark.parametrize(("suffix", "write", "read"), FORMATS)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_what_is_written_is_read_back(
    suffix: str, write: Callable[..., None], read: Callable[..., list[Sample]], data: Any
) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name).resolve()
        path = folder / "images/a.png"
        path.parent.mkdir()
        Image.new("RGB", (8, 6)).save(path)
        image = ImageFile(path=path, width=8, height=6)
        written = [data.draw(samples(image, number)) for number in range(2)]
        if written[0].id == written[1].id:
            written.pop()
        write(written, folder / "deep" / f"s.{suffix}")
        assert read(folder / "deep" / f"s.{suffix}") == written


@pytest.mark.parametrize(("suffix", "write", "read"), FORMATS)
def test_images_without_a_file_are_saved_once_beside_it(
    tmp_path: Path, suffix: str, write: Callable[..., None], read: Callable[..., list[Sample]]
) -> None:
    source = WorldDataset(seed=3, size=2, image_size=64)
    written = [source[0], source[1]]
    write(written, tmp_path / f"s.{suffix}")
    again = read(tmp_path / f"s.{suffix}")
    assert len(list((tmp_path / "images").iterdir())) == 2
    for before, after in zip(written, again, strict=True):
        assert isinstance(after.image, ImageFile)
        assert (after.question, after.rationale) == (before.question, before.rationale)
        assert np.array_equal(np.asarray(after.image.load()), np.asarray(before.image.load()))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["images", f"s.{suffix}"]


def good(number: int) -> dict[str, Any]:
    return {
        "id": f"q{number}",
        "image": "a.jpg",
        "question": "Is there a dog?",
        "options": ["yes", "no"],
        "answers": ["yes"],
        "groundings": [{"label": "dog", "box": [0, 0, 10, 10]}],
        "provenance": {"dataset": "d", "split": "train"},
    }


BROKEN: list[tuple[dict[str, Any], str]] = [
    ({"colour": "red"}, "has an unknown field 'colour'"),
    ({"question": 3}, "question: expected text, got 3"),
    ({"options": "yes"}, "options: expected a list, got 'yes'"),
    ({"answers": ["maybe"]}, "answer 'maybe' is not among the options"),
    ({"image": "gone.jpg"}, "image 'gone.jpg': no such image"),
    ({"context_images": ["a.jpg", "lost.jpg"]}, "image 'lost.jpg': no such image"),
    ({"context_images": ["text.jpg"]}, "image 'text.jpg': the image cannot be decoded"),
    ({"context_images": "a.jpg"}, "context_images: expected a list, got 'a.jpg'"),
    ({"groundings": [{"label": "dog", "box": [0, 0, 101, 10]}]}, "lies outside the image"),
    ({"groundings": [{"label": "dog", "box": [9, 0, 1, 10]}]}, "x1 <= x2"),
    (
        {"groundings": [{"label": "dog", "box": [0, 0, 10]}]},
        "groundings[0].box: expected 4 items, got [0, 0, 10]",
    ),
    ({"groundings": [{"box": [0, 0, 1, 1]}]}, "groundings[0]: lacks the field 'label'"),
    ({"rationale": [{"text": "a"}, {"text": "b"}]}, "rationale[1] is text that follows text"),
    ({"provenance": {"dataset": "d"}}, "provenance: lacks the field 'split'"),
    ({"rationale": [{"text": "a", "box": [0, 0, 1, 1]}]}, "rationale[0]: must hold either 'text'"),
    ({"question": 3, "kind": None, "options": [4]}, "question: expected text, got 3; options[0]:"),
    ({"id": "q1"}, "id 'q1' is already used at"),
    ({"image": None}, "lacks the field 'image'"),
]


@pytest.mark.parametrize(("suffix", "write", "read"), FORMATS)
def test_an_image_whose_name_is_no_utf8_is_copied(
    tmp_path: Path, suffix: str, write: Callable[..., None], read: Callable[..., list[Sample]]
) -> None:
    path = tmp_path / os.fsdecode(b"caf\xe9.png")
    Image.new("RGB", (8, 6), "red").save(path)
    sample = Sample(
        id="1",
        image=ImageFile(path=path, width=8, height=6),
        question="",
        provenance=Provenance(dataset="d", split="s"),
    )
    write([sample], tmp_path / f"samples.{suffix}")
    (back,) = read(tmp_path / f"samples.{suffix}")
    assert back.image.load().getpixel((0, 0)) == (255, 0, 0)
    assert isinstance(back.image, ImageFile)
    assert back.image.path.parent == (tmp_path / "images").resolve()


def test_an_image_that_is_stored_turned_is_read_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (64, 100)).save(tmp_path / "a.jpg", exif=exif)
    (tmp_path / "samples.jsonl").write_text(json.dumps(good(1)))
    (sample,) = read_jsonl(tmp_path / "samples.jsonl")
    assert (sample.image.width, sample.image.height) == sample.image.load().size == (100, 64)


def test_every_broken_line_is_listed(tmp_path: Path, image_file: Callable[..., Path]) -> None:
    image_file(tmp_path / "a.jpg")
    (tmp_path / "text.jpg").write_text("not an image")
    rows = [json.dumps(good(1)), "", "{nonsense"]
    rows += [json.dumps(good(number) | change) for number, (change, _) in enumerate(BROKEN, 4)]
    path = tmp_path / "samples.jsonl"
    path.write_text("\n".join(rows))
    with pytest.raises(UserError) as error:
        read_jsonl(path)
    told = str(error.value).splitlines()
    assert f"has {len(BROKEN) + 1} problems" in told[0]
    assert any("samples.jsonl:3: " in line for line in told)
    for number, (_, part) in enumerate(BROKEN, 4):
        assert part in next(line for line in told if f"samples.jsonl:{number}: " in line)


def test_broken_parquet_rows_are_listed(tmp_path: Path, image_file: Callable[..., Path]) -> None:
    image_file(tmp_path / "a.jpg")
    rows = [good(1), good(2) | {"answers": ["maybe"]}, good(1)]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "s.parquet")
    with pytest.raises(UserError) as error:
        read_parquet(tmp_path / "s.parquet")
    assert "row 2: answer 'maybe'" in str(error.value)
    assert "row 3: id 'q1' is already used" in str(error.value)


@pytest.mark.parametrize(("suffix", "write", "read"), FORMATS)
def test_context_images_keep_their_own_sizes(
    tmp_path: Path,
    image_file: Callable[..., Path],
    suffix: str,
    write: Callable[..., None],
    read: Callable[..., list[Sample]],
) -> None:
    image, depth = (
        ImageFile(path=image_file(tmp_path / name, width=width), width=width, height=80)
        for name, width in (("a.jpg", 100), ("depth.jpg", 30))
    )
    scene = replace(WorldDataset(seed=3, size=1)[0], image=image, groundings=(), rationale=None)
    written = [replace(scene, context_images=(depth,)), replace(scene, id="another")]
    write(written, tmp_path / f"s.{suffix}")
    assert read(tmp_path / f"s.{suffix}") == written


@pytest.mark.parametrize(("suffix", "write", "read"), FORMATS)
def test_a_missing_empty_or_foreign_file_is_a_user_error(
    tmp_path: Path, suffix: str, write: Callable[..., None], read: Callable[..., list[Sample]]
) -> None:
    path = tmp_path / f"s.{suffix}"
    with pytest.raises(UserError, match="no such file"):
        read(path)
    write([], path)
    with pytest.raises(UserError, match="no samples"):
        read(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(UserError):
        read(path)


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    write_jsonl([], path)
    image = tmp_path / "a.png"
    Image.new("RGB", (8, 6)).save(image)
    box = Box(x1=0.0, y1=0.0, x2=1.0, y2=1.0, frame=Frame.UNIT)
    sample = Sample(
        id="1",
        image=ImageFile(path=image, width=8, height=6),
        question="?",
        groundings=(Grounding(label="dog", box=box),),
        provenance=Provenance(dataset="d", split="train"),
    )
    with pytest.raises(ValueError, match="PIXEL"):
        write_jsonl([sample], path)
    assert path.read_bytes() == b""
    assert sorted(item.name for item in tmp_path.iterdir()) == ["a.png", "s.jsonl"]


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_what_cannot_be_read_can_be_left_out_and_is_named(
    suffix: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    Image.new("RGB", (100, 80)).save(tmp_path / "a.jpg")
    (tmp_path / "cut.jpg").write_bytes((tmp_path / "a.jpg").read_bytes()[:300])
    rows = [good(1), good(2) | {"image": "gone.jpg"}, good(3) | {"image": "cut.jpg"}]
    path = tmp_path / f"s.{suffix}"
    if suffix == "jsonl":
        path.write_text("".join(f"{json.dumps(row)}\n" for row in rows) + "{\n")
    else:
        pq.write_table(pa.Table.from_pylist(rows), path)
    with pytest.raises(
        UserError, match=r"data.unreadable=skip leaves out [23] that cannot be read"
    ):
        sample_file(path)
    assert [sample.id for sample in sample_file(path, "skip").samples] == ["q1"]
    for name in ("gone.jpg", "cut.jpg"):
        assert name in caplog.text
