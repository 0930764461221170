"""What a run leaves behind, in small."""

import json
from pathlib import Path
from typing import Any

METRICS: dict[str, dict[str, float]] = {
    "start": {
        "tabletop/acc": 0.25,
        "tabletop/acc_low": 0.2,
        "tabletop/acc_high": 0.3,
        "tabletop/n": 200,
    },
    "sft": {"tabletop/acc": 0.5, "tabletop/acc_low": 0.44, "tabletop/acc_high": 0.56},
    "grpo": {
        "tabletop/acc": 0.75,
        "tabletop/acc_low": 0.7,
        "tabletop/acc_high": 0.8,
        "tabletop/iou": 0.6,
        "tabletop/color/acc": 0.9,
        "tabletop/n": 200,
    },
    "time": {"sft": 63, "grpo": 7800.0},
}


def record(number: int, **changes: object) -> dict[str, Any]:
    """Answer ``number``: right when it is even, its IoU is a tenth of it."""
    return {
        "set": "tabletop",
        "id": f"q{number}",
        "kind": "color",
        "question": "Which <cup> is red?",
        "options": ["left", "right"],
        "answers": ["left"],
        "prompt": None,
        "prompting": None,
        "seed": None,
        "tokens": [],
        "truncated": False,
        "scores": {},
        "grammar": "obj_bbox",
        "frame": "pixel",
        "image_key": "cup",
        "image_size": [16, 12],
        "model_size": [16, 12],
        "text": "<think><obj>cup</obj><bbox>[1, 2, 9, 8]</bbox></think><answer>left</answer>",
        "correct": number % 2 == 0,
        "iou": number / 10,
        "boxes_true": [["cup", [1, 2, 9, 8]]],
        "boxes_predicted": [["cup", [2.5, 2, 9, 8]]],
        "spans_predicted": [[7, 44]],
        "images": ["images/cup.png"],
    } | changes


def write_answers(file: Path, records: list[dict[str, Any]]) -> None:
    """One record per line."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(r) + "\n" for r in records))
