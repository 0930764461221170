"""The search for cheats: it finds planted ones, repeats itself, and finds none where none is."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest

from groundrl.answers.attempt import Attempt
from groundrl.boxes import Frame, matched_iou
from groundrl.grammar import GRAMMARS, Grammar
from groundrl.rewards.audit.audit import audit
from groundrl.rewards.audit.bank import CaseEntries, make_bank
from groundrl.rewards.audit.cases import make_cases, world_samples
from groundrl.rewards.audit.mutations import FORMS, MUTATIONS, Draft, Mutation, choose_mutations
from groundrl.rewards.audit.search import Found
from groundrl.rewards.base import RewardSum, RewardTerm
from groundrl.rewards.terms.iou import Iou

GRAMMAR = GRAMMARS["obj_bbox"]
AUDITED = ("obj_bbox", "inline_box", "bbox_2d", "qwen_vl", "internvl")


@dataclass(frozen=True, slots=True)
class FirstWord:
    """Reads the answer carelessly: its first word counts. No cheat of the bank knows that."""

    needs: ClassVar[frozenset[str]] = frozenset({"answers"})
    weight: float = 1.0

    def __call__(self, attempt: Attempt) -> float | None:
        """See the class."""
        if not attempt.sample.answers:
            return None
        said = (attempt.parsed.answer or "").split(",")[0]
        return float(said.strip(". ").lower() in (*attempt.sample.answers, "a", "b", "c", "d"))


@dataclass(frozen=True, slots=True)
class TenBoxes:
    """Pays right boxes, and any ten; each of them a tenth."""

    needs: ClassVar[frozenset[str]] = frozenset({"groundings"})
    weight: float = 1.0

    def __call__(self, attempt: Attempt) -> float | None:
        """See the class."""
        true = attempt.true_boxes
        if not true:
            return None
        predicted = attempt.predicted_boxes
        return max(matched_iou(predicted, true), min(len(predicted), 10) / 10)


@pytest.fixture(scope="module")
def bank() -> list[CaseEntries]:
    return make_bank(make_cases(world_samples(8, seed=3), GRAMMAR))


def searched(
    term: RewardTerm, bank: list[CaseEntries], seed: int = 0, steps: int = 60
) -> tuple[Found, ...]:
    reward = RewardSum(terms={"one": term}, grammar=GRAMMAR, frame=Frame.PIXEL)
    return audit("one", reward, bank, steps=steps, seed=seed, tolerance=0.001).searched


@pytest.mark.slow
def test_a_careless_reading_of_answers_is_found_out(bank: list[CaseEntries]) -> None:
    best = searched(FirstWord(), bank)[0]
    assert best.pays
    assert best.worse_in == {"answers"}
    assert best.cheat.quality["answers"] == 0.0
    assert best.cheat.score.total == best.honest.score.total == 1.0


@pytest.mark.slow
def test_edit_by_edit_it_climbs_to_what_pays(bank: list[CaseEntries]) -> None:
    # One edit adds at most two boxes, and none but the tenth pays.
    best = searched(TenBoxes(), bank, steps=100)[0]
    assert best.pays
    assert len(best.cheat.attempt.predicted_boxes) >= 9


@pytest.mark.slow
def test_nothing_pays_under_a_term_that_is_the_yardstick_itself(bank: list[CaseEntries]) -> None:
    found = searched(Iou(), bank)
    assert found
    for one in found:
        assert not one.pays
        assert one.surplus <= -0.02


@pytest.mark.slow
def test_equal_seeds_find_the_same(bank: list[CaseEntries]) -> None:
    def texts(seed: int) -> list[str]:
        return [one.cheat.attempt.completion.text for one in searched(Iou(), bank, seed)]

    assert texts(0) == texts(0)
    assert texts(0) != texts(1)


def test_a_reward_that_measures_nothing_is_not_searched(bank: list[CaseEntries]) -> None:
    @dataclass(frozen=True)
    class Constant:
        needs: ClassVar[frozenset[str]] = frozenset()
        weight: float = 1.0

        def __call__(self, attempt: Attempt) -> float:
            return 1.0

    assert searched(Constant(), bank) == ()


def test_only_edits_that_matter_are_tried() -> None:
    names = {mutation.__name__ for mutation in choose_mutations(frozenset({"answers"}))}
    assert names == {"change_answer", "change_form"}


@pytest.mark.parametrize("grammar", [GRAMMARS[name] for name in AUDITED], ids=AUDITED)
@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.__name__)
def test_an_edited_completion_can_be_written_and_read(mutation: Mutation, grammar: Grammar) -> None:
    for case in make_cases(world_samples(3, seed=0), grammar):
        rng = np.random.default_rng(case.number)
        draft = Draft(reasoning=case.reasoning, answer=case.answer)
        for _ in range(10):
            draft = mutation(draft, case, rng)
            parsed = case.read(draft.write(case)).parsed
            if draft.form == FORMS[0] and draft.answer.strip():
                assert parsed.failures == ()
                assert parsed.answer == draft.answer.strip()
