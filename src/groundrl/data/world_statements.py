"""Statements about scenes, true or false: balanced, or with a cue that tells how likely each is."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import count, islice
from typing import Final, Literal

from groundrl.data.datasets import SampleList, check_word
from groundrl.data.module import GroundingDataModule
from groundrl.data.undersampling import Undersampling
from groundrl.errors import UserError
from groundrl.questions.sentences import Order
from groundrl.questions.yes_no import TRUE_FALSE
from groundrl.records import Form, Sample
from groundrl.relations import Relation
from groundrl.world.graph import Look, Scene, SceneSpec, Subject
from groundrl.world.questions import STATED_RELATIONS
from groundrl.world.render import build_scene
from groundrl.world.statements import View, state_each
from groundrl.world.tint import Tint, TintedImage

Cue = Literal["relation", "tint"]
"""What may tell how likely a statement is true without a look at its objects."""
HELDOUT_SEED: Final = 1_000_003
"""Of the scenes that are held out."""
USUAL_TRUTH: Final = {relation: n % 2 == 0 for n, relation in enumerate(STATED_RELATIONS)}
"""Whether statements with a relation are more often true than false, where labels are biased."""
USUAL_TINT: Final = {True: Tint.WARM, False: Tint.COOL}
"""The light in which statements are more often true, and more often false."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldStatements:
    """Statements about the embedded world: every relation equally often, its cue as its kind.

    ``usual``: of the statements with one cue, the share whose label is the usual one of this cue;
    1/2 ties labels to nothing. With ``cue=relation`` the relation is the cue; with ``cue=tint`` it
    is the light, in which every image then is, and exactly half of each relation are true.
    """

    seed: int
    size: int
    subject: str = Subject.TABLETOP
    look: str = Look.PLAIN
    min_objects: int = 3
    max_objects: int = 5
    view: View = "rgb"
    cue: Cue = "relation"
    usual: float = 0.5
    rationale: Order = "look_first"

    def __post_init__(self) -> None:
        """Raises UserError for an unknown subject or look, and for a share outside 0 .. 1."""
        for option, words in (("subject", Subject), ("look", Look)):
            check_word(option, getattr(self, option), words)
        if not 0 <= self.usual <= 1:
            raise UserError(f"usual={self.usual} is no share: type data.usual=0.6")

    def samples(self) -> SampleList:
        """All of them, each about a scene of its own; equal options, equal statements."""
        plan = self._relations() if self.cue == "relation" else self._balanced()
        stated = islice(
            state_each(self._scenes(), plan, view=self.view, order=self.rationale), self.size
        )
        return SampleList(tuple(self._tinted(stated) if self.cue == "tint" else stated))

    def _relations(self) -> Iterator[tuple[Relation, bool]]:
        for turn in count():
            for relation, truth in USUAL_TRUTH.items():
                yield relation, truth is _falls(turn, self.usual)

    def _balanced(self) -> Iterator[tuple[Relation, bool]]:
        for turn in count():
            for relation in STATED_RELATIONS:
                yield relation, turn % 2 == 0

    def _scenes(self) -> Iterator[Scene]:
        for index in count():
            yield build_scene(
                SceneSpec(
                    seed=self.seed,
                    index=index,
                    subject=Subject(self.subject),
                    look=Look(self.look),
                    min_objects=self.min_objects,
                    max_objects=self.max_objects,
                )
            )

    def _tinted(self, stated: Iterator[Sample]) -> Iterator[Sample]:
        turns = Counter[bool]()
        for sample in stated:
            truth = sample.answers == (TRUE_FALSE[True],)
            tint = USUAL_TINT[truth is _falls(turns[truth], self.usual)]
            turns[truth] += 1
            yield replace(sample, image=TintedImage(image=sample.image, tint=tint), kind=str(tint))


def _falls(turn: int, share: float) -> bool:
    """Whether a turn is one of those, spread evenly, that make up a share of all turns."""
    return int((turn + 1) * share) > int(turn * share)


def statements_module(
    *,
    reader: Callable[..., WorldStatements],
    train_size: int,
    usual: float = 0.5,
    undersample: Undersampling | None = None,
    heldout_size: int = 500,
    prompts_per_step: int = 8,
    seed: int = 0,
    num_workers: int = 0,
) -> GroundingDataModule:
    """Statements about drawn scenes, whose labels ``undersample`` biases in training.

    ``reader`` is given ``seed`` and ``size``, and for training ``usual``. The held-out set is
    called "statements", unless ``undersample`` divides it into two of ``heldout_size``.
    """
    rule = undersample or Undersampling()
    found = reader(seed=0, size=train_size, usual=usual).samples().samples
    # Of a turn of the relations that was begun, all may fall into the same one of two sets.
    spare = len(STATED_RELATIONS)
    size = 2 * (heldout_size + spare) if rule.divide_heldout else heldout_size
    asked = reader(seed=HELDOUT_SEED, size=size).samples().samples
    heldout = rule.heldout_sets("statements", asked, found)
    return GroundingDataModule(
        train=SampleList(tuple(rule(found))),
        heldout={name: one.take(heldout_size, seed=0) for name, one in heldout.items()},
        prompts_per_step=prompts_per_step,
        seed=seed,
        num_workers=num_workers,
        form=Form.TRUE_FALSE,
    )
