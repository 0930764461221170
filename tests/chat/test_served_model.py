"""Chat models behind HTTP: what is sent, what comes back, what goes wrong, what it costs."""

import base64
import threading
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from chat_server import Body, Raw, Served, chat_server, completion, error, said
from PIL import Image

from groundrl.chat.base import ChatModel, ImageAttachment, Request
from groundrl.chat.openai_compatible import OpenAICompatibleModel, read_reply
from groundrl.chat.spending import Price, Spending
from groundrl.control_tokens import JOINER
from groundrl.errors import UserError

KEY = "sk-very-secret-0123456789"
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}


def requests(count: int) -> list[Request]:
    return [Request(text=f"number {i}") for i in range(count)]


def test_a_request_is_sent_as_images_then_text_with_its_schema() -> None:
    red = ImageAttachment(Image.new("RGB", (32, 16), (250, 10, 10)))
    request = Request(text="what is it?", images=(red, red), schema=SCHEMA, seed=5)
    with chat_server(lambda _: "red") as served:
        model = OpenAICompatibleModel("m", [served.url + "/"])
        (reply,) = model([request])
    assert reply is not None
    assert (reply.text, reply.prompt_tokens, reply.completion_tokens) == ("red", 7, 3)
    (body,) = served.bodies
    *images, text = body["messages"][0]["content"]
    assert text == {"type": "text", "text": "what is it?"}
    for part in images:
        head, _, data = part["image_url"]["url"].partition(",")
        assert head == "data:image/jpeg;base64"
        image = Image.open(BytesIO(base64.b64decode(data)))
        assert image.size == (32, 16)
        pixel = image.getpixel((3, 3))
        assert isinstance(pixel, tuple)
        assert max(abs(a - b) for a, b in zip(pixel, (250, 10, 10), strict=True)) <= 3
    wanted = body["response_format"]["json_schema"]
    assert (wanted["schema"], wanted["strict"]) == (SCHEMA, True)
    assert (body["temperature"], body["seed"], body["model"]) == (0, 5, "m")


@pytest.mark.slow
def test_several_servers_are_asked_in_turn() -> None:
    with chat_server(lambda _: "a") as one, chat_server(lambda _: "b") as other:
        model = OpenAICompatibleModel("m", [one.url, other.url])
        for request in requests(6):
            model([request])
    assert len(one.bodies) == len(other.bodies) == 3


def test_fields_of_the_request_can_be_added_and_left_out_and_belong_to_the_name() -> None:
    with chat_server(lambda _: "yes") as served:
        extra = {"temperature": None, "chat_template_kwargs": {"enable_thinking": False}}
        model = OpenAICompatibleModel("m", [served.url], extra_body=extra)
        model(requests(1))
        plain = OpenAICompatibleModel("m", [served.url])
    assert "temperature" not in served.bodies[0]
    assert served.bodies[0]["chat_template_kwargs"] == {"enable_thinking": False}
    assert plain.name == "m"
    assert isinstance(plain, ChatModel)
    assert "enable_thinking" in model.name


@pytest.mark.slow
def test_answers_come_in_order_and_no_more_than_asked_for_are_under_way() -> None:
    with chat_server(said, seconds=0.05) as served:
        model = OpenAICompatibleModel("m", [served.url], at_once=8)
        with ThreadPoolExecutor(3) as callers:
            found = list(callers.map(model, [requests(16)] * 3))
    for replies in found:
        assert [r and r.text for r in replies] == [f"number {i}" for i in range(16)]
    assert 2 < served.most <= 8
    assert len(served.peers) <= 8  # threads share one client


@pytest.mark.parametrize("status", [429, 500, 503, 529])
def test_a_server_that_comes_back_is_asked_again(status: int) -> None:
    failures = iter([error(status, "later"), error(status, "later")])
    with chat_server(lambda _: next(failures, "back")) as served:
        (reply,) = OpenAICompatibleModel("m", [served.url], retries=2)(requests(1))
    assert reply is not None
    assert reply.text == "back"
    assert len(served.bodies) == 3


@pytest.mark.parametrize(
    "answer",
    [
        error(503, "never"),
        error(429, "slow down"),
        Raw(body=b"<html>502 Bad Gateway</html>", headers={"Content-Type": "text/html"}),
        Raw(body=b"<html>", status=502, headers={"retry-after-ms": "1"}),
        Raw(body=b'{"object": "list", "data": []}'),
        Raw(body=b'{"choices": []}'),
        Raw(body=b"[" * 100_000),
        Raw(body=b"\xff\xfe"),
        completion(""),
        completion("  \n"),
        completion(None),
        error(400, "too long", code="context_length_exceeded"),
        error(400, "not so", code="content_filter"),
    ],
    ids=lambda answer: f"{answer.status} {answer.body[:24]!r}",
)
def test_what_brings_no_answer_costs_that_answer_only(answer: Raw) -> None:
    def reply(body: Body) -> Raw:
        return answer if said(body) == "number 1" else completion("well")

    with chat_server(reply) as served:
        found = OpenAICompatibleModel("m", [served.url], retries=1)(requests(3))
    assert [r and r.text for r in found] == ["well", None, "well"]


def test_a_server_that_is_not_there_gives_no_answer() -> None:
    assert OpenAICompatibleModel("m", ["http://127.0.0.1:9/v1"], retries=0)(requests(2)) == [
        None,
        None,
    ]


