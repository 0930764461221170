"""Every file of sweeps/ is a study: sound jobs, claims about rows that it has, a page."""

from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from groundrl.config.check import check_config
from groundrl.launch.resolvers import register_resolvers
from groundrl.launch.sweeps.grid import Grid
from groundrl.launch.sweeps.study import published_figures, study_problems
from groundrl.report.runs import split_seed

ROOT = Path(__file__).parents[1]
STUDIES = sorted(file.stem for file in (ROOT / "sweeps").glob("*.yaml"))


def row_of(name: str) -> str:
    """The row of a run."""
    return split_seed(name)[0]


def grid(study: str) -> Grid:
    """What the file varies."""
    return Grid.of(OmegaConf.load(ROOT / "sweeps" / f"{study}.yaml").hydra.sweeper.params, ())


def settings() -> Iterator[tuple[str, tuple[str, ...]]]:
    """One job of each row: jobs that differ in their seed alone are composed alike."""
    for study in STUDIES:
        jobs = {
            tuple(o for o in job if not o.startswith("seed=")): job for job in grid(study).jobs()
        }
        yield from ((study, job) for job in jobs.values())


@pytest.fixture(autouse=True)
def _hydra() -> Iterator[None]:
    register_resolvers(ROOT)
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        yield


@pytest.mark.parametrize(("study", "job"), settings(), ids=str)
def test_every_job_of_a_study_is_sound(study: str, job: tuple[str, ...]) -> None:
    cfg = compose("train", [f"sweeps={study}", *job], return_hydra_config=True)
    check_config(cfg)
    rewards = [line.partition("=")[2] for line in job if line.startswith("reward=")]
    assert all(list(cfg.reward.terms) == reward.split("+") for reward in rewards)


@pytest.mark.parametrize("study", STUDIES)
def test_what_a_study_says_is_about_its_rows(study: str) -> None:
    cfg = compose("train", [f"sweeps={study}"], return_hydra_config=True)
    assert [*study_problems(cfg, ())] == []
    rows = grid(study).rows()
    for row, figures in published_figures(cfg).items():
        assert figures["source"]
        # A row that only the publication has must not be a misspelt one of ours.
        assert row in rows or not get_close_matches(row, rows, cutoff=0.9)


@pytest.mark.parametrize("study", STUDIES)
def test_every_study_has_a_page(study: str) -> None:
    page = (ROOT / "docs" / "studies" / f"{study}.md").read_text(encoding="utf-8")
    assert page.startswith(f"# {study}")
    assert f"sweeps={study}" in page
