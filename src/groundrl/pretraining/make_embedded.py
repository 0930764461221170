"""Makes the embedded model from scratch: tokenizer, weights, and a report on what it can do."""

import copy
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import get_args

import numpy as np
import torch

from groundrl.boxes import Frame, ImageSizes
from groundrl.files import write_json
from groundrl.grammar.base import Grammar
from groundrl.policy.policy import Policy
from groundrl.pretraining.architecture import build_model, build_processor, build_tokenizer
from groundrl.pretraining.exercises import DIRECT_INSTRUCTIONS, EXPLAIN
from groundrl.pretraining.lessons import LessonDataModule, LessonStream
from groundrl.pretraining.pretrain import PretrainModule
from groundrl.pretraining.skills import skill_report
from groundrl.prompts import PromptTemplate, to_frame
from groundrl.questions.sentences import Order
from groundrl.report.run_report import write_report
from groundrl.stages.fit import MakeTrainer, StagePlan, fit, on_trainer_device
from groundrl.world.captions.captions import caption
from groundrl.world.graph import SceneSpec, Subject
from groundrl.world.quarters import AUGMENTED
from groundrl.world.questions import KINDS, questions_about
from groundrl.world.render import build_scene

CORPUS_SEED = 99
CORPUS_SCENES = 400


@dataclass(slots=True, kw_only=True)
class Pretraining:
    """A pretraining run, built but not started."""

    plan: StagePlan
    """``prompts_per_step`` counts scenes."""
    grammar: Grammar
    template: PromptTemplate
    make_trainer: MakeTrainer
    run_dir: Path
    seed: int
    report_scenes: int = 100
    """Held-out scenes per subject, look and kind of question in the final report."""

    def run(self) -> str:
        """Train, or continue an interrupted run, and save the model in ``<run_dir>/model``.

        Returns the text for the terminal: the report on its skills, its folder and the run's.
        """
        policy = self.fresh_policy()
        module = self.plan.module(policy=policy, grammar=self.grammar)
        assert isinstance(module, PretrainModule)
        stream = LessonStream(
            encode_image=policy.encode.image_prefix,
            seed=self.seed,
            phases=replace(module.phases, scenes=self.plan.prompts_per_step),
        )
        # bfloat16 halves the time on CPUs that support it, and changes no figure of the report.
        make_trainer = partial(self.make_trainer, precision="bf16-mixed")
        fit("pretrain", module, LessonDataModule(stream), self.plan, make_trainer, self.run_dir)
        folder = self.run_dir / "model"
        copy.deepcopy(policy.vlm).bfloat16().save_pretrained(folder)
        policy.processor.save_pretrained(folder)
        with on_trainer_device(policy, make_trainer):
            metrics = {"pretrain": skill_report(policy, self.grammar, self.report_scenes)}
        write_json(self.run_dir / "metrics.json", metrics)
        write_report(self.run_dir)
        figures = [f"{name:<28}{value:.3f}" for name, value in metrics["pretrain"].items()]
        return "\n".join([*figures, f"use it with model.path={folder}", str(self.run_dir)])

    def fresh_policy(self) -> Policy:
        """Random weights, and a tokenizer learned from the world's questions and captions."""
        torch.manual_seed(self.seed)
        tokenizer = build_tokenizer(corpus(self.grammar, self.template))
        return Policy(
            model=build_model(tokenizer),
            processor=build_processor(tokenizer),
            template=self.template,
            frame=Frame.PERMILLE,
        )


def corpus(grammar: Grammar, template: PromptTemplate) -> Iterator[str]:
    """Texts that the embedded model reads or writes: prompts, worked answers, captions."""
    yield AUGMENTED
    yield from EXPLAIN
    for lines in DIRECT_INSTRUCTIONS.values():
        yield from lines
    for index in range(CORPUS_SCENES):
        spec = SceneSpec(
            seed=CORPUS_SEED, index=index, subject=tuple(Subject)[index % len(Subject)]
        )
        scene = build_scene(spec)
        sizes = ImageSizes(
            width=spec.width,
            height=spec.height,
            model_width=spec.width,
            model_height=spec.height,
        )
        for order in get_args(Order):
            for sample in questions_about(scene, KINDS, turns=len(KINDS), order=order):
                yield template.messages(sample)[0]["content"][-1]["text"]
                yield grammar.render(template.response(sample, sizes, Frame.PERMILLE))
        words = caption(scene, np.random.default_rng(index))
        yield grammar.render_segments(to_frame(words, sizes, Frame.PERMILLE))
