"""check_config on small configs whose targets are in this module."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar, Literal

import pytest
from config_problems import problems
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from groundrl.config.check import check_config
from groundrl.errors import UserError

HERE = __name__


class Speed(StrEnum):
    SLOW = "slow"
    FAST = "fast"


@dataclass(frozen=True, kw_only=True)
class Iou:
    needs: ClassVar[frozenset[str]] = frozenset({"groundings"})
    weight: float = 1.0
    threshold: float | None = None


@dataclass(frozen=True, kw_only=True)
class Loss:
    level: Literal["token", "sequence"] = "token"
    speed: Speed = Speed.SLOW
    clip: tuple[float, float] = (0.2, 0.2)
    steps: int = 1
    shuffle: bool = False


class Folder:
    def __init__(self, root: Path, limit: int | None = None, **columns: str) -> None:
        raise AssertionError("checking builds nothing")


def plugged(prompts: list[str], terms: dict[str, Iou]) -> None: ...


def iou(**options: Any) -> dict[str, Any]:
    return {"_target_": f"{HERE}.Iou", **options}


def loss(**options: Any) -> dict[str, Any]:
    return {"loss": {"_target_": f"{HERE}.Loss", **options}}


def test_a_sound_config_passes_and_nothing_is_built() -> None:
    folder = {"_target_": f"{HERE}.Folder", "root": "photos", "any_column": "a"}
    check_config(OmegaConf.create({"seed": 0, "data": folder, **loss(clip=[0.2, 0.3], steps=3)}))


def test_a_misspelt_argument_is_named_with_the_right_one() -> None:
    assert problems({"reward": {"terms": {"iou": iou(wieght=2.0)}}}) == [
        "reward.terms.iou.wieght: Iou has no argument 'wieght'; did you mean 'weight'? "
        "(arguments: weight, threshold)"
    ]


def test_every_problem_is_reported_at_once() -> None:
    config = {"reward": iou(weight="much"), "grammar": "obj", **loss(level="word", stpes=1)}
    with pytest.raises(UserError, match=r"(?s)The config has 4 problems:\n1\. .*\n4\. "):
        check_config(OmegaConf.create(config))


def test_the_error_for_a_missing_value_names_what_to_type() -> None:
    folder = {"_target_": f"{HERE}.Folder", "root": "???", "limit": "???"}
    assert problems({"seed": "???", "data": folder, "list": [{"deep": "???"}]}) == [
        "seed is missing: type seed=<value>",
        "data.root is missing: type data.root=<folder>",
        "data.limit is missing: type data.limit=<number>",
        "list.0.deep is missing: type list.0.deep=<value>",
    ]


def test_a_required_argument_that_is_not_there_is_missed() -> None:
    assert problems({"data": {"_target_": f"{HERE}.Folder"}}) == [
        "data.root is needed by Folder: type +data.root=<folder>"
    ]


def test_positional_arguments_and_partials_leave_nothing_to_miss() -> None:
    positional = {"_target_": f"{HERE}.Folder", "_args_": ["photos"]}
    partial = {"_target_": f"{HERE}.Folder", "_partial_": True, "limit": "???"}
    check_config(OmegaConf.create({"a": positional, "b": partial}))


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"level": "tokens"}, "loss.level is 'tokens', expected one of token, sequence: "),
        ({"speed": "FAST"}, "loss.speed is 'FAST', expected one of slow, fast: "),
        ({"clip": [0.2]}, "loss.clip is [0.2], expected a list of 2 values: "),
        ({"clip": 0.2}, "loss.clip is 0.2, expected a list of 2 values: "),
        ({"steps": 1.5}, "loss.steps is 1.5, expected a whole number: type loss.steps=<number>"),
        ({"steps": True}, "loss.steps is True, expected a whole number: "),
        ({"steps": None}, "loss.steps is null, expected a whole number: "),
        ({"shuffle": "no"}, "loss.shuffle is 'no', expected one of true, false: "),
    ],
)
def test_a_value_of_the_wrong_type_is_reported(options: dict[str, Any], problem: str) -> None:
    assert [line[: len(problem)] for line in problems(loss(**options))] == [problem]


@pytest.mark.parametrize(
    "options",
    [{"level": "sequence"}, {"speed": "fast"}, {"clip": [0, 1]}, {"shuffle": True}, {"steps": 0}],
)
def test_a_value_of_the_right_type_passes(options: dict[str, Any]) -> None:
    check_config(OmegaConf.create(loss(**options)))


def test_a_node_with_a_target_fits_any_argument_and_is_checked_itself() -> None:
    config = {"f": {"_target_": f"{HERE}.plugged", "prompts": ["a"], "terms": {"iou": iou(w=1)}}}
    assert len(problems(config)) == 1
    assert problems(config)[0].startswith("f.terms.iou.w: Iou has no argument 'w'")


def test_a_plain_mapping_where_an_object_is_needed_is_reported() -> None:
    config = {"f": {"_target_": f"{HERE}.plugged", "prompts": [], "terms": {"iou": {"weight": 1}}}}
    assert problems(config)[0].startswith("f.terms is {'iou': {'weight': 1}}, expected a mapping")


@pytest.mark.parametrize(
    ("target", "problem"),
    [
        ("groundrl.boxs.Frame", "x._target_: groundrl has no 'boxs'; did you mean 'boxes'?"),
        ("groundrl.boxes.Fram", "x._target_: groundrl.boxes has no 'Fram'; did you mean 'Frame'?"),
        ("groundlr.boxes", "x._target_: groundlr cannot be imported (No module named 'groundlr')"),
        ("groundrl.boxes", "x._target_: groundrl.boxes is no class and no function"),
    ],
)
def test_a_target_that_is_not_there_is_reported(target: str, problem: str) -> None:
    assert problems({"x": {"_target_": target}})[0].startswith(problem)


def test_an_interpolation_that_leads_nowhere_is_reported() -> None:
    assert problems({"a": "${b.c}"}) == [
        "a=${b.c} cannot be read (Interpolation key 'b.c' not found): type a=<value>"
    ]


def test_a_value_that_is_known_only_in_a_run_is_accepted() -> None:
    check_config(
        OmegaConf.create({"a": "${hydra:runtime.output_dir}", **loss(steps="${b}"), "b": 2})
    )


def test_a_shared_node_is_reported_once() -> None:
    assert len(problems({"a": iou(wieght=1), "b": "${a}"})) == 1


def test_a_value_among_nodes_is_reported_with_what_it_may_mean() -> None:
    vqa = {"_target_": "builtins.dict", "size": 3, "root": None}
    found = problems({"benchmark": {"vqa": vqa, "size": 20, "sizes": 2}})
    assert found == [
        "benchmark.size=20 is no node with _target_: type benchmark.vqa.size=20",
        "benchmark.sizes=2 is no node with _target_: drop benchmark.sizes",
    ]


def test_an_output_directory_below_a_file_is_reported(tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("")
    assert "is a file" in problems({"output_dir": str(tmp_path / "notes" / "run")})[0]
    check_config(OmegaConf.create({"output_dir": str(tmp_path / "new" / "run")}))


@pytest.fixture
def overlay_dir(tmp_path: Path) -> Path:
    files = {
        "train.yaml": "defaults: [{reward: iou}, _self_, {ablation: null}]\nkl_coef: 0.04\nlr: 1",
        "reward/iou.yaml": "a: 1",
        "reward/acc.yaml": "a: 2",
        "ablation/no_kl.yaml": (
            "# @package _global_\ndefaults: [{override /reward: acc}]\nkl_coef: 0.0"
        ),
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def check_composed(folder: Path, *overrides: str) -> None:
    with initialize_config_dir(str(folder), version_base="1.3"):
        check_config(compose("train", list(overrides), return_hydra_config=True))


def test_an_option_that_undoes_an_ablation_is_reported(overlay_dir: Path) -> None:
    with pytest.raises(UserError) as raised:
        check_composed(overlay_dir, "ablation=no_kl", "kl_coef=0.1", "reward=iou")
    assert str(raised.value).splitlines()[1:] == [
        "1. ablation=no_kl sets kl_coef=0.0, but kl_coef=0.1 was typed and wins: "
        "drop kl_coef=0.1, or drop ablation=no_kl",
        "2. ablation=no_kl sets reward=acc, but reward=iou was typed and wins: "
        "drop reward=iou, or drop ablation=no_kl",
    ]


def test_an_option_that_agrees_with_an_ablation_passes(overlay_dir: Path) -> None:
    check_composed(overlay_dir, "ablation=no_kl", "kl_coef=0.0", "reward=acc", "lr=2")
    check_composed(overlay_dir, "kl_coef=0.1")


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ({"pipeline": ["sft", "gpro"]}, "did you mean 'grpo'?"),
        ({"pipeline": []}, "names no stage: type pipeline=[sft,grpo]"),
        ({"pipeline": ["pretrain", "sft"]}, "mixes pretrain with other stages"),
        ({"pipeline": ["reward_model", "sft"]}, "type pipeline=[reward_model], and then"),
        ({"grammar": "obj_box"}, "did you mean 'obj_bbox'?"),
        ({"grammar": "florence", "model": {"frame": "pixel"}}, "type model.frame=permille or"),
        ({"trainer": {"devices": 4}, "pipeline": ["pretrain"]}, "type trainer.devices=1"),
    ],
)
def test_a_choice_that_nothing_can_run_is_reported(config: dict[str, Any], problem: str) -> None:
    stages = {"pretrain": {}, "reward_model": {}, "sft": {}, "grpo": {}}
    (reported,) = problems({"stage": stages, **config})
    assert problem in reported


@pytest.mark.parametrize("devices", [0, -2])
def test_a_run_needs_a_device(devices: int) -> None:
    stages = {"sft": {"prompts_per_step": 4}}
    config = {"trainer": {"devices": devices}, "pipeline": ["sft"], "stage": stages}
    assert problems(config) == [
        f"trainer.devices={devices} leaves no device to run on: type trainer.devices=1"
    ]


def test_a_folder_that_permissions_allow_and_the_system_does_not_is_named() -> None:
    (problem,) = problems({"output_dir": "/proc/nope"})
    assert problem.startswith("output_dir=/proc/nope is not writable (/proc: ")
