"""Finds the question that each answer of a file belongs to: by its id, else by its wording, options
and image. The order of a file counts only where every wording fits and few neighbours read alike.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import PurePosixPath

from groundrl.answers.options import normalise
from groundrl.errors import UserError
from groundrl.evaluation.recorded import RecordedAnswer
from groundrl.records import NamedImage, Sample

Pair = tuple[Sample, RecordedAnswer]

SHOWN = 3
"""Examples in a message."""
ORDER_TELLS = 0.9
"""Share of neighbouring questions that must differ in wording for their order to be evidence. It is
.996 for POPE; questions that are all the same fit in any order."""
MOST_SENTENCES = 8
"""Of a line of a prompt that are looked at."""

_LEAD = re.compile(r"^(?:<image>\s*)*(?:(?:question|true or false|where is this):)?\s*")
_MARKS = "\"'.?! "
_SENTENCE_END = re.compile(r"(?<=[.?!])\s+")
_COCO_PREFIX = re.compile(r"COCO_[a-z]+\d{4}_(?=\d{12}$)")


def pair_by_id(where: str, asked: Sequence[Sample], own: Sequence[RecordedAnswer]) -> list[Pair]:
    """The answers of our own files, in the order of the questions. A question without image and
    answer is left out.

    Raises UserError for answers to other questions, and for questions without an answer.
    """
    answers = {one.group.sample.id: one for one in own}
    ids = {sample.id for sample in asked}
    strangers = [key for key in answers if key not in ids]
    pairs = [(sample, answers[sample.id]) for sample in asked if sample.id in answers]
    other = [
        sample.id
        for sample, one in pairs
        if sample.question.split() != one.group.sample.question.split()
    ]
    _raise_mismatches(where, asked, pairs, strangers, other)
    return pairs


def pair_by_clues(where: str, asked: Sequence[Sample], own: Sequence[RecordedAnswer]) -> list[Pair]:
    """The answers of others' files, in the order of the questions; raises as ``pair_by_id``."""
    _check_clues(where, own)
    places = _places_by_id(asked, own) or _places_by_wording(where, asked, own)
    twice = [asked[place].id for place, count in Counter(places).items() if count > 1]
    if twice:
        raise UserError(f"{where}: it answers {len(twice)} questions twice, {list_examples(twice)}")
    answers = dict(zip(places, own, strict=True))
    pairs = [(asked[place], answers[place]) for place in sorted(answers)]
    _raise_mismatches(where, asked, pairs)
    return pairs


def _check_clues(where: str, own: Sequence[RecordedAnswer]) -> None:
    silent = [
        one.group.sample.id
        for one in own
        if one.clue.id is None and one.clue.image is None and not one.group.sample.question
    ]
    if silent:
        raise UserError(
            f"{where}: {len(silent)} of {len(own)} records do not say which question they answer, "
            f"{list_examples(silent)}: give each its 'id', or its 'prompt' and 'image'"
        )


def _places_by_id(asked: Sequence[Sample], own: Sequence[RecordedAnswer]) -> list[int] | None:
    """Where every record has the id of a question and does not ask another one."""
    place = {sample.id: index for index, sample in enumerate(asked)}
    places = [place[one.clue.id] for one in own if one.clue.id in place]
    fit = len(places) == len(own) and all(map(_Questions(asked).fits, places, own))
    return places if fit else None


def _places_by_wording(
    where: str, asked: Sequence[Sample], own: Sequence[RecordedAnswer]
) -> list[int]:
    questions = _Questions(asked)
    found = [questions.candidates(one) for one in own]
    strangers = [one.group.sample.id for one, places in zip(own, found, strict=True) if not places]
    if strangers:
        raise UserError(
            f"{where}: {len(strangers)} of {len(own)} records ask none of its {len(asked)} "
            f"questions by id, wording, options and image, {list_examples(strangers)}: choose the "
            "benchmark that was asked"
        )
    if all(len(places) == 1 for places in found):
        return [next(iter(places)) for places in found]
    for order in (range(len(asked)), questions.with_image):
        fits = len(order) == len(own) and all(map(frozenset.__contains__, found, order))
        if fits and questions.order_tells(order):
            return list(order)
    several = [one.group.sample.id for one, p in zip(own, found, strict=True) if len(p) > 1]
    raise UserError(
        f"{where}: {len(several)} of {len(own)} records fit several questions of the same wording, "
        f"{list_examples(several)}, and their order is not the benchmark's: give each record its "
        "'id' or its 'image'"
    )


