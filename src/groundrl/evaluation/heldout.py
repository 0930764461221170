"""Asks the policy the same held-out questions at every point of a run, and keeps the answers."""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import StringIO
from itertools import pairwise
from pathlib import Path
from typing import Any

from groundrl.boxes import View, matched_iou
from groundrl.data.datasets import Encoded, SampleSource
from groundrl.data.module import batches_of
from groundrl.evaluation.grounding import GroundingMetrics, Outcome
from groundrl.evaluation.statistics import bootstrap
from groundrl.grammar.answers import is_correct
from groundrl.parallel import gathered, is_first, rank, share, world_size
from groundrl.policy.policy import Policy
from groundrl.progress import ProgressLine
from groundrl.records import Completion, ImageSource, RolloutGroup, Sample
from groundrl.rewards.base import Attempt, RewardSum
from groundrl.rewards.format import has_format
from groundrl.rollout.memory import pixel_option, rows_option, told_when_full
from groundrl.rollout.sampler import Sampler

QUESTIONS_AT_ONCE = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOut:
    """Held-out sets, how to answer their questions, and the reward that is trained on."""

    sets: Mapping[str, SampleSource]
    sampler: Sampler
    """Greedy, one completion per question."""
    reward: RewardSum
    num_workers: int = 0
    """Processes that make prompts while others are answered; 0 makes them in this one."""

    def __call__(self, policy: Policy, run_dir: Path, name: str) -> dict[str, float]:
        """``<set>/<metric>`` with 95 % intervals; answers go to ``heldout_<name>.jsonl``.

        Processes that train together share the questions.

        Metrics: ``metrics.EVALUATION``, and ``reward`` with an interval by bootstrap over images.
        """
        results: dict[str, float] = {}
        total = sum(len(source) for source in self.sets.values())
        stream = None if is_first() else StringIO()
        line = ProgressLine(total, f"held-out {name}", stream=stream)
        done = 0
        path = run_dir / f"heldout_{name}.jsonl" if is_first() else Path(os.devnull)
        with path.open("w") as file, line:
            for set_name, source in self.sets.items():
                metrics = GroundingMetrics(sync_on_compute=False)  # all outcomes are here
                rewards: list[float] = []
                images: list[str] = []
                for attempts, scores in self._answer(policy, source):
                    metrics.update(outcome(attempt, right(attempt)) for attempt in attempts)
                    rewards += scores
                    images += [attempt.sample.image.key for attempt in attempts]
                    for attempt in attempts if is_first() else ():
                        record = answer_record(attempt, set_name, run_dir)
                        file.write(json.dumps(record) + "\n")
                    done += len(attempts)
                    line.update(done)
                figures = {**metrics.compute(), **reward_figures(rewards, images)}
                results |= {f"{set_name}/{key}": value for key, value in figures.items()}
        return results

    def rescore(self, run_dir: Path, name: str) -> dict[str, float]:
        """``<set>/reward`` of the answers in ``heldout_<name>.jsonl`` under this run's reward."""
        answers: dict[str, list[dict[str, Any]]] = {}
        with (run_dir / f"heldout_{name}.jsonl").open() as file:
            for line in file:
                record = json.loads(line)
                answers.setdefault(record["set"], []).append(record)
        results: dict[str, float] = {}
        for set_name, source in self.sets.items():
            groups = [
                answered(source[index], record) for index, record in enumerate(answers[set_name])
            ]
            rewards = [scores[0].total for scores in self.reward(groups)]
            figures = reward_figures(rewards, [group.sample.image.key for group in groups])
            results |= {f"{set_name}/{key}": value for key, value in figures.items()}
        return results

    def _answer(
        self, policy: Policy, source: SampleSource
    ) -> Iterator[tuple[list[Attempt], list[float]]]:
        for groups in answers_to(source, policy, self.sampler, self.num_workers):
            yield (
                [self.reward.attempt(group, group.completions[0]) for group in groups],
                [scores[0].total for scores in self.reward(groups)],
            )


