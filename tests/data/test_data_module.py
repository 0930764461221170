"""A stopped and resumed run sees exactly the batches of an undisturbed one."""

import os
import resource
import signal
from dataclasses import replace
from itertools import chain, islice, pairwise
from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.strategies import SingleDeviceStrategy

from groundrl.data.build import detection_module, sample_file_module
from groundrl.data.datasets import SampleList, WorldDataset, detections
from groundrl.data.detection.yolo import YoloLayout
from groundrl.data.module import GroundingDataModule
from groundrl.data.schema import write_jsonl, write_parquet
from groundrl.errors import UserError
from groundrl.records import ImageFile, Provenance, Sample

pytestmark = pytest.mark.filterwarnings("ignore:.*treespec.*", "ignore:Checkpoint directory .*")


def numbered(size: int, prefix: str = "t") -> SampleList:
    return SampleList(
        tuple(
            Sample(
                id=f"{prefix}{index}",
                image=ImageFile(path=Path(f"{prefix}{index}.jpg"), width=8, height=8),
                question="?",
                provenance=Provenance(dataset="d", split="train"),
            )
            for index in range(size)
        )
    )


class Recorder(L.LightningModule):
    """Notes the ids it is given; fails at ``fail_at``, like a machine that goes away."""

    def __init__(self, fail_at: int | None = None, counts_steps_early: bool = False) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.fail_at = fail_at
        self.counts_steps_early = counts_steps_early
        self.seen: list[list[str]] = []

    def training_step(self, batch: list[Sample], batch_idx: int) -> torch.Tensor:
        if batch_idx == self.fail_at:
            raise RuntimeError("power cut")
        self.seen.append([sample.id for sample in batch])
        return self.weight * 1.0

    def configure_optimizers(self) -> torch.optim.Optimizer:
        if self.counts_steps_early:
            assert self.trainer.estimated_stepping_batches > 0
        return torch.optim.SGD(self.parameters(), lr=0.1)


def trainer(folder: Path, **options: Any) -> L.Trainer:
    saved = ModelCheckpoint(dirpath=folder, every_n_train_steps=3, save_top_k=-1, filename="{step}")
    return L.Trainer(
        accelerator="cpu",
        callbacks=[saved],
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        **options,
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        {"max_steps": 11},
        {"limit_train_batches": 11, "max_epochs": 1},
        {"limit_train_batches": 4, "max_epochs": 3},
    ],
)
@pytest.mark.parametrize("counts_steps_early", [False, True])
def test_a_resumed_run_sees_the_batches_of_an_undisturbed_one(
    tmp_path: Path, options: dict[str, int], counts_steps_early: bool
) -> None:
    def module() -> GroundingDataModule:
        return GroundingDataModule(
            train=numbered(7), heldout={"held": numbered(3, "h")}, prompts_per_step=2, seed=5
        )

    whole = Recorder(counts_steps_early=counts_steps_early)
    trainer(tmp_path / "whole", **options).fit(whole, datamodule=module())
    steps = 12 if options.get("max_epochs") == 3 else 11
    assert len(whole.seen) == steps
    first = Recorder(fail_at=3 if steps == 12 else 4)
    with pytest.raises(RuntimeError, match="power cut"):
        trainer(tmp_path / "cut", **options).fit(first, datamodule=module())
    second = Recorder(counts_steps_early=counts_steps_early)
    again = trainer(tmp_path / "cut", **options)
    again.fit(second, datamodule=module(), ckpt_path=tmp_path / "cut/step=3.ckpt")
    assert second.seen == whole.seen[3:]
    third = Recorder()
    last = trainer(tmp_path / "cut", **options)
    last.fit(third, datamodule=module(), ckpt_path=tmp_path / "cut/step=6.ckpt")
    assert third.seen == whole.seen[6:]


def test_a_loader_that_prefetches_gives_each_batch_with_the_next_one() -> None:
    def batches(prefetches: bool, start: int) -> list[Any]:
        module = GroundingDataModule(train=numbered(7), prompts_per_step=2, prefetches=prefetches)
        module.load_state_dict(module.state_dict() | {"step": start})
        return list(islice(module.train_dataloader(), 4))

    steps = batches(False, 0)
    assert batches(True, 0)[:3] == list(pairwise(steps))
    assert batches(True, 2)[0] == (steps[2], steps[3])


