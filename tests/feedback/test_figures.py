"""Figures of a reward model against their definitions."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from groundrl.errors import UserError
from groundrl.feedback.captions import OUTPUTS
from groundrl.feedback.figures import FIGURES, reliability, reward_figures
from groundrl.feedback.scores import FILE, ScoredCaption, ScoredUnit, read_scores, write_scores
from groundrl.report.answers.sentence_scores import sentence_section


def unit(wrong: float, *errors: str, share: float = 1.0) -> ScoredUnit:
    scores = dict.fromkeys(OUTPUTS, 0.1) | {"wrong": wrong}
    labels = {name: share * float(name in errors) for name in OUTPUTS[1:]}
    return ScoredUnit(
        start=0, stop=9, scores=scores, labels={"wrong": share * float(bool(errors)), **labels}
    )


def caption(image: str, *units: ScoredUnit) -> ScoredCaption:
    return ScoredCaption(id=image, image=image, question="?", text="Some text", units=units)


CAPTIONS = [
    caption("a", unit(0.9, "attribute"), unit(0.2)),
    caption("b", unit(0.35, "location"), unit(0.6), unit(0.1)),
    caption("c", unit(0.8, "attribute", "location"), unit(0.32, "conjecture", share=0.4)),
]


def test_figures_of_a_few_sentences() -> None:
    found = reward_figures(CAPTIONS, threshold=0.4)
    assert (found["n"], found["captions"]) == (7, 3)
    assert found["wrong"] == pytest.approx(3 / 7)  # a minority of annotators is none
    assert found["acc"] == pytest.approx(5 / 7)
    assert found["balanced_acc"] == pytest.approx((2 / 3 + 3 / 4) / 2)
    assert found["auc"] == pytest.approx(11 / 12)
    assert found["recall_attribute"] == 1.0
    assert found["recall_location"] == 0.5
    assert "recall_conjecture" not in found
    bins = [[0.9], [0.2], [0.35, 0.32], [0.6], [0.1], [0.8]]
    shares = [1, 0, 0.5, 0, 0, 1]
    gaps = [len(b) / 7 * abs(np.mean(b) - s) for b, s in zip(bins, shares, strict=True)]
    assert found["ece"] == pytest.approx(sum(gaps))


def test_intervals_hold_the_figures_and_everything_is_explained() -> None:
    rng = np.random.default_rng(0)
    captions = []
    for image in range(40):
        truths = rng.integers(0, 2, 3).tolist()
        scores = 0.7 * rng.random(3) + 0.3 * np.array(truths)
        units = [unit(float(x), *["location"] * t) for x, t in zip(scores, truths, strict=True)]
        captions.append(caption(str(image), *units))
    found = reward_figures(captions, threshold=0.5)
    units = [one for c in captions for one in c.units]
    scores = np.array([one.scores["wrong"] for one in units])
    truth = np.array([one.has("wrong") for one in units])
    u = mannwhitneyu(scores[truth], scores[~truth]).statistic
    assert found["auc"] == pytest.approx(u / (truth.sum() * (~truth).sum()))
    for name in ("acc", "balanced_acc", "auc", "recall_location"):
        assert found[f"{name}_low"] < found[name] < found[f"{name}_high"]
    assert {name.removesuffix("_low").removesuffix("_high") for name in found} <= FIGURES.keys()


def test_without_wrong_sentences_there_is_nothing_to_tell_apart() -> None:
    found = reward_figures([caption("a", unit(0.2)), caption("b", unit(0.7))], threshold=0.5)
    assert found["acc"] == 0.5
    assert "auc" not in found
    assert "balanced_acc" not in found


def test_reliability_counts_what_is_in_each_tenth() -> None:
    bins = reliability([*CAPTIONS, caption("d", unit(1.0, "location"))])
    assert [one.wrong.n for one in bins] == [1, 1, 2, 1, 1, 2]
    assert [one.wrong.mean for one in bins] == [0, 0, 0.5, 0, 1, 1]
    assert bins[2].probability == pytest.approx(0.335)


def test_scores_are_read_as_they_were_written(tmp_path: Path) -> None:
    assert read_scores(tmp_path) == []
    write_scores(tmp_path, CAPTIONS)
    assert read_scores(tmp_path) == CAPTIONS
    broken = json.loads((tmp_path / FILE).read_text().splitlines()[0]) | {"text": 3}
    (tmp_path / FILE).write_text(json.dumps(broken))
    with pytest.raises(UserError, match=r"text: expected text, got 3"):
        read_scores(tmp_path)


def test_text_on_the_page_is_escaped(tmp_path: Path) -> None:
    write_scores(tmp_path, [replace(CAPTIONS[0], text="<b>bold</b> words")])
    html = sentence_section(tmp_path)
    assert "&lt;b&gt;bold" in html
    assert "<b>bold" not in html