def answers_to(
    source: SampleSource, policy: Policy, sampler: Sampler, num_workers: int = 0
) -> Iterator[list[RolloutGroup]]:
    """Batches of answered questions, in order; processes that run together share each batch."""
    bounds = pairwise([*range(0, len(source), QUESTIONS_AT_ONCE), len(source)])
    # Neighbours, because questions about one picture often are.
    own = [share(range(start, stop), rank(), world_size()) for start, stop in bounds]
    encoded = Encoded(source=source, encode=policy.encode)
    for examples in batches_of(encoded, own, num_workers):
        with told_when_full(rows_option(sampler.engine) | pixel_option(policy)):
            groups = sampler(policy, examples, step=0).groups if examples else ()
        shares = gathered(groups)
        yield [group for groups in shares for group in groups]


def reward_figures(rewards: list[float], images: list[str]) -> dict[str, float]:
    """``reward`` with its interval by bootstrap over images."""
    return bootstrap(rewards, images).figures("reward")


def answered(sample: Sample, record: Mapping[str, Any]) -> RolloutGroup:
    """The answer that ``answer_record`` kept, as it was sampled."""
    width, height = record["model_size"]
    return RolloutGroup(
        sample=sample,
        view=View(
            width=sample.image.width,
            height=sample.image.height,
            model_width=width,
            model_height=height,
        ),
        completions=(
            Completion(
                text=record["text"],
                tokens=tuple(record["tokens"]),
                logprobs=(),
                truncated=record["truncated"],
            ),
        ),
    )


def right(attempt: Attempt) -> bool | None:
    """Whether the answer is right; None for samples that ask for boxes only."""
    sample = attempt.sample
    return is_correct(attempt.parsed.answer, sample) if sample.answers else None


def outcome(attempt: Attempt, correct: bool | None) -> Outcome:
    """What the metrics need to know about an answer."""
    sample = attempt.sample
    return Outcome(
        correct=correct,
        predicted=tuple(grounding.box for grounding in attempt.parsed.groundings),
        true=tuple(grounding.box for grounding in sample.groundings),
        view=attempt.view,
        well_formed=attempt.parsed.well_formed,
        format_ok=has_format(attempt),
        truncated=attempt.completion.truncated,
        tokens=len(attempt.completion.tokens),
        image_key=sample.image.key,
    )


def answer_record(attempt: Attempt, set_name: str, run_dir: Path) -> dict[str, object]:
    """One line of ``heldout_<stage>.jsonl``; the pictures are kept once, beside it."""
    keep_pictures(attempt.sample, run_dir)
    return describe(attempt, set_name, right(attempt))


def describe(attempt: Attempt, set_name: str, correct: bool | None) -> dict[str, object]:
    """Question, truth and answer as JSON can hold them."""
    sample, said = attempt.sample, attempt.parsed.groundings
    true = [grounding.box for grounding in sample.groundings]
    return {
        "set": set_name,
        "id": sample.id,
        "kind": sample.kind,
        "question": sample.question,
        "options": sample.options,
        "answers": sample.answers,
        "text": attempt.completion.text,
        "tokens": attempt.completion.tokens,
        "truncated": attempt.completion.truncated,
        "model_size": [attempt.view.model_width, attempt.view.model_height],
        "correct": correct,
        "iou": matched_iou([one.box for one in said], true) if true else None,
        "boxes_true": [(one.label, one.box.corners) for one in sample.groundings],
        "boxes_predicted": [
            (one.label, [round(value, 1) for value in one.box.corners]) for one in said
        ],
        "spans_predicted": attempt.parsed.spans,
        "images": [picture_name(image) for image in sample.images],
    }


def keep_pictures(sample: Sample, run_dir: Path) -> None:
    """Writes each picture once, where ``describe`` says that it is."""
    for image in sample.images:
        path = run_dir / picture_name(image)
        if not path.exists():
            path.parent.mkdir(exist_ok=True)
            image.load().save(path, quality=90)


def picture_name(image: ImageSource) -> str:
    """Where a run directory keeps the picture."""
    digest = hashlib.blake2b(image.key.encode(), digest_size=8).hexdigest()
    return f"images/{digest}.jpg"
