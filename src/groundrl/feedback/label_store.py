"""The labels of one annotator on disk, saved after every sentence.

The labels file holds the captions of which every sentence is labelled. What it lacks stands in a
journal beside it, ``.<name>.journal``: one line for each change, so that a kill loses nothing that
was saved. When the store is opened and closed, only the labels of unfinished captions are left in
the journal.
"""

import errno
import json
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from groundrl.data.problems import Problems
from groundrl.feedback.labels import (
    CaptionWriter,
    LabelledCaption,
    SentenceLabel,
    read_caption_rows,
)
from groundrl.files import drop_torn_line, replace_file
from groundrl.json_rows import Text, Whole, read_json_lines
from groundrl.language.splitting import split_sentences
from groundrl.running.locks import lock_file


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalRow:
    """A change of one label."""

    id: Text
    number: Whole
    """Of the sentence in the caption, from 0 on."""
    sentence: Text
    """Its text: labels of another captions file are recognised."""
    label: SentenceLabel | None
    """None: taken back."""


@contextmanager
def open_labels(
    captions: Sequence[LabelledCaption], annotator: str, path: Path
) -> Iterator["LabelStore"]:
    """The labels of ``annotator`` in the file ``path``, locked until the end of the block.

    Raises UserError where another process has them open, or where the files hold labels that are
    not of these captions and this annotator.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    busy = f"{path}: another page is open for these labels; close it, or type labels=<another file>"
    with lock_file(path, busy):
        store = LabelStore(captions, annotator, path)
        store.tidy()
        try:
            yield store
        finally:
            store.tidy()


class LabelStore:
    """Labels by caption and sentence. Several threads may call it."""

    def __init__(self, captions: Sequence[LabelledCaption], annotator: str, path: Path) -> None:
        """Reads what was saved before. Raises UserError."""
        self.captions = captions
        self.annotator = annotator
        self.path = path
        self.journal = path.with_name(f".{path.name}.journal")
        self.spans = [split_sentences(one.text) for one in captions]
        self.labels: list[list[SentenceLabel | None]] = [[None] * len(one) for one in self.spans]
        self._number = {one.id: number for number, one in enumerate(captions)}
        self._writer = CaptionWriter(path.parent)
        self._lines: dict[int, str] = {}
        """Of finished captions: rows are written once, not at each change of the file."""
        self._lock = threading.Lock()
        problems = Problems(f"labels={path}")
        if path.exists():
            self._read_labels(problems)
        self._read_journal(problems)
        problems.raise_if_any()

    def is_finished(self, caption: int) -> bool:
        """Whether each of its sentences has a label."""
        return None not in self.labels[caption]

    @property
    def finished(self) -> int:
        """Number of captions whose sentences are all labelled."""
        return sum(map(self.is_finished, range(len(self.captions))))

    def set_label(self, caption: int, number: int, label: SentenceLabel | None) -> None:
        """Save the label of a sentence, or that it has none. Raises OSError where the disk does not
        take it."""
        with self._lock:
            _append(self.journal, self._journal_line(caption, number, label))
            was_finished = self.is_finished(caption)
            self.labels[caption][number] = label
            if was_finished or self.is_finished(caption):
                self._lines.pop(caption, None)
                self._write_finished()

    def tidy(self) -> None:
        """Bring the labels file up to date, then leave only unfinished captions in the journal."""
        with self._lock:
            self._write_finished()
            lines = [
                self._journal_line(caption, number, label)
                for caption, labels in enumerate(self.labels)
                if not self.is_finished(caption)
                for number, label in enumerate(labels)
                if label is not None
            ]
            if not lines:
                self.journal.unlink(missing_ok=True)
                return
            with replace_file(self.journal, only_writer=True) as partial:
                partial.write_bytes(b"".join(lines))

    def _write_finished(self) -> None:
        finished = [n for n in range(len(self.captions)) if self.is_finished(n)]
        if not finished:
            self.path.unlink(missing_ok=True)
            return
        for number in finished:
            if number not in self._lines:
                self._lines[number] = self._line(number)
        content = "".join(self._lines[number] for number in finished)
        with replace_file(self.path, only_writer=True) as partial:
            partial.write_bytes(content.encode())

    def _line(self, number: int) -> str:
        caption = self.captions[number]
        sentences = tuple(label for label in self.labels[number] if label is not None)
        return self._writer.line(replace(caption, sentences=sentences, annotator=self.annotator))

    def _journal_line(self, caption: int, number: int, label: SentenceLabel | None) -> bytes:
        row = {
            "id": self.captions[caption].id,
            "number": number,
            "sentence": self._sentence(caption, number),
            "label": None if label is None else asdict(label),
        }
        return (json.dumps(row, ensure_ascii=False) + "\n").encode()

    def _sentence(self, caption: int, number: int) -> str:
        start, stop = self.spans[caption][number]
        return self.captions[caption].text[start:stop]

    def _read_labels(self, problems: Problems) -> None:
        for where, row in read_caption_rows(self.path, problems):
            number = self._number.get(row.id)
            if row.annotator != self.annotator:
                problems.add(where, f"a label of {row.annotator!r}, not of {self.annotator!r}")
            elif number is None:
                problems.add(where, f"the captions have no id {row.id!r}")
            elif self.captions[number].text != row.text:
                problems.add(where, f"the caption {row.id!r} has another text")
            elif row.sentences is None:
                problems.add(where, f"the caption {row.id!r} has no labels here")
            else:
                self.labels[number] = list(row.sentences)

    def _read_journal(self, problems: Problems) -> None:
        content = drop_torn_line(self.journal)
        for where, row in read_json_lines(self.journal, content, JournalRow, problems.add):
            caption = self._number.get(row.id)
            if (
                caption is None
                or row.number >= len(self.spans[caption])
                or self._sentence(caption, row.number) != row.sentence
            ):
                problems.add(where, f"the caption {row.id!r} has no such sentence now")
            else:
                self.labels[caption][row.number] = row.label


def _append(path: Path, line: bytes) -> None:
    """Raises OSError, and leaves the file as it was, where the line does not fit on the disk."""
    with path.open("ab", buffering=0) as file:
        before = file.tell()
        try:
            if file.write(line) < len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        except OSError:
            os.truncate(path, before)
            raise
