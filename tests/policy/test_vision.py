"""Stored vision features are those of the tower, and of no other tower or image."""

import multiprocessing
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from families import build
from world_questions import world_samples

from groundrl.boxes import Frame
from groundrl.policy.policy import Policy
from groundrl.policy.vision_store import VisionFeatures, VisionStore
from groundrl.prompts import PromptTemplate

MakePolicy = Callable[..., Policy]
FEATURES = VisionFeatures(tokens=torch.ones(2, 3), deepstack=())


def looks(policy: Policy) -> list[int]:
    """Grows with the number of patches of each look through the tower."""
    seen: list[int] = []
    policy.vlm.model.visual.register_forward_pre_hook(lambda _, args: seen.append(len(args[0])))
    return seen


def same(a: list[VisionFeatures], b: list[VisionFeatures]) -> bool:
    return all(
        torch.equal(x, y)
        for one, two in zip(a, b, strict=True)
        for x, y in zip((one.tokens, *one.deepstack), (two.tokens, *two.deepstack), strict=True)
    )


@pytest.mark.slow
@torch.no_grad()
def test_an_image_is_looked_at_once(make_policy: MakePolicy, tmp_path: Path) -> None:
    bare = make_policy("lora")
    prompts = [bare.encode(sample) for sample in world_samples(3)]
    alone = [bare.features([prompt])[0] for prompt in prompts]
    for run in range(2):
        policy = make_policy("lora", vision_store=VisionStore(tmp_path))
        seen = looks(policy)
        found = [policy.features([prompt])[0] for prompt in prompts]
        assert same(found, alone)
        assert same(policy.features([*prompts[::-1], prompts[1]]), [*alone[::-1], alone[1]])
        assert len(seen) == (3 if run == 0 else 0)


@torch.no_grad()
def test_an_image_that_several_prompts_show_is_looked_at_once(make_policy: MakePolicy) -> None:
    policy = make_policy("lora")
    first, second = world_samples(2)
    alone = policy.features([policy.encode(sample) for sample in (first, second)])
    seen = looks(policy)
    shown = [first, second, replace(first, question="What?"), second]
    found = policy.features([policy.encode(sample) for sample in shown])
    assert seen == [2 * 100]
    for one, index in zip(found, (0, 1, 0, 1), strict=True):
        torch.testing.assert_close(one.tokens, alone[index].tokens)


@pytest.mark.slow
@torch.no_grad()
def test_an_image_is_looked_at_once_whatever_it_is_shown_with(
    make_policy: MakePolicy, tmp_path: Path
) -> None:
    policy = make_policy("lora", vision_store=VisionStore(tmp_path))
    first, second, third = world_samples(3)
    alone = policy.features([policy.encode(sample) for sample in (first, second)])
    seen = looks(policy)
    shown = [replace(second, context_images=(first.image,)), replace(first, image=second.image)]
    both, again = policy.features([policy.encode(sample) for sample in shown])
    assert not seen
    assert torch.equal(both.tokens, torch.cat([alone[1].tokens, alone[0].tokens]))
    assert torch.equal(again.tokens, alone[1].tokens)
    policy.features([policy.encode(replace(third, context_images=(first.image, third.image)))])
    assert len(seen) == 1
    assert len(list(tmp_path.glob("*/*"))) == 3


@pytest.mark.slow
@torch.no_grad()
def test_another_tower_image_or_precision_is_another_entry(
    make_policy: MakePolicy, tmp_path: Path
) -> None:
    prompts = [make_policy("lora").encode(sample) for sample in world_samples(2)]
    first = make_policy("lora", vision_store=VisionStore(tmp_path))
    old = first.features([prompts[0]])
    assert not same(first.features([prompts[1]]), old)
    other = make_policy("lora", vision_store=VisionStore(tmp_path))
    next(other.vlm.model.visual.parameters()).data.view(-1)[0] += 1
    assert not same(other.features([prompts[0]]), old)
    seen = looks(first)
    with torch.autocast("cpu", torch.bfloat16):
        first.features([prompts[0]])
    assert len(seen) == 1


