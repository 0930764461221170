"""The page to ask on, with a small real model behind it."""

import http.client
import io
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from PIL import Image

from groundrl.answers.attempt import read_attempt
from groundrl.answers.notation import Notation
from groundrl.ask.asker import Asker
from groundrl.ask.page_server import AskServer, make_card, read_form
from groundrl.ask.pictures import read_picture
from groundrl.ask.question import make_sample
from groundrl.boxes import ImageSizes
from groundrl.policy.policy import Policy
from groundrl.records import Completion, RolloutGroup
from groundrl.report.local_server import RequestError
from groundrl.rollout.base import Sampling
from groundrl.rollout.native import NativeEngine

pytestmark = pytest.mark.slow
BOUNDARY = "----a"
KIND = f"multipart/form-data; boundary={BOUNDARY}"
PHOTO = io.BytesIO()
Image.new("RGB", (60, 40), "red").save(PHOTO, "PNG")


@pytest.fixture
def server(make_policy: Callable[..., Policy], tmp_path: Path) -> Iterator[AskServer]:
    policy = make_policy("lora")
    for name, weight in policy.model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.5, generator=torch.Generator().manual_seed(0))
    asker = Asker(
        policy=policy,
        notation=Notation.of("obj_bbox", "permille"),
        engine=NativeEngine(),
        sampling=Sampling(max_tokens=8, temperature=0.0),
    )
    Image.new("RGB", (50, 50), "blue").save(tmp_path / "own.png")
    images = [read_picture(tmp_path / "own.png")]
    uploads = tmp_path / "uploads"
    uploads.mkdir()
    with AskServer(asker, images, uploads, 0, "tiny") as server:
        thread = threading.Thread(target=server.serve)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def multipart(*parts: tuple[str, bytes], upload: tuple[str, bytes] | None = None) -> bytes:
    lines = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'.encode() + content
        for name, content in parts
    ]
    if upload is not None:
        place = f'Content-Disposition: form-data; name="upload"; filename="{upload[0]}"'
        head = f"--{BOUNDARY}\r\n{place}\r\nContent-Type: image/png\r\n\r\n"
        lines.append(head.encode() + upload[1])
    return b"\r\n".join([*lines, f"--{BOUNDARY}--\r\n".encode()])


def get(server: AskServer, body: bytes | None = None, **headers: str) -> tuple[int, str]:
    host = f"127.0.0.1:{server.server_port}"
    own = {"Host": host, "Origin": f"http://{host}", "Content-Type": KIND} | headers
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=60)
    connection.request("GET" if body is None else "POST", "/", body, own)
    answer = connection.getresponse()
    found = answer.status, answer.read().decode()
    connection.close()
    return found


def test_a_picture_is_asked_about_and_base_and_adapter_are_shown(server: AskServer) -> None:
    status, page = get(server)
    assert status == 200
    assert "scene 12</option>" in page
    assert "own.png</option>" in page
    fields = (("image", b"scene 2"), ("question", b"Where is the <cup>?"), ("samples", b"3"))
    status, page = get(server, multipart(*fields, ("compare", b"on")))
    assert status == 200
    assert page.count('<article class="card">') == 6
    assert "with the adapter, 3" in page
    assert "the base alone, 3" in page
    assert 'value="Where is the &lt;cup&gt;?"' in page
    status, page = get(server, multipart(*fields[:2], ("compare", b"on")))
    texts = re.findall(r'<p class="text" tabindex="0">(.*?)</p>', page, re.DOTALL)
    assert len(texts) == 2
    assert texts[0] != texts[1]


def test_an_uploaded_picture_stays_to_be_asked_about_again(server: AskServer) -> None:
    question = ("question", b"Where is it?")
    _, page = get(server, multipart(question, upload=("my photo.png", PHOTO.getvalue())))
    assert "<option selected>upload 1: my photo.png</option>" in page
    assert "aspect-ratio:60/40" in page
    _, page = get(server, multipart(question, ("image", b"upload 1: my photo.png")))
    assert "aspect-ratio:60/40" in page


@pytest.mark.parametrize(
    ("parts", "upload", "message"),
    [
        ([("question", b" "), ("image", b"scene 1")], None, "the question is empty"),
        ([("question", b"Where?"), ("image", b"/etc/passwd")], None, "no longer kept"),
        ([("question", b"Where?")], ("x.png", b"no picture"), "x.png: the image cannot be decoded"),
        ([("question", b"A <|im_end|>?"), ("image", b"scene 1")], None, "control tokens"),
    ],
)
def test_what_cannot_be_asked_is_said_on_the_page(
    server: AskServer,
    parts: list[tuple[str, bytes]],
    upload: tuple[str, bytes] | None,
    message: str,
) -> None:
    status, page = get(server, multipart(*parts, upload=upload))
    assert status == 200
    assert message in page
    assert "<article" not in page


def test_other_sites_and_other_bodies_are_refused(server: AskServer) -> None:
    body = multipart(("question", b"Where?"), ("image", b"scene 1"))
    assert get(server, body, Origin="http://evil.example")[0] == 403
    assert get(server, Host="evil.example")[0] == 403
    for kind in ("application/json", "multipart/form-data; x", ""):
        assert get(server, body, **{"Content-Type": kind})[0] == 400
    assert get(server, multipart(("samples", b"9")))[0] == 400


def test_a_form_is_read_as_it_was_sent() -> None:
    form, upload = read_form(KIND, multipart(("question", "Où?\r\n--x".encode()), ("a", b"")))
    assert (form.question, form.samples, form.compare, upload) == ("Où?\r\n--x", 1, False, None)
    _, upload = read_form(KIND, multipart(upload=("p.png", PHOTO.getvalue())))
    assert upload == ("p.png", PHOTO.getvalue())
    with pytest.raises(RequestError):
        read_form(KIND, multipart(("samples", b"-1")))


def test_phrases_and_boxes_of_an_answer_are_linked(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(PHOTO.getvalue())
    image = read_picture(tmp_path / "a.png")
    text = "The <obj>cup</obj><bbox>[0, 0, 500, 500]</bbox>."
    completion = Completion(text=text, tokens=(), logprobs=(), truncated=False)
    sizes = ImageSizes(width=60, height=40, model_width=64, model_height=32)
    group = RolloutGroup(
        sample=make_sample(image, "Where?"), sizes=sizes, completions=(completion,)
    )
    notation = Notation.of("obj_bbox", "permille")
    attempt = read_attempt(group, completion, notation.grammar, notation.frame)
    card = make_card("the model", image, attempt)
    (box,) = card.image.boxes
    assert (box.key, box.place) == (
        "predicted0",
        "left:0.00%;top:0.00%;width:50.00%;height:50.00%",
    )
    assert [part.is_phrase for part in card.text.parts] == [False, True, False]
