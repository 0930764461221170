"""Two annotators: kappa against an independent implementation, what differs, what is refused."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from browsing import read
from captioned_scenes import edit_rows, label_sentences, make_caption
from torchmetrics.functional.classification import binary_cohen_kappa

from groundrl.feedback.agreement import main, measure_agreement, pair_labels
from groundrl.feedback.label_pairs import LabelPair
from groundrl.feedback.labels import LabelledCaption, SentenceError, write_captions

TEXT = "A cup. A bus. A dog. A box."
ANN = ("h2 - a1 -", "- c3 - -", "hr2 r2 - l1", "- - - -")
BEA = ("h2 - - -", "- c1 h2 -", "r3 r2 a1 l1", "- - - -")


def label(
    annotator: str, marks: Sequence[str], scenes: Sequence[int] = ()
) -> list[LabelledCaption]:
    """One caption for each text of marks, of the scene of its own number unless told."""
    return [
        replace(
            make_caption(number, TEXT, scenes[number] if scenes else None, annotator),
            sentences=label_sentences(TEXT, one),
        )
        for number, one in enumerate(marks)
    ]


def pair(
    a: Sequence[str] = ANN, b: Sequence[str] = BEA, scenes: Sequence[int] = ()
) -> list[LabelPair]:
    both = zip(label("ann", a, scenes), label("bea", b, scenes), strict=True)
    return [LabelPair(a=x, b=y) for x, y in both]


def write_both(folder: Path) -> tuple[Path, Path]:
    a, b = folder / "captions.ann.jsonl", folder / "captions.bea.jsonl"
    write_captions(label("ann", ANN), a)
    write_captions(label("bea", BEA), b)
    return a, b


def test_kappa_equals_an_independent_implementation() -> None:
    pairs = pair()
    found = {one.name: one for one in measure_agreement(pairs)}
    labels = [both for one in pairs for both in one.sentences]
    for error in SentenceError:
        a, b = (torch.tensor([error in both[side].errors for both in labels]) for side in (0, 1))
        kappa = found[str(error)].kappa
        assert kappa is not None
        assert kappa.mean == pytest.approx(float(binary_cohen_kappa(a, b)), abs=1e-6)
        assert kappa.low <= kappa.mean <= kappa.high
        assert found[str(error)].same.mean == float((a == b).double().mean())
    a, b = (torch.tensor([bool(both[side].errors) for both in labels]) for side in (0, 1))
    assert found["has an error"].kappa is not None
    expected = float(binary_cohen_kappa(a, b))
    assert found["has an error"].kappa.mean == pytest.approx(expected, abs=1e-6)
    assert found["has an error"].means == (6 / 16, 7 / 16)


def test_severity_is_compared_where_both_see_an_error() -> None:
    severity = measure_agreement(pair())[-1]
    # 2-2, 3-1, 2-3, 2-2, 1-1
    assert (severity.name, severity.same.n, severity.same.mean) == ("severity", 5, 0.6)
    assert severity.means == (2.0, 1.8)


def test_a_label_that_neither_gives_has_no_kappa() -> None:
    found = measure_agreement(pair(("- - - -",), ("- - - -",)))
    assert [one.kappa for one in found] == [None] * 7
    assert {one.same.mean for one in found} == {1.0}


def test_captions_of_one_image_count_as_one() -> None:
    once = measure_agreement(pair(ANN, BEA))
    again = measure_agreement(pair(ANN * 4, BEA * 4, scenes=(0, 1, 2, 3) * 4))
    for one, four in zip(once, again, strict=True):
        assert (one.kappa and one.kappa.low) == pytest.approx(four.kappa and four.kappa.low)
        assert four.same.n == 4 * one.same.n


def test_the_order_of_errors_says_nothing() -> None:
    (one,) = pair(("hr2 - - -",), ("hr2 - - -",))
    first, *others = one.sentences
    turned = replace(first[1], errors=first[1].errors[::-1])
    other = replace(one.b, sentences=(turned, *(label for _, label in others)))
    assert turned != first[1]
    assert LabelPair(a=one.a, b=other).differing == []


def test_the_command_prints_both_tables_and_writes_the_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a, b = write_both(tmp_path)
    assert main([f"a={a}", f"b={b}"]) == 0
    shown = capsys.readouterr().out
    page = tmp_path / "captions.ann.bea.html"
    assert shown.splitlines()[-1] == str(page)
    assert re.search(r"has an error +0\.613 +-?[0-9.]+ +[0-9.]+ +0\.812 +0\.375 +0\.438 +16", shown)
    rows = [line.split() for line in shown.split("differ most")[1].splitlines()[2:]]
    assert [row[0] for row in rows if row and row[0].startswith("c")] == ["c2", "c1", "c0"]
    assert "1  hallucination, relationship (2)  relationship (3)" in shown
    assert read(page).counts["article"] == 4
    assert page.read_text().count('data-labels="differ"') == 3


def test_captions_that_one_file_lacks_are_named(tmp_path: Path) -> None:
    a, b = write_both(tmp_path)
    write_captions(label("bea", BEA)[:3], b)
    pairs, left_out = pair_labels(a, b)
    assert len(pairs) == 3
    assert left_out == [f"1 of 4 captions of {a} are left out: the other file does not label them"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"text": "A cup. A bus. A cat. A box."}, "'c0' has another text than in"),
        ({"sentences": None}, "no caption is labelled"),
        ({"sentences": []}, "0 labels, but the text has 4 sentences"),
        ({"image": "gone.png"}, "gone.png.*no such image"),
    ],
)
def test_labels_that_cannot_be_compared_are_refused(
    tmp_path: Path,
    changes: dict[str, object],
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    a, b = write_both(tmp_path)
    edit_rows(b, **changes)
    assert main([f"a={a}", f"b={b}"]) == 2
    assert re.search(message, capsys.readouterr().err)


def test_files_that_do_not_fit_are_one_message(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a, b = write_both(tmp_path)
    strangers, both = tmp_path / "strangers.jsonl", tmp_path / "both.jsonl"
    write_captions(label("cy", ("- - - -",) * 5)[4:], strangers)
    write_captions(label("ann", ANN) + label("bea", BEA), both)
    case = tmp_path / "case.jsonl"
    case.write_text(a.read_text().replace('"attribute"', '"Attribute"'))
    for arguments, message in (
        ([f"a={a}", f"b={strangers}"], "no caption in common, for example 'c0' and 'c4'"),
        ([f"a={a}", f"b={a}"], "are one file"),
        ([f"a={both}", f"b={b}"], "'c0' has labels of 'ann' and 'bea': keep one"),
        ([f"a={a}", f"b={case}"], "expected 'hallucination', 'attribute'"),
        ([f"a={a}", f"b={tmp_path / 'no.jsonl'}"], "no.jsonl: no such file"),
        ([f"a={a}", f"b={b}", f"page={b}"], "must end in .html"),
        ([f"a={a}"], "b= must be given"),
        ([f"a={a}", str(b)], "is no option of this command"),
    ):
        assert main(arguments) == 2
        assert message in capsys.readouterr().err
    assert b.read_text().count("\n") == 4