@pytest.mark.slow
@torch.no_grad()
def test_equal_weights_in_another_arrangement_are_another_entry(tmp_path: Path) -> None:
    found = []
    for layers in ([1], [0, 1]):
        for store in (VisionStore(tmp_path), None):
            vlm, processor = build("qwen2_5_vl")
            vlm.config.vision_config.fullatt_block_indexes = layers
            vlm.model.visual.fullatt_block_indexes = layers
            template = PromptTemplate()
            policy = Policy(vlm, processor, template, Frame.PERMILLE, vision_store=store)
            found.append(policy.features([policy.encode(world_samples(1)[0])]))
    assert same(found[0], found[1])
    assert same(found[2], found[3])
    assert not same(found[0], found[2])


def test_equal_bytes_of_another_shape_or_type_are_another_entry(
    make_policy: MakePolicy, tmp_path: Path
) -> None:
    (image,) = make_policy(None).encode(world_samples(1)[0]).images
    pixels = torch.zeros(6, 4)
    forms = [pixels, pixels.T, pixels.view(torch.int32), torch.ones(6, 4)]
    images = [replace(image, pixels={"pixel_values": form}) for form in forms]
    paths = {VisionStore(tmp_path).path(image, "tower") for image in images}
    assert len(paths) == 4


def test_the_least_recently_read_go_first(tmp_path: Path) -> None:
    store = VisionStore(tmp_path, max_gb=30e-6)
    paths = [tmp_path / "ab" / f"{i}.safetensors" for i in range(100)]
    features = VisionFeatures(tokens=torch.zeros(8, 32), deepstack=(torch.ones(8, 32),))
    for i, path in enumerate(paths):
        store.write(path, features)
        os.utime(path, (i, i))
    assert store.read(paths[0], torch.device("cpu")) is not None  # and that is now
    store.write(tmp_path / "cd" / "last.safetensors", features)
    left = list(tmp_path.glob("*/*"))
    assert sum(path.stat().st_size for path in left) <= 30e3
    assert {paths[0], paths[99], tmp_path / "cd" / "last.safetensors"} <= set(left)
    assert not paths[1].exists()


def test_what_a_killed_process_left_goes_and_what_is_being_written_stays(tmp_path: Path) -> None:
    old, new = tmp_path / "ab" / "old.1.partial", tmp_path / "ab" / "new.2.partial"
    old.parent.mkdir()
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, (1, 1))
    store = VisionStore(tmp_path)
    store.write(tmp_path / "ab" / "x.safetensors", FEATURES)
    assert {path.name for path in tmp_path.glob("*/*")} == {new.name, "x.safetensors"}


def test_other_users_may_read(tmp_path: Path) -> None:
    plain, path = tmp_path / "plain", tmp_path / "ab" / "x.safetensors"
    plain.touch()
    VisionStore(tmp_path).write(path, FEATURES)
    assert path.stat().st_mode == plain.stat().st_mode


@pytest.mark.parametrize("content", [b"", b"\x00" * 7, b"\xff" * 100])
def test_a_damaged_file_is_written_anew(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "ab" / "x.safetensors"
    path.parent.mkdir()
    path.write_bytes(content)
    store = VisionStore(tmp_path)
    assert store.read(path, torch.device("cpu")) is None
    store.write(path, FEATURES)
    found = store.read(path, torch.device("cpu"))
    assert found is not None
    assert torch.equal(found.tokens, torch.ones(2, 3))


def _hammer(folder: Path, number: int) -> None:
    store = VisionStore(folder, max_gb=20e-6)
    for i in range(120):
        path = folder / "ab" / f"{i % 7}.safetensors"
        found = store.read(path, torch.device("cpu"))
        assert found is None or torch.equal(found.tokens, torch.full((30, 30), float(i % 7)))
        store.write(path, VisionFeatures(tokens=torch.full((30, 30), float(i % 7)), deepstack=()))


@pytest.mark.slow
def test_several_processes_share_a_folder(tmp_path: Path) -> None:
    workers = [multiprocessing.Process(target=_hammer, args=(tmp_path, n)) for n in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0] * 4
    assert not list(tmp_path.glob("*/*.partial"))
