"""Rejection sampling: the best of several captions of an image is refined and learned (ViGoR, arXiv
2402.06118, section 3.3)."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from io import StringIO
from pathlib import Path
from typing import Annotated, ClassVar, Final

import numpy as np
from pydantic import Strict

from groundrl.answers.attempt import Attempt, answer_place, answer_segments, read_attempt
from groundrl.boxes import ImageSizes
from groundrl.config_node import ConfigNode, too_small
from groundrl.data.datasets import SampleList, SampleSource
from groundrl.data.problems import Problems
from groundrl.data.schema import read_jsonl, write_jsonl
from groundrl.errors import UserError
from groundrl.evaluation.heldout import answers_to
from groundrl.feedback.labels import CaptionWriter, LabelledCaption
from groundrl.files import drop_torn_line, write_json
from groundrl.json_rows import Flag, Text, Whole, read_json_lines
from groundrl.language.splitting import split_sentences
from groundrl.policy.policy import Policy
from groundrl.records import Completion, RolloutGroup, Sample, Score, SpanScore
from groundrl.rewards.base import RewardedAttempt, RewardSum
from groundrl.rewards.penalties import (
    best_of,
    drop_sentences,
    negative_signals,
    signal_variances,
    total_penalties,
)
from groundrl.rollout.base import RolloutEngine
from groundrl.rollout.sampler import Sampler
from groundrl.running.parallel import from_first, is_first
from groundrl.running.progress import ProgressLine
from groundrl.stages.fit import MakeTrainer, StagePlan, StageRun, on_trainer_device

CANDIDATES: Final = "candidates.jsonl"
Rating = Annotated[float, Strict()]


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptionChooser:
    """Samples captions, rates them, and keeps the best of each image."""

    policy: Policy
    engine: RolloutEngine
    reward: RewardSum
    sampler: Callable[[RolloutEngine], Sampler]
    """Its group size is the number of candidates for each image."""
    refine: str | None = None
    """A term of the reward: sentences that it rates below ``refine_below`` are removed."""
    refine_below: float = 1.0
    prompts_per_batch: ClassVar[int] = 16
    """Images between two saves."""

    def choose(
        self, source: SampleSource, indices: Sequence[int], folder: Path, make_trainer: MakeTrainer
    ) -> tuple[Sample, ...]:
        """The samples at ``indices`` with the best of their captions as what to learn.

        ``folder`` gets every candidate with its ratings (``candidates.jsonl``, captions that can be
        labelled), the variances and means (``summary.json``) and the result (``chosen.jsonl``, a
        data set of its own); where a call was stopped, the next one goes on.
        """
        chosen = folder / "chosen.jsonl"
        if not from_first(chosen.exists):
            self.sample(source, indices, folder, make_trainer)
            if is_first():
                self.write_chosen([source[i] for i in indices], folder)
        return from_first(lambda: tuple(read_jsonl(chosen)))

    def sample(
        self, source: SampleSource, indices: Sequence[int], folder: Path, make_trainer: MakeTrainer
    ) -> None:
        """Write the candidates of those samples that ``candidates.jsonl`` lacks."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / CANDIDATES
        known = from_first(lambda: Counter(row.sample for row in read_candidates(path)))
        sampler = self.sampler(self.engine)
        missing = [i for i in indices if known[source[i].id] < sampler.group_size]
        line = ProgressLine(len(indices), folder.name, stream=None if is_first() else StringIO())
        writer = CaptionWriter(folder)
        with on_trainer_device(self.policy, make_trainer), path.open("a") as file, line:
            for start in range(0, len(missing), self.prompts_per_batch):
                part = [source[i] for i in missing[start : start + self.prompts_per_batch]]
                for groups in answers_to(
                    SampleList(tuple(part)), self.policy, self.policy.encode, sampler
                ):
                    if is_first():  # it alone rates them: a judge is asked once
                        file.writelines(candidate_lines(writer, groups, self.reward(groups)))
                        file.flush()
                line.update(len(indices) - len(missing) + start + len(part))

    def write_chosen(self, samples: Sequence[Sample], folder: Path) -> None:
        """Choose among the well-formed candidates and write the result. Raises UserError where no
        image has one that every term can rate."""
        rows = read_candidates(folder / CANDIDATES)
        by_sample: dict[str, list[Candidate]] = {}
        for row in rows:
            by_sample.setdefault(row.sample, []).append(row)
        size = self.sampler(self.engine).group_size
        groups = [by_sample[sample.id][-size:] for sample in samples]
        scores = [[score_of(row) for row in group] for group in groups]
        terms = tuple(self.reward.terms)
        signals = negative_signals(scores, terms)
        variances = signal_variances(signals)
        weights = np.array([self.reward.terms[name].weight for name in terms])
        readable = np.array([[row.well_formed for row in group] for group in groups])
        penalties = np.where(readable, total_penalties(signals, variances, weights), np.inf)
        best = best_of(penalties, np.array([[one.total for one in group] for group in scores]))
        learned, removed = [], 0
        for sample, group, own, index in zip(samples, groups, scores, best.tolist(), strict=True):
            if index >= 0:
                result, dropped = self.target(sample, group[index].completion, own[index])
                removed += dropped
                learned += [] if result is None else [result]
        if not learned:
            raise UserError(
                f"none of the {len(samples)} images has a well-formed caption that every term of "
                f"the reward ({', '.join(terms)}) can rate, so there is nothing to learn: train a "
                "longer warm-up first, pipeline=[sft,rejection_sampling]"
            )
        finite = np.where(np.isfinite(penalties), penalties, np.nan)
        write_json(
            folder / "summary.json",
            {
                "variances": dict(zip(terms, variances.tolist(), strict=True)),
                "penalty_of_all": float(np.nanmean(finite)),
                "penalty_of_chosen": float(np.nanmean(np.nanmin(finite[best >= 0], axis=1))),
                "images": len(samples),
                "learned": len(learned),
                "removed_sentences": removed,
            },
        )
        write_jsonl(learned, folder / "chosen.jsonl")

    def target(self, sample: Sample, text: str, score: Score) -> tuple[Sample | None, int]:
        """The sample with a chosen caption to learn, refined, and how many sentences were removed;
        None where nothing is left of it."""
        prompt = self.policy.encode.image_prefix(sample.image)
        attempt = self._read(sample, prompt.sizes, text)
        removed = 0
        if self.refine is not None:
            start, stop = answer_place(attempt)
            spans = score.spans.get(self.refine, ())
            kept = drop_sentences(text[start:stop], start, spans, self.refine_below)
            removed = len(split_sentences(text[start:stop])) - len(split_sentences(kept))
            if not kept:
                return None, removed
            attempt = self._read(sample, prompt.sizes, f"{text[:start]}{kept}{text[stop:]}")
        return replace(sample, rationale=answer_segments(attempt)), removed

    def _read(self, sample: Sample, sizes: ImageSizes, text: str) -> Attempt:
        completion = Completion(text=text, tokens=(), logprobs=(), truncated=False)
        group = RolloutGroup(sample=sample, sizes=sizes, completions=(completion,))
        return read_attempt(group, completion, self.reward.grammar, self.reward.frame)


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectionSampling(StagePlan):
    """In each round the captions of new images are sampled from the newest policy, and it learns
    the best of them by the terms of the reward."""

    chooser: Callable[..., CaptionChooser]
    images: int = 256
    """In each round; all of them where there are fewer."""
    rounds: int = 1

    @classmethod
    def config_problems(cls, node: ConfigNode) -> Iterator[str]:
        """Also: among less than two candidates there is nothing to choose."""
        yield from StagePlan.config_problems(node)
        yield from too_small(node, {"images": 1, "rounds": 1})
        for path, size in node.named("group_size", node.path):
            if isinstance(size, int) and size < 2:
                yield f"{path}={size} leaves nothing to choose: type {path}=5, or more"

    def train(self, name: str, run: StageRun) -> None:
        """See ``StagePlan``; each round has a folder of its own in the run directory."""
        chooser = run.build(self.chooser)
        for number in range(1, self.rounds + 1):
            count = min(self.images, len(run.train))
            indices = [k % len(run.train) for k in range((number - 1) * count, number * count)]
            folder = run.run_dir / name / f"round_{number}"
            chosen = chooser.choose(run.train, indices, folder, run.make_trainer)
            StagePlan.train(self, f"{name}_{number}", replace(run, train=SampleList(chosen)))


