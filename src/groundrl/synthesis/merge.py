"""Both caption levels as one: a caption that points, the objects, and their relations."""

from collections.abc import Sequence
from dataclasses import dataclass

from groundrl.detectors.records import Region
from groundrl.language.reading import Mention, Reading, parse_caption, split_label
from groundrl.questions.sentences import there_is, weave
from groundrl.records import Grounding, Segments
from groundrl.relations import Relation
from groundrl.synthesis.annotations import CaptionedImage
from groundrl.synthesis.consistency import color_of


@dataclass(frozen=True, slots=True, kw_only=True)
class MergedObject:
    """An object whose caption was accepted."""

    noun: str
    color: str | None
    region: Region
    caption: str
    """Of level 2."""

    @property
    def label(self) -> str:
        """ "red cup"."""
        return self.noun if self.color is None else f"{self.color} {self.noun}"

    @property
    def grounding(self) -> Grounding:
        """The label and the box."""
        return Grounding(label=self.label, box=self.region.box)


@dataclass(frozen=True, slots=True, kw_only=True)
class MergedImage:
    """What the accepted captions of an image say."""

    caption: Segments
    """Empty where no caption was accepted."""
    objects: tuple[MergedObject, ...]
    relations: tuple[tuple[int, Relation, int], ...]
    """Between indices of ``objects``, as accepted captions state them; each once."""
    uncertain: frozenset[str]
    """Nouns of which there may be more than ``objects`` holds."""


def merge(annotated: CaptionedImage) -> MergedImage:
    """The caption of level 1 with its objects linked to boxes, then the objects that it does not
    name."""
    objects = tuple(
        MergedObject(
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
    caption, linked = _link(readings[0], objects) if readings else ((), set())
    rest = [one.grounding for index, one in enumerate(objects) if index not in linked]
    if rest:
        more = there_is(rest, also=bool(caption))
        caption = weave(*_without_last_blank(caption), " ", *more) if caption else more
    readings += [parse_caption(one.caption, nouns) for one in objects]
    accepted = [one.region for one in objects]
    return MergedImage(
        caption=caption,
        objects=objects,
        relations=_find_relations(readings, objects),
        uncertain=frozenset(
            split_label(region.label)[1]
            for region in (*annotated.regions, *annotated.doubts)
            if region not in accepted
        ),
    )


def find_referent(mention: Mention, objects: Sequence[MergedObject]) -> int | None:
    """Index of the one object that a mention can mean; None where it may mean several or none."""
    if not mention.is_single:
        return None
    found = [i for i, one in enumerate(objects) if one.noun == mention.noun]
    if mention.color is not None:
        of_color = [i for i in found if objects[i].color == mention.color]
        found = of_color or [i for i in found if objects[i].color is None]
    return found[0] if len(found) == 1 else None


def _link(reading: Reading, objects: Sequence[MergedObject]) -> tuple[Segments, set[int]]:
    """The text with each object pointed at where it is first named, and the indices of these
    objects."""
    parts: list[str | Grounding] = []
    done: set[int] = set()
    at = 0
    for mention in reading.mentions:
        index = find_referent(mention, objects)
        if index is None or index in done or mention.number is not None:
            continue
        done.add(index)
        if mention.start > at:
            parts.append(reading.text[at : mention.start])
        label = reading.text[mention.start : mention.end]
        parts.append(Grounding(label=label, box=objects[index].region.box))
        at = mention.end
    if at < len(reading.text):
        parts.append(reading.text[at:])
    return tuple(parts), done


def _without_last_blank(caption: Segments) -> Segments:
    *before, last = caption
    return (*before, last.rstrip() if isinstance(last, str) else last)


def _find_relations(
    readings: Sequence[Reading], objects: Sequence[MergedObject]
) -> tuple[tuple[int, Relation, int], ...]:
    found: dict[tuple[int, Relation, int], None] = {}
    for reading in readings:
        for stated in reading.relations:
            i, j = find_referent(stated.subject, objects), find_referent(stated.object, objects)
            if i is not None and j is not None and i != j:
                found[i, stated.relation, j] = None
    return tuple(found)
