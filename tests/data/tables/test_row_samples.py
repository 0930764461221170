"""Rows become samples when they are asked for; what is wrong with a file is said at once."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from groundrl.boxes import Box, Frame
from groundrl.data.datasets import PartlyKnown, SampleSource, known_samples
from groundrl.data.formats.conversations import ConversationRows
from groundrl.data.formats.table import TableRows
from groundrl.data.tables.files import open_file
from groundrl.data.tables.images import ImageFolder
from groundrl.data.tables.reader import Resize, RowReader
from groundrl.data.tables.samples import Checked, RowCheck, check_rows
from groundrl.errors import UserError
from groundrl.records import CAPTION, ImageFile, NamedImage, Provenance, Sample

Read = Callable[..., Checked]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Writes rows to a file beside a 100 x 80 image, and checks them."""
    Image.new("RGB", (100, 80)).save(tmp_path / "a.png")

    def make(*rows: Any, frame: Frame | None = Frame.PIXEL, **options: Any) -> Checked:
        path = tmp_path / "t.jsonl"
        lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
        path.write_text("".join(f"{line}\n" for line in lines))
        check = {
            name: options.pop(name)
            for name in ("limit", "skip_missing", "skip_unusable", "skip_unreadable")
            if name in options
        }
        form = options.pop("format", TableRows())
        reader = RowReader(
            format=form,
            images=ImageFolder(root=tmp_path),
            dataset="t",
            split="train",
            frame=frame,
            **options,
        )
        return check_rows(open_file(path), reader, np.arange(len(rows)), RowCheck(**check))

    return make


def row(**columns: Any) -> dict[str, Any]:
    return {"image": "a.png", "problem": "Where is the cat?", "solution": "[10,20,30,40]"} | columns


def problems(read: Read, *rows: Any, **options: Any) -> str:
    with pytest.raises(UserError) as error:
        read(*rows, **options)
    return str(error.value)


def test_a_row_becomes_a_sample(read: Read, tmp_path: Path) -> None:
    solution = "<think>There [10,20,30,40].</think><answer>yes</answer>"
    samples = read(row(problem="Is it there?", solution=solution, id="q")).samples
    assert isinstance(samples, SampleSource)
    assert isinstance(samples, PartlyKnown)
    box = Box(x1=10.0, y1=20.0, x2=30.0, y2=40.0, frame=Frame.PIXEL)
    found = samples[0]
    assert found.groundings[0].box == box
    assert found == Sample(
        id="q",
        image=ImageFile(path=tmp_path / "a.png", width=100, height=80),
        question="Is it there?",
        answers=("yes",),
        groundings=found.groundings,
        rationale=("There ", found.groundings[0], "."),
        provenance=Provenance(dataset="t", split="train"),
    )
    assert known_samples(samples) is samples.known


@pytest.mark.parametrize(
    ("frame", "numbers"),
    [
        (Frame.PIXEL, [10, 20, 50, 40]),
        (Frame.UNIT, [0.1, 0.25, 0.5, 0.5]),
        (Frame.PERMILLE, [100, 250, 500, 500]),
        # Qwen2-VL's rule makes 112 x 84 of 100 x 80.
        (Frame.MODEL, [11.2, 21, 56, 42]),
    ],
)
def test_boxes_of_every_frame_become_pixels(read: Read, frame: Frame, numbers: list[float]) -> None:
    sample = read(row(solution=numbers), frame=frame).samples[0]
    assert sample.groundings[0].box.corners == pytest.approx((10, 20, 50, 40))
    assert (sample.kind, sample.answers) == ("locate", ())


def test_rounding_at_the_edge_is_clipped(read: Read) -> None:
    sample = read(row(solution=[-0.5, 0, 101, 80])).samples[0]
    assert sample.groundings[0].box.corners == (0, 0, 100, 80)


def test_a_box_that_fits_only_another_frame_is_told_and_not_converted(read: Read) -> None:
    told = problems(read, *[row(solution=[100, 250, 900, 950])] * 2)
    assert "boxes of 2 of 2 rows fit only another frame: type data.frame=permille\n" in told
    assert "t.jsonl:1: box [100, 250, 900, 950] of 'object' is no box of frame pixel" in told


def test_a_box_without_area_teaches_nothing(read: Read) -> None:
    told = problems(read, row(solution=[10, 20, 10, 40]))
    assert "a box of 'object' has no area; data.unusable=skip" in told


def test_a_box_that_fits_no_frame_can_be_left_out(read: Read) -> None:
    outside = row(solution="[10,20,5000,6000]")
    assert "it fits no frame; data.unusable=skip" in problems(read, outside)
    checked = read(outside, row(id="in"), skip_unusable=True)
    assert dict(checked.left_out) == {"a box outside the image": 1}


def test_mixed_frames_are_told(read: Read) -> None:
    told = problems(read, row(), row(solution=[0.1, 0.2, 0.3, 0.4]))
    assert "1 of 2 rows fit only another frame: type data.frame=unit; the file mixes frames" in told


def test_an_undeclared_frame_is_asked_for_once(read: Read) -> None:
    told = problems(read, row(), row(id="2"), frame=None)
    assert "has 1 problem" in told
    assert "as in 2 rows" in told
    for frame in Frame:
        assert f"data.frame={frame}: " in told


