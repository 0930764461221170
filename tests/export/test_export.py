"""``python -m groundrl.export``, in this process: what it writes answers as the run did."""

import json
import re
import warnings
from pathlib import Path

import pytest
from safetensors.torch import load_file
from trained_runs import write_run

from groundrl.errors import UserError
from groundrl.export.folder import new_folder
from groundrl.export.how_to import QUESTION
from groundrl.launch.commands.ask import main as ask
from groundrl.launch.commands.export import main, parse_options
from groundrl.world.graph import SceneSpec
from groundrl.world.source import SceneImage


def said(capsys: pytest.CaptureFixture[str], photo: Path, *words: str) -> str:
    """The text of an answer."""
    capsys.readouterr()
    command = [*words, f"image={photo}", QUESTION, "--json", "cache_dir=null"]
    assert ask([*command, f"--pictures={photo.parent / 'boxes'}"]) == 0
    return json.loads(capsys.readouterr().out)["text"]


def said_by_card(capsys: pytest.CaptureFixture[str], folder: Path, photo: Path) -> str:
    """What the program of a model card prints."""
    (program,) = re.findall(r"```python\n(.*?)```", (folder / "README.md").read_text(), re.DOTALL)
    program = program.replace("this-folder", str(folder)).replace("photo.jpg", str(photo))
    capsys.readouterr()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # those of transformers are its user's to read
        exec(compile(program, "README.md", "exec"), {})
    return capsys.readouterr().out.rstrip("\n")


@pytest.mark.slow
def test_a_run_its_adapter_and_the_merged_model_give_the_same_answer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = write_run(tmp_path / "run")
    photo = tmp_path / "photo.png"
    SceneImage(spec=SceneSpec(seed=3, index=0)).load().save(photo)
    expected = said(capsys, photo, f"run={run}")
    assert (run / "adapter" / "adapter_model.safetensors").stat().st_mode & 0o044 == 0o044
    assert expected != said(capsys, photo, "sampling.max_tokens=16")  # the base without adapter

    assert main([f"run={run}", f"to={tmp_path / 'merged'}"]) == 0
    difference = re.search(r"differ by at most (\S+) from", capsys.readouterr().err)
    assert difference is not None
    assert float(difference[1]) < 1e-3
    assert main([f"run={run}", f"to={tmp_path / 'adapter'}", "form=adapter"]) == 0
    for name in ("merged", "adapter"):
        folder = tmp_path / name
        assert said(capsys, photo, f"run={folder}") == expected, name
        assert said_by_card(capsys, folder, photo) == expected, name
        assert str(tmp_path) not in (folder / "README.md").read_text()
        assert all(file.stat().st_mode & 0o044 == 0o044 for file in folder.iterdir())
    path = f"model.path={tmp_path / 'merged'}"
    assert said(capsys, photo, path, "sampling.max_tokens=16") == expected
    config = json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "embedded"
    assert not [name for name in load_file(tmp_path / "merged/model.safetensors") if "lora" in name]


@pytest.mark.slow
def test_a_soft_prompt_is_exported_as_it_is_and_never_merged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = write_run(tmp_path / "run", "adapter=soft_prompt", "adapter.tokens=5")
    photo = tmp_path / "photo.png"
    SceneImage(spec=SceneSpec(seed=3, index=0)).load().save(photo)
    expected = said(capsys, photo, f"run={run}")
    assert expected != said(capsys, photo, "sampling.max_tokens=16")  # the base without prompt
    assert main([f"run={run}", f"to={tmp_path / 'new'}"]) == 2
    assert "cannot be merged into its weights: type form=adapter" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()
    assert main([f"run={run}", f"to={tmp_path / 'new'}", "form=adapter"]) == 0
    assert said(capsys, photo, f"run={tmp_path / 'new'}") == expected
    card = (tmp_path / "new" / "README.md").read_text()
    assert "A soft prompt of 5 vectors for the embedded model" in card
    assert "vLLM serves no soft prompts" in card
    assert "```python" not in card


@pytest.mark.slow
def test_a_run_of_the_whole_model_is_exported_as_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = write_run(tmp_path / "run", "adapter=none")
    assert main([f"run={run}", f"to={tmp_path / 'new'}", "form=adapter"]) == 2
    assert "trained the whole model, and has no adapter" in capsys.readouterr().err
    assert main([f"run={run}", f"to={tmp_path / 'new'}"]) == 0
    assert "differ by at most 0 from" in capsys.readouterr().err
    card = (tmp_path / "new" / "README.md").read_text()
    assert "A whole model, trained from the embedded model of the package groundrl." in card


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["to=a"], "run= must be given"),
        (["run=a", "to=b", "form=gguf"], "type form=merged or form=adapter"),
        (["run=a", "to=b", "too=c"], "do you mean to="),
    ],
)
def test_a_wrong_option_is_named(words: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        parse_options(words)


def test_only_a_finished_run_can_be_exported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([f"run={tmp_path / 'gone'}", f"to={tmp_path / 'new'}"]) == 2
    assert "is no finished run of train.py" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("repo", "message"),
    [("a b/c", "is no name on the hub"), ("model", "push=you/model"), ("you/model", "hf auth")],
)
def test_a_push_without_a_name_or_a_login_is_refused(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    repo: str,
    message: str,
) -> None:
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "none"))
    (tmp_path / "run" / "adapter").mkdir(parents=True)
    (tmp_path / "run" / "resolved.yaml").write_text(
        "{pipeline: [sft], model: {path: embedded}, grammar: obj_bbox}"
    )
    assert main([f"run={tmp_path / 'run'}", f"to={tmp_path / 'new'}", f"push={repo}"]) == 2
    assert message in capsys.readouterr().err


def test_nothing_that_exists_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "dangling").symlink_to(tmp_path / "gone")
    (tmp_path / "file").touch()
    for name in ("dangling", "file", "."):
        with pytest.raises(UserError, match="exists already"), new_folder(tmp_path / name, 0):
            pass
    with pytest.raises(UserError, match="cannot be made"), new_folder(tmp_path / "file/to", 0):
        pass


def test_a_failed_export_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), new_folder(tmp_path / "to", 0) as folder:
        (folder / "sub" / "file").write_text("")
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_one_message(small_disk: Path) -> None:
    no_room, to = "no room on the disk", small_disk / "to"
    with pytest.raises(UserError, match=no_room), new_folder(to, 10**8):
        pass
    with pytest.raises(UserError, match=no_room), new_folder(to, 0) as folder:
        (folder / "weights").write_bytes(bytes(10**7))
    assert not list(small_disk.iterdir())
