"""The page's server: what it shows, what it saves, whom it refuses."""

import http.client
import io
import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from captioned_scenes import TEXTS, label_sentences, write_caption_file
from PIL import Image

from groundrl.errors import UserError
from groundrl.feedback.annotation_server import AnnotationServer, split_text
from groundrl.feedback.label_store import LabelStore
from groundrl.feedback.labels import read_captions
from groundrl.language.splitting import split_sentences

MARKS = {"errors": ["attribute", "hallucination"], "severity": 3, "creative": True}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[AnnotationServer]:
    captions = read_captions(write_caption_file(tmp_path))
    store = LabelStore(captions, "ann", tmp_path / "labels.jsonl")
    with AnnotationServer(store, 0) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def ask(
    server: AnnotationServer, path: str, body: object = None, **headers: str
) -> tuple[int, bytes]:
    """Status and content; ``body`` makes it a POST."""
    host = f"127.0.0.1:{server.server_port}"
    own = {"Host": host, "Origin": f"http://{host}"} | headers
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    content = None if body is None else body if isinstance(body, bytes) else json.dumps(body)
    connection.request("GET" if body is None else "POST", path, content, own)
    answer = connection.getresponse()
    found = answer.status, answer.read()
    connection.close()
    return found


def open_page(server: AnnotationServer) -> dict[str, Any]:
    return json.loads(ask(server, "/state")[1])


def save(server: AnnotationServer, page: str, **changes: Any) -> tuple[int, bytes]:
    request = {"page": page, "caption": 0, "sentence": 1, "marks": MARKS}
    return ask(server, "/label", request | changes)


def test_a_label_is_saved_and_shown_again(server: AnnotationServer) -> None:
    assert save(server, open_page(server)["page"]) == (200, b"{}")
    (expected,) = label_sentences("It is on a bus.", "ha3")
    label = server.store.labels[0][1]
    assert label is not None
    assert (label.errors, label.severity, label.creative) == (expected.errors, 3, True)
    state = open_page(server)
    assert state["captions"][0]["labels"] == [
        None,
        {"errors": ["hallucination", "attribute"], "severity": 3, "creative": True},
    ]
    assert save(server, state["page"], marks=None)[0] == 200
    assert server.store.labels[0] == [None, None]


@pytest.mark.parametrize("text", [*TEXTS, " \n🍵 A. \n B!  ", "one"])
def test_the_pieces_of_a_text_are_its_sentences_and_what_is_between(text: str) -> None:
    spans = split_sentences(text)
    pieces = split_text(text, spans)
    assert "".join(piece for piece, _ in pieces) == text
    sentences = [(piece, number) for piece, number in pieces if number is not None]
    assert sentences == [(text[a:b], number) for number, (a, b) in enumerate(spans)]


def test_the_page_fetches_nothing_from_elsewhere(server: AnnotationServer) -> None:
    status, html = ask(server, "/")
    assert status == 200
    assert b"//" not in html.replace(b"// ", b"").replace(b"http://", b"//")
    assert b"An object is not where in the image it says." in html


def test_the_image_is_the_one_of_the_caption(server: AnnotationServer) -> None:
    status, content = ask(server, "/image/1?page")
    assert status == 200
    shown = np.asarray(Image.open(io.BytesIO(content)), dtype=float)
    own = np.asarray(server.store.captions[1].image.load(), dtype=float)
    assert np.abs(shown - own).mean() < 2
    assert ask(server, "/image/2")[0] == 404
    assert ask(server, "/../labels.jsonl")[0] == 404


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", ""])
def test_another_name_of_this_machine_is_refused(server: AnnotationServer, host: str) -> None:
    page = open_page(server)["page"]
    assert ask(server, "/state", Host=host)[0] == 403
    request = {"page": page, "caption": 0, "sentence": 0, "marks": None}
    assert ask(server, "/label", request, Host=host, Origin=f"http://{host}")[0] == 403


@pytest.mark.parametrize("host", ["localhost:1234", "[::1]:8765", "LOCALHOST"])
def test_a_tunnel_to_this_machine_is_served(server: AnnotationServer, host: str) -> None:
    assert ask(server, "/", Host=host)[0] == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "", "http://127.0.0.1:1"])
def test_another_site_cannot_save(server: AnnotationServer, origin: str) -> None:
    request = {"page": open_page(server)["page"], "caption": 0, "sentence": 1, "marks": MARKS}
    status, message = ask(server, "/label", request, Origin=origin)
    assert (status, server.store.labels[0][1]) == (403, None)
    assert b"only the page itself" in message


def test_only_the_page_that_was_opened_last_can_save(server: AnnotationServer) -> None:
    first, second = open_page(server)["page"], open_page(server)["page"]
    status, message = save(server, first)
    assert (status, server.store.labels[0][1]) == (409, None)
    assert b"Reload" in message
    assert save(server, second)[0] == 200


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"caption": 2}, "no such sentence"),
        ({"sentence": 2}, "no such sentence"),
        ({"sentence": -1}, "sentence: expected a number from 0 on"),
        ({"marks": MARKS | {"errors": ["Attribute"]}}, "expected 'hallucination'.*got 'Attribute'"),
        ({"marks": MARKS | {"severity": 4}}, "expected a number up to 3"),
        ({"marks": MARKS | {"severity": 0}}, "errors and severity go together"),
        ({"marks": MARKS | {"errors": []}}, "errors and severity go together"),
    ],
)
def test_a_label_that_makes_no_sense_is_refused(
    server: AnnotationServer, changes: dict[str, Any], message: str
) -> None:
    status, answer = save(server, open_page(server)["page"], **changes)
    assert status == 400
    assert re.search(message, answer.decode())
    assert server.store.labels[0] == [None, None]


@pytest.mark.parametrize("body", [b"{", b"\xff", b"[]"])
def test_a_broken_body_is_refused(server: AnnotationServer, body: bytes) -> None:
    assert ask(server, "/label", body)[0] == 400


@pytest.mark.parametrize("length", ["200000", "-1", "much"])
def test_a_body_of_another_length_is_not_read(server: AnnotationServer, length: str) -> None:
    status, message = ask(server, "/label", b"", **{"Content-Length": length})
    assert (status, message) == (400, b"expected a body of at most 100000 bytes\n")


def test_a_port_in_use_is_one_message(server: AnnotationServer) -> None:
    port = server.server_port
    with pytest.raises(UserError, match=rf"port {port} cannot be used .* 0 for any free one"):
        AnnotationServer(server.store, port)
