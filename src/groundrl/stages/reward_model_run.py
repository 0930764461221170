"""A run of pipeline=[reward_model]: trains, saves and measures the model."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from torch.utils.tensorboard.writer import SummaryWriter

from groundrl.answers.record import image_file_name, save_images
from groundrl.data.module import GroundingDataModule
from groundrl.feedback.captions import CaptionData, CaptionGroup
from groundrl.feedback.figures import FIGURES, reward_figures
from groundrl.feedback.load import save_reward_model
from groundrl.feedback.reward_model import RewardModel
from groundrl.feedback.scores import ScoredCaption, join_scores, write_scores
from groundrl.figures import write_infos
from groundrl.files import write_json
from groundrl.policy.prompt import Prompt, PromptEncoder
from groundrl.report.run_report import write_report
from groundrl.report.tables import before_after_table
from groundrl.report.tensorboard import log_hparams
from groundrl.rollout.lengths import pixel_option
from groundrl.running.full_memory import explain_full_memory
from groundrl.running.parallel import is_first
from groundrl.running.progress import ProgressLine
from groundrl.running.run_time import TIMES, RunTime
from groundrl.stages.fit import Build, MakeTrainer, StagePlan, fit, on_trainer_device
from groundrl.stages.reward_model import RewardModelModule

NAME = "reward_model"
"""Of the stage, of its figures and of the model's folder in the run directory."""
SET = "heldout"
"""Begins the names of the figures."""
CAPTIONS_AT_ONCE = 128


@dataclass(frozen=True, slots=True)
class EncodeGroup:
    """The prompt that captions share, made in the loader's processes."""

    encode: PromptEncoder

    def __call__(self, group: CaptionGroup) -> Prompt:
        return self.encode(group[0].sample)


@dataclass(slots=True, kw_only=True)
class RewardModelTraining:
    """A training run of a reward model, built but not started."""

    data: CaptionData
    plan: StagePlan
    build: Build
    make_trainer: MakeTrainer
    run_dir: Path
    seed: int
    hparams: Mapping[str, object]
    """The resolved config, for TensorBoard's HParams page."""

    def run(self) -> str:
        """Train, or continue an interrupted run; save the model and measure it.

        Returns the text for the terminal: the held-out figures and the run directory. Of several
        processes only the first one saves, measures and reports; the text of the others is empty.
        """
        times = RunTime(self.run_dir / "checkpoints" / TIMES)
        module = self.build(self.plan.module)
        assert isinstance(module, RewardModelModule)
        model = module.reward_model
        data = GroundingDataModule(
            train=self.data.train,
            prompts_per_step=self.plan.prompts_per_step,
            seed=self.seed,
            num_workers=self.data.num_workers,
            encode=EncodeGroup(model.encode),
        )
        with times.measure("train"):
            fit(NAME, module, data, self.plan, self.make_trainer, self.run_dir)
        if not is_first():
            return ""
        save_reward_model(model, self.run_dir / NAME)
        with times.measure("heldout"):
            scored = self.score_heldout(model)
        write_scores(self.run_dir, scored)
        write_infos(self.run_dir, {SET: FIGURES})
        figures = reward_figures(scored, model.threshold)
        metrics = {
            NAME: {f"{SET}/{name}": value for name, value in figures.items()},
            "time": times.seconds,
        }
        write_json(self.run_dir / "metrics.json", metrics)
        with SummaryWriter(str(self.run_dir / "tensorboard")) as writer:
            log_hparams(writer, self.hparams, metrics[NAME])
        write_report(self.run_dir)
        return f"{before_after_table(metrics, (NAME,))}\n{self.run_dir}"

    def score_heldout(self, model: RewardModel) -> list[ScoredCaption]:
        """The held-out captions with their scores; their images go to the run directory."""
        captions = self.data.heldout.captions
        found: list[ScoredCaption] = []
        line = ProgressLine(len(captions), "held-out captions")
        with on_trainer_device(model, self.make_trainer), line:
            for start in range(0, len(captions), CAPTIONS_AT_ONCE):
                part = captions[start : start + CAPTIONS_AT_ONCE]
                with explain_full_memory(pixel_option(model.policy), ("model=<a smaller one>",)):
                    scores = model.score_many([one.to_score for one in part])
                for caption, own in zip(part, scores, strict=True):
                    save_images(caption.sample, self.run_dir)
                    image = image_file_name(caption.sample.image)
                    found.append(join_scores(caption, image, own, model.level))
                line.update(len(found))
        return found
