"""The data card: what is in a synthesised data set, who made it, and what was thrown away."""

from collections.abc import Mapping
from typing import Any

from groundrl.records import Provenance

HEAD = """\
# {name}

{pictures} pictures, {samples} samples ({held} of them held out, by picture). Licence of the
pictures: {licence}. Made with groundrl {version}; `python train.py data=synthesized
data.root=<this folder>` trains on it.

| what | made by |
|---|---|
"""
FILES = """
`train.jsonl`, `heldout.jsonl` and the Parquet files hold the same samples. `pictures.jsonl` holds,
for each picture, its regions, every caption as it was written, every verdict with its reason and
span, what was left, the merged caption with objects, attributes and relations, and the ids of its
samples.
"""


def data_card(
    source: Provenance, made_by: Mapping[str, Any], figures: Mapping[str, float], version: str
) -> str:
    """Markdown; the same for the same data."""
    samples = _under(figures, "samples/")
    kinds = sorted({name.rpartition("/")[2] for name in samples})
    held = sum(value for name, value in samples.items() if name.startswith("heldout/"))
    text = HEAD.format(
        name=source.dataset,
        licence=source.licence,
        pictures=int(figures["pictures"] - figures.get("unfinished", 0)),
        samples=int(sum(samples.values())),
        held=int(held),
        version=version,
    )
    text += "".join(f"| {what} | {who or 'nobody'} |\n" for what, who in made_by.items())
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
    for level, what in ((1, "whole pictures"), (2, "crops")):
        ends = (int(figures.get(f"level_{level}/{e}", 0)) for e in ("kept", "repaired", "rejected"))
        text += f"| {what} | " + " | ".join(map(str, ends)) + " |\n"
    reasons = _under(figures, "flagged/")
    if reasons:
        text += "\n| wrong in captions | captions |\n|---|---:|\n"
        text += "".join(f"| {kind} | {int(n)} |\n" for kind, n in sorted(reasons.items()))
    return text


def _under(figures: Mapping[str, float], head: str) -> dict[str, float]:
    return {k.removeprefix(head): v for k, v in figures.items() if k.startswith(head)}