class _Questions:
    """The questions of a benchmark, to be found by wording and image."""

    def __init__(self, asked: Sequence[Sample]) -> None:
        self._asked = asked
        self._keys = [wording_key(sample.question) for sample in asked]
        self._one_wording = len(set(self._keys)) == 1
        """The question says nothing then, and people ask it in other words."""
        places: dict[tuple[str, str | None], list[int]] = {}
        for place, (sample, key) in enumerate(zip(asked, self._keys, strict=True)):
            image = image_name(sample.image.key)
            for found in ((key, image), (key, None), ("", image), ("", None)):
                places.setdefault(found, []).append(place)
        self._places = {key: frozenset(found) for key, found in places.items()}
        """By wording and image; "" and None stand for any."""

    @property
    def with_image(self) -> list[int]:
        """Places of the questions whose image is there."""
        return [i for i, one in enumerate(self._asked) if not isinstance(one.image, NamedImage)]

    def candidates(self, one: RecordedAnswer) -> frozenset[int]:
        """Places of the questions that the record may ask."""
        image = None if one.clue.image is None else image_name(one.clue.image)
        said = one.group.sample.question
        keys = ("",) if self._one_wording or not said else possible_wordings(said)
        found = (self._places[key, image] for key in keys if (key, image) in self._places)
        places = next(found, frozenset[int]())
        options = frozenset(map(normalise, one.group.sample.options))
        if len(places) < 2 or not options:
            return places
        return frozenset(
            place
            for place in places
            if frozenset(map(normalise, self._asked[place].options)) == options
        )

    def fits(self, place: int, one: RecordedAnswer) -> bool:
        """Whether the record does not ask another question than the one at ``place``."""
        said = one.group.sample.question
        return self._one_wording or not said or self._keys[place] in possible_wordings(said)

    def order_tells(self, order: Sequence[int]) -> bool:
        """Whether few neighbours have the same wording."""
        differ = [self._keys[a] != self._keys[b] for a, b in pairwise(order)]
        return bool(differ) and sum(differ) >= ORDER_TELLS * len(differ)


def wording_key(text: str) -> str:
    """What is compared of a question: no case, no line breaks, no lead such as "Question:", no
    request for yes or no at its end."""
    plain = _LEAD.sub("", " ".join(text.casefold().split()), count=1).strip(_MARKS)
    return plain.removesuffix("please answer yes or no").rstrip(_MARKS)


def possible_wordings(prompt: str) -> Iterator[str]:
    """Keys of the questions that a prompt may hold: the whole, each line, the first sentences of a
    line, each sentence."""
    lines = prompt.splitlines()
    yield from filter(None, map(wording_key, (prompt, *lines)))
    for line in lines:
        sentences = _SENTENCE_END.split(line, MOST_SENTENCES)
        starts = (" ".join(sentences[:stop]) for stop in range(len(sentences) - 1, 0, -1))
        yield from filter(None, map(wording_key, (*starts, *sentences)))


def image_name(name: str) -> str:
    """The file's name without folder and suffix; COCO's images by their number."""
    return _COCO_PREFIX.sub("", PurePosixPath(name).stem)


def _raise_mismatches(
    where: str,
    asked: Sequence[Sample],
    pairs: Sequence[Pair],
    strangers: Sequence[str] = (),
    other: Sequence[str] = (),
) -> None:
    answered = {sample.id for sample, _ in pairs}
    left = [sample for sample in asked if sample.id not in answered]
    lacking = [sample.id for sample in left if not isinstance(sample.image, NamedImage)]
    problems = []
    if strangers:
        problems.append(
            f"answers {len(strangers)} questions that the benchmark does not ask, "
            f"{list_examples(strangers)}"
        )
    if lacking:
        problems.append(
            f"lacks answers to {len(lacking)} of {len(pairs) + len(lacking)} questions, "
            f"{list_examples(lacking)}"
        )
    if other:
        problems.append(
            f"answers {len(other)} questions of another wording, {list_examples(other)}"
        )
    if problems:
        raise UserError(f"{where}: it " + ", and ".join(problems))


def list_examples(keys: Sequence[str]) -> str:
    """The first of them."""
    return f"for example {', '.join(keys[:SHOWN])}"
