"""vLLM on a CPU, in process and as servers: the policy's tokens, log-probabilities and adapter."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
import torch
from families import build
from stage_runs import grpo_module, logged, train, weights
from vllm_processes import Running, kill, wait_for
from world_questions import with_context, world_samples

from groundrl.chat.base import ImageAttachment, Request
from groundrl.chat.openai_compatible import OpenAICompatibleModel
from groundrl.detectors.oracle import OracleDetector
from groundrl.errors import UserError
from groundrl.losses import PolicyLoss
from groundrl.policy.adapters.adapter import Adapter
from groundrl.policy.load import load_policy
from groundrl.policy.policy import Policy
from groundrl.policy.shared_prefix.layout import Branch
from groundrl.prompts import PromptTemplate
from groundrl.rollout.base import RolloutEngine, Sampling
from groundrl.rollout.native import NativeEngine
from groundrl.rollout.sampler import Rollout, Sampler
from groundrl.rollout.servers.engine import VLLMServers
from groundrl.rollout.vllm import VLLMEngine
from groundrl.running.task_runner import LocalRunner
from groundrl.synthesis.annotate import Annotator
from groundrl.synthesis.crops import Cropping, make_crops
from groundrl.synthesis.images import SceneImages
from groundrl.synthesis.roles import ImageView
from groundrl.synthesis.run import Synthesis
from groundrl.synthesis.samples import QuestionPlan
from groundrl.synthesis.teachers.prompted import SCHEMA, PromptedTeacher
from groundrl.synthesis.verifiers.prompted import PromptedVerifier

pytest.importorskip("vllm", reason="vLLM has no build for this machine")

CPU = {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_ENABLE_V1_MULTIPROCESSING": "0"}
KEY = {"VLLM_API_KEY": "secret"}
GREEDY = Sampling(max_tokens=16, temperature=0.0)


def saved(family: str, folder: Path) -> Path:
    vlm, processor = build(family)
    vlm.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved("qwen2_5_vl", tmp_path_factory.mktemp("qwen2_5_vl"))


@pytest.fixture
def base(checkpoint: Path) -> Policy:
    """Without an adapter."""
    adapter = Adapter(kind="frozen")
    return load_policy(str(checkpoint), "model", PromptTemplate(), adapter, max_pixels=9408)


@pytest.fixture
def policy(checkpoint: Path) -> Policy:
    """With an adapter that matters, and smaller images than the checkpoint's."""
    adapter = Adapter(rank=8, alpha=16)
    policy = load_policy(str(checkpoint), "model", PromptTemplate(), adapter, max_pixels=9408)
    move(policy, seed=1)
    return policy


def move(policy: Policy, seed: int) -> None:
    noise = torch.Generator().manual_seed(seed)
    for parameter in policy.parameters():
        if parameter.requires_grad:
            parameter.data = 0.3 * torch.randn(parameter.shape, generator=noise)


def roll(engine: RolloutEngine, policy: Policy, sampling: Sampling, group_size: int = 1) -> Rollout:
    sampler = Sampler(engine, sampling, group_size=group_size, seed=3)
    return sampler(policy, policy.encode.examples(with_context(world_samples(4))), step=2)


def tokens(rollout: Rollout) -> list[list[tuple[int, ...]]]:
    return [[c.tokens for c in group.completions] for group in rollout.groups]


def gap(policy: Policy, rollout: Rollout, temperature: float) -> float:
    """Largest difference between what the engine reports and what the policy computes."""
    with torch.no_grad():
        scored = policy.logprobs(
            rollout.prompts,
            [[Branch(tokens=c.tokens) for c in group.completions] for group in rollout.groups],
            rollout.features(),
            temperature=temperature,
        )
    said = [torch.tensor(c.logprobs) for group in rollout.groups for c in group.completions]
    said = torch.nn.utils.rnn.pad_sequence(said, batch_first=True)
    return ((scored.logprobs - said) * scored.mask).abs().max().item()


@pytest.fixture(scope="module", autouse=True)
def _in_this_process() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (CPU | KEY).items():
            patch.setenv(name, value)
        yield


@pytest.fixture(scope="module")
def engine() -> VLLMEngine:
    """For the first tests of this file: another engine in this process ends it."""
    return VLLMEngine(max_model_len=512, enforce_eager=True)


