"""Labels that are biased on purpose."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundrl.data.undersampling import Undersampling
from groundrl.errors import UserError
from groundrl.published.vsr import VSRReader
from groundrl.records import NamedImage, Provenance, Sample

DATA = Path(__file__).parents[2].parent / "shared/data"
needs_data = pytest.mark.skipif(
    not DATA.is_dir(), reason="../shared/data, the published files, is not here"
)


def statements(labels: list[tuple[str, bool]]) -> list[Sample]:
    """One for each (relation, label)."""
    return [
        Sample(
            id=str(number),
            image=NamedImage(key=str(number)),
            question="True or false?",
            answers=("true" if label else "false",),
            kind=relation,
            provenance=Provenance(dataset="made", split="train"),
        )
        for number, (relation, label) in enumerate(labels)
    ]


LABELS = st.lists(st.tuples(st.sampled_from(["on", "under", "in"]), st.booleans()), max_size=60)


@given(LABELS, st.floats(0, 1))
def test_the_commoner_label_stays_whole_and_of_the_rarer_one_a_share(
    labels: list[tuple[str, bool]], keep: float
) -> None:
    samples = statements(labels)
    kept = Undersampling(keep=keep)(samples)
    assert kept == [sample for sample in samples if sample in kept]  # in order, none twice
    before = Counter((sample.kind, sample.answers) for sample in samples)
    after = Counter((sample.kind, sample.answers) for sample in kept)
    for relation in {sample.kind for sample in samples}:
        sizes = sorted(before[relation, (word,)] for word in ("true", "false"))
        left = sorted(after[relation, (word,)] for word in ("true", "false"))
        assert left == [int(sizes[0] * keep), sizes[1]]


def test_keeping_everything_changes_nothing() -> None:
    samples = statements([("on", True), ("on", False), ("on", True), ("in", False)])
    assert Undersampling()(samples) == samples


def test_as_published_a_tie_loses_one_label_and_repeats_the_other() -> None:
    samples = statements([("on", False), ("on", True), ("on", True), ("on", False)])
    kept = Undersampling(keep=0.5, as_published=True)(samples)
    assert {sample.answers for sample in kept} == {("false",)}
    assert len(kept) == 3
    assert len({sample.id for sample in kept}) == 3
    assert sum(sample.id.endswith("/again") for sample in kept) == 1


def test_as_published_keeping_everything_drops_the_rarer_label() -> None:
    samples = statements([("on", False), ("on", True), ("on", True)])
    kept = Undersampling(keep=1.0, as_published=True)(samples)
    assert [sample.answers for sample in kept] == [("true",), ("true",)]


@pytest.mark.parametrize("keep", [-0.1, 1.5, float("nan")])
def test_what_is_no_share_is_refused(keep: float) -> None:
    with pytest.raises(UserError, match=r"type data.undersample.keep=0.6"):
        Undersampling(keep=keep)


def text_only_accuracy(samples: list[Sample]) -> float:
    """Of a logistic regression from the relation (one-hot, the first left out) to the label, on the
    samples it was fitted to: minimises ``|w|^2 / 2 + sum log(1 + exp(-y (x w + b)))`` by Newton."""
    names = sorted({sample.kind for sample in samples})[1:]
    x = np.array([[sample.kind == name for name in names] + [True] for sample in samples], float)
    y = np.array([sample.answers == ("true",) for sample in samples], float)
    penalty = np.array([1.0] * len(names) + [0.0])
    weights = np.zeros(len(penalty))
    for _ in range(30):
        p = 1 / (1 + np.exp(-x @ weights))
        slope = x.T @ (p - y) + penalty * weights
        curve = (x * (p * (1 - p))[:, None]).T @ x + np.diag(penalty)
        weights -= np.linalg.solve(curve, slope)
    return float((((x @ weights) > 0) == (y > 0)).mean())


@needs_data
@pytest.mark.parametrize(("keep", "rows", "accuracy"), [(0.6, 2812, 0.690), (0.0, 1857, 0.997)])
def test_the_published_counts_and_text_only_accuracies_come_out(
    keep: float, rows: int, accuracy: float
) -> None:
    samples = VSRReader(root=str(DATA), split="train").find_samples(images=False).samples
    kept = Undersampling(keep=keep, as_published=True)(samples)
    assert len(kept) == rows
    assert round(text_only_accuracy(kept), 3) == accuracy
    assert len(Undersampling(keep=keep)(samples)) == rows  # ties lose as many as they repeated


def test_divided_statements_are_those_with_the_label_that_training_kept_and_the_others() -> None:
    train = statements([("on", True), ("on", True), ("on", False), ("in", False), ("in", True)])
    held = statements([("on", True), ("on", False), ("in", True), ("in", False), ("at", True)])
    for as_published in (False, True):
        rule = Undersampling(keep=0.0, as_published=as_published, divide_heldout=True)
        common = {sample.kind: sample.answers[0] for sample in rule(train)}
        assert common == rule.common_labels(train)
        sets = rule.heldout_sets("dev", held, train)
        assert [s.answers[0] == common[s.kind] for s in sets["aligned"].samples] == [True] * 2
        assert [s.answers[0] == common[s.kind] for s in sets["conflicting"].samples] == [False] * 2
        assert not {"at"} & {s.kind for one in sets.values() for s in one.samples}


def test_held_out_statements_stay_together_unless_that_is_asked_for() -> None:
    held = statements([("on", True), ("under", False)])
    assert Undersampling(keep=0.5).heldout_sets("dev", held, held)["dev"].samples == tuple(held)


def test_a_held_out_set_without_a_statement_against_the_bias_is_refused() -> None:
    train = statements([("on", True), ("on", True), ("on", False)])
    with pytest.raises(UserError, match="none of 2 held-out statements is conflicting"):
        Undersampling(divide_heldout=True).heldout_sets("dev", train[:2], train)
