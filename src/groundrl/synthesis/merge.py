"""Both levels in one: a caption that points, the objects, and how they stand to each other."""

from collections.abc import Sequence
from dataclasses import dataclass

from groundrl.detectors.records import Region
from groundrl.language.words import verb_be, with_article
from groundrl.records import Grounding, Segments
from groundrl.relations import Relation
from groundrl.synthesis.annotations import CaptionedImage
from groundrl.synthesis.consistency import color_of
from groundrl.synthesis.reading import Mention, Reading, parse_caption, split_label


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """An object whose caption stood up to verification."""

    noun: str
    color: str | None
    region: Region
    caption: str
    """Level 2."""

    @property
    def label(self) -> str:
        """ "red cup"."""
        return self.noun if self.color is None else f"{self.color} {self.noun}"

    @property
    def grounding(self) -> Grounding:
        """With its box."""
        return Grounding(label=self.label, box=self.region.box)


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """What is known of an image in the end."""

    caption: Segments
    """Empty where nothing is left to say."""
    things: tuple[Thing, ...]
    relations: tuple[tuple[int, Relation, int], ...]
    """Said of ``things`` in captions that were kept; each once."""
    uncertain: frozenset[str]
    """Nouns of which there may be more than ``things`` holds."""


def merge(annotated: CaptionedImage) -> Merged:
    """Level 1 with its objects linked to boxes, then level 2 of those that it does not name."""
    things = tuple(
        Thing(
            noun=split_label(branch.crop.region.label)[1],
            color=color_of(branch) or split_label(branch.crop.region.label)[0],
            region=branch.crop.region,
            caption=branch.text,
        )
        for branch in annotated.crop_captions
        if branch.crop is not None and branch.text is not None
    )
    nouns = {split_label(region.label)[1] for region in annotated.regions}
    whole = annotated.image_caption.text
    readings = [parse_caption(text, nouns) for text in ([] if whole is None else [whole])]
    caption, linked = _linked(readings[0], things) if readings else ((), set())
    rest = [thing for index, thing in enumerate(things) if index not in linked]
    if rest:
        caption = _joined(caption, _there_is(rest, also=bool(caption)))
    readings += [parse_caption(thing.caption, nouns) for thing in things]
    kept = [thing.region for thing in things]
    return Merged(
        caption=caption,
        things=things,
        relations=_relations(readings, things),
        uncertain=frozenset(
            split_label(region.label)[1]
            for region in (*annotated.regions, *annotated.doubts)
            if region not in kept
        ),
    )


def referent(mention: Mention, things: Sequence[Thing]) -> int | None:
    """Index of the one thing that a mention can mean."""
    if not mention.is_single:
        return None
    found = [i for i, thing in enumerate(things) if thing.noun == mention.noun]
    if mention.color is not None:
        of_color = [i for i in found if things[i].color == mention.color]
        found = of_color or [i for i in found if things[i].color is None]
    return found[0] if len(found) == 1 else None


def _there_is(things: Sequence[Thing], also: bool) -> Segments:
    """ "There is also a A, a B and a C." """
    parts: list[str | Grounding] = [f"There {verb_be(things[0].noun)} {'also ' if also else ''}"]
    for index, thing in enumerate(things):
        if index:
            parts.append(" and " if index == len(things) - 1 else ", ")
        article = with_article(thing.label).removesuffix(thing.label)
        parts = [*parts[:-1], f"{parts[-1]}{article}", thing.grounding]
    return (*parts, ".")


def _linked(reading: Reading, things: Sequence[Thing]) -> tuple[Segments, set[int]]:
    """The text with every thing pointed at where it is first named, and which ones are."""
    parts: list[str | Grounding] = []
    done: set[int] = set()
    at = 0
    for mention in reading.mentions:
        index = referent(mention, things)
        if index is None or index in done or mention.number is not None:
            continue
        done.add(index)
        if mention.start > at:
            parts.append(reading.text[at : mention.start])
        label = reading.text[mention.start : mention.end]
        parts.append(Grounding(label=label, box=things[index].region.box))
        at = mention.end
    if at < len(reading.text):
        parts.append(reading.text[at:])
    return tuple(parts), done


def _joined(first: Segments, second: Segments) -> Segments:
    """With a blank between them; ``second`` begins with a string, and so do its neighbours meet."""
    if not first:
        return second
    *before, last = first
    begin = f" {second[0]}"
    if isinstance(last, str):
        return (*before, f"{last.rstrip()}{begin}", *second[1:])
    return (*first, begin, *second[1:])


def _relations(
    readings: Sequence[Reading], things: Sequence[Thing]
) -> tuple[tuple[int, Relation, int], ...]:
    found: dict[tuple[int, Relation, int], None] = {}
    for reading in readings:
        for said in reading.relations:
            i, j = referent(said.subject, things), referent(said.object, things)
            if i is not None and j is not None and i != j:
                found[i, said.relation, j] = None
    return tuple(found)
