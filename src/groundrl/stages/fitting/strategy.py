"""Trains one policy with several processes: each takes a share of a step, and gradients add up.

Losses are divided by the counts of the whole step, so the sum of the gradients, not their mean, is
the gradient that a single process would have.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Final

import torch
from lightning.pytorch.strategies import DDPStrategy, StrategyRegistry
from torch import Tensor, distributed, nn
from torch.distributed.tensor import DTensor
from torch.optim import Optimizer

from groundrl.policy.policy import Policy
from groundrl.policy.sharding import ShardedLayers, as_sharded
from groundrl.running.parallel import all_gather, own_part, whole_tensor

SUMMED_GRADIENTS: Final = "summed_gradients"
SHARDED_LAYERS: Final = "sharded_layers"
LIGHTNING_STRATEGIES: Final = {
    "auto": SUMMED_GRADIENTS,
    "ddp": SUMMED_GRADIENTS,
    "fsdp": SHARDED_LAYERS,
}
"""``trainer.strategy`` (``config.several_processes.STRATEGIES``) -> the strategy of
``lightning.Trainer`` for several processes."""


class SummedGradients(DDPStrategy):
    """One process per device; gradients are exchanged between backward passes only.

    DistributedDataParallel's own wrapper exchanges them during each backward pass, but a process
    whose groups all have equal rewards makes no backward pass.
    """

    def __init__(self, **options: Any) -> None:
        # The others wait while the first process writes and reports.
        super().__init__(timeout=timedelta(days=1), **options)

    def configure_ddp(self) -> None:
        """Copy the weights of the first process to all others."""
        assert self.model is not None
        for parameter in trainable(self.model):
            distributed.broadcast(parameter.data, src=0)


class ShardedLayersStrategy(SummedGradients):
    """As ``SummedGradients``, and the layers of the language model are split among the processes
    with their gradients and optimizer states; see ``ShardedLayers``."""

    layers: ShardedLayers | None = None
    """While a stage is being fitted."""

    def configure_ddp(self) -> None:
        """Copy the weights of the first process to all others, and split them."""
        super().configure_ddp()
        assert self.lightning_module is not None
        policy = self.lightning_module.policy
        assert isinstance(policy, Policy)
        self.layers = ShardedLayers(policy.vlm, self.root_device.type)

    def optimizer_state(self, optimizer: Optimizer) -> dict[str, Tensor]:
        """That of whole weights, as a single process would have it."""
        return map_tensors(super().optimizer_state(optimizer), whole_tensor)

    def load_optimizer_state_dict(self, checkpoint: Mapping[str, Any]) -> None:
        """Split a state of whole weights."""
        states = []
        for optimizer, state in zip(self.optimizers, checkpoint["optimizer_states"], strict=True):
            weights = [weight for group in optimizer.param_groups for weight in group["params"]]
            split = {
                number: map_tensors(of_weight, lambda x, w=weights[number]: as_sharded(x, w))
                for number, of_weight in state["state"].items()
            }
            states.append({**state, "state": split})
        super().load_optimizer_state_dict({**checkpoint, "optimizer_states": states})

    def on_exception(self, exception: BaseException) -> None:
        """Other processes may be gone: the weights stay where they are."""
        self.layers = None
        self._reset_optimizers_and_schedulers()

    def teardown(self) -> None:
        """Give every process whole weights again."""
        if self.layers is not None:
            self.layers.restore()
            self.layers = None
        self._reset_optimizers_and_schedulers()
        super().teardown()


def splits_layers(strategy: object) -> bool:
    """Whether layers are split among processes at the moment."""
    return isinstance(strategy, ShardedLayersStrategy) and strategy.layers is not None


@contextmanager
def whole_weights(strategy: object) -> Iterator[None]:
    """Inside, no layer is split: processes need not compute the same number of passes."""
    if isinstance(strategy, ShardedLayersStrategy) and strategy.layers is not None:
        with strategy.layers.whole():
            yield
    else:
        yield


def idle_losses(strategy: object, passes: int) -> Iterator[Tensor]:
    """Zeros, for as many passes as another process makes more than this one, which makes
    ``passes``: processes that split layers gather each of them together."""
    if isinstance(strategy, ShardedLayersStrategy) and strategy.layers is not None:
        layers, most = strategy.layers, max(all_gather(passes))
        return (layers.idle_loss() for _ in range(most - passes))
    return iter(())


def sum_gradients(module: nn.Module) -> None:
    """Give every process the gradients of the whole step; those of split weights are summed in the
    backward pass."""
    if not distributed.is_initialized():
        return
    for parameter in trainable(module):
        if parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
        if not isinstance(parameter.grad, DTensor):
            distributed.all_reduce(parameter.grad)


def clip_gradients(module: nn.Module, max_norm: float) -> Tensor:
    """Scale the gradients down to ``max_norm``; returns their global norm before."""
    weights = [*trainable(module)]
    gradients = [weight.grad for weight in weights if weight.grad is not None]
    split = [own_part(gradient) for gradient in gradients if isinstance(gradient, DTensor)]
    if not split:
        return nn.utils.clip_grad_norm_(weights, max_norm)
    whole = [gradient for gradient in gradients if not isinstance(gradient, DTensor)]
    squares = nn.utils.get_total_norm(split).square()
    distributed.all_reduce(squares)
    norm = (squares + nn.utils.get_total_norm(whole).square()).sqrt()
    scale = (max_norm / (norm + 1e-6)).clamp(max=1.0)  # as in clip_grad_norm_
    for gradient in (*split, *whole):
        gradient.mul_(scale)
    return norm


def trainable(module: nn.Module) -> Iterable[nn.Parameter]:
    """The trainable parameters."""
    return (parameter for parameter in module.parameters() if parameter.requires_grad)


def map_tensors(value: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """``value`` with ``change(tensor)`` in the place of each tensor in dicts and lists."""
    if isinstance(value, Tensor):
        return change(value)
    if isinstance(value, dict):
        return {key: map_tensors(item, change) for key, item in value.items()}
    if isinstance(value, list):
        return [map_tensors(item, change) for item in value]
    return value


StrategyRegistry.register(SUMMED_GRADIENTS, SummedGradients)
StrategyRegistry.register(SHARDED_LAYERS, ShardedLayersStrategy)
