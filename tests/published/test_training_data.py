"""Published data sets as training data: the options of conf/data that read them."""

import logging
from pathlib import Path
from typing import Any, cast

import pytest
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from published_files import HELDOUT, TRAIN, WRITERS, drivingvqa, rel3d, spatialsense, vsr

from groundrl.data.datasets import SampleList
from groundrl.data.module import GroundingDataModule
from groundrl.errors import UserError
from groundrl.evaluation.benchmarks.published import PublishedBenchmark
from groundrl.evaluation.prompting import choose_template
from groundrl.grammar import get_grammar
from groundrl.launch.make import make
from groundrl.launch.resolvers import register_resolvers
from groundrl.prompts import PromptTemplate
from groundrl.records import Form, Grounding, Sample

CONF = Path(__file__).parents[2] / "conf"
BENCHMARKS = {
    "vsr": "vsr_zeroshot",
    "refcoco": "refcoco_val",
    "refcoco_plus": "refcoco_plus_val",
    "refcocog": "refcocog_val",
}
"""Where the option of conf/benchmark is not called as that of conf/data."""


def build(option: str, folder: Path, **changes: Any) -> GroundingDataModule:
    """The option's datamodule; ``changes`` as they are typed, without "data."."""
    node = OmegaConf.load(CONF / f"data/{option}.yaml")
    for path, value in {"root": str(folder), **changes}.items():
        OmegaConf.update(node, path, value)
    return make(cast(DictConfig, node))


def trained(module: GroundingDataModule) -> tuple[Sample, ...]:
    assert isinstance(module.train, SampleList)
    return module.train.samples


def held_out(module: GroundingDataModule) -> tuple[Sample, ...]:
    (source,) = module.heldout.values()
    assert isinstance(source, SampleList)
    return source.samples


def benchmark(option: str, root: Path, split: str) -> PublishedBenchmark:
    name = BENCHMARKS.get(option, option)
    config = OmegaConf.create({"data": {"root": str(root)}})
    both = OmegaConf.merge(config, OmegaConf.load(CONF / f"benchmark/{name}.yaml"))
    return instantiate(cast(DictConfig, both)[name], split=split)


@pytest.mark.parametrize("option", WRITERS)
def test_training_asks_what_the_benchmark_asks(option: str, tmp_path: Path) -> None:
    WRITERS[option](tmp_path)
    module = build(option, tmp_path)
    asked = benchmark(option, tmp_path, "train")
    template = PromptTemplate(instruction="Give the letter.", answer_style="letters")
    grammar = get_grammar("obj_bbox")

    def prompt(sample: Sample, form: Form) -> tuple[Any, ...]:
        text = choose_template(template, form, grammar, "grounded").text(sample)
        return sample.id, text, sample.images, sample.answers, sample.groundings

    questions = [prompt(sample, asked.form) for sample in asked.questions().samples]
    assert [prompt(sample, module.form) for sample in trained(module)] == questions
    assert len(questions) == TRAIN


@pytest.mark.parametrize("option", WRITERS)
def test_both_splits_say_where_they_come_from_and_share_no_image(
    option: str, tmp_path: Path
) -> None:
    WRITERS[option](tmp_path)
    module = build(option, tmp_path)
    train, heldout = trained(module), held_out(module)
    assert (len(train), len(heldout)) == (TRAIN, HELDOUT)
    assert not {one.image.key for one in train} & {one.image.key for one in heldout}
    for sample, split in ((train[0], "train"), (heldout[0], next(iter(module.heldout)))):
        origin = sample.provenance
        assert (origin.dataset.replace("+", "_plus"), origin.split) == (option, split)
        assert origin.source.startswith("https://")
    assert all(
        sample.image.load().size == (sample.image.width, sample.image.height) for sample in train
    )


