"""A run as a whole: the files that it writes, its counts, and how it resumes."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from synthesis_runs import content, figures, synthesis
from synthesis_views import SCENE_VERIFIER, FixedDetector, FixedTeacher, KeepingVerifier

from groundrl.data.build import synthesized_module
from groundrl.data.datasets import SampleList, sample_file
from groundrl.detectors.base import UnlabelledImageError
from groundrl.detectors.oracle import OracleDetector
from groundrl.detectors.records import InputImage, Region
from groundrl.errors import UserError
from groundrl.files import write_json
from groundrl.report.tables import duration
from groundrl.running.run_time import TIMES
from groundrl.synthesis.annotate import Annotator
from groundrl.synthesis.annotations import Caption
from groundrl.synthesis.images import SceneImages
from groundrl.synthesis.roles import ImageView
from groundrl.synthesis.teachers.world import WorldTeacher

pytestmark = pytest.mark.slow

DATA = ("images.jsonl", "train.jsonl", "heldout.jsonl", "README.md")


def test_all_files_hold_the_same_samples_and_they_can_be_trained_on(tmp_path: Path) -> None:
    assert synthesis(tmp_path / "run").run().unfinished == 0
    run, shards = tmp_path / "run", tmp_path.glob("run/train-*.parquet")
    lines = sample_file(run / "train.jsonl").samples
    rows = [sample for path in sorted(shards) for sample in sample_file(path).samples]
    assert list(lines) == rows
    assert len(rows) > 100
    module = synthesized_module(root=run)
    assert isinstance(module.train, SampleList)
    assert module.train.samples == lines
    images = [json.loads(line) for line in (run / "images.jsonl").read_text().splitlines()]
    assert [one["id"] for one in images] == [f"{index:06}" for index in range(24)]
    held_out = sample_file(run / "heldout.jsonl").samples
    told = [name for one in images for name in one["samples"]]
    assert sorted(told) == sorted(sample.id for sample in (*lines, *held_out))
    made_by = images[0]["made_by"]
    assert made_by["captions"] == "world version=1 error_rate=0.3 seed=0"
    assert made_by["verdicts"] == SCENE_VERIFIER.name
    card = (run / "README.md").read_text()
    assert f"24 images, {len(told)} samples ({len(held_out)} of them held out" in card
    assert "CC0" in card


def test_verification_is_measured(tmp_path: Path) -> None:
    synthesis(tmp_path / "checked").run()
    found = figures(tmp_path / "checked")
    assert found["planted"] > 20
    for kind in ("object", "attribute", "relation", "count"):
        assert found[f"verification/recall/{kind}"] > 0.6
        low, high = (found[f"verification/recall/{kind}_{end}"] for end in ("low", "high"))
        assert low <= found[f"verification/recall/{kind}"] <= high
    assert found["verification/clean_rejected"] < 0.1
    assert found["verification/survived"] < 0.2
    synthesis(tmp_path / "unchecked", verifier=None).run()
    found = figures(tmp_path / "unchecked")
    assert found["verification/survived"] == 1.0
    assert found["verification/recall/object"] == 0.0


@dataclass
class Counted:
    """A role that is counted."""

    role: Any
    asked: int = 0

    @property
    def name(self) -> str:
        return self.role.name

    @property
    def vocabulary(self) -> tuple[str, ...]:
        return self.role.vocabulary

    def __call__(self, inputs: Sequence[Any]) -> list[Any]:
        self.asked += len(inputs)
        return self.role(inputs)


def test_a_second_run_asks_no_model_and_one_with_another_verifier_asks_only_that_one(
    tmp_path: Path,
) -> None:
    roles = {
        "detector": Counted(OracleDetector()),
        "teacher": Counted(WorldTeacher(error_rate=0.3)),
        "verifier": Counted(SCENE_VERIFIER),
    }
    synthesis(tmp_path / "first", **roles).run()
    asked = {name: role.asked for name, role in roles.items()}
    assert asked["detector"] == 24
    synthesis(tmp_path / "second", **roles).run()
    assert {name: role.asked for name, role in roles.items()} == asked
    assert content(tmp_path / "second") == content(tmp_path / "first")
    roles["verifier"] = Counted(SCENE_VERIFIER.with_vocabulary(["zebra"]))
    synthesis(tmp_path / "third", **roles).run()
    assert {name: role.asked for name, role in roles.items()} == asked


def test_an_unfinished_image_gets_no_samples_until_a_later_run_finishes_it(tmp_path: Path) -> None:
    straight = synthesis(tmp_path / "a" / "run", detector=FixedDetector(), teacher=FixedTeacher())
    assert straight.run().unfinished == 0
    roles = {"detector": FixedDetector(), "verifier": KeepingVerifier()}
    down = FixedTeacher(down={"000003", "000017"})
    assert synthesis(tmp_path / "b" / "run", **roles, teacher=down).run().unfinished == 2
    lines = (tmp_path / "b" / "run" / "images.jsonl").read_text().splitlines()
    assert len(lines) == 22
    assert figures(tmp_path / "b" / "run")["unfinished"] == 2
    roles["verifier"] = SCENE_VERIFIER
    assert synthesis(tmp_path / "b" / "run", **roles, teacher=FixedTeacher()).run().unfinished == 0
    assert content(tmp_path / "b" / "run") == content(tmp_path / "a" / "run")


def test_its_time_is_that_of_all_pieces_of_the_run(tmp_path: Path) -> None:
    write_json(tmp_path / "run" / TIMES, {"total": 1000.0})  # as a piece leaves it that was killed
    synthesis(tmp_path / "run").run()
    measured = json.loads((tmp_path / "run" / "metrics.json").read_text())["time"]["total"]
    assert 1000 < measured < 1500
    assert duration(measured) in (tmp_path / "run" / "report.html").read_text()


def test_a_refusal_stops_the_run_and_keeps_what_was_answered(tmp_path: Path) -> None:
    @dataclass
    class Expires(FixedTeacher):
        left: int = 30

        def __call__(self, views: Sequence[ImageView]) -> list[Caption | None]:
            self.left -= 1
            if self.left < 0:
                raise UserError("the key has expired")
            return FixedTeacher.__call__(self, views)

    roles = {"detector": FixedDetector(), "verifier": KeepingVerifier()}
    run = tmp_path / "run"
    with pytest.raises(UserError, match="the key has expired"):
        synthesis(run, **roles, teacher=Expires(left=9)).run()
    assert sorted(path.name for path in run.iterdir()) == [".synthesis", "images", "seconds.json"]
    counted = Counted(FixedTeacher())
    assert synthesis(run, **roles, teacher=counted).run().unfinished == 0
    assert counted.asked == 3 * (24 - 9)


@dataclass(frozen=True, slots=True, kw_only=True)
class Twice(SceneImages):
    """The first scene comes again at once."""

    def __iter__(self) -> Iterator[InputImage]:
        scenes = [*SceneImages.__iter__(self)]
        yield from [replace(scenes[0], id="twin"), *scenes]


def build_recorded(built: list[object], build: Callable[[], Annotator]) -> Annotator:
    built.append(build)
    return build()


def test_equal_images_are_annotated_once_and_get_the_same_captions(tmp_path: Path) -> None:
    @dataclass
    class Moody(FixedTeacher):
        asked: int = 0

        def __call__(self, views: Sequence[ImageView]) -> list[Caption | None]:
            self.asked += len(views)
            return [Caption(text=f"A cup, {self.asked} times.") for _ in views]

    teacher = Moody()
    built: list[object] = []
    roles = {"detector": FixedDetector(), "teacher": teacher, "verifier": KeepingVerifier()}
    for name in ("first", "second"):
        run = synthesis(tmp_path / name, **roles, images=Twice(size=5))
        replace(run, annotator=partial(build_recorded, built, run.annotator)).run()
    assert teacher.asked == 3 * 5
    assert len(built) == 2
    assert content(tmp_path / "second") == content(tmp_path / "first")
    lines = (tmp_path / "first" / "images.jsonl").read_text().splitlines()
    one, *_, last = [json.loads(line) for line in lines]
    assert (one["id"], last["id"]) == ("twin", "000000")
    assert one["level_1"] == last["level_1"]


def test_images_without_labels_are_skipped_with_the_reason(tmp_path: Path) -> None:
    @dataclass
    class Labels(FixedDetector):
        known: int = 2

        def __call__(self, images: Sequence[InputImage]) -> list[tuple[Region, ...]]:
            if int(images[0].id) >= self.known:
                raise UnlabelledImageError("nobody looked")
            return FixedDetector.__call__(self, images)

    run = synthesis(
        tmp_path / "run", detector=Labels(), teacher=FixedTeacher(), verifier=KeepingVerifier()
    )
    assert run.run().unfinished == 0
    found = figures(tmp_path / "run")
    assert (found["images"], found["skipped"]) == (2, 22)
    assert "000002\tnobody looked\n" in (tmp_path / "run" / "skipped.txt").read_text()
    labels = Labels(known=24, name="all")
    assert (
        synthesis(tmp_path / "run", detector=labels, teacher=FixedTeacher()).run().unfinished == 0
    )
    assert not (tmp_path / "run" / "skipped.txt").exists()
    nobody = synthesis(tmp_path / "none", detector=Labels(known=0, name="nobody"))
    with pytest.raises(UserError, match=r"(?s)not one usable image.*000000: nobody looked"):
        nobody.run()


def test_a_class_in_a_kept_caption_is_never_asked_about_as_absent(tmp_path: Path) -> None:
    class Names(FixedTeacher):
        def __call__(self, views: Sequence[ImageView]) -> list[Caption | None]:
            return [Caption(text="Two knives lie on a car.") for _ in views]

    detector = FixedDetector(vocabulary=("cup", "box", "knife", "red car", "carpet"))
    synthesis(
        tmp_path / "run", detector=detector, teacher=Names(), verifier=KeepingVerifier()
    ).run()
    samples = sample_file(tmp_path / "run" / "train.jsonl").samples
    absent = {one.question for one in samples if one.kind == "exists" and one.answers == ("no",)}
    assert absent == {"Is there a carpet in the picture?"}


def test_foreign_files_and_files_of_finished_runs_are_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "others").mkdir()
    (tmp_path / "others" / "README.md").write_text("mine")
    with pytest.raises(UserError, match=r"no run has written \(README\.md\): type output_dir="):
        synthesis(tmp_path / "others").run()
    assert (tmp_path / "others" / "README.md").read_text() == "mine"
    roles = {"detector": FixedDetector(), "verifier": KeepingVerifier()}
    synthesis(tmp_path / "run", **roles, teacher=FixedTeacher()).run()
    before = content(tmp_path / "run")
    away = FixedTeacher(down={f"{index:06}" for index in range(24)})
    again = synthesis(tmp_path / "run", **roles, teacher=away, cache=tmp_path / "other.sqlite")
    with pytest.raises(UserError, match="not one image is finished"):
        again.run()
    assert content(tmp_path / "run") == before
