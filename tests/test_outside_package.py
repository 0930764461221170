"""A package outside the repository adds parts: tests/outside is one, found by ``--config-dir``."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import open_dict
from PIL import Image
from scripts import run_python

from groundrl.config.check import check_config
from groundrl.launch.resolvers import register_resolvers

ROOT = Path(__file__).parents[1]
OUTSIDE = ROOT / "tests" / "outside"
OPTIONS = {
    "train": {
        "reward/term": "short",
        "data": "csv",
        "model": "vip_llava",
        "stage": "repeat",
        "rollout": "fixed",
    },
    "evaluate": {"benchmark": "politeness"},
    "synthesize": {"detector": "centre"},
}
"""What the package adds to the groups of each script."""


def run(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    words = (f"{script}.py", "--config-dir", OUTSIDE / "conf", *arguments)
    return run_python(*words, PYTHONPATH=str(OUTSIDE))


@pytest.mark.slow
@pytest.mark.parametrize("script", OPTIONS)
def test_help_lists_every_option_of_the_package(script: str) -> None:
    lines = run(script, "--help").stdout.splitlines()
    for group, option in OPTIONS[script].items():
        (line,) = [line for line in lines if line.startswith(f"{group}: ")]
        assert option in line.removeprefix(f"{group}: ").split(", ")


@pytest.fixture
def _hydra() -> Iterator[None]:
    register_resolvers(ROOT)
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        yield
    GlobalHydra.instance().clear()


@pytest.mark.usefixtures("_hydra")
@pytest.mark.parametrize(
    ("script", "typed"),
    [
        ("train", ["+reward/term@reward.terms.short=short"]),
        ("train", ["data=csv", "data.root=anywhere"]),
        ("train", ["model=vip_llava", "trainer=cpu"]),
        ("train", ["+stage@stage.repeat=repeat", "pipeline=[repeat,grpo]"]),
        ("train", ["rollout=fixed"]),
        ("evaluate", ["benchmark=politeness"]),
        ("evaluate", ["+records.formats.arena._target_=mylab.answers.ArenaAnswers"]),
        ("synthesize", ["detector=centre"]),
    ],
)
def test_every_option_of_the_package_passes_the_check(script: str, typed: list[str]) -> None:
    search = f"hydra.searchpath=[file://{ROOT},file://{OUTSIDE / 'conf'}]"
    config = compose(script, [search, *typed], return_hydra_config=True)
    with open_dict(config):
        config.hydra.runtime.output_dir = "outputs"
    check_config(config)


@pytest.mark.slow
def test_a_misspelt_option_of_the_package_is_explained() -> None:
    done = run("train", "rollout=fixd", "seed=1")
    assert done.returncode == 2
    assert "rollout has no option 'fixd'; did you mean 'fixed'?" in done.stderr


@pytest.mark.slow
def test_a_class_of_the_package_reports_what_is_wrong_with_its_options(tmp_path: Path) -> None:
    term = ["+reward/term@reward.terms.short=short", "reward.terms.short.limit=0"]
    done = run("train", *term, f"output_dir={tmp_path}/run")
    assert done.returncode == 2
    assert "reward.terms.short.limit is below 1: type reward.terms.short.limit=8" in done.stderr


@pytest.mark.slow
def test_a_run_of_its_stage_engine_layout_and_reward_is_logged_and_shown(tmp_path: Path) -> None:
    for split, color in (("train", "red"), ("val", "blue")):
        Image.new("RGB", (100, 80), color).save(tmp_path / f"{split}.jpg")
        (tmp_path / f"boxes_{split}.csv").write_text(
            f"{split}.jpg,cat,10,20,40,60\n{split}.jpg,dog,50,20,90,60\n"
        )
    folder = tmp_path / "run"
    done = run(
        *("train", "debug=tiny", "data=csv", f"data.root={tmp_path}", "cache_dir=null"),
        *("+stage@stage.repeat=repeat", "pipeline=[repeat,grpo]", "rollout=fixed"),
        *("+reward/term@reward.terms.short=short", f"output_dir={folder}"),
    )
    assert done.returncode == 0, done.stderr
    assert "repeat 2/2  surprise " in done.stderr
    assert "short 1.00" in done.stderr
    assert set(json.loads((folder / "metrics.json").read_text())) >= {"start", "repeat", "grpo"}
    page = (folder / "report.html").read_text()
    assert "repeat/surprise" in page
    assert "reward/short" in page


@pytest.mark.slow
def test_its_benchmark_stands_in_the_table_and_on_the_page(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    done = run("evaluate", "benchmark=politeness", f"output_dir={folder}", "sampling.max_tokens=8")
    assert done.returncode == 0, done.stderr
    assert "100% of the answers are rude" in done.stdout
    assert "Share of polite answers." in (folder / "report.html").read_text()


@pytest.mark.slow
def test_its_detector_finds_regions_for_synthesis(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    done = run(
        *("synthesize", "detector=centre", "scenes.size=3", "~verifier", "cache_dir=null"),
        f"output_dir={folder}",
    )
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in (folder / "images.jsonl").read_text().splitlines()]
    assert {region["label"] for row in rows for region in row["regions"]} == {"thing"}


@pytest.mark.slow
def test_runs_of_a_multirun_use_the_package(tmp_path: Path) -> None:
    sweep = tmp_path / "sweep"
    tiny = ["debug=tiny", "data.heldout_size=2", "cache_dir=null", "pipeline=[grpo]"]
    done = run("train", "-m", "rollout=fixed,native", *tiny, "seed=0", f"output_dir={sweep}")
    assert done.returncode == 0, done.stderr
    files = [*sweep.glob("*/seed=0/metrics.json")]
    for folder in files:
        assert "tabletop/reward" in json.loads(folder.read_text())["grpo"]
    assert len(files) == 2
