"""The data card ``README.md`` of a run: what the data set contains and which models made it."""

import html
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from groundrl.records import Provenance
from groundrl.report.tables import Table, to_markdown
from groundrl.synthesis.annotations import FinalDecision

HEAD: Final = """\
# {name}

{images} images, {samples} samples ({heldout} of them held out, by image). Licence of the
images: {licence}. Made with groundrl {version}; `python train.py data=synthesized
data.root=<this folder>` trains on it.
"""
FILES: Final = """\
`train.jsonl`, `heldout.jsonl` and the Parquet files hold the same samples. `images.jsonl` holds,
for each image, its regions, every caption as it was generated, every verdict with its reason and
span, the final texts, the merged caption with objects, attributes and relations, and the ids of
its samples.
"""
MAX_LENGTH: Final = 120
"""Characters of a text from a model or a file, in a table."""
LEVELS: Final = {1: "whole images", 2: "crops"}

Figures = Mapping[str, float]


def write_card(
    source: Provenance,
    components: Mapping[str, Any],
    figures: Figures,
    reasons: Sequence[tuple[str, str, int]],
    version: str,
) -> str:
    """Markdown; equal data gives equal text.

    ``components``: part of the data -> the component that made it. ``reasons`` of rejections: kind
    of error, reason, number of captions.
    """
    samples = _select(figures, "samples/")
    heldout = sum(value for name, value in samples.items() if name.startswith("heldout/"))
    head = HEAD.format(
        name=source.dataset,
        licence=_cut(" or ".join(sorted(_select(figures, "licences/")))),
        images=int(figures["images"] - figures.get("unfinished", 0)),
        samples=int(sum(samples.values())),
        heldout=int(heldout),
        version=version,
    )
    made_by = Table(
        columns=("what", "made by"),
        rows=tuple((what, str(name or "none")) for what, name in components.items()),
    )
    spent = []
    if figures["tokens"]:
        cost = f", cost {figures['cost']:.4f}" if figures["cost"] else ""
        spent.append(f"{int(figures['tokens']):,} tokens of language models{cost}.\n")
    tables = map(to_markdown, (*_count_tables(figures), *_reason_tables(reasons)))
    return "\n".join([head, to_markdown(made_by), *spent, FILES, *tables])


def _count_tables(figures: Figures) -> Iterator[Table]:
    splits = ("train", "heldout")
    kinds = sorted({name.rpartition("/")[2] for name in _select(figures, "samples/")})
    yield Table(
        columns=("question", *splits, "dropped: the boxes do not give the answer"),
        rows=tuple(
            (
                kind,
                *(_count(figures, f"samples/{split}/{kind}") for split in splits),
                _count(figures, f"dropped/{kind}"),
            )
            for kind in kinds
        ),
    )
    yield Table(
        columns=("captions", *FinalDecision),
        rows=tuple(
            (what, *(_count(figures, f"level_{level}/{decision}") for decision in FinalDecision))
            for level, what in LEVELS.items()
        ),
    )
    licences = sorted(_select(figures, "licences/"))
    if len(licences) > 1:
        rows = tuple((_cut(name), _count(figures, f"licences/{name}")) for name in licences)
        yield Table(columns=("licence", "images"), rows=rows)
    for title, prefix in (("wrong in captions", "flagged/"), ("why rejected", "rejected/")):
        names = sorted(_select(figures, prefix))
        if names:
            rows = tuple((name, _count(figures, prefix + name)) for name in names)
            yield Table(columns=(title, "captions"), rows=rows)


def _reason_tables(reasons: Sequence[tuple[str, str, int]]) -> Iterator[Table]:
    if reasons:
        yield Table(
            columns=("reason of a rejection, the most frequent", "what is wrong", "captions"),
            rows=tuple((_cut(reason), kind, str(number)) for kind, reason, number in reasons),
        )


def _cut(text: str) -> str:
    """An untrusted text for a table cell: on one line, escaped, at most ``MAX_LENGTH`` long."""
    return html.escape(" ".join(text.split())[:MAX_LENGTH])


def _count(figures: Figures, name: str) -> str:
    return str(int(figures.get(name, 0)))


def _select(figures: Figures, prefix: str) -> dict[str, float]:
    return {k.removeprefix(prefix): v for k, v in figures.items() if k.startswith(prefix)}