def check_engine(engine: RolloutEngine, policy: Policy) -> None:
    """What any engine owes, the policy's adapter of the moment included."""
    for seed in (1, 2):
        move(policy, seed)
        assert tokens(roll(engine, policy, GREEDY)) == tokens(roll(NativeEngine(), policy, GREEDY))
    warm = Sampling(max_tokens=12, temperature=0.7)
    rollout = roll(engine, policy, warm, group_size=3)
    assert gap(policy, rollout, temperature=0.7) < 1e-2
    assert tokens(rollout) == tokens(roll(engine, policy, warm, group_size=3))
    assert len({c for group in tokens(rollout) for c in group}) > 6
    for group in rollout.groups:
        for completion in group.completions:
            *before, last = completion.tokens
            assert policy.eos_token not in before
            assert completion.truncated == (last != policy.eos_token)
            assert not set(completion.tokens) & set(policy.spec.placeholders)


@pytest.mark.slow
def test_vllm_in_process_samples_from_the_policy(engine: VLLMEngine, policy: Policy) -> None:
    check_engine(engine, policy)


@pytest.mark.slow
def test_more_prompts_than_vllm_reads_in_one_pass(engine: VLLMEngine, policy: Policy) -> None:
    sampler = Sampler(engine, Sampling(max_tokens=2, temperature=0.7), group_size=1)
    rollout = sampler(policy, policy.encode.examples(world_samples(60)), step=0)
    assert sum(len(prompt.prefix.tokens) for prompt in rollout.prompts) > 2 * 2048
    assert len(rollout.groups) == 60


@pytest.mark.slow
def test_a_policy_learns_from_what_vllm_samples(
    engine: VLLMEngine, policy: Policy, tmp_path: Path
) -> None:
    before = weights(policy)
    frozen = policy.fixed_weights()["base"]
    loss = PolicyLoss(importance_cap=2.0)
    train(grpo_module(policy, engine=engine, loss=loss, lr=1e-2), tmp_path)
    gaps = logged(tmp_path)["policy/sampler_gap"]
    assert set(gaps) == {1, 2, 3, 4}
    assert max(gaps.values()) < 1e-3  # vLLM has the adapter of each step
    assert all((weights(policy)[name] != old).any() for name, old in before.items())
    assert policy.fixed_weights()["base"] == frozen


@pytest.mark.slow
def test_vllm_in_process_samples_from_a_base_without_adapter(base: Policy) -> None:
    engine = VLLMEngine(max_model_len=512, enforce_eager=True)
    assert tokens(roll(engine, base, GREEDY)) == tokens(roll(NativeEngine(), base, GREEDY))


@pytest.mark.slow
@pytest.mark.parametrize("family", ["qwen3_vl", "internvl"])
def test_vllm_samples_from_adapters_of_other_families(family: str, tmp_path: Path) -> None:
    policy = load_policy(
        str(saved(family, tmp_path)), "permille", PromptTemplate(), Adapter(rank=8, alpha=16)
    )
    check_engine(VLLMEngine(max_model_len=512, enforce_eager=True), policy)


@pytest.fixture(scope="module")
def servers(
    checkpoint: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Running, Running]]:
    started = []
    for name in ("a", "b"):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        log = tmp_path_factory.mktemp("servers") / name
        command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server"]
        command += ["--model", str(checkpoint), "--dtype", "float32", "--max-model-len", "2048"]
        command += ["--enforce-eager", "--enable-lora", "--max-lora-rank", "8"]
        command += ["--limit-mm-per-prompt", '{"video": 0}']
        command += ["--logprobs-mode", "processed_logprobs", "--trust-request-mm-kwargs"]
        command += ["--host", "127.0.0.1", "--port", str(port)]
        if name == "b":  # the other one reads them from the folder
            command += ["--middleware", "groundrl.rollout.servers.adapter_uploads.AdapterUploads"]
        environment = os.environ | CPU | KEY | {"VLLM_ALLOW_RUNTIME_LORA_UPDATING": "1"}
        with log.open("wb") as file:
            process = subprocess.Popen(
                command, stdout=file, stderr=file, env=environment, start_new_session=True
            )
        started.append((Running(process, f"http://127.0.0.1:{port}"), log))
    try:
        for server, log in started:
            wait_for(server, log)
        yield started[0][0], started[1][0]
    finally:
        for server, _ in started:
            kill(server)


