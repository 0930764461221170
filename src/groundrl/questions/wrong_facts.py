"""How a fact is made wrong: in questions, in descriptions that err, and by the embedded teacher."""

from collections.abc import Iterable, Sequence

from groundrl.language.numbers import NUMBERS
from groundrl.questions.draws import Draws
from groundrl.relations import CONVERSE, Relation


def wrong_colors(
    noun: str, objects: Iterable[tuple[str, str | None]], colors: Iterable[str]
) -> list[str]:
    """The ``colors`` that no object of this class has, so that each is wrong of all of them;
    ``objects``: class and colour of each."""
    taken = {color for other, color in objects if other == noun}
    return [color for color in colors if color not in taken]


def wrong_relation(true: Relation, false: Sequence[Relation], draws: Draws) -> Relation:
    """The converse of a relation, if it is among the ``false`` ones, else any of these."""
    converse = CONVERSE.get(true)
    return converse if converse is not None and converse in false else draws.choice(false)


def wrong_count(true: int, draws: Draws) -> int:
    """One more or one less, as far as there is a word for it; at least one."""
    return draws.choice([count for count in (true - 1, true + 1) if 0 < count < len(NUMBERS)])
