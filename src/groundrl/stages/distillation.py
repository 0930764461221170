"""Distillation: the policy learns answers that the model of another run wrote (sequence-level
knowledge distillation, arXiv 1606.07947; of these the right ones only, as in STaR, arXiv
2203.14465)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Final

from groundrl.answers.attempt import Attempt, read_attempt
from groundrl.boxes import is_inside
from groundrl.config_node import ConfigNode, too_small
from groundrl.data.datasets import SampleList
from groundrl.data.schema import read_jsonl, write_jsonl
from groundrl.errors import UserError
from groundrl.evaluation.heldout import answers_to, is_right
from groundrl.files import write_json
from groundrl.grammar.base import Grammar
from groundrl.policy.policy import Policy
from groundrl.records import Sample
from groundrl.rollout.sampler import Sampler
from groundrl.running.parallel import from_first, is_first
from groundrl.running.progress import ProgressLine
from groundrl.stages.fit import StagePlan, StageRun, on_trainer_device

TRACES: Final = "traces.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Distillation(StagePlan):
    """The model of a finished run, the teacher, answers training questions; the policy learns the
    reasoning and the answer wherever they are well-formed and right."""

    teacher: Callable[[], Policy]
    sampler: Sampler
    """Of the teacher's answers."""
    questions: int = 640
    """That the teacher answers; all of them where there are fewer."""

    @classmethod
    def config_problems(cls, node: ConfigNode) -> Iterator[str]:
        """Also: a stage that will run needs a teacher."""
        yield from StagePlan.config_problems(node)
        yield from too_small(node, {"questions": 1})
        pipeline = node.value("pipeline")
        runs = isinstance(pipeline, list) and node.path.rpartition(".")[2] in pipeline
        if runs and node.value(f"{node.path}.teacher.run") is None:
            yield (
                f"{node.path} learns what the model of a finished run answers: type "
                f"{node.path}.teacher.run=<run directory>"
            )

    def train(self, name: str, run: StageRun) -> None:
        """See ``StagePlan``; the traces stay in the run directory, for a run that goes on."""
        folder = run.run_dir / name
        if not from_first((folder / TRACES).exists):
            run.build(partial(self.write_traces, run=run, folder=folder))
        traces = from_first(lambda: tuple(read_jsonl(folder / TRACES)))
        StagePlan.train(self, name, replace(run, train=SampleList(traces)))

    def write_traces(self, grammar: Grammar, run: StageRun, folder: Path) -> None:
        """Write the questions with what is to be learned about them (``traces.jsonl``, a data set
        of its own), and how many there are (``summary.json``).

        Raises UserError where the teacher gave no answer that can be learned.
        """
        asked = min(self.questions, len(run.train))
        source = SampleList(tuple(run.train[i] for i in range(asked)))
        teacher = self.teacher()
        encode = teacher.encode.with_template(run.policy.encode.template)
        traces: list[Sample] = []
        line = ProgressLine(asked, folder.name, stream=None if is_first() else StringIO())
        with on_trainer_device(teacher, run.make_trainer), line:
            done = 0
            for groups in answers_to(source, teacher, encode, self.sampler, run.num_workers):
                for group in groups:
                    attempts = (
                        read_attempt(group, one, grammar, teacher.frame)
                        for one in group.completions
                    )
                    traces += [trace(one) for one in attempts if can_be_learned(one)]
                done += len(groups)
                line.update(done)
        if not traces:
            raise UserError(
                f"none of the teacher's answers to {asked} training questions is right and "
                f"well-formed in grammar={grammar.name}, so there is nothing to learn: give "
                f"stage.{folder.name}.teacher.run a run that was trained on such questions"
            )
        if is_first():
            folder.mkdir(parents=True, exist_ok=True)
            write_json(folder / "summary.json", {"questions": asked, "learned": len(traces)})
            write_jsonl(traces, folder / TRACES)


def can_be_learned(attempt: Attempt) -> bool:
    """Whether the answer is well-formed and not wrong, and its boxes lie in the image."""
    boxes = attempt.predicted_boxes
    inside = all(is_inside(box, attempt.sizes) for box in boxes)
    return attempt.parsed.well_formed and is_right(attempt) is not False and inside


def trace(attempt: Attempt) -> Sample:
    """The sample with the reasoning of the attempt as its rationale."""
    return replace(attempt.sample, rationale=attempt.parsed.reasoning)
