"""What an annotator has said is on disk, whatever happens then."""

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from captioned_scenes import edit_rows, label_sentences, write_caption_file
from hypothesis import given, settings
from hypothesis import strategies as st

from groundrl.errors import UserError
from groundrl.feedback.label_store import LabelStore, open_labels
from groundrl.feedback.labels import LabelledCaption, SentenceLabel, read_captions

MARKS = {"c0": "h2 -", "c1": "- a1 c3"}


def read_both(folder: Path) -> tuple[list[LabelledCaption], list[tuple[SentenceLabel, ...]]]:
    captions = read_captions(write_caption_file(folder))
    return captions, [label_sentences(one.text, MARKS[one.id]) for one in captions]


def test_only_finished_captions_are_in_the_labels_file(tmp_path: Path) -> None:
    captions, labels = read_both(tmp_path)
    path = tmp_path / "labels.jsonl"
    with open_labels(captions, "ann", path) as store:
        store.set_label(1, 0, labels[1][0])
        store.set_label(0, 0, labels[0][0])
        assert not path.exists()
        store.set_label(0, 1, labels[0][1])
        assert store.finished == 1
        assert read_captions(path) == [replace(captions[0], sentences=labels[0], annotator="ann")]
        assert store.journal.exists()
    with open_labels(captions, "ann", path) as store:
        assert store.labels == [[*labels[0]], [labels[1][0], None, None]]
        for number in (1, 2):
            store.set_label(1, number, labels[1][number])
    assert [one.sentences for one in read_captions(path)] == labels
    assert not store.journal.exists()


def test_a_label_that_is_taken_back_makes_its_caption_unfinished(tmp_path: Path) -> None:
    captions, labels = read_both(tmp_path)
    path = tmp_path / "labels.jsonl"
    with open_labels(captions, "ann", path) as store:
        for number in (0, 1):
            store.set_label(0, number, labels[0][number])
        store.set_label(0, 1, None)
        assert not path.exists()
    assert LabelStore(captions, "ann", path).labels[0] == [labels[0][0], None]


PLACES = [
    (caption, number)
    for caption, marks in enumerate(("h2 -", "- a1 c3"))
    for number in range(len(marks.split()))
]


@pytest.mark.slow
@settings(max_examples=20, deadline=None)
@given(changes=st.lists(st.tuples(st.sampled_from(PLACES), st.booleans()), max_size=12))
def test_a_kill_after_any_change_loses_nothing(
    changes: list[tuple[tuple[int, int], bool]],
) -> None:
    with TemporaryDirectory() as folder:
        captions, labels = read_both(Path(folder))
        path = Path(folder) / "labels.jsonl"
        store = LabelStore(captions, "ann", path)
        for (caption, number), is_set in changes:
            store.set_label(caption, number, labels[caption][number] if is_set else None)
            # A store that was never closed stands for a killed process.
            assert LabelStore(captions, "ann", path).labels == store.labels
            finished = read_captions(path) if path.exists() else []
            assert [one.id for one in finished] == [
                one.id for n, one in enumerate(captions) if store.is_finished(n)
            ]


def test_a_torn_last_line_is_dropped(tmp_path: Path) -> None:
    captions, labels = read_both(tmp_path)
    store = LabelStore(captions, "ann", tmp_path / "labels.jsonl")
    store.set_label(1, 0, labels[1][0])
    with store.journal.open("ab") as file:
        file.write(b'{"id": "c1", "num')
    assert LabelStore(captions, "ann", store.path).labels == store.labels


@pytest.mark.slow
def test_a_full_disk_refuses_a_label_and_keeps_the_others(small_disk: Path, tmp_path: Path) -> None:
    captions, labels = read_both(tmp_path)
    store = LabelStore(captions, "ann", small_disk / "labels.jsonl")
    store.set_label(1, 0, labels[1][0])
    rest = small_disk / "rest"
    with pytest.raises(OSError, match="No space left"):
        rest.write_bytes(b"x" * 4_000_000)
    with pytest.raises(OSError, match="No space left"):
        # The last page of the journal has room for a few lines and a part of the next.
        list(map(store.set_label, [1] * 99, [1] * 99, [labels[1][1]] * 99))
    rest.unlink()
    store.set_label(1, 2, labels[1][2])
    assert LabelStore(captions, "ann", store.path).labels[1] == [*labels[1]]


def test_one_output_has_one_page_and_one_folder_two_annotators(tmp_path: Path) -> None:
    captions, _ = read_both(tmp_path)
    with (
        open_labels(captions, "ann", tmp_path / "ann.jsonl"),
        open_labels(captions, "bea", tmp_path / "bea.jsonl"),
        pytest.raises(UserError, match=r"another page is open .* labels=<another file>"),
        open_labels(captions, "ann", tmp_path / "ann.jsonl"),
    ):
        pass


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"annotator": "bea"}, "a label of 'bea', not of 'ann'"),
        ({"id": "other"}, "the captions have no id 'other'"),
        ({"text": "There is a red cat 🍵. It is on a bus."}, "'c0' has another text"),
        ({"sentences": None}, "'c0' has no labels here"),
        ({"sentences": []}, "0 labels, but the text has 2 sentences"),
    ],
)
def test_labels_of_something_else_are_refused_and_stay(
    tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    captions, labels = read_both(tmp_path)
    path = tmp_path / "labels.jsonl"
    with open_labels(captions, "ann", path) as store:
        for number in (0, 1):
            store.set_label(0, number, labels[0][number])
    edit_rows(path, **changes)
    before = path.read_bytes()
    with pytest.raises(UserError, match=message), open_labels(captions, "ann", path):
        pass
    assert path.read_bytes() == before


def test_a_journal_of_other_captions_is_refused(tmp_path: Path) -> None:
    captions, labels = read_both(tmp_path)
    path = tmp_path / "labels.jsonl"
    LabelStore(captions, "ann", path).set_label(1, 0, labels[1][0])
    other = [
        captions[0],
        replace(captions[1], text="A square. Nobody is there. It must be Sunday."),
    ]
    with pytest.raises(UserError, match=r"journal:1: .*'c1' has no such sentence now"):
        LabelStore(other, "ann", path)
