"""evaluate.py of what train.py made: a run directory, or its adapter alone."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from scripts import run_python

from groundrl.evaluation.inference import ModelSource
from groundrl.evaluation.run import Evaluation
from groundrl.launch.evaluation import build_evaluation
from groundrl.launch.make import make
from groundrl.launch.resolved import save_resolved
from groundrl.launch.resolvers import register_resolvers
from groundrl.launch.trained_run import take_run

ROOT = Path(__file__).parent.parent
Build = Callable[..., Evaluation]


@pytest.fixture(autouse=True)
def _hydra() -> Iterator[None]:
    register_resolvers(ROOT)
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        yield


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    """A run whose answers may have 16 tokens and are in another grammar; its adapter learnt
    something else than to answer."""
    folder = tmp_path / "trained"
    chosen = ["debug=tiny", "grammar=inline_box", "cache_dir=null", f"output_dir={folder}"]
    cfg = compose("train", overrides=chosen)
    policy = make(cfg.model)
    for name, weight in policy.model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, generator=torch.Generator().manual_seed(0))
    policy.save(folder / "adapter")
    save_resolved(cfg, folder / "resolved.yaml")
    return folder


@pytest.fixture
def build(tmp_path: Path) -> Build:
    """What evaluate.py does after composing, up to the first question."""

    def evaluation(*typed: str) -> Evaluation:
        sizes = ["benchmark=world_rec", "benchmark.world_rec.size=1", "cache_dir=null"]
        run_dir = tmp_path / str(len(list(tmp_path.iterdir())))
        run_dir.mkdir()
        cfg = compose("evaluate", overrides=[*sizes, f"output_dir={run_dir}", *typed])
        take_run(cfg)
        built = build_evaluation(cfg, run_dir)
        assert isinstance(built, Evaluation)
        return built

    return evaluation


@pytest.mark.slow
def test_a_run_and_its_adapter_alone_give_the_same_answers(trained: Path, build: Build) -> None:
    kinds = {
        "run": [f"run={trained}"],
        "adapter": [f"adapter.path={trained}/adapter", "grammar=inline_box"],
        "model": ["grammar=inline_box"],
    }
    said = {}
    for name, typed in kinds.items():
        evaluation = build(*typed, "sampling.max_tokens=12")
        evaluation.run()
        row = json.loads((evaluation.run_dir / "predictions.jsonl").read_text())
        said[name] = row["text"]
        assert row["grammar"] == "inline_box"
    assert said["run"] == said["adapter"] != said["model"]


@pytest.mark.slow
def test_the_saved_config_has_the_values_of_the_run_that_were_used(
    trained: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "evaluation"
    sizes = ["benchmark=[world_rec]", "benchmark.world_rec.size=1", "cache_dir=null"]
    done = run_python("evaluate.py", *sizes, f"run={trained}", f"output_dir={folder}")
    assert done.returncode == 0, done.stderr
    saved = OmegaConf.load(folder / "resolved.yaml")
    assert saved.grammar == "inline_box"
    assert saved.sampling.max_tokens == 16
    assert saved.adapter.path == saved.model.adapter.path == f"{trained}/adapter"


@pytest.mark.parametrize(
    ("typed", "expected"),
    [([], 16), (["sampling.max_tokens=7"], 7), (["sampling={max_tokens: 9}"], 9)],
)
def test_a_typed_limit_of_tokens_wins_over_that_of_the_run(
    trained: Path, build: Build, typed: list[str], expected: int
) -> None:
    source = build(f"run={trained}", *typed).source
    assert isinstance(source, ModelSource)
    assert source.sampler.sampling.max_tokens == expected
