"""Builds an evaluation from a checked config."""

from functools import partial
from pathlib import Path
from typing import Any, cast

from omegaconf import DictConfig, OmegaConf

from groundrl.answers.alignment import Case, Judgement
from groundrl.answers.notation import Notation
from groundrl.boxes import Frame
from groundrl.errors import UserError
from groundrl.evaluation.benchmarks.base import Benchmark
from groundrl.evaluation.benchmarks.recorded import with_recorded_sets
from groundrl.evaluation.compare import Comparison
from groundrl.evaluation.inference import ModelSource
from groundrl.evaluation.judging.chat_judge import ChatJudge
from groundrl.evaluation.judging.labels import Labels, read_labels
from groundrl.evaluation.judging.ratings import RatedAnswer, Rating
from groundrl.evaluation.judging.verdict_cache import Judge, VerdictCache
from groundrl.evaluation.recorded import read_predictions
from groundrl.evaluation.run import Evaluation, RecordedSource
from groundrl.grammar import get_grammar
from groundrl.launch.make import make, resolved
from groundrl.launch.resolved import RESOLVED, chosen_options, read_resolved
from groundrl.launch.training import make_trainer
from groundrl.launch.trusted import check_foreign
from groundrl.rollout.sampler import Sampler
from groundrl.stages.processes import open_policy


def build_evaluation(cfg: DictConfig, run_dir: Path) -> Evaluation | Comparison:
    """The evaluation that ``cfg`` describes, with its output in ``run_dir``."""
    if cfg.compare is not None:
        first, second = cfg.compare
        both = _common_benchmarks(first, second)
        return Comparison(places=(first, second), run_dir=run_dir, benchmarks=both)
    benchmarks: dict[str, Benchmark] = {str(k): make(v) for k, v in cfg.benchmark.items()}
    judge, rater = _judges(cfg)
    source = _recording(cfg) if cfg.predictions else _model_source(cfg)
    if isinstance(source, RecordedSource):
        benchmarks = with_recorded_sets(benchmarks, source.answers)
    return Evaluation(
        benchmarks=benchmarks,
        source=source,
        runner=make(cfg.runner),
        run_dir=run_dir,
        judge=judge,
        rater=rater,
        labels=_labels(cfg),
        hparams=chosen_options(cfg),
    )


def _common_benchmarks(*places: str) -> dict[str, Benchmark]:
    """The benchmarks that are in both of two runs of evaluate.py, by name."""
    nodes = []
    for place in places:
        path = Path(place).expanduser()
        folder = path if path.is_dir() else path.parent
        found = {}
        if (folder / RESOLVED).is_file():
            found = read_resolved(folder).get("benchmark") or {}
        check_foreign(found, str(folder / RESOLVED))
        nodes.append(found)
    a, b = nodes
    return {
        str(name): make(cast(DictConfig, OmegaConf.create(node)))
        for name, node in a.items()
        if name in b and b[name].get("_target_") == node.get("_target_")
    }


def _judges(
    cfg: DictConfig,
) -> tuple[Judge[Case, Judgement] | None, Judge[RatedAnswer, Rating] | None]:
    """The judge of reasoning, and the rater of answers; both keep their verdicts in one file."""
    if "judge" not in cfg:  # nothing was chosen
        return None, None
    judge: Judge[Case, Judgement] = make(cfg.judge)
    path = Path(cfg.judgements).expanduser()
    kept = VerdictCache(judge=judge, path=path, verdict=Judgement)
    if not isinstance(judge, ChatJudge):
        return kept, None
    return kept, VerdictCache(judge=judge.rater, path=path, verdict=Rating)


def _labels(cfg: DictConfig) -> Labels | None:
    if cfg.labels is None:
        return None
    if "judge" not in cfg:
        raise UserError("labels= holds what people said of a judge's cases: type judge=rules, too")
    return read_labels(Path(cfg.labels).expanduser())


def _recording(cfg: DictConfig) -> RecordedSource:
    path = Path(cfg.predictions).expanduser()
    formats = [make(node) for node in cfg.records.formats.values()]
    answers = read_predictions(path, get_grammar(cfg.records.grammar), formats)
    return RecordedSource(path=path, answers=answers)


def _model_source(cfg: DictConfig) -> ModelSource:
    sampling: Any = make(cfg.sampling)
    return ModelSource(
        open_policy=partial(
            open_policy, partial(make, resolved(cfg.model)), make_trainer(cfg.trainer)
        ),
        sampler=Sampler(make(cfg.rollout), sampling, group_size=1, seed=cfg.seed),
        notation=Notation.of(cfg.grammar, Frame(cfg.model.frame)),
        prompting=cfg.prompting,
        num_workers=cfg.data.num_workers,
    )
