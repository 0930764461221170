"""The least wrong of several captions is refined and learned, round by round."""

import json
from collections.abc import Callable, Generator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import lightning as L
import pytest
from stage_runs import sft_module, weights

from groundrl.boxes import Frame
from groundrl.data.datasets import SampleList
from groundrl.data.schema import read_jsonl
from groundrl.data.world_captions import WorldCaptions
from groundrl.detectors.oracle import OracleDetector
from groundrl.errors import UserError
from groundrl.feedback.labels import read_captions
from groundrl.grammar import get_grammar
from groundrl.launch.logs import silence_libraries
from groundrl.policy.policy import Policy
from groundrl.policy.prompt import Prompt
from groundrl.records import Sample
from groundrl.rewards.base import RewardSum
from groundrl.rewards.terms.noun import Noun
from groundrl.rollout.base import LoadFeatures, RolloutEngine, SampledTokens, Sampling
from groundrl.rollout.randomness import RolloutSeeds
from groundrl.rollout.sampler import Sampler
from groundrl.stages.fit import StageRun
from groundrl.stages.rejection_sampling import CANDIDATES, CaptionChooser, RejectionSampling
from groundrl.world.render import build_scene

MakePolicy = Callable[..., Policy]
CPU = partial(L.Trainer, accelerator="cpu", devices=1)
ABSENT = "There is a bus."  # the scenes are tables
FIRST = "There is a {0}."
MIXED = f"{FIRST} {ABSENT}"


@dataclass
class Writer(RolloutEngine):
    """Writes the same captions about every image, {0} being something in it."""

    texts: tuple[str, ...]
    samples: dict[str, Sample]
    calls: list[str] = field(default_factory=list)

    def generate(
        self,
        policy: Policy,
        prompts: list[Prompt],
        features: LoadFeatures,
        seeds: RolloutSeeds,
        sampling: Sampling,
    ) -> Generator[tuple[int, list[SampledTokens]]]:
        for index, id in enumerate(seeds.sample_ids):
            self.calls.append(id)
            noun = self.samples[id].answers[0]
            texts = [
                text if text.startswith("<") else f"<think></think><answer>{text}</answer>"
                for text in self.texts
            ]
            tokens = [policy.encode.answer_tokens(text.format(noun)) for text in texts]
            yield (
                index,
                [
                    SampledTokens(tokens=tuple(one), logprobs=(-1.0,) * len(one), truncated=False)
                    for one in tokens
                ],
            )


def tables_of(size: int) -> tuple[Sample, ...]:
    """Questions for captions of tables; the answers hold what is there, for the writer."""
    source = WorldCaptions(seed=8, size=size)
    return tuple(
        replace(source[i], answers=(build_scene(source.spec(i)).objects[0].category,))
        for i in range(size)
    )


def chooser(
    policy: Policy, tables: tuple[Sample, ...], *texts: str, refine: str | None
) -> CaptionChooser:
    by_id = {sample.id: sample for sample in tables}
    return CaptionChooser(
        policy=policy,
        engine=Writer(texts=texts, samples=by_id),
        reward=RewardSum(
            terms={"noun": Noun(detector=OracleDetector())},
            grammar=get_grammar("obj_bbox"),
            frame=Frame.PERMILLE,
        ),
        sampler=partial(Sampler, sampling=Sampling(max_tokens=64), group_size=len(texts)),
        refine=refine,
    )


def learned(samples: tuple[Sample, ...]) -> list[str]:
    return ["".join(str(part) for part in sample.rationale or ()) for sample in samples]


