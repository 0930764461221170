"""The Lightning datamodule: an endless, resumable order of training steps, and held-out sets."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Any, NamedTuple, cast

import lightning as L
import torch
from torch.utils.data import DataLoader, Dataset

from groundrl.data.askable import check_samples
from groundrl.data.curriculum import KindOrder, KindSampler
from groundrl.data.datasets import (
    Encoded,
    ItemSource,
    SampleList,
    SampleSource,
    WorldScenes,
    known_samples,
)
from groundrl.data.order import StepSampler
from groundrl.errors import UserError
from groundrl.records import Form
from groundrl.running.stopping import outlive_signals

Batch = list[Any] | tuple[list[Any], list[Any]]
"""The items of a step, or of a step and of the next one."""


class GroundingDataModule(L.LightningDataModule):
    """Lists of Samples; the batch of step s is a function of (seed, s) alone, unless an order of
    kinds chooses among them.

    With ``num_workers`` the next steps are loaded while one computes. The training loader has no
    end: the Trainer's ``max_steps`` or ``limit_train_batches`` stops it. Each rank gets its share
    of a step, so ``prompts_per_step`` counts all ranks together.
    """

    def __init__(
        self,
        *,
        train: ItemSource,
        heldout: Mapping[str, SampleSource] | None = None,
        prompts_per_step: int = 8,
        seed: int = 0,
        num_workers: int = 0,
        encode: Callable[[Any], Any] | None = None,
        prefetches: bool = False,
        by_image: bool = False,
        form: Form = Form.OPTIONS,
        kind_order: KindOrder | None = None,
    ) -> None:
        """Batches hold items of ``train``, or ``(item, encode(item))`` from the loader's processes;
        with ``prefetches`` each comes as a pair with the batch of the next step. With ``by_image``
        questions about one image follow each other. ``form``: what the prompts ask for.
        ``kind_order`` chooses among samples by their kinds.

        Raises UserError when a held-out set is empty or shares images with training, and for
        samples that cannot be asked (``askable``).
        """
        super().__init__()
        self.train = train
        self.heldout = dict(heldout or {})
        self.prompts_per_step = prompts_per_step
        self.seed = seed
        self.num_workers = num_workers
        self.encode = encode
        self.prefetches = prefetches
        self.groups = image_numbers(train) if by_image else ()
        self.form = form
        self.kind_order = kind_order
        self._resumed_at = 0
        StepSampler(size=len(train), batch_size=prompts_per_step, seed=seed)
        for name, source in {"training set": train, **self.heldout}.items():
            if isinstance(source, SampleList):
                check_samples(name, source.samples)
        for name, source in self.heldout.items():
            if len(source) == 0:
                raise UserError(f"held-out set {name!r} is empty: type data.heldout_size=500")
            _check_disjoint(name, source, train)

    @property
    def step(self) -> int:
        """Training batches that were fully processed, over all resumed parts of the run."""
        if self.trainer is None:
            return self._resumed_at
        # Lightning's counter, because an own one would count the batch that a crash interrupts;
        # it is restored later than this module, hence the maximum.
        counter = cast(Any, self.trainer.fit_loop.epoch_loop.batch_progress.total)
        return max(self._resumed_at, counter.processed)

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint holds: the step, and everything the order depends on."""
        return {"step": self.step, **self._order()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue after ``state_dict["step"]``. Raises UserError when the order would change."""
        changed = [
            f"{name} was {state_dict[name]} and is now {value}"
            for name, value in self._order().items()
            if state_dict[name] != value
        ]
        if changed:
            raise UserError(
                f"the checkpoint cannot be resumed in the same order: {', '.join(changed)}. "
                "Restore the old values, or start a new run."
            )
        self._resumed_at = state_dict["step"]

    def _order(self) -> dict[str, int]:
        return {
            "seed": self.seed,
            "prompts_per_step": self.prompts_per_step,
            "train_size": len(self.train),
        }

    def teardown(self, stage: str) -> None:
        """The next ``fit`` with this module counts from its own start."""
        if stage == "fit":
            self._resumed_at = 0

    def transfer_batch_to_device(
        self, batch: Batch, device: torch.device, dataloader_idx: int
    ) -> Batch:
        """Returns the batch unchanged: Lightning would try to copy tensors into frozen records."""
        return batch

    def train_dataloader(self) -> "TrainLoader":
        """Endless batches of this rank from the current step on."""
        return TrainLoader(self)


class TrainLoader:
    """A plain iterable: Lightning would put its own sampler into a DataLoader under DDP."""

    def __init__(self, module: GroundingDataModule) -> None:
        self.module = module

    def __iter__(self) -> Iterator[Batch]:
        module = self.module
        source = module.train
        if module.encode is not None:
            source = Encoded(source=source, encode=module.encode)
        batches = batches_of(source, _sampler(module), module.num_workers)
        return pairwise(batches) if module.prefetches else batches

    def state_dict(self) -> dict[str, Any]:
        """Lightning needs it to resume within an epoch."""
        return {"step": self.module.step}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Nothing to do: the module, restored before any loader exists, knows the step."""


def batches_of(
    source: ItemSource, batches: Iterable[list[int]], num_workers: int
) -> Iterator[list[Any]]:
    """The items of each batch of indices; each worker loads one batch ahead. Raises UserError if a
    worker process is killed."""
    loader = DataLoader(
        cast(Dataset[Any], _UserErrorsAsItems(source)),
        batch_sampler=batches,
        num_workers=num_workers,
        prefetch_factor=1 if num_workers else None,
        worker_init_fn=_start_worker,
        collate_fn=list,
        # A loader draws a number when it starts. The state of the global generator would then
        # depend on how often a run was resumed or validated.
        generator=torch.Generator().manual_seed(0),
    )
    try:
        for batch in loader:
            for item in batch:
                if isinstance(item, UserError):
                    raise item
            yield batch
    except RuntimeError as error:
        if not str(error).startswith("DataLoader worker"):
            raise
        raise UserError(
            "a process that prepares images was killed, as where memory is full: images of a "
            "step also need room in /dev/shm, of which a container has 64 MB unless it was started "
            "with more (docker run --shm-size=8g). Without that process: type data.num_workers=0"
        ) from error


class _UserErrorsAsItems:
    """Returns a UserError as an item: raised, a loader would add the traceback of its process."""

    def __init__(self, source: ItemSource) -> None:
        self.source = source

    def __getitem__(self, index: int) -> Any:
        try:
            return self.source[index]
        except UserError as error:
            return error


def _start_worker(number: int) -> None:
    outlive_signals()
    # By name in shared memory: of open descriptors a process may have about a thousand.
    torch.multiprocessing.set_sharing_strategy("file_system")


def _sampler(module: GroundingDataModule) -> StepSampler:
    """The indices of this rank from the current step on."""
    rank, world_size = _rank_and_world_size(module)
    order: dict[str, Any] = {
        "size": len(module.train),
        "batch_size": module.prompts_per_step,
        "seed": module.seed,
        "start_step": module.step,
        "rank": rank,
        "world_size": world_size,
        "groups": module.groups,
    }
    if module.kind_order is None:
        return StepSampler(**order)
    train = module.train
    return KindSampler(**order, kind_of=lambda index: train[index].kind, order=module.kind_order)


def _rank_and_world_size(module: GroundingDataModule) -> tuple[int, int]:
    """Rank and number of processes."""
    trainer = module.trainer
    return (0, 1) if trainer is None else (trainer.global_rank, trainer.world_size)


def image_numbers(source: ItemSource) -> tuple[int, ...]:
    """For each sample the number of its image, from 0; none for samples that are not in memory:
    each of them has its own."""
    numbers: dict[str, int] = {}
    samples = source.samples if isinstance(source, SampleList) else ()
    return tuple(numbers.setdefault(sample.image.key, len(numbers)) for sample in samples)


class _ImageKeys(NamedTuple):
    """Keys of the images of a set."""

    main: set[str]
    shown: set[str]


def _image_keys(source: SampleList) -> _ImageKeys:
    return _ImageKeys(
        main={sample.image.key for sample in source.samples},
        shown={image.key for sample in source.samples for image in sample.images},
    )


def _check_disjoint(name: str, heldout: SampleSource, train: ItemSource) -> None:
    """Raises UserError when a held-out set shows images that are trained on."""
    held, trained_on = known_samples(heldout), known_samples(train)
    if held is not None and trained_on is not None:
        # An image that is context in both sets, a legend for example, gives no answer away.
        asked, trained = _image_keys(held), _image_keys(trained_on)
        shared = sorted((asked.main & trained.shown) | (asked.shown & trained.main))
        if shared:
            raise UserError(
                f"held-out set {name!r} shares {len(shared)} images with the training set, for "
                f"example {shared[0]}. Split the data set by image."
            )
    elif (
        isinstance(heldout, WorldScenes)
        and isinstance(train, WorldScenes)
        and heldout.spec(0) == train.spec(0)
    ):
        raise UserError(
            f"held-out set {name!r} shows the scenes of the training set: give it another seed "
            f"than {train.seed}."
        )