def test_every_epoch_of_the_trainer_goes_on_where_the_last_one_stopped(tmp_path: Path) -> None:
    recorder = Recorder()
    held = {"held": numbered(3, "h")}
    module = GroundingDataModule(train=numbered(8), heldout=held, prompts_per_step=2)
    trainer(tmp_path, limit_train_batches=2, max_epochs=4).fit(recorder, datamodule=module)
    ids = [name for batch in recorder.seen for name in batch]
    assert sorted(ids[:8]) == sorted(ids[8:]) == [f"t{index}" for index in range(8)]
    assert module.step == 8


def test_a_second_fit_of_the_same_module_starts_from_the_beginning(tmp_path: Path) -> None:
    held = {"held": numbered(3, "h")}
    module = GroundingDataModule(train=numbered(8), heldout=held, prompts_per_step=2)
    runs = []
    for stage in ("sft", "grpo"):
        recorder = Recorder()
        trainer(tmp_path / stage, max_steps=3).fit(recorder, datamodule=module)
        runs.append(recorder.seen)
    assert runs[0] == runs[1]


def test_a_checkpoint_of_another_order_is_refused() -> None:
    module = GroundingDataModule(train=numbered(8), prompts_per_step=2, seed=1)
    state = module.state_dict()
    assert state == {"step": 0, "seed": 1, "prompts_per_step": 2, "train_size": 8}
    other = GroundingDataModule(train=numbered(8), prompts_per_step=4, seed=1)
    with pytest.raises(UserError, match="prompts_per_step was 2 and is now 4"):
        other.load_state_dict(state)


def test_loading_leaves_the_global_random_state_alone() -> None:
    module = GroundingDataModule(train=numbered(8), heldout={"h": numbered(2, "h")})
    before = torch.get_rng_state()
    next(iter(module.train_dataloader()))
    assert torch.equal(torch.get_rng_state(), before)


def test_worker_processes_do_not_change_the_order() -> None:
    orders = []
    for num_workers in (0, 1):
        loader = GroundingDataModule(train=numbered(9), num_workers=num_workers).train_dataloader()
        batches = iter(loader)
        orders.append([next(batches) for _ in range(3)])
    assert orders[0] == orders[1]


def many_tensors(sample: Sample) -> list[torch.Tensor]:
    return [torch.full((3,), float(i)) for i in range(int(sample.id[1:]), 300)]


@pytest.mark.slow
def test_a_batch_of_many_tensors_needs_few_open_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        module = GroundingDataModule(
            train=numbered(9), prompts_per_step=2, num_workers=1, encode=many_tensors
        )
        batches = iter(module.train_dataloader())
        kept = [next(batches) for _ in range(2)]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    for sample, tensors in chain(*kept):
        assert [x[0].item() for x in tensors] == list(range(int(sample.id[1:]), 300))


def test_held_out_images_that_are_trained_on_are_a_user_error() -> None:
    with pytest.raises(UserError, match="'val' shares 3 images"):
        GroundingDataModule(train=numbered(5), heldout={"val": numbered(3)})
    five, (held,) = numbered(5), numbered(1, "h").samples
    again = SampleList((replace(held, context_images=(five[3].image,)),))
    with pytest.raises(UserError, match=r"'val' shares 1 images .*t3\.jpg"):
        GroundingDataModule(train=five, heldout={"val": again})
    with pytest.raises(UserError, match=r"'val' shares 1 images .*t3\.jpg"):
        GroundingDataModule(train=again, heldout={"val": five})
    legend = SampleList(tuple(replace(s, context_images=(held.image,)) for s in five.samples))
    others = SampleList((replace(held, image=five[0].image, context_images=(held.image,)),))
    GroundingDataModule(train=SampleList(legend.samples[1:]), heldout={"val": others})
    scenes = WorldDataset(seed=0, size=5)
    with pytest.raises(UserError, match="another seed than 0"):
        GroundingDataModule(train=scenes, heldout={"val": WorldDataset(seed=0, size=2)})


