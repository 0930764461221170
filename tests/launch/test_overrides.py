"""explain_overrides on a small config directory: wrong options are told all at once."""

import sys
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.errors import HydraException

from groundrl.errors import UserError
from groundrl.launch.overrides import explain_overrides

FILES = {
    "train.yaml": """
        defaults: [{reward: iou}, {data: vsr}, {optional ablation: null}, {sweeps: null}, _self_]
        seed: 0
        stage: {lr: 1.0, kl_coef: 0.0, targets: [q, k]}
        data_root: ???
    """,
    "reward/iou.yaml": "defaults: [{term@terms.iou: iou}]\nscale: 1",
    "reward/acc.yaml": "defaults: [{term@terms.acc: acc}]\nscale: 1",
    "reward/iou+acc.yaml": "defaults: [{term@terms.iou: iou}, {term@terms.acc: acc}]",
    "reward/term/iou.yaml": "weight: 1.0",
    "reward/term/acc.yaml": "weight: 1.0",
    "reward/term/giou.yaml": "weight: 1.0",
    "data/vsr.yaml": "root: x",
    "ablation/no_kl.yaml": "# @package _global_\nstage: {kl_coef: 0.0}",
    "sweeps/good.yaml": "# @package _global_\nhydra: {sweeper: {params: {reward: 'iou,acc'}}}",
    "sweeps/bad.yaml": "# @package _global_\nhydra: {sweeper: {params: {reward: 'iou,ac'}}}",
}

RIGHT = [
    "",
    "reward=acc seed=3 stage.lr=1e-5 data_root=/x",
    "reward=iou+acc reward.terms.iou.weight=0.5",
    "~reward.terms.iou",
    "+reward/term@reward.terms.giou=giou reward.terms.giou.weight=2",
    "reward.terms.giou.weight=2 +reward/term@reward.terms.giou=giou",
    "reward/term@reward.terms.iou=giou",
    "ablation=no_kl ~data",
    "+new.key=1 new.key=2 ++stage.lr=3 stage={lr:2} ~stage.kl_coef stage.targets=[v]",
    "stage.targets.0=v",
    "hydra.run.dir=/x hydra/job_logging=none hydra.job.chdir=true",
]
WRONG = {
    "lr=1": "lr=1: there is no key 'lr'; did you mean 'stage.lr'? To add it",
    "rewrd=iou": "rewrd=iou: there is no key 'rewrd'; did you mean 'reward'? To add",
    "reward": "reward cannot be read: write key=value",
    "data_root=caf\udce9": r"data_root=caf\xe9 holds bytes that are no UTF-8, which Hydra cannot",
    "seed=[1": "seed=[1 cannot be read (",
    "ablation=null": "ablation=null: to choose nothing, type ~ablation",
    "+seed=1": "+seed=1: seed is there already; type seed=1",
    "~sed": "~sed: there is no key 'sed'; did you mean 'seed'?",
    "~reward.terms.acc": "~reward.terms.acc: there is no key 'reward.terms.acc'",
    "stage={lr:1,kl:2}": "stage={lr:1,kl:2}: there is no key 'stage.kl'",
    "reward/trm@reward.terms.iou=iou": "reward/trm@reward.terms.iou=iou: there is no config",
    "reward/term@reward.terms.x=iou": "reward/term@reward.terms.x=iou: Could not override",
    "+reward=acc": "+reward=acc: ",
    "hydra.run.dri=x": "hydra.run.dri=x: there is no key 'hydra.run.dri'; did you mean",
}
RIGHT_WITH_FLAGS = [
    "-m reward=iou,acc seed=1,2,3 stage.lr=range(1,3)",
    "-m reward=glob(*) seed=choice(1,2)",
    "-m sweeps=good",
    "--cfg job reward=acc",
    "--help",
]


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("\n".join(line.strip() for line in text.splitlines()))
    return tmp_path


def told(conf: Path, *argv: str) -> list[str]:
    with pytest.raises(UserError) as raised:
        explain_overrides(argv, conf, "train")
    return [line.split(". ", 1)[1] for line in str(raised.value).splitlines()[1:]]


