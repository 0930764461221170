"""How a script ends when it cannot go on."""

import errno
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.conf import ConfigSourceInfo
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf, open_dict

from groundrl.errors import UserError
from groundrl.launch.main import lock_run, report_user_errors, resume_command
from groundrl.launch.resolvers import register_resolvers

ROOT = Path(__file__).parents[2]


@pytest.fixture
def job(monkeypatch: pytest.MonkeyPatch) -> Iterator[DictConfig]:
    """A job of ``python train.py seed=1,2 -m output_dir=grid``."""
    monkeypatch.setattr(sys, "argv", ["train.py", "seed=1,2", "-m", "output_dir=grid"])
    register_resolvers(ROOT)
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        cfg = compose("train", ["seed=1", "output_dir=grid"], return_hydra_config=True)
    with open_dict(cfg):
        cfg.hydra.mode = "MULTIRUN"
        cfg.hydra.job.num, cfg.hydra.job.id = 0, "0"
        cfg.hydra.runtime.output_dir = "grid/seed=1"
    HydraConfig.instance().set_config(cfg)
    yield cfg
    HydraConfig.instance().cfg = None


def test_two_trainings_never_write_to_one_folder(tmp_path: Path) -> None:
    with lock_run(tmp_path), pytest.raises(UserError, match="another run is writing here"):
        lock_run(tmp_path).__enter__()


def test_the_error_for_a_full_disk_gives_the_command_that_goes_on(job: DictConfig) -> None:
    full = OSError(errno.ENOSPC, "No space left on device", "grid/adapter")
    message = r"no space left on the disk \(grid/adapter\)"
    with pytest.raises(UserError, match=message) as told, report_user_errors(job):
        raise full
    assert str(told.value).endswith("python train.py seed=1,2 -m output_dir=grid")


def test_the_command_to_continue_has_the_folder_of_configs(job: DictConfig) -> None:
    OmegaConf.set_readonly(job.hydra, False)
    with open_dict(job):
        job.hydra.mode = "RUN"
        job.hydra.overrides.task = ["reward=mine", "output_dir=run"]
        job.hydra.runtime.output_dir = "run"
        added = ConfigSourceInfo(path="/lab/conf", schema="file", provider="command-line")
        job.hydra.runtime.config_sources.append(added)
    HydraConfig.instance().set_config(job)
    command = "python train.py --config-dir /lab/conf reward=mine resume=run"
    assert resume_command(job) == command


def test_other_errors_of_the_system_are_bugs(job: DictConfig) -> None:
    with pytest.raises(PermissionError), report_user_errors(job):
        raise PermissionError(errno.EACCES, "Permission denied")


def test_ctrl_c_in_a_multirun_names_the_command_of_the_multirun(
    job: DictConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit, report_user_errors(job):
        raise KeyboardInterrupt
    assert exit.value.code == 130
    *_, first, _, last = capsys.readouterr().err.splitlines()
    assert first == "interrupted"
    assert last.strip() == "python train.py seed=1,2 -m output_dir=grid"
