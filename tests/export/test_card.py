"""The model card of a run, from the files that a run leaves."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from report_files import METRICS, record, write_answers
from world_questions import world_samples

from groundrl.data.datasets import SampleList, WorldDataset
from groundrl.data.provenance import count_sources, read_sources, write_sources
from groundrl.export.card import cell, write_card
from groundrl.export.description import ModelDescription
from groundrl.export.licence import state_licence
from groundrl.records import Provenance

DESCRIPTION = ModelDescription(
    base="Qwen/Qwen2.5-VL-3B-Instruct",
    grammar="inline_box",
    frame="model",
    instruction="Reason first.",
    answer_style="letters",
    max_tokens=512,
    dtype="bfloat16",
    min_pixels=3136,
    max_pixels=802816,
    resize_factor=28,
)
CONFIG = {
    "pipeline": ["sft", "grpo"],
    "seed": 3,
    "adapter": {"kind": "qlora", "rank": 16, "path": "/home/me/warm_up/adapter"},
    "reward": {"terms": {"iou": {"weight": 1.0}, "acc": {"weight": 0.5}, "own": {"most": 9}}},
    "stage": {
        "sft": {"steps": 40, "prompts_per_step": 8, "module": {"optimization": {"lr": 1e-4}}},
        "grpo": {
            "steps": 80,
            "prompts_per_step": 16,
            "module": {"sampler": {"group_size": 8}, "optimization": {"lr": 1e-5}},
        },
    },
}


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    (tmp_path / "metrics.json").write_text(json.dumps(METRICS))
    (tmp_path / "resolved.yaml").write_text(yaml.safe_dump(CONFIG, sort_keys=False))
    hostile = "[click](http://evil.example) | <script>`x`</script>" + "x" * 500
    answers = [record(n, kind="color" if n % 2 else "count", text=hostile) for n in range(9)]
    write_answers(tmp_path / "heldout_grpo.jsonl", answers)
    samples = world_samples(3)
    other = Provenance(dataset="photos", split="train", licence="CC-BY-4.0")
    mixed = SampleList((samples[0], *(replace(one, provenance=other) for one in samples[1:])))
    write_sources(tmp_path, mixed, {"street": WorldDataset(seed=1, size=70)})
    return tmp_path


def test_the_card_says_what_was_trained_on_what_and_how_well(run_dir: Path) -> None:
    card = write_card(run_dir, DESCRIPTION, "adapter")
    _, head, text = card.split("---\n", 2)
    metadata = yaml.safe_load(head)
    assert metadata["base_model"] == "Qwen/Qwen2.5-VL-3B-Instruct"
    assert metadata["library_name"] == "peft"
    assert metadata["tags"] == ["visual-grounding", "groundrl", "sft", "grpo"]
    assert "license" not in metadata  # that of the base is not known here
    assert "as stated at https://huggingface.co/Qwen/Qwen2.5-VL-3B-Instruct" in text
    assert "A LoRA adapter (rank 16) for [Qwen/Qwen2.5-VL-3B-Instruct]" in text
    assert "trained on 4-bit weights" in text
    assert "Training began with the adapter `warm_up/adapter`" in text
    assert "/home/me" not in text
    assert "| grpo | 80 | 16 | 8 | 1e-05 |" in text
    assert "the sum of iou (weight 1), acc (weight 0.5), own. Seed 3." in text
    assert "| train | photos | train | CC-BY-4.0 | 2 |" in text
    assert "| tabletop/acc | 0.250 ± 0.050 | 0.500 ± 0.060 | 0.750 ± 0.050 | +0.500 | 200 |" in text
    assert "the fewest first: color 0 of 4, count 5 of 5" in text
    # Asked as groundrl.ask asks: for an answer, where the training asked for letters.
    assert "question = 'Where is the red cup?\\nReason inside <think> and </think>." in text
    assert 'from_pretrained(base, dtype="bfloat16")' in text
    assert "min_pixels=3136, max_pixels=802816" in text
    assert "pixels of the picture as the processor resizes it" in text
    assert "vllm serve Qwen/Qwen2.5-VL-3B-Instruct --enable-lora --max-lora-rank 16" in text
    assert """--mm-processor-kwargs '{"min_pixels": 3136, "max_pixels": 802816}'""" in text


def test_a_merged_model_says_so(run_dir: Path) -> None:
    card = write_card(run_dir, DESCRIPTION, "merged")
    assert "library_name: transformers" in card
    assert "An adapter merged into [Qwen" in card
    assert "it is merged into weights of full precision" in card
    assert "vllm serve this-folder --served-model-name grounded" in card


def test_texts_of_models_and_data_cannot_mark_up_the_card(run_dir: Path) -> None:
    card = write_card(run_dir, DESCRIPTION, "adapter")
    assert "<script" not in card
    assert "[click]" not in card
    assert "x" * 200 not in card
    assert cell("a\n| `b` <i>") == "a | &#96;b&#96; &lt;i&gt;"


def test_a_run_with_few_files_has_a_card(tmp_path: Path) -> None:
    card = write_card(tmp_path, replace(DESCRIPTION, base="/data/models/mine"), "merged")
    assert "# mine, trained to point" in card
    assert "/data/models" not in card
    assert "## Figures" not in card


def test_samples_are_counted_by_where_they_come_from(run_dir: Path) -> None:
    assert [(one.set, one.dataset, one.samples) for one in read_sources(run_dir)] == [
        ("train", "photos", 2),
        ("train", "world", 1),
        ("street", "world", 70),
    ]
    assert read_sources(run_dir / "elsewhere") == []
    (one,) = count_sources("train", WorldDataset(seed=0, size=5))
    assert (one.licence, one.samples) == ("Apache-2.0", 5)


def test_a_licence_is_that_which_the_base_states(tmp_path: Path) -> None:
    assert state_licence("embedded") == "Apache-2.0"
    assert state_licence("") == "not stated beside its weights"
    assert state_licence(str(tmp_path)) == "not stated beside its weights"
    card = "---\ntags: [x]\nlicense: cc-by-nc-4.0\n---\nlicense: mit\n"
    (tmp_path / "README.md").write_text(card)
    assert state_licence(str(tmp_path)) == "cc-by-nc-4.0"