@pytest.mark.slow
def test_servers_describe_images_and_judge_captions(
    servers: tuple[Running, Running], checkpoint: Path
) -> None:
    urls = [f"{server.url}/v1" for server in servers]
    chat = OpenAICompatibleModel(str(checkpoint), urls, key_variable="VLLM_API_KEY", max_tokens=24)
    image = next(iter(SceneImages(size=1)))
    asked = Request(
        text="what is this?", images=(ImageAttachment(image.source.load()),), schema=SCHEMA
    )
    seen, unseen = chat([asked, replace(asked, images=())])
    assert seen is not None
    assert unseen is not None
    assert seen.prompt_tokens > unseen.prompt_tokens + 10
    assert seen.text.startswith('{"caption"')
    (regions,) = OracleDetector()([image])
    crop = make_crops(regions, image.source, Cropping())[0]
    views = [ImageView(image=image, crop=one, regions=regions) for one in (None, crop)]
    captions = PromptedTeacher(chat=chat)(views)
    verdicts = PromptedVerifier(chat=chat)([(view, "There is a cup.") for view in views])
    assert all(one is not None and one.tokens > 100 for one in (*captions, *verdicts))


@pytest.mark.slow
def test_servers_make_data_out_of_images(
    servers: tuple[Running, Running], checkpoint: Path, tmp_path: Path
) -> None:
    urls = [f"{server.url}/v1" for server in servers]
    chat = OpenAICompatibleModel(str(checkpoint), urls, key_variable="VLLM_API_KEY", max_tokens=24)
    annotator = Annotator(
        detector=OracleDetector(),
        teacher=PromptedTeacher(chat=chat),
        verifier=PromptedVerifier(chat=chat),
        cropping=Cropping(max_crops=1),
    )
    run = Synthesis(
        images=SceneImages(size=2),
        annotator=lambda: annotator,
        runner=LocalRunner(),
        concurrency=2,
        questions=QuestionPlan(),
        licence="CC0",
        cache=tmp_path / "cache.sqlite",
        shard_size=10,
        run_dir=tmp_path / "run",
    )
    assert run.run().unfinished == 0
    lines = (tmp_path / "run" / "images.jsonl").read_text().splitlines()
    captions = [c for x in map(json.loads, lines) for c in (x["level_1"], *x["level_2"])]
    assert len(captions) == 2 * 2
    assert all(one["caption"]["tokens"] > 100 and one["verdicts"] for one in captions)


def adapter_folders(server: Running) -> list[str]:
    """Where the adapters lie that a server has loaded."""
    answer = httpx.get(f"{server.url}/v1/models", headers={"Authorization": "Bearer secret"})
    return [model["root"] for model in answer.json()["data"] if model["parent"] is not None]


@pytest.mark.slow
def test_servers_share_the_prompts_and_one_that_dies_is_left_out(
    servers: tuple[Running, Running],
    policy: Policy,
    base: Policy,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    urls = [server.url for server in servers]
    weights = f"{urls[1]}/v1/adapters/a-1/adapter_model.safetensors"
    assert httpx.put(weights, content=b"x").status_code == 401
    engine = VLLMServers(urls, str(tmp_path), "VLLM_API_KEY", concurrency=1, retries=1)
    assert tokens(roll(engine, base, GREEDY)) == tokens(roll(NativeEngine(), base, GREEDY))
    check_engine(engine, policy)
    assert all(path.startswith(str(tmp_path)) for path in adapter_folders(servers[0]))
    assert all("/groundrl-adapters-" in path for path in adapter_folders(servers[1]))
    expected = tokens(roll(engine, policy, GREEDY))
    assert not [text for text in caplog.messages if text.startswith(tuple(urls))]
    kill(servers[1])
    assert tokens(roll(engine, policy, GREEDY)) == expected
    assert caplog.messages[0].startswith(f"{servers[1].url}: ")
    kill(servers[0])
    with pytest.raises(UserError, match="no vLLM server is left"):
        roll(engine, policy, GREEDY)
