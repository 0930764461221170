"""Does the answer of a sample follow from the boxes that its reasoning points at?

Worked out anew from the finished sample and what is known of the image: a mistake of the code that
wrote the question, or a caption that the boxes deny, does not get into the data.
"""

import re

from groundrl.language.colors import COLOR_WORDS
from groundrl.language.words import fold_case
from groundrl.questions.draft import Claim, pointed_at
from groundrl.questions.known import KnownImage, KnownObject
from groundrl.records import Grounding, Sample


def is_proven(sample: Sample, claim: Claim, image: KnownImage) -> bool:
    """Whether the question asks for ``claim``, every phrase names the object in its box, and the
    objects that are known prove the answer."""
    phrases = pointed_at(sample.rationale or ())
    pointed = [_object_at(item, image) for item in phrases]
    if sample.question != claim.question or None in pointed:
        return False
    # What a "no" compares with is pointed at, but is no grounding.
    if sample.groundings != phrases and (sample.groundings or sample.answers != ("no",)):
        return False
    return claim.is_proven(sample, [one for one in pointed if one is not None], image)


def _object_at(item: Grounding, image: KnownImage) -> KnownObject | None:
    """The object in that box whose class the phrase names, with no colour but its own."""
    label = fold_case(item.label)
    for one in image.objects:
        noun = fold_case(one.noun)
        if one.box == item.box and f" {label}".endswith(f" {noun}"):
            words = re.findall(r"[a-z]+", label.removesuffix(noun))
            colors = {COLOR_WORDS[word] for word in words if word in COLOR_WORDS}
            if one.color is None or colors <= {one.color}:
                return one
    return None
