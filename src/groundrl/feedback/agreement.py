"""How far two annotators agree about the same captions.

``python -m groundrl.feedback.agreement a=captions.ann.jsonl b=captions.bea.jsonl``

Prints a table and the captions on which they differ most, and writes ``page=`` with both labels
side by side, by default ``<name of a>.<annotator of b>.html`` beside the first file.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
from jaxtyping import Int

from groundrl.data.problems import Problems
from groundrl.errors import UserError
from groundrl.feedback.agreement_page import write_agreement_page
from groundrl.feedback.label_pairs import LabelPair
from groundrl.feedback.labels import (
    MOST_SEVERE,
    LabelledCaption,
    SentenceError,
    SentenceLabel,
    read_captions,
)
from groundrl.feedback.options import read_options
from groundrl.intervals import Interval, bootstrap, bootstrap_of_sums, cohen_kappa
from groundrl.report.tables import Table, number, to_text

USAGE = "python -m groundrl.feedback.agreement a=<labels.jsonl> b=<labels.jsonl> [page=<file.html>]"
CAPTIONS_PRINTED = 10
LEGEND = (
    "kappa: Cohen's, with its 95 % interval by bootstrap over images; none where both say the same "
    "of every sentence",
    "agree: share of sentences with the same label",
    "columns of the annotators: share of sentences, or the mean severity where both see an error",
)


def _sees(error: SentenceError) -> Callable[[SentenceLabel], bool]:
    return lambda label: error in label.errors


ASPECTS: Mapping[str, Callable[[SentenceLabel], bool]] = MappingProxyType(
    {
        "has an error": lambda label: bool(label.errors),
        **{str(error): _sees(error) for error in SentenceError},
        "creative": lambda label: label.creative,
    }
)
"""What an annotator says of a sentence: yes or no."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """About one aspect, over the sentences that both labelled."""

    name: str
    kappa: Interval | None
    """Cohen's kappa; None where both say the same one thing of every sentence: chance alone
    explains that."""
    same: Interval
    """Share of sentences with the same label, in [0, 1]."""
    means: tuple[float, float]
    """Of both annotators: share of sentences, or mean severity."""


def read_labels(path: Path) -> dict[str, LabelledCaption]:
    """The labelled captions of one annotator, by id. Raises UserError."""
    problems = Problems(str(path))
    found: dict[str, LabelledCaption] = {}
    for one in read_captions(path):
        if one.sentences is None:
            continue
        if one.id in found:
            names = f"{found[one.id].annotator!r} and {one.annotator!r}"
            problems.add(path, f"the caption {one.id!r} has labels of {names}: keep one of them")
        found[one.id] = one
    if not found:
        problems.add(path, "no caption is labelled")
    problems.raise_if_any()
    return found


def pair_labels(a: Path, b: Path) -> tuple[list[LabelPair], list[str]]:
    """The captions that both files label, and what is left out, in words. Raises UserError."""
    if a.exists() and b.exists() and a.samefile(b):
        raise UserError(f"a={a} and b={b} are one file: type the labels of two annotators")
    first, second = read_labels(a), read_labels(b)
    common = [key for key in first if key in second]
    if not common:
        raise UserError(
            f"{a} and {b} have no caption in common, for example {next(iter(first))!r} and "
            f"{next(iter(second))!r}: give two files of labels of the same captions"
        )
    problems = Problems(f"{a} and {b}")
    for key in common:
        if first[key].text != second[key].text:
            problems.add(b, f"the caption {key!r} has another text than in {a}")
    problems.raise_if_any()
    left_out = [
        f"{len(own) - len(common)} of {len(own)} captions of {path} are left out: the other file "
        "does not label them"
        for path, own in ((a, first), (b, second))
        if len(own) > len(common)
    ]
    return [LabelPair(a=first[key], b=second[key]) for key in common], left_out


def measure_agreement(pairs: Sequence[LabelPair]) -> list[Agreement]:
    """About every aspect, then about the severity of sentences in which both see an error."""
    labels = [labels for pair in pairs for labels in pair.sentences]
    # Captions of one image are not independent, as the sentences of one caption are not.
    images = [pair.a.image.key for pair in pairs for _ in pair.sentences]
    found = [
        _measure(name, np.array([[says(x), says(y)] for x, y in labels], dtype=int), 2, images)
        for name, says in ASPECTS.items()
    ]
    both = [n for n, (x, y) in enumerate(labels) if x.errors and y.errors]
    if both:
        severities = [[one.severity for one in labels[n]] for n in both]
        codes = np.array(severities, dtype=int)
        found.append(_measure("severity", codes, MOST_SEVERE + 1, [images[n] for n in both]))
    return found


def _measure(
    name: str, codes: Int[np.ndarray, "n 2"], kinds: int, images: Sequence[str]
) -> Agreement:
    cells = np.eye(kinds * kinds)[kinds * codes[:, 0] + codes[:, 1]]
    kappa = None
    if len(np.unique(codes)) > 1:
        kappa = bootstrap_of_sums(
            cells, lambda sums: cohen_kappa(sums.reshape(-1, kinds, kinds)), images
        )
    same = bootstrap((codes[:, 0] == codes[:, 1]).astype(float), images)
    mean_a, mean_b = codes.mean(axis=0)
    return Agreement(name=name, kappa=kappa, same=same, means=(float(mean_a), float(mean_b)))


def agreement_table(found: Sequence[Agreement], annotators: tuple[str, str]) -> Table:
    """One row per aspect."""
    rows = tuple(
        (
            one.name,
            "" if one.kappa is None else number(one.kappa.mean),
            "" if one.kappa is None else number(one.kappa.low),
            "" if one.kappa is None else number(one.kappa.high),
            number(one.same.mean),
            *map(number, one.means),
            str(one.same.n),
        )
        for one in found
    )
    columns = ("label", "kappa", "low", "high", "agree", *annotators, "sentences")
    return Table(columns=columns, rows=rows)


def difference_table(pairs: Sequence[LabelPair], annotators: tuple[str, str]) -> Table:
    """The captions that differ most, one line per sentence that differs."""
    rows = []
    for pair in pairs[:CAPTIONS_PRINTED]:
        numbers = pair.differing
        cells = [[pair.sentences[n][side].describe() for n in numbers] for side in (0, 1)]
        places = "\n".join(str(n + 1) for n in numbers)
        rows.append((pair.a.id, places, "\n".join(cells[0]), "\n".join(cells[1])))
    return Table(columns=("differ most", "sentence", *annotators), rows=tuple(rows))


def main(arguments: Sequence[str]) -> int:
    """Print the tables and write the page. Returns the exit status: 0, or 2 for a UserError."""
    try:
        values = read_options(arguments, USAGE, {"a": None, "b": None, "page": ""})
        a, b = Path(values["a"]).expanduser(), Path(values["b"]).expanduser()
        page = Path(values["page"]).expanduser() if values["page"] else None
        if page is not None and page.suffix != ".html":
            raise UserError(f"page={page} must end in .html")
        pairs, left_out = pair_labels(a, b)
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    names = pairs[0].a.annotator or "a", pairs[0].b.annotator or "b"
    page = page or a.with_name(f"{a.stem}.{names[1]}.html")
    pairs.sort(key=lambda pair: pair.distance, reverse=True)
    table = agreement_table(measure_agreement(pairs), names)
    differing = [pair for pair in pairs if pair.differing]
    write_agreement_page(page, pairs, names, table, [*left_out, *LEGEND])
    lines = [to_text(table), "", *LEGEND, *left_out, ""]
    lines += [to_text(difference_table(differing, names)) if differing else "No label differs."]
    print("\n".join([*lines, "", str(page)]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