def test_the_world_is_a_function_of_seed_and_index() -> None:
    scenes = WorldDataset(seed=4, size=3, subject="street", image_size=64, kinds=["count"])
    assert len(scenes) == 3
    assert (
        scenes[1]
        == WorldDataset(seed=4, size=9, subject="street", image_size=64, kinds=["count"])[1]
    )
    assert scenes[1].image.width == 64
    with pytest.raises(IndexError):
        scenes[3]
    with pytest.raises(UserError, match="look=oil is unknown; choose from plain, photo"):
        WorldDataset(seed=0, size=1, look="oil")


def test_detection_folders_become_modules(yolo_root: Path) -> None:
    module = detection_module(
        layout=YoloLayout(),
        root=yolo_root,
        train_split="train",
        heldout_split="val",
        heldout_size=2,
    )
    assert len(module.heldout["val"]) == 2
    assert {module.train[index].provenance.split for index in range(len(module.train))} == {"train"}


def test_sample_files_become_modules(tmp_path: Path, yolo_root: Path) -> None:
    written = {split: detections(YoloLayout(), yolo_root, split) for split in ("train", "val")}
    write_jsonl(written["train"].samples, tmp_path / "a.jsonl")
    write_parquet(written["val"].samples, tmp_path / "b.parquet")
    module = sample_file_module(path=tmp_path / "a.jsonl", heldout_path=tmp_path / "b.parquet")
    assert module.train == written["train"]
    assert module.heldout == {"heldout": written["val"]}
    with pytest.raises(UserError, match="shares"):
        sample_file_module(path=tmp_path / "a.jsonl", heldout_path=tmp_path / "a.jsonl")
    with pytest.raises(UserError, match=r"ends in \.jsonl or \.parquet"):
        sample_file_module(path=tmp_path / "a.csv")


def test_taking_some_samples_keeps_their_order() -> None:
    taken = numbered(50).take(10, seed=0)
    numbers = [int(sample.id[1:]) for sample in taken.samples]
    assert len(numbers) == 10
    assert numbers == sorted(numbers)
    assert taken == numbered(50).take(10, seed=0)
    assert numbered(5).take(None, seed=0) == numbered(5).take(9, seed=0) == numbered(5)


def first_ids(module: GroundingDataModule) -> list[str]:
    batch = next(iter(module.train_dataloader()))
    assert isinstance(batch, list)
    return [sample.id for sample in batch]


@pytest.mark.parametrize("world_size", [1, 2, 4])
def test_the_processes_share_a_step(world_size: int) -> None:
    shares: list[list[str]] = []
    whole: list[str] = []
    for rank in range(world_size):
        module = GroundingDataModule(
            train=numbered(8), heldout={"h": numbered(5, "h")}, prompts_per_step=4
        )
        whole = first_ids(module)
        alone = L.Trainer(accelerator="cpu", logger=False, enable_checkpointing=False)
        assert isinstance(alone.strategy, SingleDeviceStrategy)
        alone.strategy.global_rank, alone.strategy.world_size = rank, world_size
        module.trainer = alone
        shares.append(first_ids(module))
    assert [*chain.from_iterable(zip(*shares, strict=True))] == whole


def refused(sample: Sample) -> None:
    raise UserError(f"{sample.id} is refused")


@pytest.mark.parametrize("num_workers", [0, 1])
def test_a_mistake_in_the_data_is_the_same_error_in_worker_processes(num_workers: int) -> None:
    module = GroundingDataModule(train=numbered(9), num_workers=num_workers, encode=refused)
    with pytest.raises(UserError) as told:
        next(iter(module.train_dataloader()))
    assert str(told.value).endswith("is refused")
    assert "\n" not in str(told.value)


def killed(sample: Sample) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.slow
def test_a_worker_process_that_is_killed_is_a_user_error() -> None:
    module = GroundingDataModule(train=numbered(9), num_workers=1, encode=killed)
    with pytest.raises(UserError, match=r"type data\.num_workers=0") as told:
        next(iter(module.train_dataloader()))
    assert "\n" not in str(told.value)
