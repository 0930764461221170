"""Held-out answers of a training run, judged afterwards, and two judges compared."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from replies import PLAIN, reply

from groundrl.answers.alignment import Case, Judgement, Misalignment
from groundrl.answers.record import AnswerOrigin, make_record
from groundrl.errors import UserError
from groundrl.evaluation.benchmarks.recorded import RecordedSet, with_recorded_sets
from groundrl.evaluation.benchmarks.world import WorldVQA
from groundrl.evaluation.judging.alignment import RuleJudge
from groundrl.evaluation.judging.labels import read_labels
from groundrl.evaluation.judging.verdict_cache import Judge
from groundrl.evaluation.recorded import RecordedAnswer, read_predictions
from groundrl.evaluation.run import Evaluation, RecordedSource
from groundrl.files import write_json
from groundrl.records import Sample
from groundrl.running.run_time import TIMES


class AllAligned:
    """Finds that everything follows."""

    name = "kind"

    def __call__(self, cases: Sequence[Case]) -> list[Judgement | None]:
        return [Judgement(aligned=True, flaw=Misalignment.NONE, reason="") for _ in cases]


def answer(sample: Sample, place: int) -> str:
    """Of every three answers one does not follow, and one is wrong but follows."""
    right = sample.answers[0]
    wrong = next(option for option in sample.options if option not in sample.answers)
    said, chosen = [(right, right), (right, wrong), (wrong, wrong)][place % 3]
    return f"<think>It is {said}: so {said}.</think><answer>{chosen}</answer>"


@pytest.fixture
def heldout(tmp_path: Path) -> Path:
    """What training leaves: two sets and a question without an answer in words."""
    samples = [*WorldVQA(size=12).questions().samples]
    samples.append(replace(samples[0], id="boxes", options=(), answers=(), kind="locate"))
    lines = []
    for place, sample in enumerate(samples):
        attempt = reply(sample, answer(samples[place % 12], place))
        name = "street" if place < 6 else "tabletop"
        record = make_record(attempt, name, None, AnswerOrigin(notation=PLAIN))
        lines.append(json.dumps(record.json) + "\n")
    path = tmp_path / "heldout_grpo.jsonl"
    path.write_text("".join(lines))
    return path


def evaluate(
    heldout: Path, run_dir: Path, judge: Judge[Case, Judgement], labels: Path | None = None
) -> dict[str, float]:
    run_dir.mkdir(exist_ok=True)
    answers = read_predictions(heldout, PLAIN.grammar)
    Evaluation(
        benchmarks=with_recorded_sets({"recorded": RecordedSet()}, answers),
        source=RecordedSource(path=heldout, answers=answers),
        run_dir=run_dir,
        judge=judge,
        rater=None,
        labels=None if labels is None else read_labels(labels),
        hparams={},
    ).run()
    return json.loads((run_dir / "metrics.json").read_text())


@pytest.mark.slow
def test_the_answers_of_a_run_are_judged_afterwards_and_two_judges_compared(
    heldout: Path, tmp_path: Path
) -> None:
    found = evaluate(heldout, tmp_path / "rules", RuleJudge())
    assert (found["street/n"], found["tabletop/n"]) == (6, 7)
    assert found["street/acc"] == pytest.approx(1 / 3, abs=0.2)
    assert found["street/alignment"] == pytest.approx(2 / 3, abs=0.2)
    assert found["tabletop/alignment_judged"] == 1.0  # of the questions that have a right answer
    verdicts = tmp_path / "rules/aligned.jsonl"
    again = evaluate(heldout, tmp_path / "again", RuleJudge(), labels=verdicts)
    assert again["street/kappa"] == again["tabletop/agreement"] == 1.0
    other = evaluate(heldout, tmp_path / "other", AllAligned(), labels=verdicts)
    assert other["street/kappa"] == 0.0
    assert other["street/agreement"] == other["street/people_aligned"] == found["street/alignment"]
    assert other["street/labels_n"] == 6


@pytest.mark.slow
def test_the_time_of_an_evaluation_is_that_of_all_its_pieces(heldout: Path, tmp_path: Path) -> None:
    # As a piece leaves it that was killed.
    write_json(tmp_path / "run" / TIMES, {"answers": 1000.0, "total": 2000.0})
    found = evaluate(heldout, tmp_path / "run", RuleJudge())
    assert 1000 < found["time/answers"] < 1500
    assert 2000 < found["time/total"] < 2500


def test_sets_are_those_that_the_answers_name(heldout: Path) -> None:
    answers = read_predictions(heldout, PLAIN.grammar)
    found = with_recorded_sets({"vqa": WorldVQA(), "recorded": RecordedSet()}, answers)
    assert [*found] == ["vqa", "street", "tabletop"]
    lone = [replace(one, set="") for one in answers]
    with pytest.raises(UserError, match="benchmark=recorded takes files of train"):
        with_recorded_sets({"recorded": RecordedSet()}, lone)


def test_a_recorded_set_asks_nothing_without_its_file() -> None:
    with pytest.raises(UserError, match=r"type predictions=<run>/heldout_grpo\.jsonl"):
        RecordedSet().questions()
    assert with_recorded_sets({"vqa": WorldVQA()}, list[RecordedAnswer]()) == {"vqa": WorldVQA()}
