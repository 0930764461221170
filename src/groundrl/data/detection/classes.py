"""What may be asked about the classes of a detection data set: their nouns, and which of them rule
each other out.

A list of classes is no list of things that exclude each other: one may be a part of another
(animal, cat), the same in other letters (Cat, cat), or no thing at all (background).
"""

import logging
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from groundrl.data.detection.base import DetectionSet
from groundrl.errors import UserError
from groundrl.language.class_names import nouns_of
from groundrl.language.synonyms import is_among, words_for
from groundrl.records import Grounding

logger = logging.getLogger(__name__)

NO_THINGS: Final = frozenset(
    (
        *("background", "bg", "misc", "miscellaneous", "n a", "none", "other", "rest"),
        *("unlabeled", "unlabelled", "void"),
    )
)
"""Classes of what is no thing, or any thing."""
HIDING: Final = frozenset(
    (
        *("don t care", "don't care", "dontcare", "ignore", "ignore area", "ignore region"),
        *("ignored", "ignored area", "ignored region", "unknown"),
    )
)
"""Classes of regions in which objects of every class may be, undrawn."""

OTHER_THINGS: Final = frozenset(
    {"computer mouse", "guinea pig", "hot dog", "sea horse", "teddy bear"}
)
"""Nouns that are not what their last word says."""
ALL: Final = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassOptions:
    """What the user says about classes."""

    names: Mapping[str, str | None] = field(default_factory=dict)
    """Class -> its noun, singular; None for a class that is not to be asked about."""
    never_absent: Sequence[str] | str = ()
    """Classes that annotators may have missed, or "all": no question has the answer that there is
    none."""
    other_splits: Sequence[str] = ()
    """Classes of other splits, beside which names become the same nouns in each."""

    def check(self, known: Collection[str], place: str) -> None:
        """Raises UserError for a class that the data does not have. ``place``: "data"."""
        missed = () if self.never_absent == ALL else self.never_absent
        if isinstance(missed, str):
            raise UserError(
                f"{place}.never_absent={missed}: type {place}.never_absent=[{missed}], or =all"
            )
        blank = [name for name, noun in self.names.items() if noun is not None and not noun.strip()]
        if blank:
            raise UserError(f"{place}.names: type a noun for {', '.join(blank)}, or null")
        for option, names in (("names", self.names), ("never_absent", missed)):
            unknown = [name for name in names if name not in known]
            if unknown:
                raise UserError(
                    f"{place}.{option}: there is no class {', '.join(unknown)}; choose from "
                    f"{', '.join(known)}"
                )


def name_classes(found: DetectionSet, options: ClassOptions) -> DetectionSet:
    """The data set with nouns for classes, and with images that know of which classes there may be
    more than their boxes show.

    * Classes of one noun become one. Of a class without a noun the boxes go.
    * A wider class that has no boxes anywhere is no class. One that has: beside a box of it any of
      its narrower classes may be there, and the other way round.
    * Where a region is marked as ignored, every class may be there, unless ``options.names`` says
      something about its class.
    """
    nouns = _choose_nouns(found, options)
    names = tuple(dict.fromkeys(noun for noun in nouns.values() if noun is not None))
    related = _related(found, nouns, names)
    hiding = {name for name in found.names if _plain(name) in HIDING and name not in options.names}
    spellings: dict[str | None, list[str]] = defaultdict(list)
    for name, noun in nouns.items():
        spellings[noun].append(name)
    # "all" is told to each image in a shorter way.
    listed = () if options.never_absent == ALL else options.never_absent
    missed = {noun for name in listed if (noun := nouns.get(name)) is not None}
    images = []
    for image in found.images:
        groundings = dict.fromkeys(
            Grounding(label=noun, box=item.box)
            for item in image.groundings
            if (noun := nouns[item.label]) is not None
        )
        drawn = {item.label for item in groundings}
        uncounted = {noun for name in image.uncounted if (noun := nouns.get(name)) is not None}
        beside = {other for noun in drawn | uncounted for other in related.get(noun, ())}
        hidden = any(item.label in hiding for item in image.groundings) or not hiding.isdisjoint(
            image.uncounted
        )
        denied = None if image.denied is None else _denied(image.denied, nouns, spellings)
        if hidden or options.never_absent == ALL:
            denied = frozenset[str]()
        images.append(
            replace(
                image,
                groundings=tuple(groundings),
                uncounted=frozenset(
                    uncounted | beside | (missed - drawn) | (drawn if hidden else set())
                ),
                denied=denied,
            )
        )
    return replace(found, names=names, images=tuple(images), wider={})


def _denied(
    names: Collection[str],
    nouns: Mapping[str, str | None],
    spellings: Mapping[str | None, Collection[str]],
) -> frozenset[str]:
    """Nouns that are absent in each of their spellings."""
    found = {noun for name in names if (noun := nouns.get(name)) is not None}
    return frozenset(noun for noun in found if all(one in names for one in spellings[noun]))


def _choose_nouns(found: DetectionSet, options: ClassOptions) -> dict[str, str | None]:
    """The noun of each class; None for one that is not asked about. Logs what is not plain."""
    drawn = {item.label for image in found.images for item in image.groundings}
    groups = {wide for above in found.wider.values() for wide in above}
    labels = dict.fromkeys((*found.names, *sorted(drawn)))
    kept = [
        name
        for name in labels
        if _plain(name) not in NO_THINGS | HIDING and (name in drawn or name not in groups)
    ]
    beside = nouns_of([*kept, *options.other_splits])
    chosen = {**{name: beside[name] for name in kept}, **options.names}
    nouns = {name: chosen.get(name) for name in labels}
    changed = [f"{name} -> {noun}" for name, noun in nouns.items() if noun not in (None, name)]
    if changed:
        logger.info("%s: classes are asked about as: %s", found.name, ", ".join(changed))
    silent = [name for name, noun in nouns.items() if noun is None and name in drawn]
    if silent:
        logger.warning(
            "%s: left out the boxes of %s, which name no thing; type 'data.names={%s: <noun>}' "
            "(detector.names for synthesize.py) to ask about one",
            found.name,
            ", ".join(silent),
            silent[0],
        )
    return nouns


def _related(
    found: DetectionSet, nouns: Mapping[str, str | None], names: Sequence[str]
) -> dict[str, set[str]]:
    """Noun -> others that may name the same object: wider and narrower classes, synonyms, and
    nouns that end with it (a sports ball is a ball)."""
    pairs: set[tuple[str | None, str | None]] = {
        (nouns.get(name), nouns.get(wide)) for name, above in found.wider.items() for wide in above
    }
    known = {*names}
    for noun in names:
        words = [] if noun in OTHER_THINGS else noun.split()
        ends = {" ".join(words[start:]) for start in range(1, len(words))}
        pairs |= {(noun, other) for other in ends & known}
        pairs |= {
            (noun, other)
            for other in words_for([noun]) & known
            if is_among(noun, other) or is_among(other, noun)
        }
    related: dict[str, set[str]] = defaultdict(set)
    for one, other in pairs:
        if one is not None and other is not None and one != other:
            related[one].add(other)
            related[other].add(one)
    return related


def _plain(name: str) -> str:
    """Small letters, no signs at the ends, in the singular."""
    (noun,) = nouns_of([name.strip("_ ").lower()]).values()
    return noun or ""
