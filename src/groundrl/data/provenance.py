"""Where the samples of a run come from, counted, as a model card shows it."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from groundrl.data.datasets import SampleList, SampleSource
from groundrl.errors import UserError
from groundrl.files import read_json, write_json
from groundrl.json_rows import Text, Whole, validate

SOURCES: Final = "data_sources.json"
"""In a run directory: a list of ``DataSource``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSource:
    """Samples of one set that have the same provenance."""

    set: Text
    """"train", or the name of a held-out set."""
    dataset: Text
    split: Text
    licence: Text
    samples: Whole


@dataclass(frozen=True, slots=True, kw_only=True)
class _SourcesFile:
    """For the paths in messages."""

    sources: tuple[DataSource, ...]


def count_sources(name: str, source: SampleSource) -> list[DataSource]:
    """The most frequent first. Sets that make their samples when they are asked for one have a
    single provenance, that of the first."""
    if isinstance(source, SampleList):
        found = Counter(sample.provenance for sample in source.samples)
    else:
        found = Counter({source[0].provenance: len(source)})
    return [
        DataSource(
            set=name,
            dataset=one.dataset,
            split=one.split,
            licence=one.licence,
            samples=samples,
        )
        for one, samples in found.most_common()
    ]


def write_sources(run_dir: Path, train: SampleSource, heldout: Mapping[str, SampleSource]) -> None:
    """Write ``data_sources.json``."""
    sets = {"train": train, **heldout}
    found = [one for name, source in sets.items() for one in count_sources(name, source)]
    write_json(run_dir / SOURCES, [asdict(one) for one in found])


def read_sources(run_dir: Path) -> list[DataSource]:
    """The sources of a run; empty where none are written down. Raises UserError where the file is
    damaged."""
    path = run_dir / SOURCES
    if not path.is_file():
        return []
    try:
        return list(validate(_SourcesFile, {"sources": read_json(path)}).sources)
    except ValueError as error:
        raise UserError(f"{path}: {error}. Restore the file, or delete it") from error
