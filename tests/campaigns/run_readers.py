"""Readers of what the project writes: answers, run folders, adapters, checkpoints, caches."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from replies import LINE
from safetensors.torch import save_file
from torch.utils.tensorboard.writer import SummaryWriter

from campaigns.readers import Reader, files, lines, place
from groundrl.answers.record import read_record_file
from groundrl.boxes import Box, Frame
from groundrl.chat.spending import Price, Spending
from groundrl.data.provenance import read_sources
from groundrl.detectors.records import Region
from groundrl.evaluation.compare import read_run
from groundrl.evaluation.judging.labels import read_labels
from groundrl.evaluation.judging.verdict_cache import VerdictCache
from groundrl.evaluation.recorded import read_predictions
from groundrl.export.description import read_description
from groundrl.feedback.captions import OUTPUTS
from groundrl.feedback.load import read_description as read_reward_model
from groundrl.feedback.scores import read_scores
from groundrl.figures import read_infos
from groundrl.grammar import get_grammar
from groundrl.images import UnreadableImageError, read_image
from groundrl.launch.resolved import read_resolved
from groundrl.policy.adapters.trained import read_adapter
from groundrl.policy.vision_store import VisionStore
from groundrl.report.comparison.runs import find_compared
from groundrl.report.run_report import write_report
from groundrl.report.runs import find_runs, read_metrics
from groundrl.stages.fitting.checkpoint_file import (
    DamagedCheckpointError,
    read_checkpoint,
    write_checkpoint,
)
from groundrl.stages.rejection_sampling import read_candidates, score_of
from groundrl.synthesis.annotate import ResultKey
from groundrl.synthesis.annotations import Caption
from groundrl.synthesis.codec import Stage
from groundrl.synthesis.result_cache import ResultCache

CANDIDATE = {
    **{"sample": "1", "completion": "A cat.", "well_formed": True, "total": 0.5},
    **{"parts": {"a": 0.5, "b": None}, "spans": {"a": [[0, 2, 0.5]]}},
}
ANSWERS = LINE | {"boxes_predicted": [["dog", [0, 0, 1, 1]]], "spans_predicted": [[0, 2]]}
OTHERS = {
    "llava": {"question_id": 1, "prompt": "Is there a dog?", "text": "Yes.", "answer_id": "x"},
    "pope": {"question": "Is there a dog?", "answer": "yes"},
    "list": {"prompt": "What?\nOptions: (A) a (B) b", "answer": "<answer>A</answer>", "truth": "A"},
}
METRICS = {
    "start": {"tabletop/acc": 0.5, "tabletop/acc_low": 0.1, "tabletop/acc_high": 0.9},
    "sft": {"tabletop/acc": 0.75, "tabletop/acc_low": 0.3, "tabletop/acc_high": 1},
    "time": {"train_sft": 2.5},
}
CONFIG = "seed: 0\npipeline: [sft]\nmodel: {path: embedded}\noutput_dir: outputs/a\n"
DESCRIPTION = {
    **{"base": "embedded", "grammar": "obj_bbox", "frame": "permille", "instruction": "Think."},
    **{"answer_style": "words", "max_tokens": 16, "dtype": "float32"},
    **{"min_pixels": None, "max_pixels": None, "resize_factor": 28},
}
SCORES = dict.fromkeys(OUTPUTS, 0.25)
SCORED = {
    **{"id": "1", "image": "images/a.png", "question": "What?", "text": "A cat."},
    "units": [{"start": 0, "stop": 6, "scores": SCORES, "labels": SCORES}],
}
SOURCE = {"set": "train", "dataset": "d", "split": "train", "licence": "CC0", "samples": 3}
LORA = {
    **{"peft_type": "LORA", "task_type": "CAUSAL_LM", "base_model_name_or_path": "embedded"},
    **{"r": 4, "lora_alpha": 8, "target_modules": ["q_proj"], "lora_dropout": 0.0},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rating:
    """A verdict of some judge."""

    score: int


class Nobody:
    """A judge who is never reached."""

    name = "nobody"

    def __call__(self, cases: Any) -> list[Rating | None]:
        return [None for _ in cases]


def write_run(folder: Path) -> None:
    """A run directory with all that its page shows."""
    files(
        ["images/dog.png"],
        heldout_sft_jsonl=lines(ANSWERS),
        metrics_json=METRICS,
        resolved_yaml=CONFIG,
        data_sources_json=[SOURCE],
        sentence_scores_jsonl=lines(SCORED),
    )(folder)
    with SummaryWriter(str(folder / "tensorboard" / "sft")) as writer:
        for step in range(3):
            writer.add_scalar("loss", 1.0 / (1 + step), step)


def write_checkpoint_file(folder: Path) -> None:
    """A checkpoint of all kinds of values."""
    state = {"step": 3, "weights": {"a": torch.ones(2, 3)}, "pair": (1, [2.5, None, "x"])}
    write_checkpoint(state, folder / "last.ckpt")


def write_adapter(folder: Path) -> None:
    """LoRA in PEFT's format."""
    place(folder, "adapter_config.json", LORA)
    weights = {"base_model.model.q_proj.lora_A.weight": torch.ones(4, 8)}
    save_file(weights, folder / "adapter_model.safetensors")


def write_features(folder: Path) -> None:
    """What the vision store keeps of an image."""
    save_file({"0": torch.ones(2, 4), "1": torch.ones(2, 4)}, folder / "a.safetensors")


