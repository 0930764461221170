"""Runs that would have the same warm-up train it once."""

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from PIL import Image
from world_questions import world_samples

import groundrl
from groundrl.data.datasets import SampleList
from groundrl.data.module import GroundingDataModule
from groundrl.errors import UserError
from groundrl.launch.resolvers import register_resolvers
from groundrl.launch.warmup import code_digest, data_stamp, find_warmup
from groundrl.records import ImageFile
from groundrl.stages.pipeline import PROGRESS, Warmup

ROOT = Path(__file__).parents[2]


DATA = GroundingDataModule(train=SampleList(tuple(world_samples(1))))


def folder(*overrides: str) -> Path:
    """Where the warm-up of this command line is shared."""
    register_resolvers(ROOT)
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        found = find_warmup(compose("train", ["cache_dir=shared", *overrides]), DATA)
    assert found is not None
    return found.folder


@pytest.mark.slow
@pytest.mark.parametrize("override", ["reward=acc", "ablation=dapo", "stage.grpo.steps=7"])
def test_what_comes_after_the_warmup_does_not_matter_to_it(override: str) -> None:
    assert folder(override) == folder()


@pytest.mark.parametrize(
    "override",
    [
        "seed=1",
        "adapter=none",
        "stage.sft.steps=7",
        "data.heldout_size=9",
        "stage.grpo.module.sampler.sampling.max_tokens=9",
    ],
)
def test_what_the_warmup_depends_on_makes_it_another(override: str) -> None:
    assert folder(override) != folder()


def test_other_weights_have_another_warmup(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"one")
    before = folder(f"model.path={tmp_path}")
    (tmp_path / "model.safetensors").write_bytes(b"other")
    assert folder(f"model.path={tmp_path}") != before


def test_edited_code_has_another_warmup(tmp_path: Path) -> None:
    package, copy = Path(groundrl.__path__[0]), tmp_path / "groundrl"
    shutil.copytree(package, copy, ignore=lambda _, names: {n for n in names if n == "assets"})
    assert code_digest(copy) == code_digest(package)
    edited = [shutil.copytree(copy, tmp_path / name) for name in ("page", "loss")]
    for folder, file in zip(edited, ("report/tables.py", "stages/sft.py"), strict=True):
        with (folder / file).open("a") as source:
            source.write("# edited")
    page, loss = map(code_digest, edited)
    assert page == code_digest(package) != loss


def test_an_edited_class_of_another_package_has_another_warmup(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = tmp_path / "mylab_warmup.py"
    module.write_text("def template(): ...")
    monkeypatch.syspath_prepend(tmp_path)
    before = folder("model.template._target_=mylab_warmup.template")
    module.write_text("def template(): return 1")
    code_digest.cache_clear()
    assert folder("model.template._target_=mylab_warmup.template") != before


def test_other_samples_or_images_have_another_warmup(tmp_path: Path) -> None:
    (sample,) = world_samples(1)
    path = tmp_path / "a.png"

    def stamp(question: str, color: str, shown: str = "image") -> str:
        Image.new("RGB", (8, 8), color).save(path)
        image = ImageFile(path=path, width=8, height=8)
        images = {"image": image} if shown == "image" else {"context_images": (image,)}
        asked = replace(sample, question=question, **images)
        return data_stamp(GroundingDataModule(train=SampleList((asked,))))

    stamps = [stamp("Which?", "red"), stamp("What?", "red"), stamp("Which?", "#123456")]
    stamps += [stamp("Which?", color, "context") for color in ("red", "#123456")]
    assert len(set(stamps)) == 5


def finished_run(run_dir: Path, weights: bytes = b"learned") -> Path:
    """What a run directory holds after its warm-up."""
    adapter = run_dir / "checkpoints" / "sft" / "adapter"
    adapter.mkdir(parents=True)
    (adapter / "adapter_model.safetensors").write_bytes(weights)
    metrics = {"sft": {"street/acc": 0.5, "street/reward": 1.5, "street/reward_low": 1.25}}
    (run_dir / PROGRESS).write_text(json.dumps(metrics))
    (run_dir / "heldout_sft.jsonl").write_text("{}\n")
    return run_dir


def test_a_warmup_comes_back_byte_for_byte_without_the_other_runs_reward(tmp_path: Path) -> None:
    shared = Warmup(folder=tmp_path / "cache" / "abc")
    assert not shared.folder.is_dir()
    run, other = finished_run(tmp_path / "run"), tmp_path / "other"
    shared.store(run, "sft")
    assert shared.folder.is_dir()
    shared.fetch(other)
    for name in ("checkpoints/sft/adapter/adapter_model.safetensors", "heldout_sft.jsonl"):
        assert (other / name).read_bytes() == (run / name).read_bytes()
    assert json.loads((other / PROGRESS).read_text()) == {"sft": {"street/acc": 0.5}}


def test_jobs_that_finish_at_the_same_time_leave_one_whole_warmup(tmp_path: Path) -> None:
    shared = Warmup(folder=tmp_path / "cache" / "abc")
    runs = [finished_run(tmp_path / f"run{i}", bytes([i]) * 100_000) for i in range(8)]
    with ThreadPoolExecutor(max_workers=8) as pool:
        list(pool.map(lambda run: shared.store(run, "sft"), runs))
    assert [path.name for path in shared.folder.parent.iterdir()] == ["abc"]
    shared.fetch(tmp_path / "other")
    weights = tmp_path / "other" / "checkpoints" / "sft" / "adapter" / "adapter_model.safetensors"
    assert len(set(weights.read_bytes())) == 1
    assert weights.stat().st_size == 100_000


def test_a_torn_warmup_is_named_with_what_to_delete(tmp_path: Path) -> None:
    shared = Warmup(folder=tmp_path / "cache" / "abc")
    shared.store(finished_run(tmp_path / "run"), "sft")
    (shared.folder / "metrics.json").write_text('{"sft": {')
    with pytest.raises(UserError, match=r"abc/metrics.json is not valid JSON.*Delete .*abc: "):
        shared.fetch(tmp_path / "other")
    assert not (tmp_path / "other" / PROGRESS).exists()
