"""What a captioner that errs takes for the objects of a scene."""

from dataclasses import dataclass, replace

from groundrl.boxes import Box
from groundrl.questions.draws import NumpyDraws
from groundrl.questions.known import KnownImage
from groundrl.questions.references import Reference
from groundrl.records import Grounding
from groundrl.world.captions.errors import CONFUSED, OFTEN_NAMED, CaptionErrors
from groundrl.world.graph import Subject
from groundrl.world.vocabulary import COLORS


@dataclass(frozen=True, slots=True, kw_only=True)
class Belief:
    """An object that the captioner believes to see."""

    noun: str
    color: str
    box: Box
    """PIXEL frame."""
    real: bool = True
    """False: it is invented."""
    miscolored: bool = False
    """Whether it is real and its colour wrong."""
    alone: bool = True
    """Whether no other belief is of this class, so that "the cup" names it."""

    def reference(self, *, colored: bool) -> Reference:
        """ "red cup" or "cup", as words that refer."""
        return Reference(noun=self.noun, color=self.color if colored else None)

    def phrase(self, *, colored: bool) -> Grounding:
        """The same with the box."""
        return Grounding(label=self.reference(colored=colored).name, box=self.box)


def believe(
    image: KnownImage, subject: Subject, errors: CaptionErrors, draws: NumpyDraws
) -> list[Belief]:
    """A belief for each object, near to far, and then the invented ones: models, too, invent more
    the longer their captions get.

    No wrong colour is that of another object of its class, so that it is wrong of all of them.
    """
    colors = {(one.noun, str(one.color)) for one in image.objects}
    beliefs: list[Belief] = []
    for one in image.objects:
        color = str(one.color)
        chance = errors.chance(errors.attribute, list(CONFUSED).index(color), len(CONFUSED))
        miscolored = draws.random() < chance
        if miscolored:
            free = [other for other in COLORS if (one.noun, other) not in colors]
            usual = CONFUSED[color] in free and draws.random() < errors.habit
            color = CONFUSED[color] if usual else draws.choice(free)
            colors.add((one.noun, color))
        beliefs.append(Belief(noun=one.noun, color=color, box=one.box, miscolored=miscolored))
    beliefs += _invent(image, subject, errors, draws)
    nouns = [one.noun for one in beliefs]
    return [replace(one, alone=nouns.count(one.noun) == 1) for one in beliefs]


def _invent(
    image: KnownImage, subject: Subject, errors: CaptionErrors, draws: NumpyDraws
) -> list[Belief]:
    """As many objects of absent classes as make the share of errors.hallucination."""
    expected = len(image.objects) * errors.hallucination / (1 - errors.hallucination)
    count = int(expected) + (draws.random() < expected % 1)
    absent = [noun for noun in OFTEN_NAMED[subject] if noun in image.absent]
    found: list[Belief] = []
    while absent and len(found) < count:
        noun = absent[0] if draws.random() < errors.habit else draws.choice(absent)
        absent.remove(noun)
        box = _move(draws.choice(image.objects).box, image, draws)
        found.append(Belief(noun=noun, color=draws.choice(list(COLORS)), box=box, real=False))
    return found


def _move(box: Box, image: KnownImage, draws: NumpyDraws) -> Box:
    """A box of this size anywhere in the image."""
    width, height = box.x2 - box.x1, box.y2 - box.y1
    x1 = draws.random() * (image.width - width)
    y1 = draws.random() * (image.height - height)
    return replace(box, x1=x1, y1=y1, x2=x1 + width, y2=y1 + height)
