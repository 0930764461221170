"""Asks the policy the same held-out questions at every point of a run, and records the answers."""

import json
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from io import StringIO
from itertools import pairwise
from pathlib import Path

from groundrl.answers.attempt import Attempt
from groundrl.answers.notation import Notation
from groundrl.answers.options import is_correct, is_exactly_correct
from groundrl.answers.record import (
    AnswerOrigin,
    AnswerRecord,
    make_record,
    read_record_file,
    save_images,
)
from groundrl.data.datasets import Encoded, SampleSource
from groundrl.data.module import batches_of
from groundrl.errors import UserError
from groundrl.evaluation.benchmarks.world_caption import WorldCaption, score_descriptions
from groundrl.evaluation.grounding import GroundingMetrics, summarize_answer
from groundrl.evaluation.judging.alignment import RuleJudge, alignment_figures, judge_reasoning
from groundrl.files import replace_file
from groundrl.intervals import bootstrap, wilson
from groundrl.policy.policy import Policy
from groundrl.policy.prompt import PromptEncoder
from groundrl.records import RolloutGroup
from groundrl.rewards.base import RewardedAttempt, RewardSum
from groundrl.rollout.lengths import pixel_option
from groundrl.rollout.sampler import Sampler
from groundrl.running.full_memory import explain_full_memory
from groundrl.running.parallel import all_gather, from_first, is_first, rank, share_of, world_size
from groundrl.running.progress import ProgressLine

logger = logging.getLogger(__name__)

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

        Processes that train together share the questions; the first one rates the answers, so that
        a judge is asked once.

        Metrics: see ``heldout_figures``.
        """
        results: dict[str, float] = {}
        total = sum(len(source) for source in self.sets.values())
        stream = None if is_first() else StringIO()
        line = ProgressLine(total, f"held-out {name}", stream=stream)
        done = 0
        path = run_dir / f"heldout_{name}.jsonl"
        writing = replace_file(path, only_writer=True) if is_first() else nullcontext(os.devnull)
        with writing as partial, open(partial, "w") as file, line:
            for set_name, source in self.sets.items():
                answered: list[RewardedAttempt] = []
                for groups in answers_to(
                    source, policy, policy.encode, self.sampler, self.num_workers
                ):
                    rewarded = [group[0] for group in self.reward(groups)] if is_first() else []
                    answered += rewarded
                    for one in rewarded:
                        save_images(one.attempt.sample, run_dir)
                        origin = self._origin(policy, one.attempt)
                        right, scores = is_right(one.attempt), caption_scores(one.attempt)
                        record = make_record(one.attempt, set_name, right, origin, scores)
                        file.write(json.dumps(record.json) + "\n")
                    done += len(groups)
                    line.update(done)
                figures = heldout_figures(answered) if is_first() else {}
                results |= {f"{set_name}/{key}": value for key, value in figures.items()}
        return from_first(lambda: results)

    def recorded(self, run_dir: Path, name: str) -> bool:
        """Whether the answers in ``heldout_<name>.jsonl`` are whole; tells what is wrong."""
        path = run_dir / f"heldout_{name}.jsonl"
        asked = sum(len(source) for source in self.sets.values())
        try:
            found = len(read_record_file(path))
            wrong = f"{path} has {found} answers of {asked}" if found != asked else ""
        except (UserError, FileNotFoundError) as error:
            wrong = " ".join(str(error).split())
        if wrong and is_first():
            logger.warning("%s: the questions are asked again", wrong)
        return not wrong

    def rescore(self, run_dir: Path, name: str) -> dict[str, float]:
        """``<set>/reward`` of the answers in ``heldout_<name>.jsonl`` under this run's reward."""
        answers: dict[str, list[AnswerRecord]] = {}
        for record in read_record_file(run_dir / f"heldout_{name}.jsonl"):
            answers.setdefault(record.set, []).append(record)
        results: dict[str, float] = {}
        for set_name, source in self.sets.items():
            groups = [record.group(source[index]) for index, record in enumerate(answers[set_name])]
            rewards = [group[0].score.total for group in self.reward(groups)]
            figures = reward_figures(rewards, [group.sample.image.key for group in groups])
            results |= {f"{set_name}/{key}": value for key, value in figures.items()}
        return results

    def _origin(self, policy: Policy, attempt: Attempt) -> AnswerOrigin:
        return AnswerOrigin(
            notation=Notation(grammar=self.reward.grammar, frame=self.reward.frame),
            prompt=policy.encode.template.text(attempt.sample),
            seed=self.sampler.seed_of(attempt.sample.id, step=0),
        )


def answers_to(
    source: SampleSource,
    policy: Policy,
    encode: PromptEncoder,
    sampler: Sampler,
    num_workers: int = 0,
) -> Iterator[list[RolloutGroup]]:
    """Batches of answered questions, in order; processes that run together share each batch.

    ``encode``: writes the prompts; the policy's own encoder, or a copy with another template.
    """
    bounds = pairwise([*range(0, len(source), QUESTIONS_AT_ONCE), len(source)])
    # Neighbours, because questions about one image often are.
    own = [share_of(range(start, stop), rank(), world_size()) for start, stop in bounds]
    encoded = Encoded(source=source, encode=encode)
    for examples in batches_of(encoded, own, num_workers):
        options = {**sampler.engine.memory_options(), **pixel_option(policy)}
        with explain_full_memory(options, ("model=<a smaller one>",)):
            groups = sampler(policy, examples, step=0).groups if examples else ()
        shares = all_gather(groups)
        yield [group for groups in shares for group in groups]


def heldout_figures(answered: Sequence[RewardedAttempt]) -> dict[str, float]:
    """``metrics.EVALUATION`` of a set, answers and reasoning read by rule; of descriptions of the
    embedded world the figures of ``WorldCaption``, too."""
    attempts = [one.attempt for one in answered]
    asked = [attempt for attempt in attempts if attempt.sample.answers]
    metrics = GroundingMetrics(sync_on_compute=False)  # all outcomes are here
    metrics.update(summarize_answer(attempt, is_right(attempt)) for attempt in attempts)
    figures = {**metrics.compute(), **alignment_figures(judge_reasoning(RuleJudge(), asked))}
    images = [attempt.sample.image.key for attempt in attempts]
    figures |= reward_figures([one.score.total for one in answered], images)
    if asked:
        exact = sum(is_exactly_correct(one.parsed.tagged_answer, one.sample) for one in asked)
        figures |= wilson(exact, len(asked)).figures("acc_strict")
    captions = score_descriptions(attempts)
    return figures | (WorldCaption().figures(captions) if captions else {})


def caption_scores(attempt: Attempt) -> Mapping[str, float]:
    """The scores of ``WorldCaption`` of a description of the embedded world; else none."""
    return {
        name: value for one in score_descriptions([attempt]) for name, value in one.scores.items()
    }


def reward_figures(rewards: list[float], images: list[str]) -> dict[str, float]:
    """``reward`` with its interval by bootstrap over images."""
    return bootstrap(rewards, images).figures("reward")


def is_right(attempt: Attempt) -> bool | None:
    """Whether the answer is right; None for samples that ask for boxes only."""
    sample = attempt.sample
    return is_correct(attempt.parsed.answer, sample) if sample.answers else None
