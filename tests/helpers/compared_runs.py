"""Run directories to compare, in small."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image
from report_files import record, write_answers

ANSWERS = {True: "left", False: "right"}


def answer(number: int, right: bool, **changes: object) -> dict[str, Any]:
    """An answer about an image of its own; its IoU is 0.75 if it is right, else 0.25."""
    text = f"<obj>cup</obj><bbox>[1, 2, 9, 8]</bbox><answer>{ANSWERS[right]}</answer>"
    own = {"correct": right, "iou": 0.75 if right else 0.25, "image_key": f"image {number}"}
    return record(number, text=text, spans_predicted=[[0, 39]]) | own | changes


def figures(answers: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Accuracy and size of each set."""
    found: dict[str, float] = {}
    for name in dict.fromkeys(one["set"] for one in answers):
        own = [float(one["correct"]) for one in answers if one["set"] == name]
        acc = sum(own) / len(own)
        found |= {f"{name}/acc": acc, f"{name}/acc_low": acc - 0.1, f"{name}/acc_high": acc + 0.1}
        found |= {f"{name}/n": float(len(own))}
    return found


def write_run(folder: Path, stages: Mapping[str, Sequence[Mapping[str, Any]]]) -> Path:
    """A finished training run with the answers of each stage, and one image."""
    (folder / "images").mkdir(parents=True)
    Image.new("RGB", (16, 12), "#886644").save(folder / "images" / "cup.png")
    for stage, answers in stages.items():
        write_answers(folder / f"heldout_{stage}.jsonl", [dict(one) for one in answers])
    metrics = {stage: figures(answers) for stage, answers in stages.items()}
    (folder / "metrics.json").write_text(json.dumps(metrics | {"time": {"train_grpo": 60.0}}))
    return folder


def write_rights(folder: Path, start: Sequence[bool], grpo: Sequence[bool]) -> Path:
    """The same, of which answers are right."""
    stages = {"start": start, "grpo": grpo}
    return write_run(
        folder,
        {name: [answer(n, one) for n, one in enumerate(rights)] for name, rights in stages.items()},
    )


def write_evaluation(folder: Path, answers: Sequence[Mapping[str, Any]], **more: float) -> Path:
    """What evaluate.py leaves."""
    folder.mkdir(parents=True)
    write_answers(folder / "predictions.jsonl", [dict(one) for one in answers])
    own = figures(answers) | {name.replace("__", "/"): value for name, value in more.items()}
    (folder / "metrics.json").write_text(json.dumps(own | {"time/total": 3.0}))
    return folder
