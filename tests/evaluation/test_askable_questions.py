"""Questions that no model can be asked count as missing, and a resumed run goes past them."""

import json
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from PIL import Image
from replies import images

from groundrl.answers.notation import Notation
from groundrl.boxes import Box, Frame
from groundrl.errors import UserError
from groundrl.evaluation.benchmarks.base import QuestionSet
from groundrl.evaluation.benchmarks.refcoco import Pointing
from groundrl.evaluation.benchmarks.yes_no import POPE
from groundrl.evaluation.inference import PREDICTIONS, ModelSource, answer_questions, askable
from groundrl.policy.policy import Policy
from groundrl.records import Form, Grounding, NamedImage, Provenance, Sample
from groundrl.rollout.base import Sampling
from groundrl.rollout.native import NativeEngine
from groundrl.rollout.sampler import Sampler

MakePolicy = Callable[..., Policy]


def pope(folder: Path) -> POPE:
    """Five questions: about a good image, a thin one, a damaged one, none, and a good one."""
    images(folder / "val2014", ["0.jpg", "2.jpg", "4.jpg"], size=(64, 64))
    Image.new("RGB", (1000, 3)).save(folder / "val2014/1.jpg")
    damaged = folder / "val2014/2.jpg"
    damaged.write_bytes(damaged.read_bytes()[:-40])
    rows = [
        {"question_id": k, "image": f"{k}.jpg", "text": f"Is it {k}?", "label": "no"}
        for k in range(5)
    ]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "coco_pope_random.json").write_text(text)
    return POPE(variant="random", root=str(folder))


def test_images_that_no_model_takes_are_missing(tmp_path: Path) -> None:
    found = askable(pope(tmp_path))
    assert [one.id for one in found.samples] == ["0", "4"]
    thin, gone, damaged = found.missing
    assert "1000 x 3 pixels: one side may be 200 times the other" in thin
    assert gone == "3: no image 3.jpg"
    assert damaged.startswith("2: ")
    assert "the image cannot be decoded" in damaged


def test_a_resumed_run_goes_past_them(make_policy: MakePolicy, tmp_path: Path) -> None:
    source = ModelSource(
        open_policy=lambda: nullcontext(make_policy(None)),
        sampler=Sampler(NativeEngine(), Sampling(max_tokens=2, temperature=0.0), group_size=1),
        notation=Notation.of("obj_bbox", "permille"),
        prompting="direct",
    )
    benchmarks = {"pope": pope(tmp_path)}
    whole, questions = answer_questions(source, benchmarks, tmp_path)
    assert len(questions["pope"].missing) == 3
    path = tmp_path / PREDICTIONS
    path.write_text(path.read_text().splitlines(keepends=True)[0])
    again, _ = answer_questions(source, benchmarks, tmp_path)
    assert [one.attempt.sample.id for one in again["pope"]] == ["0", "4"]
    assert [one.scores for one in again["pope"]] == [one.scores for one in whole["pope"]]


@dataclass(frozen=True)
class Given(Pointing):
    """Questions that the test gives."""

    samples: tuple[Sample, ...]

    def questions(self) -> QuestionSet:
        return QuestionSet(samples=self.samples)


def test_doubled_options_and_boxes_without_area_are_missing() -> None:
    box = Box(x1=1.0, y1=1.0, x2=5.0, y2=1.0, frame=Frame.PIXEL)
    flat = Sample(
        id="flat",
        image=NamedImage(key="a", width=8, height=6),
        question="Where?",
        groundings=(Grounding(label="dog", box=box),),
        provenance=Provenance(dataset="set", split="test"),
    )
    good = replace(flat, id="good", groundings=())
    doubled = replace(good, id="doubled", options=("a", "b", "a"))
    found = askable(Given((flat, good, doubled)))
    assert [one.id for one in found.samples] == ["good"]
    assert found.missing == (
        "flat: box [1.0, 1.0, 5.0, 1.0] of 'dog' has no area",
        "doubled: option 'a' stands there twice",
    )
    with pytest.raises(UserError, match="none of 1 questions can be asked, for example flat: box"):
        askable(Given((flat,)))
    assert Given.form is Form.BOX
