"""The base of every published data set: it finds the files, checks their rows, finds the images; a
reader declares its files and turns one row into questions.

Training (``groundrl.published.module``) and benchmarks (``groundrl.evaluation.benchmarks``) use the
same readers, so that both ask the same.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from groundrl.data.problems import Problems
from groundrl.data.targets import Target
from groundrl.errors import UserError
from groundrl.files import json_lines, read_json
from groundrl.json_rows import read_rows
from groundrl.published.files import (
    Download,
    FoundFiles,
    ImageFinder,
    glob_all,
    with_places,
)
from groundrl.published.tables import find_tables, read_table
from groundrl.records import Form, Sample


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundSamples:
    """The questions of a data set."""

    samples: tuple[Sample, ...]
    names: tuple[str, ...]
    """Of the image of each sample, as published: equal names, equal images."""
    missing: tuple[str, ...]
    """Questions without an image, as ``id: why``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedReader(ABC):
    """A data set that is downloaded."""

    form: ClassVar[Form]
    targets: ClassVar[tuple[Target, ...]] = ("answer_only",)
    """What worked answers can be made of; ``Sample.rationale`` is the fullest of these."""
    sizes: ClassVar[Mapping[str, int]] = {}
    """How many questions are published, by ``part``."""

    root: str | None = None
    """The folder of the download, or a Parquet file; None: not given, which is enough for recorded
    answers."""

    @property
    def part(self) -> str:
        """The published part that is read."""
        return ""

    @property
    @abstractmethod
    def download(self) -> Download:
        """The files of the data set."""

    @abstractmethod
    def samples(self, files: FoundFiles, problems: Problems) -> Iterator[Sample]:
        """Every question; its images are a ``NamedImage`` with the name of the file. What is wrong
        in a file is added to ``problems``."""

    @property
    def table_splits(self) -> tuple[str, ...]:
        """What the names of Parquet files with ``part`` begin with, the most usual first."""
        return ("test",)

    def read_table(self, number: int, row: Mapping[str, Any]) -> Iterable[Sample]:
        """The questions of row ``number`` (from 0 on) of a table with ``download.columns``, about a
        ``NamedImage``. Raises ValueError for values that do not fit."""
        raise NotImplementedError(f"{type(self).__name__} has columns, and does not read them")

    def image_folders(self, files: FoundFiles) -> Sequence[Path]:
        """Where images are looked for, in this order."""
        return files.folders

    def sources(
        self, files: FoundFiles, problems: Problems
    ) -> Iterator[tuple[Sequence[Path], Iterable[Sample]]]:
        """Folders of images with the questions about images in them."""
        yield self.image_folders(files), self.samples(files, problems)

    def complete(self, sample: Sample) -> Sample | None:
        """A question whose images were found, as it is asked; None: it is not asked."""
        return sample

    def find_samples(self, images: bool = True) -> FoundSamples:
        """Every question that has its image. Without ``images``, those without an image too, about
        a ``NamedImage``.

        Raises UserError that lists every missing file, or every damaged row.
        """
        tables = find_tables(self.root, self.download, self.table_splits)
        if tables:
            return self._from_tables(tables, images)
        files = self.download.find(self.root, images)
        problems = Problems(f"{self.download.name} in {files.root}")
        sources = [(folders, list(samples)) for folders, samples in self.sources(files, problems)]
        problems.raise_if_any()
        finders = [(ImageFinder(folders), samples) for folders, samples in sources]
        return self._with_images(
            (sample, _find_images(sample, finder, images))
            for finder, samples in finders
            for sample in samples
        )

    def _from_tables(self, tables: Sequence[Path], images: bool) -> FoundSamples:
        """The questions of Parquet files; images that a row names are looked for as in a
        download."""
        problems = Problems(f"{self.download.name} in {tables[0]}")
        rows = list(read_table(tables, self.read_table, problems))
        problems.raise_if_any()
        root = Path(self.root or "").expanduser()
        folders = [p for pattern in self.download.images for p in glob_all(root, pattern)]
        finder = ImageFinder(folders)
        return self._with_images(
            (sample, sample if whole else _find_images(sample, finder, images))
            for sample, whole in rows
        )

    def _with_images(self, pairs: Iterable[tuple[Sample, Sample | str]]) -> FoundSamples:
        """``pairs``: a question, and the same with its images or why one is not there."""
        asked: list[Sample] = []
        names: list[str] = []
        missing: list[str] = []
        for sample, found in pairs:
            if isinstance(found, str):
                missing.append(f"{sample.id}: {found}")
            elif (complete := self.complete(found)) is not None:
                asked.append(complete)
                names.append(sample.image.key)
        self._check_some(asked, missing)
        return FoundSamples(samples=tuple(asked), names=tuple(names), missing=tuple(missing))

    def _check_some(self, asked: Sequence[Sample], missing: Sequence[str]) -> None:
        """Raises UserError when no question has its image."""
        name, advice = self.download.name, self.download.image_advice
        if not asked and not missing:
            raise UserError(f"{name}: its files hold no question of the part that is asked")
        if not asked:
            raise UserError(
                f"{name}: none of {len(missing)} questions has its image, for example {missing[0]}."
                f" {advice}."
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class RowReader(PublishedReader):
    """A data set with one file of rows, each of which holds questions."""

    row: ClassVar[type]
    """Shape of a row: a dataclass whose fields pydantic checks."""

    @abstractmethod
    def read(self, number: int, row: Any) -> Iterable[Sample]:
        """The questions of row ``number`` (from 0 on), an instance of ``self.row``. Raises
        ValueError for values that do not fit."""

    def rows(self, files: FoundFiles) -> Iterable[tuple[str, Any]]:
        """Rows with their places: the lines of a JSONL file, or the list of a JSON file."""
        path = files.parts[0]
        if path.suffix == ".jsonl":
            return json_lines(path, path.read_bytes())
        return with_places(path, read_json(path))

    def samples(self, files: FoundFiles, problems: Problems) -> Iterator[Sample]:
        """See ``PublishedReader``."""
        rows = read_rows(self.rows(files), self.row, problems.add)
        for number, (where, row) in enumerate(rows):
            try:
                yield from self.read(number, row)
            except ValueError as error:
                problems.add(where, str(error))


def _find_images(sample: Sample, finder: ImageFinder, needed: bool) -> Sample | str:
    """The sample with its images in place of their names, or why one of them is not there; unless
    ``needed``, an image that is not there keeps its name."""
    found = [finder.find(image.key) for image in sample.images]
    lacking = [one for one in found if isinstance(one, str)]
    if lacking and needed:
        return lacking[0]
    image, *context_images = (
        named if isinstance(one, str) else one
        for named, one in zip(sample.images, found, strict=True)
    )
    return replace(sample, image=image, context_images=tuple(context_images))
