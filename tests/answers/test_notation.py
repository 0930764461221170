"""Boxes that are written otherwise than is said shout."""

from dataclasses import replace
from pathlib import Path

import pytest
from replies import PLAIN, reply

from groundrl.answers.attempt import Attempt
from groundrl.answers.notation import Notation, other_frames
from groundrl.boxes import Frame
from groundrl.published.files import pixel_box
from groundrl.records import Grounding, ImageFile, Provenance, Sample
from groundrl.report.benchmark_table import alarms

SAMPLE = Sample(
    id="0",
    image=ImageFile(path=Path("cup.png"), width=200, height=100),
    question="Where?",
    groundings=(Grounding(label="cup", box=pixel_box(100.0, 20.0, 180.0, 80.0)),),
    provenance=Provenance(dataset="d", split="s"),
)
WRITTEN = {
    "pixel": "[100,20,180,80 cup]",
    "permille": "[500,200,900,800 cup]",
    "unit": "[0.5,0.2,0.9,0.8 cup]",
    "model": "[50,10,90,40 cup]",
}


def answer(frame: str) -> Attempt:
    one = reply(SAMPLE, WRITTEN[frame])
    return replace(one, sizes=replace(one.sizes, model_width=100, model_height=50))


@pytest.mark.parametrize("said", WRITTEN)
@pytest.mark.parametrize("written", WRITTEN)
def test_boxes_in_another_frame_than_stated_name_their_frame(said: str, written: str) -> None:
    found = other_frames([answer(written)] * 3, Notation(grammar=PLAIN.grammar, frame=Frame(said)))
    assert found == ({} if said == written else {f"iou_as_{written}": pytest.approx(1)})


def test_the_warning_about_another_frame_gives_both_figures() -> None:
    assert alarms({"a/iou": 0.02, "a/iou_as_pixel": 0.61}, {}) == [
        "a: boxes read as pixel would have an iou of 0.61 instead of 0.02: is the frame right that "
        "was said?"
    ]


def test_bad_boxes_are_no_sign_of_another_frame() -> None:
    poor = reply(SAMPLE, "[0,0,30,30 cup]")
    notation = Notation(grammar=PLAIN.grammar, frame=Frame.PIXEL)
    assert other_frames([poor], notation) == {}
    assert other_frames([reply(SAMPLE, "")], notation) == {}