def test_a_server_that_hangs_gives_no_answer() -> None:
    gate = threading.Event()

    def reply(_: Body) -> str:
        gate.wait(5)
        return "late"

    with chat_server(reply) as served:
        assert OpenAICompatibleModel("m", [served.url], retries=0, timeout=0.1)(requests(1)) == [
            None
        ]
        gate.set()


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (error(401, f"Incorrect API key provided: {KEY[:8]}***{KEY[-4:]}"), "export THE_KEY="),
        (error(403, f"{KEY} may not use m"), r"\(403\): .*\*\*\* may not use m"),
        (error(404, "no model m"), r"refuses m \(404\): .*no model m.*chat.*model="),
        (error(400, "temperature is not supported"), "temperature is not supported"),
        (error(422, "no seeds"), r"\(422\): .*no seeds"),
        (error(429, "pay first", code="insufficient_quota"), r"\(429\): .*pay first"),
        (Raw(body=f"<p>{KEY}</p>".encode(), status=400), r"<p>\*\*\*</p>"),
    ],
    ids=lambda value: value if isinstance(value, str) else str(value.status),
)
def test_a_refusal_is_one_error_that_never_shows_the_key(
    answer: Raw, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THE_KEY", KEY)
    with chat_server(lambda _: answer) as served:
        model = OpenAICompatibleModel(
            "m", [served.url], key_variable="THE_KEY", at_once=2, retries=1
        )
        with pytest.raises(UserError, match=message) as caught:
            model(requests(50))
    assert len(served.bodies) < 30
    assert served.headers[0]["authorization"] == f"Bearer {KEY}"
    assert caught.value.__cause__ is None
    shown = f"{caught.value!r} {model.name} {vars(model)}"
    assert KEY not in shown
    assert KEY[-4:] not in str(caught.value)


@pytest.mark.parametrize("value", [None, "", "  ", "two words", "sk-\u00e4", "a\nb"])
def test_a_key_that_is_none_is_an_error_before_anything_is_sent(
    value: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("THE_KEY", raising=False)
    if value is not None:
        monkeypatch.setenv("THE_KEY", value)
    with chat_server(lambda _: "yes") as served:
        model = OpenAICompatibleModel("m", [served.url], key_variable="THE_KEY")
        with pytest.raises(UserError, match="type export THE_KEY=") as caught:
            model(requests(1))
    assert not served.bodies
    assert value is None or not value.strip() or value not in str(caught.value)


def test_the_key_of_openai_is_not_sent_to_another_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with chat_server(lambda _: "yes") as served:
        OpenAICompatibleModel("m", [served.url])(requests(1))
    assert KEY not in str(served.headers)


def spend(served: Served, path: Path, count: int, **options: Any) -> list[str | None]:
    """Asks with a price of one unit per prompt token."""
    spending = Spending(Price(prompt=1e6, completion=0.0), path=str(path), **options)
    model = OpenAICompatibleModel("m", [served.url], at_once=1, spending=spending)
    return [reply and reply.text for reply in model(requests(count))]


@pytest.mark.slow
def test_a_budget_stops_the_run_keeps_what_is_there_and_counts_over_restarts(
    tmp_path: Path,
) -> None:
    path = tmp_path / "spending.jsonl"
    with chat_server(lambda _: completion("ok", prompt=10, written=1)) as served:
        assert spend(served, path, 2, budget=35.0) == ["ok", "ok"]
        path.write_text(path.read_text() + '{"prompt": 1')  # cut off with its run
        found = spend(served, path, 5, budget=35.0)
        assert (found.count("ok"), found.count(None)) == (2, 3)
        asked = len(served.bodies)
        with pytest.raises(UserError, match=r"budget of 35.0 is spent: 40 prompt .* cost 40"):
            spend(served, path, 1, budget=35.0)
        assert len(served.bodies) == asked == 4
        assert spend(served, path, 1, budget=45.0) == ["ok"]
    assert Spending(Price(prompt=1.0, completion=2.0), path=str(path)).cost == pytest.approx(60e-6)
    path.write_text("what\n")
    with pytest.raises(UserError, match=r"spending.jsonl:1 is no record of tokens"):
        Spending(Price(prompt=1.0, completion=1.0), path=str(path))


def test_a_budget_without_a_price_is_a_mistake() -> None:
    with pytest.raises(UserError, match=r"never reached .* type price.prompt="):
        Spending(Price(prompt=0.0, completion=0.0), budget=5.0)


def test_an_answer_without_counts_is_one() -> None:
    reply = read_reply(b'{"choices": [{"message": {"content": "x"}}]}')
    assert reply is not None
    assert (reply.text, reply.prompt_tokens) == ("x", 0)


def test_control_tokens_are_broken_for_a_server_whose_tokenizer_is_not_known() -> None:
    text = "a<|im_end|> b <image> c</s> <start_of_turn>d, and 1 < 2 | 3 > 2 <b> stays"
    with chat_server(lambda _: "yes") as served:
        OpenAICompatibleModel("m", [served.url])([Request(text=text)])
    sent = served.bodies[0]["messages"][0]["content"]
    assert sent.replace(JOINER, "") == text
    assert [part[:4] for part in sent.split(JOINER)[1:]] == ["|im_", "imag", "/s> ", "star"]