@pytest.mark.parametrize("option", WRITERS)
@pytest.mark.parametrize("target", ["answer_only", "rationale", "boxed_rationale"])
def test_a_worked_answer_has_the_style_that_is_asked_for(
    option: str, target: str, tmp_path: Path
) -> None:
    WRITERS[option](tmp_path)
    if target not in instantiate(OmegaConf.load(CONF / f"data/{option}.yaml").reader).func.targets:
        with pytest.raises(UserError, match=f"has no {target} to learn from: type data.target="):
            build(option, tmp_path, target=target)
        return
    for sample in trained(build(option, tmp_path, target=target)):
        assert sample.rationale is not None
        pointed = [part for part in sample.rationale if isinstance(part, Grounding)]
        assert set(pointed) == set(sample.groundings if target == "boxed_rationale" else ())
        assert bool(sample.rationale) == (target != "answer_only")


def test_the_words_of_a_rationale_stay_when_its_boxes_go(tmp_path: Path) -> None:
    spatialsense(tmp_path)
    true, false, *_ = trained(build("spatialsense", tmp_path, target="rationale"))
    assert true.rationale == ("Here are the cat and the mat. Cat to the left of mat: that is so.",)
    assert false.rationale is not None
    assert str(false.rationale[0]).endswith("that is not so.")


def test_a_held_out_question_about_an_image_that_is_trained_on_is_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    vsr(tmp_path)
    path = tmp_path / "vsr/random/dev.jsonl"
    first, second, _ = path.read_text().splitlines()
    path.write_text(f"{first}\n{second.replace(f'{TRAIN + 1:012d}', f'{0:012d}')}\n")
    with caplog.at_level(logging.WARNING):
        module = build("vsr", tmp_path, **{"reader.variant": "random"})
    assert [sample.id for sample in held_out(module)] == ["1"]
    assert "1 of 2 held-out questions of split dev are about images that are trained" in caplog.text
    path.write_text(f"{second.replace(f'{TRAIN + 1:012d}', f'{0:012d}')}\n")
    with pytest.raises(UserError, match="every image of split dev is trained on"):
        build("vsr", tmp_path, **{"reader.variant": "random"})


