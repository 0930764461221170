"""One reward, taken apart."""

from dataclasses import dataclass

from groundrl.answers.attempt import Attempt
from groundrl.answers.options import is_correct, read_answer
from groundrl.boxes import match
from groundrl.records import Grounding
from groundrl.rewards.base import BatchedTerm, RewardSum, RewardTerm
from groundrl.rewards.explain.failures import Failure, locate_failures


@dataclass(frozen=True, slots=True, kw_only=True)
class TermPart:
    """What one term adds."""

    name: str
    weight: float
    value: float | None
    """None where the term does not apply."""
    why: str
    """How the value comes about, or why there is none; empty where the term does not say."""

    @property
    def adds(self) -> float:
        """Weight times value; 0 where the term does not apply."""
        return 0.0 if self.value is None else self.weight * self.value


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxPair:
    """A predicted box and the true one that it matches; one of them may be missing."""

    number: int | None
    """Of the predicted box, counted from 1 in reading order."""
    predicted: Grounding | None
    true: Grounding | None
    iou: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """The reward of one completion, taken apart."""

    attempt: Attempt
    total: float
    terms: tuple[TermPart, ...]
    boxes: tuple[BoxPair, ...]
    """In reading order, then the true boxes without a partner."""
    failures: tuple[Failure, ...]
    chosen: str
    """The answer as it is read."""
    correct: bool | None
    """None for a sample without known answers."""


def explain(attempt: Attempt, reward: RewardSum) -> Explanation:
    """Score the attempt and say how its reward comes about."""
    score = reward.score([attempt])[0].score
    sample, parsed = attempt.sample, attempt.parsed
    options = read_answer(parsed.answer, sample.options)
    # An open answer is shown as written: what is compared has lost its blanks.
    chosen = ", ".join(sorted(options)) if options and sample.options else parsed.answer
    if parsed.answer is None:
        chosen = "no answer"
    elif options is None:
        chosen = "not one of the options" if sample.options else "no answer"
    return Explanation(
        attempt=attempt,
        total=score.total,
        terms=tuple(
            TermPart(
                name=name,
                weight=term.weight,
                value=score.parts[name],
                why=score.unanswered.get(name) or _say_why(term, attempt, score.parts[name]),
            )
            for name, term in reward.terms.items()
        ),
        boxes=pair_boxes(attempt),
        failures=tuple(
            locate_failures(attempt.completion.text, parsed, reward.grammar, reward.frame)
        ),
        chosen=chosen or "no answer",
        correct=is_correct(parsed.answer, sample) if sample.answers else None,
    )


def pair_boxes(attempt: Attempt) -> tuple[BoxPair, ...]:
    """One to one, so that the summed IoU is greatest (``boxes.match``)."""
    predicted, true = attempt.parsed.groundings, attempt.sample.groundings
    pairs = match([one.box for one in predicted], [one.box for one in true])
    of = {pair.predicted: pair for pair in pairs}
    matched = {pair.true for pair in pairs}
    found = [
        BoxPair(
            number=index + 1,
            predicted=one,
            true=true[of[index].true] if index in of else None,
            iou=of[index].iou if index in of else 0.0,
        )
        for index, one in enumerate(predicted)
    ]
    missed = (one for index, one in enumerate(true) if index not in matched)
    return (*found, *(BoxPair(number=None, predicted=None, true=one, iou=0.0) for one in missed))


def _say_why(term: RewardTerm | BatchedTerm, attempt: Attempt, value: float | None) -> str:
    """The term's own words; else what the sample lacks."""
    if value is not None:
        say = getattr(term, "explain", None)
        return "" if say is None else say(attempt)
    sample = attempt.sample
    if "answers" in term.needs and not sample.answers:
        return "does not apply: the sample asks for boxes only, no answer is known"
    if "groundings" in term.needs and attempt.true_boxes is None:
        return "does not apply: the true boxes of this sample are unknown"
    if "groundings" in term.needs and not sample.groundings:
        return "does not apply: there is nothing to point at"
    return "does not apply to this completion"
