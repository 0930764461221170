"""Chat models in this process: transformers, and vLLM on a CPU."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from families import build
from PIL import Image
from small_memory import limit_inputs

from groundrl.chat.base import ChatModel, ImageAttachment, Request
from groundrl.chat.transformers import TransformersModel
from groundrl.errors import UserError

RED = ImageAttachment(Image.new("RGB", (64, 64), "red"))
BLUE = ImageAttachment(Image.new("RGB", (90, 40), "blue"))
REQUESTS = [
    Request(text="what is here?", images=(RED,)),
    Request(text="hello"),
    Request(text="what is that, and where is it?", images=(BLUE,)),
    Request(text="compare", images=(RED, BLUE)),
    Request(text="good morning to you"),
]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("qwen2_5_vl")
    vlm, processor = build("qwen2_5_vl")
    vlm.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def texts(model: ChatModel, requests: list[Request]) -> list[str]:
    replies = model(requests)
    assert all(reply is not None for reply in replies)
    return [reply.text for reply in replies if reply is not None]


def test_a_local_model_answers_in_batches_as_it_answers_alone(checkpoint: Path) -> None:
    together = TransformersModel(str(checkpoint), batch_size=3, max_tokens=12)
    alone = TransformersModel(str(checkpoint), batch_size=1, max_tokens=12)
    assert isinstance(together, ChatModel)
    found = texts(together, REQUESTS)
    assert found == texts(alone, REQUESTS)
    assert len(set(found)) > 2
    for reply, request in zip(together(REQUESTS), REQUESTS, strict=True):
        assert reply is not None
        assert 0 < reply.completion_tokens <= 12
        assert reply.prompt_tokens > len(request.images) * 4
    assert together([]) == []


def test_requests_that_do_not_fit_into_memory_are_answered_in_halves(
    checkpoint: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model = TransformersModel(str(checkpoint), batch_size=8, max_tokens=4)
    requests = [Request(text=f"{number} and", images=(RED,)) for number in range(6)]
    expected = texts(model, requests)
    loaded, _ = model._load()
    tried, hook = limit_inputs(loaded, 3)
    assert texts(model, requests) == expected
    assert [size for size in tried if size > 3] == [6]
    assert "chat.batch_size=3" in caplog.messages[0]
    hook.remove()
    limit_inputs(loaded, 0)
    message = r"lower .*chat\.max_tokens \(now 4\), or type .*dtype=bfloat16, or type .*model="
    with pytest.raises(UserError, match=message):
        model(requests)


def test_control_tokens_of_a_request_are_text(checkpoint: Path) -> None:
    model = TransformersModel(str(checkpoint), max_tokens=2)
    spoiled = "what is <|image_pad|> here?<end><|vision_start|>"
    plain, odd = model([Request(text=text, images=(RED,)) for text in ("what is", spoiled)])
    assert plain is not None
    assert odd is not None  # one picture, one placeholder: the processor would raise
    assert odd.prompt_tokens > plain.prompt_tokens + 20


def test_a_model_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot load .*Type .*chat.*model="):
        TransformersModel(str(tmp_path / "none"))(REQUESTS)


def test_a_model_that_reads_no_images_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "gpt2"}')
    with pytest.raises(UserError, match=r"(?s)cannot load .*a model that sees images"):
        TransformersModel(str(tmp_path))(REQUESTS)


@pytest.mark.slow
@pytest.mark.parametrize("config", [None, "{}", '{"model_type": "nope"}'])
def test_a_model_that_vllm_cannot_load_is_an_error(tmp_path: Path, config: str | None) -> None:
    pytest.importorskip("vllm", reason="vLLM has no build for this machine")
    from groundrl.chat.vllm import VLLMModel

    folder = tmp_path / "model"
    if config is not None:
        folder.mkdir()
        (folder / "config.json").write_text(config)
    with pytest.raises(UserError, match=r"(?s)vLLM cannot load .*Type .*chat.*model="):
        VLLMModel(str(folder))(REQUESTS[:1])


SCHEMA = {
    "type": "object",
    "properties": {"sure": {"type": "boolean"}, "kind": {"type": "string", "enum": ["a", "b"]}},
    "required": ["sure", "kind"],
    "additionalProperties": False,
}


@pytest.fixture
def _on_a_cpu() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VLLM_CPU_KVCACHE_SPACE", "1")
        patch.setenv("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
        yield


@pytest.mark.slow
@pytest.mark.usefixtures("_on_a_cpu")
def test_vllm_answers_in_the_schema_and_reports_what_is_too_long(checkpoint: Path) -> None:
    pytest.importorskip("vllm", reason="vLLM has no build for this machine")
    from groundrl.chat.vllm import VLLMModel

    model = VLLMModel(
        str(checkpoint), max_model_len=512, max_tokens=40, enforce_eager=True, dtype="float32"
    )
    assert isinstance(model, ChatModel)
    held = [Request(text=r.text, images=r.images, schema=SCHEMA) for r in REQUESTS]
    replies = model([*held, REQUESTS[0]])
    assert replies == model([*held, REQUESTS[0]])
    for reply in replies[:-1]:
        assert reply is not None
        assert reply.prompt_tokens > 0
        answer = json.loads(reply.text)
        assert set(answer) == {"sure", "kind"}
        assert answer["kind"] in ("a", "b")
    assert replies[-1] is not None
    local = TransformersModel(str(checkpoint), max_tokens=40)([REQUESTS[0]])[0]
    assert local is not None
    assert replies[-1].text[:8] == local.text[:8]
    with pytest.raises(UserError, match="max_model_len"):
        model([Request(text="word " * 600)])
