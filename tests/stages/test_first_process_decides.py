"""What is finished, and what an answer is worth, the first of two processes finds out for both."""

import json
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import ClassVar

import lightning as L
import pytest
import torch.distributed
from strategy_runs import free_port
from tiny_policies import tiny_policy, tiny_tokenizer
from torch.multiprocessing.spawn import spawn
from world_questions import world_samples

from groundrl.answers.attempt import Attempt
from groundrl.data.datasets import SampleList
from groundrl.data.schema import write_jsonl
from groundrl.evaluation.heldout import HeldOut
from groundrl.grammar import get_grammar
from groundrl.launch.logs import silence_libraries
from groundrl.rewards.base import RewardSum
from groundrl.rollout.base import Sampling
from groundrl.rollout.native import NativeEngine
from groundrl.rollout.sampler import Sampler
from groundrl.running.parallel import from_first
from groundrl.stages.fitting.checkpoints import Checkpoints
from groundrl.stages.rejection_sampling import CaptionChooser

QUESTIONS = 5


@dataclass(frozen=True)
class Judge:
    """Writes the samples that it is asked about into a file."""

    file: Path
    needs: ClassVar[frozenset[str]] = frozenset()
    weight: float = 1.0

    def __call__(self, attempt: Attempt) -> float:
        with self.file.open("a") as file:
            file.write(f"{attempt.sample.id}\n")
        return 0.5


def work(rank: int, port: int, folder: str) -> None:
    """One of two processes, each of which sees a folder of its own."""
    silence_libraries()
    torch.set_num_threads(1)
    store = f"tcp://127.0.0.1:{port}"
    torch.distributed.init_process_group("gloo", init_method=store, rank=rank, world_size=2)
    own = Path(folder) / str(rank)
    policy = tiny_policy(tiny_tokenizer(), "lora")
    samples = tuple(world_samples(QUESTIONS))
    judge = Judge(file=Path(folder) / f"asked_{rank}")
    reward = RewardSum(terms={"judge": judge}, grammar=get_grammar("obj_bbox"), frame=policy.frame)
    sampler = Sampler(NativeEngine(), Sampling(max_tokens=4, temperature=0.0), group_size=1)
    measure = HeldOut(sets={"tabletop": SampleList(samples)}, sampler=sampler, reward=reward)
    figures = measure(policy, own, "start")
    chooser = CaptionChooser(
        policy=policy,
        engine=NativeEngine(),
        reward=reward,
        sampler=partial(Sampler, sampling=Sampling(max_tokens=4), group_size=2),
    )
    make_trainer = partial(L.Trainer, accelerator="cpu", devices=1)
    chosen = chooser.choose(SampleList(samples), range(QUESTIONS), own, make_trainer)
    found = {
        "figures": figures,
        "chosen": [sample.id for sample in chosen],
        "checkpoint": str(Checkpoints(own, 0.0).find()),
        "folder": from_first(lambda: own.name),
    }
    (Path(folder) / f"{rank}.json").write_text(json.dumps(found))
    torch.distributed.destroy_process_group()


@pytest.mark.slow
def test_the_first_of_two_processes_rates_answers_and_decides_what_is_finished(
    tmp_path: Path,
) -> None:
    for rank in "01":
        (tmp_path / rank).mkdir()
    samples = world_samples(QUESTIONS)
    write_jsonl([replace(samples[0], rationale=("Chosen.",))], tmp_path / "0" / "chosen.jsonl")
    spawn(work, args=(free_port(), str(tmp_path)), nprocs=2)
    first, second = (json.loads((tmp_path / f"{rank}.json").read_text()) for rank in "01")
    assert first == second
    assert first["figures"]["tabletop/reward"] == 0.5
    assert first["chosen"] == [samples[0].id]
    assert first["checkpoint"] == "None"
    assert first["folder"] == "0"
    asked = (tmp_path / "asked_0").read_text().split()
    assert asked == [sample.id for sample in samples]
    assert not (tmp_path / "asked_1").exists()
