"""Small random edits of a completion, for the search."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from groundrl.boxes import Box, Frame
from groundrl.prompts import LETTERS
from groundrl.questions.sentences import weave
from groundrl.records import Grounding, Segments
from groundrl.rewards.audit.cases import Case
from groundrl.rewards.audit.yardstick import ANSWERS, BOXES, FORMAT, LABELS, REASONING

FORMS: Final = (
    "<think>{reasoning}</think><answer>{answer}</answer>",
    "<think>{reasoning}</think>{answer}",
    "{reasoning}<answer>{answer}</answer>",
    "<answer>{answer}</answer><think>{reasoning}</think>",
    "<think></think>{reasoning}<answer>{answer}</answer>",
    "<think>{reasoning}</think><answer>{answer}</answer><answer>{answer}</answer>",
    "<think>{reasoning}</think><answer>{answer}</answer> {answer}",
)
"""How reasoning and answer are put together; the first one is right."""
MOST_BOXES = 20
"""A draft grows no further."""
MOST_CHARACTERS = 4000


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A completion in parts that can be edited."""

    reasoning: Segments
    answer: str
    form: str = FORMS[0]

    def write(self, case: Case) -> str:
        """As text."""
        reasoning = case.grammar.render_segments(weave(*self.reasoning))
        return self.form.format(reasoning=reasoning, answer=self.answer)


Mutation = Callable[[Draft, Case, np.random.Generator], Draft]


def mutate(
    draft: Draft, case: Case, mutations: Sequence[Mutation], rng: np.random.Generator
) -> Draft:
    """One or two edits, each of a random kind; an edit that does not apply changes nothing."""
    for _ in range(int(rng.integers(1, 3))):
        draft = mutations[int(rng.integers(len(mutations)))](draft, case, rng)
    return draft


def nudge_box(draft: Draft, case: Case, rng: np.random.Generator) -> Draft:
    """Each corner of a box moves by a few per cent of its size, or by half of it."""

    def nudge(one: Grounding) -> Grounding:
        scale = (0.01, 0.03, 0.1, 0.5)[int(rng.integers(4))]
        x1, y1, x2, y2 = one.box.corners
        dx, dy = scale * (x2 - x1), scale * (y2 - y1)
        moved = np.array(one.box.corners) + rng.normal(size=4) * (dx, dy, dx, dy)
        return replace(one, box=_box(moved, case))

    return _change_one(draft, rng, nudge)


def replace_box(draft: Draft, case: Case, rng: np.random.Generator) -> Draft:
    """A box becomes that of another object, the whole image, or any other."""

    def move(one: Grounding) -> Grounding:
        return replace(one, box=_draw_box(case, rng))

    return _change_one(draft, rng, move)


def relabel(draft: Draft, case: Case, rng: np.random.Generator) -> Draft:
    """A label becomes that of another object, or "object"."""
    labels = [*(one.label for one in case.sample.groundings), "object"]
    label = labels[int(rng.integers(len(labels)))]
    return _change_one(draft, rng, lambda one: replace(one, label=label))


def add_box(draft: Draft, case: Case, rng: np.random.Generator) -> Draft:
    """A copy of a phrase, or another box under its label, at any place."""
    places = _box_places(draft)
    if not places or len(places) >= MOST_BOXES:
        return draft
    one = draft.reasoning[places[int(rng.integers(len(places)))]]
    assert isinstance(one, Grounding)
    added = one if rng.random() < 0.5 else replace(one, box=_draw_box(case, rng))
    place = int(rng.integers(len(draft.reasoning) + 1))
    parts = draft.reasoning
    return replace(draft, reasoning=weave(*parts[:place], added, *parts[place:]))


def drop_box(draft: Draft, case: Case, rng: np.random.Generator) -> Draft:
    """A phrase loses its box, but stays as words."""
    places = _box_places(draft)
    if not places:
        return draft
    parts, place = draft.reasoning, places[int(rng.integers(len(places)))]
    one = parts[place]
    assert isinstance(one, Grounding)
    return replace(draft, reasoning=weave(*parts[:place], one.label, *parts[place + 1 :]))


