"""Published questions about real images, asked of the embedded model from end to end."""

from contextlib import nullcontext
from pathlib import Path

import pytest
from replies import DATA, needs_data

from groundrl.answers.notation import Notation
from groundrl.boxes import Frame
from groundrl.evaluation.benchmarks.base import Benchmark, summarize
from groundrl.evaluation.benchmarks.mme import MME
from groundrl.evaluation.benchmarks.statements import VSR
from groundrl.evaluation.benchmarks.yes_no import POPE
from groundrl.evaluation.inference import ModelSource, answer_questions
from groundrl.policy.adapters.adapter import Adapter
from groundrl.policy.load import load_policy
from groundrl.prompts import PromptTemplate
from groundrl.rollout.base import Sampling
from groundrl.rollout.native import NativeEngine
from groundrl.rollout.sampler import Sampler


@pytest.mark.slow
@needs_data
def test_every_question_about_an_image_at_hand_is_answered_and_the_others_are_counted(
    tmp_path: Path,
) -> None:
    policy = load_policy(
        "embedded", Frame.PERMILLE, PromptTemplate(), Adapter(kind="frozen"), "float32"
    )
    root = str(DATA)
    variants = ("random", "popular", "adversarial")
    splits = ("train", "dev", "test")
    benchmarks: dict[str, Benchmark] = {f"pope_{v}": POPE(variant=v, root=root) for v in variants}
    benchmarks["mme"] = MME(root=root)
    benchmarks |= {f"vsr_{s}": VSR(variant="random", split=s, root=root) for s in splits}
    source = ModelSource(
        open_policy=lambda: nullcontext(policy),
        sampler=Sampler(
            NativeEngine(), Sampling(max_tokens=8, temperature=0.0), group_size=1, seed=0
        ),
        notation=Notation.of("obj_bbox", "permille"),
        prompting="grounded",
    )
    answers, questions = answer_questions(source, benchmarks, tmp_path)
    counts = {name: len(found) for name, found in answers.items()}
    assert counts == {**{f"pope_{v}": 12 for v in variants}, "mme": 30, **VSR_COUNTS}
    for name, found in answers.items():
        figures = summarize(benchmarks[name], found)
        assert figures["n"] == counts[name]
        assert counts[name] + len(questions[name].missing) == PUBLISHED[name]
        assert found[0].attempt.sample.image.width > 160  # a photograph, not a scene
        assert {"acc", "acc_low", "acc_high", "unparsed"} <= figures.keys()


VSR_COUNTS = {"vsr_train": 18, "vsr_dev": 3, "vsr_test": 2}
PUBLISHED = {f"pope_{v}": 3000 for v in ("random", "popular", "adversarial")} | {
    "mme": 2374,
    "vsr_train": 7680,
    "vsr_dev": 1097,
    "vsr_test": 2195,
}
