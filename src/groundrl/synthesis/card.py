"""The data card: what is in a synthesised data set, who made it, and what was thrown away."""

import html
from collections.abc import Mapping, Sequence
from typing import Any, Final

from groundrl.records import Provenance

HEAD = """\
# {name}

{images} images, {samples} samples ({held} of them held out, by image). Licence of the
images: {licence}. Made with groundrl {version}; `python train.py data=synthesized
data.root=<this folder>` trains on it.

| what | made by |
|---|---|
"""
FILES = """
`train.jsonl`, `heldout.jsonl` and the Parquet files hold the same samples. `images.jsonl` holds,
for each image, its regions, every caption as it was written, every verdict with its reason and
span, what was left, the merged caption with objects, attributes and relations, and the ids of its
samples.
"""
LONGEST: Final = 120
"""Characters of a reason."""


def data_card(
    source: Provenance,
    made_by: Mapping[str, Any],
    figures: Mapping[str, float],
    reasons: Sequence[tuple[str, str, int]],
    version: str,
) -> str:
    """Markdown; the same for the same data. ``reasons`` of rejections: what is wrong, the words of
    who rejected, how often."""
    samples = _under(figures, "samples/")
    kinds = sorted({name.rpartition("/")[2] for name in samples})
    held = sum(value for name, value in samples.items() if name.startswith("heldout/"))
    text = HEAD.format(
        name=source.dataset,
        licence=_plain(" or ".join(sorted(_under(figures, "licences/")))),
        images=int(figures["images"] - figures.get("unfinished", 0)),
        samples=int(sum(samples.values())),
        held=int(held),
        version=version,
    )
    for what, who in made_by.items():
        name = str(who or "nobody").replace("|", "\\|")
        text += f"| {what} | {name} |\n"
    if figures["tokens"]:
        paid = f", cost {figures['cost']:.4f}" if figures["cost"] else ""
        text += f"\n{int(figures['tokens']):,} tokens of language models{paid}.\n"
    text += FILES
    text += "\n| question | train | heldout | dropped: the boxes do not give the answer |\n"
    text += "|---|---:|---:|---:|\n"
    for kind in kinds:
        counts = (
            *(samples.get(f"{split}/{kind}", 0) for split in ("train", "heldout")),
            figures.get(f"dropped/{kind}", 0),
        )
        text += f"| {kind} | " + " | ".join(str(int(count)) for count in counts) + " |\n"
    text += "\n| captions | kept | repaired | rejected |\n|---|---:|---:|---:|\n"
    for level, what in ((1, "whole images"), (2, "crops")):
        ends = (int(figures.get(f"level_{level}/{e}", 0)) for e in ("kept", "repaired", "rejected"))
        text += f"| {what} | " + " | ".join(map(str, ends)) + " |\n"
    licences = sorted(_under(figures, "licences/").items())
    if len(licences) > 1:
        text += "\n| licence | images |\n|---|---:|\n"
        text += "".join(f"| {_plain(name)} | {int(n)} |\n" for name, n in licences)
    for title, head in (("wrong in captions", "flagged/"), ("why rejected", "rejected/")):
        counts = sorted(_under(figures, head).items())
        if counts:
            text += f"\n| {title} | captions |\n|---|---:|\n"
            text += "".join(f"| {kind} | {int(n)} |\n" for kind, n in counts)
    if reasons:
        text += "\n| reason of a rejection, the most frequent | what is wrong | captions |\n"
        text += "|---|---|---:|\n"
        text += "".join(f"| {_plain(why)} | {what} | {n} |\n" for what, why, n in reasons)
    return text


def _plain(text: str) -> str:
    """A cell of a table, whatever a model wrote."""
    return html.escape(" ".join(text.split())[:LONGEST]).replace("|", "\\|")


def _under(figures: Mapping[str, float], head: str) -> dict[str, float]:
    return {k.removeprefix(head): v for k, v in figures.items() if k.startswith(head)}
