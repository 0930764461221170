"""Files that somebody else has made are read without executing anything."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf, open_dict

from groundrl.errors import UserError
from groundrl.launch.overrides import explain_overrides
from groundrl.launch.resolved import RESOLVED, check_resume, read_resolved, save_resolved
from groundrl.launch.resolvers import register_resolvers
from groundrl.launch.trained_run import take_run

ROOT = Path(__file__).parents[2]
CONF = ROOT / "conf"


@pytest.fixture
def _hydra() -> Iterator[None]:
    register_resolvers(ROOT)
    with initialize_config_dir(str(CONF), version_base="1.3"):
        yield


def downloaded(tmp_path: Path, **changed: Any) -> tuple[Path, DictConfig]:
    """A run of train.py whose config was changed, and the config of an evaluation of it."""
    folder = tmp_path / "run"
    (folder / "adapter").mkdir(parents=True)
    (folder / "adapter" / "adapter_config.json").write_text("{}")
    cfg = compose("train", [f"output_dir={folder}"])
    for key, value in changed.items():
        with open_dict(cfg):
            OmegaConf.update(cfg, key.replace("__", "."), value, force_add=True)
    save_resolved(cfg, folder / RESOLVED)
    return folder, compose("evaluate", [f"run={folder}", f"output_dir={tmp_path}/out"])


@pytest.mark.usefixtures("_hydra")
def test_a_run_as_it_was_written_is_taken(tmp_path: Path) -> None:
    _, cfg = downloaded(tmp_path, grammar="inline_box")
    take_run(cfg)
    assert cfg.grammar == "inline_box"


@pytest.mark.usefixtures("_hydra")
@pytest.mark.parametrize(
    "node",
    [
        {"_target_": "os.system", "command": "touch mark"},
        [{"_target_": "groundrl.files.write_text", "path": "mark", "text": "x"}],
        {"_target_": ["os", "system"]},
    ],
)
def test_a_run_may_name_no_class_but_those_of_ones_own_options(
    tmp_path: Path, node: object
) -> None:
    _, cfg = downloaded(tmp_path, model__more=node)
    before = OmegaConf.to_container(cfg)
    with pytest.raises(UserError, match=r"_target_.* is .*, which none of your configs names"):
        take_run(cfg)
    assert OmegaConf.to_container(cfg) == before


@pytest.mark.usefixtures("_hydra")
def test_a_run_reads_no_variable_of_the_environment(tmp_path: Path) -> None:
    folder, cfg = downloaded(tmp_path)
    file = folder / RESOLVED
    file.write_text(file.read_text().replace("path: embedded", "path: ${oc.env:HOME}"))
    with pytest.raises(UserError, match=r"model\.path is '\$\{oc\.env:HOME\}'"):
        take_run(cfg)


@pytest.mark.parametrize(
    "text",
    [
        "!!python/object/apply:os.system ['touch mark']",
        "seed: [",
        "- 1",
        "\xff",
        "1: {a: }}",
    ],
)
def test_what_is_no_config_is_an_error_and_runs_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / RESOLVED).write_text(text, encoding="latin-1")
    with pytest.raises(UserError, match=r"resolved\.yaml is no config of a run: "):
        read_resolved(tmp_path)
    assert not (ROOT / "mark").exists()


@pytest.mark.usefixtures("_hydra")
def test_comparing_a_run_imports_nothing_that_it_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "trap.py").write_text(f"open({str(tmp_path / 'mark')!r}, 'w')\nCall = dict\n")
    monkeypatch.syspath_prepend(tmp_path)
    folder, _ = downloaded(tmp_path, rollout___target_="trap.Call")
    with pytest.raises(UserError, match=r"rollout\._target_ was trap\.Call and is now groundrl"):
        check_resume(compose("train", []), folder)
    assert not (tmp_path / "mark").exists()


@pytest.mark.parametrize(
    "text",
    [
        "hydra: {launcher: {_target_: os.system, command: touch mark}}",
        'hydra: {sweeper: {params: {"model._target_": os.system}}}',
        'hydra: {sweeper: {params: {model: "{_target_: os.system}"}}}',
        '"\\x68ydra": {callbacks: {a: {"\\x5ftarget_": os.system}}}',
    ],
)
def test_a_sweep_chooses_and_names_no_class(tmp_path: Path, text: str) -> None:
    (tmp_path / "sweeps").mkdir()
    (tmp_path / "sweeps" / "theirs.yaml").write_text(f"# @package _global_\n{text}\n")
    with pytest.raises(UserError, match=r"sweeps=theirs names a class"):
        explain_overrides(["-m", f"--config-dir={tmp_path}", "sweeps=theirs"], CONF, "train")
