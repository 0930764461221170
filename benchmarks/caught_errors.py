"""Which wrong sentences each term of a reward catches: ``python benchmarks/caught_errors.py RUN``.

Reads the captions of drawn scenes that ``pipeline=[sft,rejection_sampling]`` sampled, with what the
terms said of each sentence (``rejection_sampling/round_1/candidates.jsonl``). ``noun`` catches a
sentence with a noun that was not found, any other term one that it rates below 0. One row for each
kind of error and one for right sentences, which should not be caught; a sentence with several
errors counts in several rows. Columns that begin with "misses" are ``noun`` with a detector of
these rates, as the threshold of a real one trades one for the other.
``--out FILE.json`` writes the same figures.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hydra.utils import instantiate
from interval_rows import write_intervals

from groundrl.answers.attempt import Attempt, answer_place, read_attempt
from groundrl.boxes import Frame, ImageSizes
from groundrl.detectors.oracle import OracleDetector
from groundrl.errors import UserError
from groundrl.feedback.labels import SentenceError, SentenceLabel
from groundrl.feedback.world_judge import judge_caption
from groundrl.grammar import get_grammar
from groundrl.intervals import Interval, bootstrap
from groundrl.launch.resolved import read_resolved
from groundrl.records import Completion, RolloutGroup, Sample, SpanScore
from groundrl.report.sweep import format_interval
from groundrl.report.tables import Table, to_markdown
from groundrl.rewards.base import Rating
from groundrl.rewards.terms.noun import Noun
from groundrl.stages.rejection_sampling import CANDIDATES, Candidate, read_candidates, score_of
from groundrl.world.render import build_scene
from groundrl.world.source import SceneImage

RATES: Final = ((0.05, 0.4), (0.1, 0.2), (0.2, 0.1), (0.4, 0.05))
"""Share of the objects that a detector misses, and false alarms for each object of a scene."""
BELOW: Final = {"noun": 1.0}
"""The rating below which a term catches a sentence, where it is not 0."""
MISSES: Final = "misses "
RIGHT: Final = "right"
ANY: Final = "any error"


@dataclass(frozen=True, slots=True, kw_only=True)
class RatedSentence:
    """A sentence with its true label, and what each term says of it."""

    image: str
    label: SentenceLabel
    ratings: Mapping[str, float | None]
    """None: the term says nothing."""


def read_attempts(run: Path) -> list[tuple[Candidate, Attempt]]:
    """The sampled captions. Raises UserError for a run that has none about drawn scenes."""
    path = run / "rejection_sampling" / "round_1" / CANDIDATES
    if not path.exists():
        raise UserError(f"{path} is not there: give a run of pipeline=[sft,rejection_sampling]")
    rows = read_candidates(path)
    source = instantiate(read_resolved(run)["data"]["train"])
    wanted = {row.sample for row in rows}
    asked = {}
    for index in range(len(source)):
        if wanted == asked.keys():
            break
        sample: Sample = source[index]
        if sample.id in wanted:
            asked[sample.id] = sample
    return [(row, attempt_at(asked[row.sample], row.completion)) for row in rows]


def attempt_at(sample: Sample, text: str) -> Attempt:
    """A caption as the terms read it; its boxes do not matter here."""
    width, height = sample.image.width, sample.image.height
    completion = Completion(text=text, tokens=(), logprobs=(), truncated=False)
    sizes = ImageSizes(width=width, height=height, model_width=width, model_height=height)
    group = RolloutGroup(sample=sample, sizes=sizes, completions=(completion,))
    return read_attempt(group, completion, get_grammar("obj_bbox"), Frame.PIXEL)


def rate_sentences(found: Sequence[tuple[Candidate, Attempt]]) -> list[RatedSentence]:
    """Every sentence of the captions."""
    attempts = [attempt for _, attempt in found]
    detected = {
        f"{MISSES}{miss:.0%}, false alarms {alarms:.0%}": Noun(
            detector=OracleDetector(miss_rate=miss, false_alarm_rate=alarms)
        ).rate(attempts)
        for miss, alarms in RATES
    }
    sentences = []
    for index, (row, attempt) in enumerate(found):
        image = attempt.sample.image
        assert isinstance(image, SceneImage), "only drawn scenes have sentences with known errors"
        start, stop = answer_place(attempt)
        spans = dict(score_of(row).spans)
        for name, ratings in detected.items():
            rating = ratings[index]
            spans[name] = rating.spans if isinstance(rating, Rating) else ()
        for label in judge_caption(build_scene(image.spec), row.completion[start:stop]):
            middle = start + (label.start + label.stop) // 2
            ratings = {name: rating_at(part, middle) for name, part in spans.items()}
            sentences.append(RatedSentence(image=image.key, label=label, ratings=ratings))
    return sentences


def rating_at(spans: Sequence[SpanScore], place: int) -> float | None:
    """What is said of the sentence at this place of the completion."""
    return next((span.value for span in spans if span.start <= place < span.stop), None)


def measure(sentences: Sequence[RatedSentence]) -> dict[str, dict[str, Interval]]:
    """Kind of sentence -> term, "either" for any term of the run -> share that is caught, with its
    95 % interval by bootstrap over images."""
    rows = {RIGHT: [one for one in sentences if not one.label.errors]}
    rows[ANY] = [one for one in sentences if one.label.errors]
    for error in SentenceError:
        rows[error.value] = [one for one in sentences if error in one.label.errors]
    terms = list(sentences[0].ratings)
    own = [name for name in terms if not name.startswith(MISSES)]
    columns = {name: (name,) for name in own} | {"either": own}
    columns |= {name: (name,) for name in terms if name not in own}
    return {
        kind: {
            name: bootstrap(
                [float(is_caught(one, part)) for one in members],
                [one.image for one in members],
            )
            for name, part in columns.items()
        }
        for kind, members in rows.items()
        if members
    }


def is_caught(sentence: RatedSentence, terms: Sequence[str]) -> bool:
    """Whether any of the terms rates it below its bound."""
    return any(
        rating < BELOW.get("noun" if name.startswith(MISSES) else name, 0.0)
        for name in terms
        if (rating := sentence.ratings[name]) is not None
    )


def table(rows: Mapping[str, Mapping[str, Interval]]) -> Table:
    """Shares with their intervals."""
    columns = list(next(iter(rows.values())))
    return Table(
        columns=("sentences", "n", *columns),
        rows=tuple(
            (
                kind,
                str(next(iter(row.values())).n),
                *(format_interval(row[name]) for name in columns),
            )
            for kind, row in rows.items()
        ),
    )


def main() -> None:
    """Print the table of a run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, metavar="RUN")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    try:
        rows = measure(rate_sentences(read_attempts(options.run)))
    except UserError as error:
        sys.exit(str(error))
    print(to_markdown(table(rows)))
    if options.out is not None:
        write_intervals(options.out, rows)


if __name__ == "__main__":
    main()