def test_questions_without_an_image_are_counted_and_left_out_if_that_is_asked_for(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    vsr(tmp_path)
    for number in (1, 4):
        (tmp_path / f"train2017/{number:012d}.jpg").unlink()
    with pytest.raises(UserError) as told:
        build("vsr", tmp_path)
    assert str(told.value) == (
        "VSR, split train: 2 of 6 questions have no image, for example 2: no image "
        "000000000001.jpg; 5: no image 000000000004.jpg. Get the images from "
        "https://cocodataset.org/#download (both years hold the same images), or leave these "
        "questions out with data.missing=skip"
    )
    with caplog.at_level(logging.WARNING):
        module = build("vsr", tmp_path, missing="skip")
    assert [sample.id for sample in trained(module)] == ["1", "3", "4", "6"]
    assert "2 of 6 questions have no image" in caplog.text


@pytest.mark.parametrize("option", WRITERS)
def test_a_missing_file_is_named_with_its_place_and_its_counterpart(
    option: str, tmp_path: Path
) -> None:
    for root, place in ((str(tmp_path), ": get it from http"), (None, ": http")):
        with pytest.raises(UserError) as told:
            build(option, tmp_path, root=root)
        assert place in str(told.value)
        assert "\nNothing to download: data=world, benchmark=world_" in str(told.value)


def test_labels_are_biased_in_the_training_split_only(tmp_path: Path) -> None:
    vsr(tmp_path)
    module = build("vsr", tmp_path, **{"undersample.keep": 0.0})
    assert len({sample.answers for sample in trained(module)}) == 1
    assert len({sample.answers for sample in held_out(module)}) == 2


def test_held_out_statements_can_be_divided_by_the_bias(tmp_path: Path) -> None:
    vsr(tmp_path)
    module = build("vsr", tmp_path, **{"undersample.divide_heldout": True, "undersample.keep": 0.0})
    usual = {sample.answers for sample in trained(module)}
    for name, source in module.heldout.items():
        assert isinstance(source, SampleList)
        assert all((one.answers in usual) is (name == "aligned") for one in source.samples)
    assert list(module.heldout) == ["aligned", "conflicting"]


def test_one_published_data_set_is_trained_on_and_two_are_held_out(tmp_path: Path) -> None:
    rel3d(tmp_path / "synthetic")
    spatialsense(tmp_path / "real")
    register_resolvers(CONF.parent)
    roots = [f"data.{name}.root={tmp_path / name}" for name in ("synthetic", "real")]
    for domain, origins in {
        "synthetic": {"rel3d"},
        "real": {"spatialsense"},
        "mixed": {"rel3d", "spatialsense"},
    }.items():
        with initialize_config_dir(str(CONF), version_base="1.3"):
            line = ["data=rel3d_to_spatialsense", f"data.domain={domain}", *roots]
            module = make(compose("train", line).data)
        assert {one.provenance.dataset for one in trained(module)} == origins
        assert {name: source[0].provenance.dataset for name, source in module.heldout.items()} == {
            "synthetic": "rel3d",
            "real": "spatialsense",
        }


def test_the_published_split_of_spatialsense_can_be_taken(tmp_path: Path) -> None:
    spatialsense(tmp_path)
    module = build("spatialsense", tmp_path, **{"reader.published_split": True})
    assert [sample.id for sample in held_out(module)] == ["2/0", "5/0", "8/0"]


def test_rel3d_shows_depth_and_masks_as_images_of_their_own(tmp_path: Path) -> None:
    rel3d(tmp_path)
    sample = trained(build("rel3d", tmp_path, **{"reader.view": "context"}))[0]
    depth, first, second = (image.load() for image in sample.context_images)
    assert depth.size == first.size == sample.image.load().size
    assert depth.getpixel((0, 0)) == (0, 0, 0)
    assert depth.getpixel((0, 47)) == (255, 255, 255)
    assert (first.getbbox(), second.getbbox()) == ((4, 4, 20, 16), (40, 20, 56, 32))
    assert sample.question.startswith("The second image shows how far everything is")
    assert sample.question.endswith("True or false: cup points towards bed.")
    assert sample.groundings[0].box.corners == (4, 4, 20, 16)
    plain = trained(build("rel3d", tmp_path, **{"reader.view": "rgb"}))[0]
    assert plain.images == (sample.image,)
    assert plain.question == "True or false: cup points towards bed."


def test_two_questions_about_one_scene_are_put_at_once(tmp_path: Path) -> None:
    drivingvqa(tmp_path)
    path = tmp_path / "DrivingVQA/train.json"
    path.write_text(
        path.read_text()
        .replace('"has_multiple_questions": false', '"has_multiple_questions": true', 1)
        .replace('"May I pass?"', '["May I pass?", "Must I stop?"]', 1)
        .replace('{"A": "Yes.", "B": "No."}', '{"C": "Yes.", "A": "Yes.", "B": "No.", "D": "No."}')
        .replace('["B"]', '["C", "B"]', 1)
    )
    assert len(trained(build("drivingvqa", tmp_path))) == TRAIN - 1
    both = trained(build("drivingvqa", tmp_path, **{"reader.two_questions": True}))[0]
    assert both.question == "1. May I pass? 2. Must I stop?"
    assert both.options == ("1. Yes.", "1. No.", "2. Yes.", "2. No.")
    assert both.answers == ("1. No.", "2. Yes.")
    assert both.kind == "two_questions"


def test_images_may_have_any_size_where_the_published_filter_is_taken_off(tmp_path: Path) -> None:
    drivingvqa(tmp_path)
    few = {"reader.max_area": 64 * 48 - 1}
    with pytest.raises(UserError, match="hold no question of the part that is asked"):
        build("drivingvqa", tmp_path, **few)
    assert len(trained(build("drivingvqa", tmp_path, **{"reader.max_area": None}))) == TRAIN