def read_features(folder: Path) -> object:
    """None where they are damaged."""
    return VisionStore(folder).read(folder / "a.safetensors", torch.device("cpu"))


def write_results(folder: Path) -> None:
    """The cache of synthesis, with one image."""
    box = Box(x1=0.5, y1=1.0, x2=9.0, y2=8.0, frame=Frame.PIXEL)
    cache = ResultCache(folder / "s.sqlite")
    cache.save(
        "picture",
        {
            ResultKey(Stage.CAPTION, "teacher", "a"): Caption(text="two cups"),
            ResultKey(Stage.DETECT, "d", "b"): (Region(label="cup", box=box, score=0.3),),
        },
    )
    cache.close()


def read_results(folder: Path) -> object:
    """What it holds of that image."""
    cache = ResultCache(folder / "s.sqlite")
    try:
        return cache.load("picture")
    finally:
        cache.close()


def read_verdicts(folder: Path) -> object:
    """Of a judge whose verdicts are all in the file."""
    return VerdictCache(judge=Nobody(), path=folder / "verdicts.jsonl", verdict=Rating)([])


def read_run_page(folder: Path) -> object:
    """The page, and what comparisons take of a run."""
    return (
        read_metrics(folder),
        read_resolved(folder),
        read_sources(folder),
        read_scores(folder),
        write_report(folder),
    )


def predictions(name: str, content: str | list[Any]) -> Reader:
    """Answers, in a file called ``name``."""
    return Reader(
        write=lambda folder: place(folder, name, content),
        damaged=name,
        read=lambda folder: read_predictions(folder / name, get_grammar("inline_box")),
    )


RUNS: Final = {
    "answers": predictions("predictions.jsonl", lines(ANSWERS)),
    "answers as records": Reader(
        write=files([], predictions_jsonl=lines(ANSWERS)),
        damaged="*.jsonl",
        read=lambda folder: (
            read_record_file(folder / "predictions.jsonl"),
            read_run(str(folder)),
        ),
    ),
    "answers of llava": predictions("a.jsonl", lines(OTHERS["llava"])),
    "answers of pope": predictions("a.json", lines(OTHERS["pope"])),
    "answers in a list": predictions("a.json", [OTHERS["llava"], OTHERS["llava"]]),
    "answers in a sheet": predictions("a.tsv", "index\tquestion\tprediction\n1\tWhat?\tA cat\n"),
    "answers of mme": predictions("color.txt", "0001.jpg\tIs it red?\tYes\tYes, it is.\n"),
    "labels": Reader(
        write=files([], labels_jsonl=lines({"set": "a", "id": "1", "aligned": True})),
        damaged="*.jsonl",
        read=lambda folder: read_labels(folder / "labels.jsonl"),
    ),
    "run": Reader(write=write_run, damaged="*.*", read=read_run_page),
    "events": Reader(write=write_run, damaged="tensorboard/**/events*", read=write_report),
    "sweep": Reader(
        write=lambda folder: [write_run(folder / f"seed={seed}") for seed in range(2)],
        damaged="*/*.*",
        read=lambda folder: (find_runs(folder), find_compared([str(folder)])),
    ),
    "figures": Reader(
        write=files([], figures_json={"pope": {"f1": {"meaning": "F1", "quoted": True}}}),
        damaged="*.json",
        read=read_infos,
    ),
    "description": Reader(
        write=files([], groundrl_json=DESCRIPTION), damaged="*.json", read=read_description
    ),
    "reward model": Reader(
        write=files(
            [],
            reward_model_json={
                **{"level": "sentence", "base": "embedded", "dtype": "float32", "prompt": "ab"},
                **{"base_weights": 1, "min_pixels": None, "max_pixels": None},
                **{"thresholds": SCORES},
            },
        ),
        damaged="*.json",
        read=read_reward_model,
    ),
    "adapter": Reader(
        write=write_adapter, damaged="adapter*", read=lambda folder: read_adapter(str(folder))
    ),
    "checkpoint": Reader(
        write=write_checkpoint_file,
        damaged="*.ckpt",
        read=lambda folder: read_checkpoint(folder / "last.ckpt"),
        errors=(DamagedCheckpointError,),
    ),
    "vision features": Reader(write=write_features, damaged="*.*", read=read_features),
    "synthesis cache": Reader(write=write_results, damaged="*.sqlite", read=read_results),
    "verdicts": Reader(
        write=files([], verdicts_jsonl=lines({"judge": "nobody", "case": {"a": "b"}, "score": 3})),
        damaged="*.jsonl",
        read=read_verdicts,
    ),
    "spending": Reader(
        write=files([], spent_jsonl=lines({"prompt": 3, "completion": 4})),
        damaged="*.jsonl",
        read=lambda folder: Spending(
            Price(prompt=1.0, completion=1.0), None, str(folder / "spent.jsonl")
        ),
    ),
    "candidates": Reader(
        write=files([], candidates_jsonl=lines(CANDIDATE)),
        damaged="*.jsonl",
        read=lambda folder: [*map(score_of, read_candidates(folder / "candidates.jsonl"))],
    ),
    "image": Reader(
        write=files(["a.png"]),
        damaged="*.png",
        read=lambda folder: read_image(folder / "a.png"),
        errors=(UnreadableImageError,),
    ),
}