def test_a_part_that_the_other_choices_have_no_use_for_is_told() -> None:
    conf, lines = Path(__file__).parents[2] / "conf", ["model=embedded", "detector=oracle"]
    for typed, reason in (
        (lines, "detector=oracle: nothing takes model= beside it; drop one of the two"),
        (lines[::-1], "model=embedded: nothing takes it here; drop it"),
    ):
        with pytest.raises(UserError, match=reason):
            explain_overrides(typed, conf, "synthesize")


def test_what_is_no_run_is_told_before_hydra_makes_a_folder_of_it(conf: Path) -> None:
    (line,) = told(conf, f"+resume={conf}/nowhere")
    assert line.startswith(f"resume={conf}/nowhere is no run directory: it has no resolved.yaml")
    (conf / "resolved.yaml").touch()
    explain_overrides([f"+resume={conf}"], conf, "train")


@pytest.mark.parametrize("line", [*RIGHT, *RIGHT_WITH_FLAGS])
def test_a_right_command_line_passes(conf: Path, line: str) -> None:
    explain_overrides(line.split(), conf, "train")


@pytest.mark.parametrize("line", RIGHT)
def test_hydra_takes_what_passes(conf: Path, line: str) -> None:
    overrides = [word for word in line.split() if "=" in word or word.startswith("~")]
    with initialize_config_dir(str(conf), version_base="1.3"):
        compose("train", overrides)


def test_all_wrong_options_are_told_at_once(conf: Path) -> None:
    assert told(conf, "reward=iuo", "sed=1", "stage.lrr=1", "data=vrs") == [
        "reward has no option 'iuo'; did you mean 'iou'? (options: acc, iou, iou+acc)",
        "data has no option 'vrs'; did you mean 'vsr'? (options: vsr)",
        "sed=1: there is no key 'sed'; did you mean 'seed'? To add it, type +sed=1",
        "stage.lrr=1: there is no key 'stage.lrr'; did you mean 'stage.lr'? "
        "To add it, type +stage.lrr=1",
    ]


@pytest.mark.parametrize(("option", "message"), WRONG.items())
def test_one_wrong_option_says_what_to_type(conf: Path, option: str, message: str) -> None:
    (line,) = told(conf, option)
    assert line.startswith(message)


@pytest.mark.parametrize("option", WRONG)
def test_hydra_refuses_what_is_told(conf: Path, option: str) -> None:
    with (
        initialize_config_dir(str(conf), version_base="1.3"),
        pytest.raises((HydraException, ValueError)),
    ):
        compose("train", [option])


def test_every_value_of_a_sweep_is_looked_up(conf: Path) -> None:
    assert told(conf, "-m", "reward=iou,ac,iuo", "sed=1,2") == [
        "reward has no option 'ac'; did you mean 'acc'? (options: acc, iou, iou+acc)",
        "reward has no option 'iuo'; did you mean 'iou'? (options: acc, iou, iou+acc)",
        "sed=1,2: there is no key 'sed'; did you mean 'seed'? To add it, type +sed=1,2",
    ]


def test_a_key_has_to_exist_in_every_job_of_a_sweep(conf: Path) -> None:
    (line,) = told(conf, "-m", "reward=iou,acc", "reward.terms.iou.weight=2")
    assert line.startswith("reward.terms.iou.weight=2: there is no key 'reward.terms.iou.weight'")


def test_what_a_sweep_file_brings_along_is_looked_up(conf: Path) -> None:
    (line,) = told(conf, "-m", "sweeps=bad")
    assert line.startswith("reward has no option 'ac'; did you mean 'acc'?")


def test_another_primary_config_is_followed(conf: Path) -> None:
    (conf / "evaluate.yaml").write_text("benchmark: pope")
    explain_overrides(["--config-name", "evaluate", "benchmark=mme"], conf, "train")
    assert len(told(conf, "--config-name", "evaluate", "seed=1")) == 1


def test_looking_does_not_disturb_the_run_that_follows(conf: Path) -> None:
    from hydra.core.global_hydra import GlobalHydra

    explain_overrides(["seed=1"], conf, "train")
    assert not GlobalHydra.instance().is_initialized()


def test_no_module_of_a_target_is_imported(conf: Path) -> None:
    (conf / "reward" / "acc.yaml").write_text("_target_: antigravity.fly")
    explain_overrides(["reward=acc"], conf, "train")
    assert "antigravity" not in sys.modules
