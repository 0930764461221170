"""explain_overrides on a small config directory: wrong options and the nearest right ones."""

import sys
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from hypothesis import given
from hypothesis import strategies as st

from groundrl.errors import UserError
from groundrl.launch.overrides import explain_overrides, quote_value
from groundrl.launch.resolvers import register_resolvers

FILES = {
    "train.yaml": """
        defaults: [{reward: iou}, {data: vsr}, {optional ablation: null}, {sweeps: null}, _self_]
        seed: 0
        stage: {lr: 1.0, kl_coef: 0.0, targets: [q, k]}
        data_root: ???
        sweep: {until: grid, max_seeds: 10, confirm: false}
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
    "sweeps/claims.yaml": """
        # @package _global_
        hydra: {mode: MULTIRUN, sweeper: {params: {reward: 'glob(iou*)', seed: '0,1'}}}
        conclusions:
        - {claim: a, source: b, metric: t/acc, of: {setting: iou+acc, stage: lr},
        against: {setting: iou, stage: start}, expected: higher}
    """,
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
    "lr=1": "lr=1: there is no key 'lr'; did you mean 'stage.lr'? Type stage.lr=1",
    "reward.weight=1": "reward.weight=1: there is no key 'reward.weight'; did you mean "
    "'reward.terms.iou.weight'",
    "rewrd=iou": "rewrd=iou: there is no key 'rewrd'; did you mean 'reward'? Type reward=iou",
    "reward": "reward cannot be read: write key=value",
    "data_root=caf\udce9": r"data_root=caf\udce9 cannot be read",
    "seed=[1": "seed=[1 cannot be read: write 'seed=\"[1\"' for a value with signs",
    "ablation=null": "ablation=null: Config group override must be a string",
    "+seed=1": "+seed=1: Could not append to config. An item is already at 'seed'.",
    "~sed": "~sed: Could not delete from config. 'sed' does not exist.",
    "~reward.terms.acc": "~reward.terms.acc: Could not delete from config.",
    "stage={lr:1,kl:2}": "stage={lr:1,kl:2}: there is no key 'stage.kl'",
    "reward/trm@reward.terms.iou=iou": "reward/trm@reward.terms.iou=iou: Override",
    "reward/term@reward.terms.x=iou": "reward/term@reward.terms.x=iou: Could not override",
    "+reward=acc": "+reward=acc: Multiple values for reward.",
    "hydra.run.dri=x": "hydra.run.dri=x: there is no key 'hydra.run.dri'; did you mean",
}
RIGHT_WITH_FLAGS = [
    "-m reward=iou,acc seed=1,2,3 stage.lr=range(1,3)",
    "-m reward=glob(*) seed=choice(1,2)",
    "-m sweeps=good",
    "sweeps=claims",
    "-m sweeps=claims reward=acc seed=0 sweep.until=decided",
    "-m seed=range(0,20) stage.lr=range(0,10)",
    "-m seed=range(0,21) stage.lr=range(0,10) sweep.confirm=true",
    "--cfg job reward=acc",
    "--help",
]


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("\n".join(line.strip() for line in text.splitlines()))
    return tmp_path


def explained(conf: Path, *argv: str) -> list[str]:
    with pytest.raises(UserError) as raised:
        explain_overrides(argv, conf, "train")
    return [line.split(". ", 1)[1] for line in str(raised.value).splitlines()[1:]]


@pytest.mark.slow
def test_a_part_that_the_other_choices_do_not_take_is_reported() -> None:
    root = Path(__file__).parents[2]
    register_resolvers(root)
    for typed in (["model=embedded", "detector=oracle"], ["detector=oracle", "model=embedded"]):
        reason = "model=embedded: Could not override 'model'. No match in the defaults list"
        with pytest.raises(UserError, match=reason):
            explain_overrides(typed, root / "conf", "synthesize")


@pytest.mark.slow
def test_an_additional_folder_of_configs_is_followed(conf: Path, tmp_path: Path) -> None:
    folder = tmp_path / "mylab" / "conf"
    (folder / "reward").mkdir(parents=True)
    (folder / "reward" / "mine.yaml").write_text("bonus: 1.0")
    train = conf / "train.yaml"
    train.write_text(f"{train.read_text()}\nhydra: {{searchpath: []}}")
    flag = ["--config-dir", str(folder)]
    explain_overrides([*flag, "reward=mine", "reward.bonus=2"], conf, "train")
    (problem,) = explained(conf, *flag, "reward=mime")
    assert "did you mean 'mine'? (options: acc, iou, iou+acc, mine)" in problem


@pytest.mark.slow
def test_what_is_no_run_is_reported_before_hydra_makes_a_folder_of_it(conf: Path) -> None:
    (line,) = explained(conf, f"+resume={conf}/nowhere")
    assert line.startswith(f"resume={conf}/nowhere is no run directory: it has no resolved.yaml")
    (conf / "resolved.yaml").touch()
    explain_overrides([f"+resume={conf}"], conf, "train")


@pytest.mark.slow
@pytest.mark.parametrize("line", [*RIGHT, *RIGHT_WITH_FLAGS])
def test_a_right_command_line_passes(conf: Path, line: str) -> None:
    explain_overrides(line.split(), conf, "train")


@pytest.mark.parametrize("line", RIGHT)
def test_hydra_takes_what_passes(conf: Path, line: str) -> None:
    overrides = [word for word in line.split() if "=" in word or word.startswith("~")]
    with initialize_config_dir(str(conf), version_base="1.3"):
        compose("train", overrides)


@pytest.mark.slow
def test_all_wrong_options_are_reported_at_once(conf: Path) -> None:
    reported = explained(conf, "reward=iuo", "sed=1", "stage.lrr=1", "data=vrs", "seed=3")
    assert sorted(reported) == [
        "data has no option 'vrs'; did you mean 'vsr'? (options: vsr)",
        "reward has no option 'iuo'; did you mean 'iou'? (options: acc, iou, iou+acc)",
        "sed=1: there is no key 'sed'; did you mean 'seed'? Type seed=1",
        "stage.lrr=1: there is no key 'stage.lrr'; did you mean 'stage.lr'? Type stage.lr=1",
    ]


@pytest.mark.parametrize(("option", "message"), WRONG.items())
def test_the_error_for_one_wrong_option_names_what_to_type(
    conf: Path, option: str, message: str
) -> None:
    (line,) = explained(conf, option)
    assert line.startswith(message)


@pytest.mark.slow
@pytest.mark.parametrize("option", WRONG)
def test_hydra_refuses_what_is_explained(conf: Path, option: str) -> None:
    with (
        initialize_config_dir(str(conf), version_base="1.3"),
        pytest.raises((HydraException, ValueError)),
    ):
        compose("train", [option])


@pytest.mark.slow
def test_every_value_of_a_sweep_is_looked_up(conf: Path) -> None:
    key, *choices = explained(conf, "-m", "reward=iou,ac,iuo", "sed=1,2")
    assert key == "sed=1: there is no key 'sed'; did you mean 'seed'? Type seed=1"
    assert choices == [
        "reward has no option 'ac'; did you mean 'acc'? (options: acc, iou, iou+acc)",
        "reward has no option 'iuo'; did you mean 'iou'? (options: acc, iou, iou+acc)",
    ]


@pytest.mark.slow
@pytest.mark.parametrize("flags", [(), ("-m",), ("-m", "sweeps=good")])
def test_an_addition_beside_a_key_of_nearly_its_name_is_a_slip(
    conf: Path, flags: tuple[str, ...]
) -> None:
    (line,) = explained(conf, *flags, "+sed=1")
    assert line == "+sed=1: nothing reads 'sed'; did you mean 'seed'? Type seed=1"


@pytest.mark.slow
def test_a_key_has_to_exist_in_every_job_of_a_sweep(conf: Path) -> None:
    (line,) = explained(conf, "-m", "reward=iou,acc", "reward.terms.iou.weight=2")
    assert line.startswith("reward.terms.iou.weight=2: there is no key 'reward.terms.iou'")


@pytest.mark.slow
def test_what_a_sweep_file_brings_along_is_looked_up(conf: Path) -> None:
    (line,) = explained(conf, "-m", "sweeps=bad")
    assert line.startswith("reward has no option 'ac'; did you mean 'acc'?")


@pytest.mark.slow
def test_what_a_sweep_file_claims_is_held_against_its_grid(conf: Path) -> None:
    claims = conf / "sweeps" / "claims.yaml"
    text = claims.read_text()
    claims.write_text(text.replace("iou+acc, stage", "giou, stage").replace("start", "dpo"))
    rows, stages = explained(conf, "sweeps=claims")  # no -m: the file says that it is a multirun
    assert rows.startswith("conclusions[0].of.setting: 'giou' is no row of the grid, which has iou")
    assert stages.startswith("conclusions[0].against.stage: there is no stage 'dpo', expected one")
    claims.write_text(text.replace("expected", "expects"))
    (line,) = explained(conf, "-m", "sweeps=claims")
    assert "conclusions[0]: lacks the field 'expected'; conclusions[0]: has an unknown" in line


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (
            "sweep.until=forever",
            "sweep.until=forever: type sweep.until=grid or sweep.",
        ),
        ("sweep.until=decided", "sweep.until=decided: there are no conclusions to decide"),
        ("sweep.max_seeds=1", "sweep.max_seeds=1: type a whole number from 2 on"),
        ("sweep=good", "sweep=good: type sweeps=good for a file"),
        (
            "seed=range(11) stage.lr=range(10)",
            "this sweep has 220 jobs: if you mean it",
        ),
        ("data_root=a,b sed=1", "sed=1: there is no key 'sed'"),
    ],
)
def test_a_sweep_that_cannot_be_meant_is_refused_before_it_starts(
    conf: Path, options: str, problem: str
) -> None:
    (line,) = explained(conf, "-m", "sweeps=good", *options.split())
    assert line.startswith(problem)


@pytest.mark.slow
def test_an_option_of_a_sweep_file_has_to_exist(conf: Path) -> None:
    file = conf / "sweeps" / "good.yaml"
    file.write_text(file.read_text().replace("reward:", "stage.lrr: '1,2', reward:"))
    (line,) = explained(conf, "sweeps=good", "-m")
    assert line.startswith("stage.lrr=1: there is no key 'stage.lrr'; did you mean 'stage.lr'?")


@pytest.mark.slow
def test_another_primary_config_is_followed(conf: Path) -> None:
    (conf / "evaluate.yaml").write_text("benchmark: pope")
    explain_overrides(["--config-name", "evaluate", "benchmark=mme"], conf, "train")
    assert len(explained(conf, "--config-name", "evaluate", "seed=1")) == 1


def test_looking_does_not_disturb_the_run_that_follows(conf: Path) -> None:
    from hydra.core.global_hydra import GlobalHydra

    explain_overrides(["seed=1"], conf, "train")
    assert not GlobalHydra.instance().is_initialized()


def test_no_module_of_a_target_is_imported(conf: Path) -> None:
    (conf / "reward" / "acc.yaml").write_text("_target_: antigravity.fly")
    explain_overrides(["reward=acc"], conf, "train")
    assert "antigravity" not in sys.modules


@given(st.from_regex(r"[a-z0-9_./+@:-]+=[a-z0-9_./+@:=-]*", fullmatch=True))
def test_the_folder_of_a_job_is_typed_as_it_is(path: str) -> None:
    (read,) = OverridesParser.create().parse_overrides([quote_value(f"run={path}")])
    assert read.value() == path


@pytest.mark.parametrize("words", [*RIGHT, *RIGHT_WITH_FLAGS, "--config-dir=a=b", "x='a=b'", "a=b"])
def test_other_words_stay_as_they_are(words: str) -> None:
    assert [quote_value(word) for word in words.split()] == words.split()
