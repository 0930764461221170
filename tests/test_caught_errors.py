"""What benchmarks/caught_errors.py and reward_models.py tell of captions whose errors are known."""

import json
import subprocess
from pathlib import Path

import pytest
from omegaconf import OmegaConf
from scripts import run_python

from groundrl.boxes import Frame
from groundrl.data.world_captions import WorldCaptions
from groundrl.feedback.captions import OUTPUTS
from groundrl.feedback.load import save_reward_model
from groundrl.feedback.reward_model import RewardModel
from groundrl.files import write_json
from groundrl.policy.adapters.adapter import Adapter
from groundrl.policy.load import load_policy
from groundrl.prompts import PromptTemplate
from groundrl.world.render import build_scene
from groundrl.world.source import SceneImage
from groundrl.world.vocabulary import CATEGORIES

FOLDER = Path(__file__).parents[1] / "benchmarks"


def measure(*arguments: object, program: str = "caught_errors") -> subprocess.CompletedProcess[str]:
    return run_python(FOLDER / f"{program}.py", *arguments)


def candidate(sample: str, sentences: list[tuple[str, dict[str, float]]]) -> str:
    spans: dict[str, list[list[float]]] = {"noun": [], "sentence": []}
    text = ""
    for sentence, ratings in sentences:
        start = len(text) + bool(text)
        text = f"{text} {sentence}".strip()
        for name, value in ratings.items():
            spans[name].append([start, len(text), value])
    row = {"sample": sample, "completion": text, "well_formed": True, "total": 0.0}
    return json.dumps({**row, "parts": {"noun": 0.0, "sentence": 0.0}, "spans": spans}) + "\n"


@pytest.mark.slow
def test_each_kind_of_error_is_counted_where_a_term_rates_its_sentence_low(tmp_path: Path) -> None:
    data = {"_target_": "groundrl.data.world_captions.WorldCaptions", "seed": 3, "size": 4}
    OmegaConf.save({"data": {"train": data}}, tmp_path / "resolved.yaml")
    sample = WorldCaptions(seed=3, size=4)[2]
    assert isinstance(sample.image, SceneImage)
    seen = {thing.category for thing in build_scene(sample.image.spec).objects}
    here = min(seen)
    absent = next(noun for noun in CATEGORIES[sample.image.spec.subject] if noun not in seen)
    folder = tmp_path / "rejection_sampling" / "round_1"
    folder.mkdir(parents=True)
    caption = [
        (f"There is a {here}.", {"noun": 1.0, "sentence": -0.5}),
        (f"There is a {absent}.", {"noun": 0.5, "sentence": 0.5}),
        ("The weather is nice.", {}),
    ]
    (folder / "candidates.jsonl").write_text(candidate(sample.id, caption))
    out = tmp_path / "figures.json"
    result = measure(tmp_path, "--out", out)
    assert result.returncode == 0, result.stderr
    means = {name: figure["mean"] for name, figure in json.loads(out.read_text()).items()}
    assert means["hallucination/noun"] == 1.0
    assert means["hallucination/sentence"] == 0.0
    assert means["hallucination/either"] == means["any error/either"] == 1.0
    assert means["right/noun"] == 0.0
    assert means["right/sentence"] == means["right/either"]
    assert 0 < means["right/sentence"] <= 1
    assert "misses 40%, false alarms 5%" in result.stdout


@pytest.mark.slow
def test_a_run_without_sampled_captions_is_refused(tmp_path: Path) -> None:
    write_json(tmp_path / "metrics.json", {})
    result = measure(tmp_path)
    assert result.returncode == 1
    assert "give a run of pipeline=[sft,rejection_sampling]" in result.stderr


@pytest.mark.slow
def test_a_reward_model_is_measured_in_scenes_of_each_subject_and_look(tmp_path: Path) -> None:
    policy = load_policy("embedded", Frame.PERMILLE, PromptTemplate(), Adapter(kind="lora"))
    save_reward_model(RewardModel(policy, [0.3] * len(OUTPUTS)), tmp_path / "model")
    out = tmp_path / "figures.json"
    measured = measure(tmp_path / "model", "--scenes", 2, "--out", out, program="reward_models")
    assert measured.returncode == 0, measured.stderr
    figures = json.loads(out.read_text())
    for place in ("tabletop, plain", "tabletop, photo", "street, plain", "street, photo"):
        row = {name: figures[f"{tmp_path / 'model'}/{place}/{name}"] for name in ("any", "least")}
        assert 0 <= row["least"]["mean"] <= row["any"]["mean"] <= 1
        # An untrained head says the same of every sentence.
        assert figures[f"{tmp_path / 'model'}/{place}/AUC of sentences"] == 0.5