def test_the_least_wrong_caption_is_learned(make_policy: MakePolicy, tmp_path: Path) -> None:
    silence_libraries()
    tables = tables_of(3)
    unclosed = f"<think></think><answer>{FIRST}"
    texts = (ABSENT, MIXED, "It is fine.", unclosed, FIRST)
    chosen = chooser(make_policy(), tables, *texts, refine=None).choose(
        SampleList(tables), range(3), tmp_path, CPU
    )
    assert learned(chosen) == [FIRST.format(sample.answers[0]) for sample in tables]
    assert [one.id for one in chosen] == [one.id for one in tables]
    assert list(chosen) == read_jsonl(tmp_path / "chosen.jsonl")
    captions = read_captions(tmp_path / CANDIDATES)
    assert [one.text for one in captions[:3]] == [
        ABSENT,
        MIXED.format(tables[0].answers[0]),
        "It is fine.",
    ]
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["penalty_of_chosen"] == 0 < summary["penalty_of_all"]
    assert summary["images"] == summary["learned"] == 3


def test_sentences_with_what_is_not_there_are_removed(
    make_policy: MakePolicy, tmp_path: Path
) -> None:
    tables = tables_of(2)
    chosen = chooser(make_policy(), tables, ABSENT, MIXED, refine="noun").choose(
        SampleList(tables), range(2), tmp_path / "mixed", CPU
    )
    # Both lose one noun; the second earns one beside it.
    assert learned(chosen) == [FIRST.format(sample.answers[0]) for sample in tables]
    assert json.loads((tmp_path / "mixed" / "summary.json").read_text())["removed_sentences"] == 2
    nothing = chooser(make_policy(), tables, ABSENT, ABSENT, refine="noun")
    with pytest.raises(UserError, match="nothing to learn: train a longer warm-up"):
        nothing.choose(SampleList(tables), range(2), tmp_path / "absent", CPU)


def test_a_stopped_round_goes_on_where_it_was(make_policy: MakePolicy, tmp_path: Path) -> None:
    tables = tables_of(4)
    whole, stopped = (chooser(make_policy(), tables, FIRST, ABSENT, refine=None) for _ in range(2))
    source = SampleList(tables)
    expected = whole.choose(source, range(4), tmp_path / "whole", CPU)
    folder = tmp_path / "stopped"
    folder.mkdir()
    lines = (tmp_path / "whole" / CANDIDATES).read_text().splitlines(keepends=True)
    (folder / CANDIDATES).write_text("".join(lines[:3]) + lines[3][:20])  # torn in the second group
    assert learned(stopped.choose(source, range(4), folder, CPU)) == learned(expected)
    assert isinstance(stopped.engine, Writer)
    assert stopped.engine.calls == [sample.id for sample in tables[1:]]
    stopped.choose(source, range(4), folder, CPU)
    assert len(stopped.engine.calls) == 3  # what is chosen is not sampled again


@pytest.mark.slow
def test_every_round_learns_from_new_images(make_policy: MakePolicy, tmp_path: Path) -> None:
    tables, policy = tables_of(4), make_policy()
    plan = RejectionSampling(
        module=partial(sft_module, steps=2),
        chooser=lambda policy: chooser(policy, tables, FIRST, ABSENT, refine=None),
        steps=2,
        prompts_per_step=2,
        images=2,
        rounds=2,
    )
    before = weights(policy)
    run = StageRun(
        policy=policy,
        train=SampleList(tables),
        seed=0,
        num_workers=0,
        build=lambda make: make(policy),
        make_trainer=CPU,
        run_dir=tmp_path,
    )
    plan.train("rejection_sampling", run)
    rounds = [
        [one.id for one in read_jsonl(tmp_path / "rejection_sampling" / name / "chosen.jsonl")]
        for name in ("round_1", "round_2")
    ]
    assert rounds == [[one.id for one in tables[i : i + 2]] for i in (0, 2)]
    # More images than there are: each of them once.
    replace(plan, images=9, rounds=1).train("again", run)
    assert len(read_jsonl(tmp_path / "again" / "round_1" / "chosen.jsonl")) == 4
    assert any((weights(policy)[name] != before[name]).any() for name in before)
    assert (tmp_path / "checkpoints" / "rejection_sampling_2" / "last.ckpt").exists()