def test_all_problems_of_a_file_are_told_at_once(read: Read) -> None:
    told = problems(
        read,
        row(id="a"),
        7,
        row(id="a"),
        row(image="../a.png"),
        row(image="gone.png"),
        row(image=None),
        row(problem="?\nA. cat\nB. dog", solution="E"),
        row(solution=["x", "y"]),
    )
    for line, part in {
        2: "expected an object",
        3: "id 'a' is already used at",
        4: "leaves the folder",
        5: "no such file below",
        6: "data.unusable=skip leaves such rows out",
        7: "answer 'E' is not among the options",
    }.items():
        assert part in next(text for text in told.splitlines() if f"t.jsonl:{line}: " in text)
    assert "column 'solution' holds one value in 6 rows and a list in 1 rows" in told


def test_reading_stops_after_a_thousand_problems(read: Read) -> None:
    assert "has 1000 problems" in problems(read, *[row(image="gone.png")] * 1500)


def test_rows_without_their_image_can_be_left_out(read: Read) -> None:
    rows = [row(image=("a.png", "gone.png")[k % 5 == 3], id=str(k)) for k in range(10)]
    checked = read(*rows, skip_missing=True, limit=1)
    assert dict(checked.left_out) == {"image missing": 2}
    assert [sample.id for sample in checked.samples] == ["0", "1", "2", "4", "5", "6", "7", "9"]
    assert "no row of 1 can be used (1: image missing)" in problems(
        read, row(image="gone.png"), skip_missing=True
    )


def test_rows_of_text_only_can_be_left_out(read: Read) -> None:
    turns = [{"from": "human", "value": "What?"}, {"from": "gpt", "value": "A cat."}]
    rows = ({"conversations": turns}, {"conversations": turns, "image": "a.png"})
    form = ConversationRows()
    checked = read(*rows, format=form, skip_unusable=True)
    assert dict(checked.left_out) == {"the row has no image": 1}
    assert "the row has no image; data.unusable=skip" in problems(read, *rows, format=form)


def test_damaged_rows_and_images_can_be_left_out_and_are_named(
    read: Read, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    # A row of noise, so that the end of the file holds pixels.
    Image.effect_noise((100, 80), 50).save(tmp_path / "cut.jpg")
    (tmp_path / "cut.jpg").write_bytes((tmp_path / "cut.jpg").read_bytes()[:-2000])
    rows = [
        row(id="1"),
        '{"image": ',
        7,
        row(image="cut.jpg"),
        row(image="data:image/png;base64,!"),
    ]
    checked = read(*rows, skip_unreadable=True, limit=1)
    assert dict(checked.left_out) == {"unreadable": 4}
    assert [sample.id for sample in checked.samples] == ["1"]
    for line, what in {2: "Expecting value", 3: "an object", 4: "decoded", 5: "base64"}.items():
        assert f"t.jsonl:{line}: " in caplog.text
        assert what in caplog.text
    told = problems(read, *rows)
    assert told.count("; data.unreadable=skip leaves such rows out") == 3
    assert "cut.jpg" not in told  # its head is whole: it is decoded by the step that needs it


def test_ids_can_be_row_numbers(read: Read) -> None:
    samples = read(row(id="a"), row(id="a"), number_rows=True).samples
    assert [sample.id for sample in samples] == ["1", "2"]


def test_a_caption_is_learned_as_it_is(read: Read) -> None:
    told = "A cat [10,20,30,40] sleeps."
    sample = read(row(solution=told, problem="Describe it."), caption=True).samples[0]
    assert (sample.kind, sample.answers, len(sample.groundings)) == (CAPTION, (), 1)
    assert sample.rationale == ("A cat ", sample.groundings[0], " sleeps.")


def test_what_is_known_beforehand_holds_no_image(read: Read) -> None:
    content = (Path(str(read(row()).samples.table.path)).parent / "a.png").read_bytes()
    url = f"data:image/png;base64,{base64.b64encode(content).decode()}"
    samples = read(row(image=url)).samples
    (known,) = samples.known.samples
    assert isinstance(known.image, NamedImage)
    assert (known.image.key, known.image.width) == (samples[0].image.key, 100)
    assert samples[0].image.load().size == (100, 80)


def test_only_some_rows_of_a_long_file_are_checked(read: Read) -> None:
    rows = [row(id=str(k), image="gone.png" if k == 5 else "a.png") for k in range(100)]
    checked = read(*rows, limit=10)
    assert (checked.checked, len(checked.samples), len(checked.samples.known)) == (10, 100, 10)
    assert checked.samples[99].id == "99"
    with pytest.raises(UserError, match=r"t.jsonl:6: image 'gone.png'.*\n.*data.check_rows=null"):
        checked.samples[5]


def test_the_stamp_changes_with_the_file(read: Read) -> None:
    first = read(row()).samples.stamp
    assert read(row(), row(id="2")).samples.stamp != first


@pytest.mark.slow
@pytest.mark.parametrize("size", [(100, 80), (1, 500), (3000, 5000), (27, 29), (1920, 1080)])
@pytest.mark.parametrize("bounds", [(3136, 12845056), (200704, 1003520)])
def test_model_sizes_are_those_of_the_processor(
    size: tuple[int, int], bounds: tuple[int, int]
) -> None:
    from transformers.models.qwen2_vl.image_processing_qwen2_vl import smart_resize

    if max(size) / min(size) > 200:
        pytest.skip("the processor refuses this shape")
    resize = Resize(min_pixels=bounds[0], max_pixels=bounds[1])
    height, width = smart_resize(size[1], size[0], 28, *bounds)
    assert resize.size(*size) == (width, height)
