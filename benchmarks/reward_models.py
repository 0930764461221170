"""Reward models side by side: ``python benchmarks/reward_models.py MODEL [MODEL ...]``.

MODEL is the folder of a trained one (``<run>/reward_model``), of single sentences or of whole
captions. They are asked about drawn scenes of each subject and look that no training shows, with
five captions of each scene that err as those of ``data=world_captions``. "AUC of sentences", of
models that score them: the chance that a wrong one scores above a right one. "wrong, best of 5":
share of wrong sentences in the caption that the model likes best, by its score or by the mean over
its sentences, beside that of "any" caption and that of the "least" wrong one.
``--out FILE.json`` writes the same figures.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from torchmetrics.functional.classification import binary_auroc

from groundrl.data.world_captions import DESCRIBE
from groundrl.errors import UserError
from groundrl.feedback.captions import CaptionToScore
from groundrl.feedback.load import load_reward_model
from groundrl.feedback.reward_model import RewardModel
from groundrl.feedback.world_judge import judge_caption
from groundrl.intervals import Interval, bootstrap
from groundrl.report.sweep import format_interval
from groundrl.report.tables import Table, number, to_markdown
from groundrl.world.captions.descriptions import describe, plain_caption
from groundrl.world.captions.errors import CaptionErrors
from groundrl.world.graph import Look, SceneSpec, Subject
from groundrl.world.render import build_scene
from groundrl.world.source import SceneImage

DATA: Final = Path(__file__).parents[1] / "conf" / "data" / "world_captions.yaml"
SEED: Final = 5_000_011
"""Of scenes that no option of the project draws."""
CANDIDATES: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A caption of a scene, and which of its sentences are wrong."""

    caption: CaptionToScore
    wrong: Sequence[bool]


def draw_captions(subject: Subject, look: Look, count: int) -> list[list[Judged]]:
    """``CANDIDATES`` captions of each of ``count`` scenes."""
    errors: CaptionErrors = instantiate(OmegaConf.load(DATA).train.errors)
    scenes = []
    for index in range(count):
        spec = SceneSpec(seed=SEED, index=index, subject=subject, look=look)
        scene = build_scene(spec)
        captions = []
        for k in range(CANDIDATES):
            text = plain_caption(describe(scene, np.random.default_rng((SEED, index, k)), errors))
            asked = CaptionToScore(image=SceneImage(spec=spec), question=DESCRIBE, text=text)
            wrong = [bool(label.errors) for label in judge_caption(scene, text)]
            captions.append(Judged(caption=asked, wrong=wrong))
        scenes.append(captions)
    return scenes


def measure(model: RewardModel, scenes: Sequence[Sequence[Judged]]) -> dict[str, Interval | float]:
    """The figures of a model, intervals by bootstrap over scenes."""
    captions = [one for scene in scenes for one in scene]
    scores = [
        [score.wrong for score in unit]
        for unit in model.score_many([one.caption for one in captions])
    ]
    means = np.array([np.mean(row) for row in scores])
    shares = np.array([np.mean(one.wrong) for one in captions]).reshape(-1, CANDIDATES)
    figures: dict[str, Interval | float] = {}
    if model.level == "sentence":
        flat = torch.tensor([score for row in scores for score in row])
        wrong = torch.tensor([int(wrong) for one in captions for wrong in one.wrong])
        figures["AUC of sentences"] = float(binary_auroc(flat, wrong))
    best = means.reshape(shares.shape).argmin(axis=1)
    keys = [str(i) for i in range(len(shares))]
    figures[f"wrong, best of {CANDIDATES}"] = bootstrap(shares[range(len(best)), best], keys)
    figures["any"] = bootstrap(shares.mean(axis=1), keys)
    figures["least"] = bootstrap(shares.min(axis=1), keys)
    return figures


def show(figure: Interval | float | None) -> str:
    """A cell."""
    if figure is None:
        return ""
    return format_interval(figure) if isinstance(figure, Interval) else number(figure)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", type=Path, nargs="+", metavar="MODEL")
    parser.add_argument("--scenes", type=int, default=200, help="of each subject and look")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    try:
        models = {str(folder): load_reward_model(folder).eval() for folder in options.models}
    except UserError as error:
        sys.exit(str(error))
    found = {}
    for subject in Subject:
        for look in Look:
            scenes = draw_captions(subject, look, options.scenes)
            for name, model in models.items():
                found[name, f"{subject}, {look}"] = measure(model, scenes)
    columns = list(dict.fromkeys(name for row in found.values() for name in row))
    rows = tuple(
        (*place, *(show(row.get(name)) for name in columns)) for place, row in sorted(found.items())
    )
    print(to_markdown(Table(columns=("model", "scenes", *columns), rows=rows)))
    if options.out is not None:
        figures = {
            f"{model}/{place}/{name}": value if isinstance(value, float) else value.figures("mean")
            for (model, place), row in found.items()
            for name, value in row.items()
        }
        options.out.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