def drop_words(draft: Draft, case: Case, rng: np.random.Generator) -> Draft:
    """The words between two phrases are left out."""
    places = [i for i, part in enumerate(draft.reasoning) if isinstance(part, str)]
    if not places:
        return draft
    parts, place = draft.reasoning, places[int(rng.integers(len(places)))]
    return replace(draft, reasoning=weave(*parts[:place], *parts[place + 1 :]))


def reorder(draft: Draft, case: Case, rng: np.random.Generator) -> Draft:
    """Phrases and words in another order."""
    order = rng.permutation(len(draft.reasoning))
    return replace(draft, reasoning=weave(*(draft.reasoning[int(i)] for i in order)))


def repeat_words(draft: Draft, case: Case, rng: np.random.Generator) -> Draft:
    """The words so far once more, without boxes."""
    words = "".join(part for part in draft.reasoning if isinstance(part, str))
    if len(words) > MOST_CHARACTERS:
        return draft
    return replace(draft, reasoning=weave(*draft.reasoning, f" {words}" if words else "I see it."))


def change_answer(draft: Draft, case: Case, rng: np.random.Generator) -> Draft:
    """Another option, one more, one less, a letter, nothing, or some other word."""
    sample = case.sample
    pool = [*sample.options, *sample.answers, *LETTERS[: len(sample.options)], "", "maybe"]
    word = pool[int(rng.integers(len(pool)))]
    answer = (word, f"{draft.answer}, {word}", f"{word} {draft.answer}", draft.answer[:-1])
    return replace(draft, answer=answer[int(rng.integers(len(answer)))][:MOST_CHARACTERS])


def change_form(draft: Draft, case: Case, rng: np.random.Generator) -> Draft:
    """Tags in other places."""
    return replace(draft, form=FORMS[int(rng.integers(len(FORMS)))])


MUTATIONS: Final[dict[Mutation, frozenset[str]]] = {
    nudge_box: frozenset({BOXES}),
    replace_box: frozenset({BOXES}),
    add_box: frozenset({BOXES, LABELS}),
    drop_box: frozenset({BOXES, FORMAT}),
    reorder: frozenset({BOXES}),
    relabel: frozenset({BOXES, LABELS}),
    change_answer: frozenset({ANSWERS}),
    change_form: frozenset({ANSWERS, FORMAT}),
    drop_words: frozenset({REASONING}),
    repeat_words: frozenset({REASONING}),
}
"""Each with the aspects that it can make worse."""


def choose_mutations(measured: frozenset[str]) -> tuple[Mutation, ...]:
    """Those that matter for a reward that measures these aspects. Others would spoil what earns
    nothing anyway, and hide what a cheat lives on."""
    return tuple(mutation for mutation, aspects in MUTATIONS.items() if aspects & measured)


def _box_places(draft: Draft) -> list[int]:
    return [i for i, part in enumerate(draft.reasoning) if isinstance(part, Grounding)]


def _change_one(
    draft: Draft, rng: np.random.Generator, change: Callable[[Grounding], Grounding]
) -> Draft:
    places = _box_places(draft)
    if not places:
        return draft
    parts, place = list(draft.reasoning), places[int(rng.integers(len(places)))]
    one = parts[place]
    assert isinstance(one, Grounding)
    parts[place] = change(one)
    return replace(draft, reasoning=tuple(parts))


def _draw_box(case: Case, rng: np.random.Generator) -> Box:
    """That of an object, the whole image, or any other, with equal chances."""
    width, height = case.sample.image.width, case.sample.image.height
    match int(rng.integers(3)):
        case 0 if case.sample.groundings:
            return case.sample.groundings[int(rng.integers(len(case.sample.groundings)))].box
        case 1:
            return _box(np.array([0, 0, width, height], dtype=np.float64), case)
        case _:
            corners = np.sort(rng.random((2, 2)), axis=0) * (width, height)
            return _box(corners.reshape(4), case)


def _box(corners: np.ndarray, case: Case) -> Box:
    """Corners in order and within the image."""
    width, height = case.sample.image.width, case.sample.image.height
    x1, x2 = np.sort(corners[[0, 2]]).clip(0, width)
    y1, y2 = np.sort(corners[[1, 3]]).clip(0, height)
    return Box(x1=float(x1), y1=float(y1), x2=float(x2), y2=float(y2), frame=Frame.PIXEL)
