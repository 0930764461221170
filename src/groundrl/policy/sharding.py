"""Fully sharded data parallelism (arXiv 1910.02054, 2304.11277): the layers of the language model
are split among the processes, and each is gathered for the time in which it computes."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, distributed, nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.modeling_layers import GradientCheckpointingLayer

from groundrl.errors import UserError
from groundrl.running.parallel import whole_tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """A layer in its two forms; one of them is in the model."""

    parent: nn.Module
    name: str
    """In its parent."""
    whole: nn.Module
    """Its weights are empty while the other form is in the model."""
    split: nn.Module
    """A copy that gathers its weights when it is called, and splits them afterwards."""

    def put(self, form: nn.Module) -> None:
        """Make it that of the model."""
        setattr(self.parent, self.name, form)

    def gather(self) -> None:
        """Fill the weights of ``whole``; all processes do so together."""
        for weight, part in zip(self.whole.parameters(), self.split.parameters(), strict=True):
            weight.data = whole_tensor(part.detach())

    def empty(self) -> None:
        """Free the memory of ``whole``."""
        for weight in self.whole.parameters():
            weight.data = weight.data.new_empty(0)


class ShardedLayers:
    """The layers of a language model, split among all processes: their weights, and with these
    their gradients and optimizer states. Embeddings, output head and vision tower stay whole.

    All processes must make the same number of forward passes, each with its backward pass
    (``idle_loss``), except inside ``whole``.
    """

    def __init__(self, vlm: PreTrainedModel, device_type: str) -> None:
        """Splits the layers; the gradients of a backward pass are summed over the processes. Raises
        UserError where the model's class does not tell its layers."""
        self.vlm = vlm
        mesh = init_device_mesh(device_type, (distributed.get_world_size(),))
        decoder = vlm.get_decoder()
        self.layers = [
            Layer(
                parent=decoder.get_submodule(name.rpartition(".")[0]),
                name=name.rpartition(".")[2],
                whole=module,
                split=split_copy(module, mesh),
            )
            for name, module in decoder.named_modules()
            if isinstance(module, GradientCheckpointingLayer)
        ]
        if not self.layers:
            raise UserError(
                f"trainer.strategy=fsdp splits layers, and finds none in {vlm.config.model_type}: "
                "type trainer.strategy=ddp"
            )
        self._split()

    @contextmanager
    def whole(self) -> Iterator[None]:
        """Inside, each process holds all layers, and computes as if it were alone."""
        self.restore()
        try:
            yield
        finally:
            self._split()

    def restore(self) -> None:
        """Give every process all layers."""
        for layer in self.layers:
            layer.gather()
            layer.put(layer.whole)

    def _split(self) -> None:
        for layer in self.layers:
            layer.empty()
            layer.put(layer.split)

    def idle_loss(self) -> Tensor:
        """Zero, with a gradient through all layers: the pass of a process that has none left."""
        embed = self.vlm.get_input_embeddings()
        token = torch.zeros((1, 1), dtype=torch.long, device=self.vlm.device)
        inputs = embed(token).detach().requires_grad_()  # layers without trained weights, too
        hidden = self.vlm.get_decoder()(inputs_embeds=inputs, use_cache=False).last_hidden_state
        return 0.0 * hidden.sum()


def split_copy(layer: nn.Module, mesh: DeviceMesh) -> nn.Module:
    """A copy of ``layer`` whose weights are split over ``mesh``, and of one config with it."""
    shared = {id(weight): weight for weight in (*layer.parameters(), *layer.buffers())}
    for module in layer.modules():
        configs = (x for x in vars(module).values() if isinstance(x, PreTrainedConfig))
        shared |= {id(config): config for config in configs}
    copied = copy.deepcopy(layer, memo=shared)
    split = fully_shard(copied, mesh=mesh, reshard_after_forward=True)
    split.set_gradient_divide_factor(1.0)
    split.set_force_sum_reduction_for_comms(True)
    return copied


def as_sharded(value: Tensor, weight: Tensor) -> Tensor:
    """``value``, the same on all processes, split as ``weight`` is where it has its shape."""
    if not isinstance(weight, DTensor) or value.shape != weight.shape:
        return value
    return distribute_tensor(value.to(weight.device), weight.device_mesh, weight.placements)