def candidate_lines(
    writer: CaptionWriter,
    groups: Sequence[RolloutGroup],
    rewarded: Sequence[Sequence[RewardedAttempt]],
) -> Iterator[str]:
    """A line for each completion: a caption to label, and what each term says of it."""
    for group, attempts in zip(groups, rewarded, strict=True):
        for index, one in enumerate(attempts):
            start, stop = answer_place(one.attempt)
            completion = one.attempt.completion.text
            caption = LabelledCaption(
                id=f"{group.sample.id}#{index}",
                image=group.sample.image,
                question=group.sample.question,
                text=completion[start:stop],
            )
            yield (
                json.dumps(
                    {
                        **writer.row(caption),
                        "sample": group.sample.id,
                        "completion": completion,
                        "well_formed": one.attempt.parsed.well_formed,
                        "total": one.score.total,
                        "parts": one.score.parts,
                        "spans": {
                            name: [(span.start, span.stop, span.value) for span in spans]
                            for name, spans in one.score.spans.items()
                        },
                    }
                )
                + "\n"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """Shape of a line, as far as it is read again."""

    sample: Text
    completion: Text
    well_formed: Flag
    total: Rating
    parts: dict[Text, Rating | None]
    spans: dict[Text, tuple[tuple[Whole, Whole, Rating], ...]]


def read_candidates(path: Path) -> list[Candidate]:
    """The lines of a file that this stage wrote; a torn last one is cut off. Raises UserError for
    damaged ones."""
    problems = Problems(str(path))
    rows = read_json_lines(path, drop_torn_line(path), Candidate, problems.add)
    found = [row for _, row in rows]
    problems.raise_if_any()
    return found


def score_of(row: Candidate) -> Score:
    """The ratings in a line."""
    return Score(
        total=row.total,
        parts=row.parts,
        spans={
            name: tuple(SpanScore(start=a, stop=b, value=value) for a, b, value in spans)
            for name, spans in row.spans.items()
        },
    )
