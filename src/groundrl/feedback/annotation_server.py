"""The annotation page over HTTP, for browsers on this machine only."""

import io
import json
import re
import secrets
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from typing import Annotated, Any, Final

from pydantic import Field

from groundrl.feedback.label_store import LabelStore
from groundrl.feedback.labels import MOST_SEVERE, SEVERITIES, SentenceError, SentenceLabel
from groundrl.files import parse_json
from groundrl.images import UnreadableImageError
from groundrl.json_rows import Flag, Text, Whole, validate
from groundrl.report.local_server import LocalHandler, LocalServer, RequestError
from groundrl.report.page import load_templates

MAX_BODY: Final = 100_000
"""Bytes of a request."""
JPEG_QUALITY: Final = 95
IMAGES_KEPT: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """What the page says about a sentence."""

    errors: tuple[SentenceError, ...]
    severity: Annotated[Whole, Field(le=MOST_SEVERE)]
    creative: Flag


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelRequest:
    """Body of ``POST /label``."""

    page: Text
    """As ``GET /state`` named it."""
    caption: Whole
    sentence: Whole
    marks: Marks | None
    """None: the label is taken back."""


class AnnotationServer(LocalServer):
    """Shows the captions of a store and saves their labels. A block closes it."""

    def __init__(self, store: LabelStore, port: int) -> None:
        """Raises UserError where the port cannot be had. ``port`` 0: any that is free."""
        self.store = store
        self.page = ""
        """The page that may save: the one that was loaded last."""
        self.image = lru_cache(IMAGES_KEPT)(self._jpeg)
        templates = load_templates("groundrl.feedback")
        html = templates.get_template("annotate.html.jinja").render(
            title=f"Captions · {store.annotator}",
            errors=list(SentenceError),
            severities=SEVERITIES,
        )
        self.html = html.encode()
        super().__init__(port, AnnotationHandler)

    def open_page(self) -> dict[str, Any]:
        """All captions and labels, for a page that is loaded; earlier pages can no longer save."""
        self.page = secrets.token_hex(8)
        store = self.store
        return {
            "page": self.page,
            "captions": [
                {
                    "question": caption.question,
                    "pieces": split_text(caption.text, spans),
                    "labels": [None if one is None else _marks(one) for one in labels],
                }
                for caption, spans, labels in zip(
                    store.captions, store.spans, store.labels, strict=True
                )
            ],
        }

    def save(self, request: LabelRequest) -> None:
        """Save a label. Raises RequestError."""
        if request.page != self.page:
            raise RequestError(
                HTTPStatus.CONFLICT, "These labels were opened again. Reload to go on here."
            )
        if request.caption >= len(self.store.captions) or request.sentence >= len(
            self.store.spans[request.caption]
        ):
            raise RequestError(HTTPStatus.BAD_REQUEST, "there is no such sentence")
        label = None
        if marks := request.marks:
            if bool(marks.errors) != bool(marks.severity):
                raise RequestError(HTTPStatus.BAD_REQUEST, "errors and severity go together")
            start, stop = self.store.spans[request.caption][request.sentence]
            label = SentenceLabel(
                start=start,
                stop=stop,
                errors=tuple(error for error in SentenceError if error in marks.errors),
                severity=marks.severity,
                creative=marks.creative,
            )
        try:
            self.store.set_label(request.caption, request.sentence, label)
        except OSError as error:
            raise RequestError(HTTPStatus.INSUFFICIENT_STORAGE, str(error)) from error

    def _jpeg(self, caption: int) -> bytes:
        buffer = io.BytesIO()
        image = self.store.captions[caption].image.load()
        image.save(buffer, "JPEG", quality=JPEG_QUALITY, subsampling=0)
        return buffer.getvalue()


def split_text(text: str, spans: list[tuple[int, int]]) -> list[tuple[str, int | None]]:
    """Pieces of the text, each with the number of its sentence, None between sentences. A browser
    counts characters in another way, so it gets no places."""
    pieces: list[tuple[str, int | None]] = []
    end = 0
    for number, (start, stop) in enumerate(spans):
        pieces += [(text[end:start], None), (text[start:stop], number)]
        end = stop
    return [piece for piece in [*pieces, (text[end:], None)] if piece[0]]


def _marks(label: SentenceLabel) -> dict[str, Any]:
    return {
        "errors": [str(error) for error in label.errors],
        "severity": label.severity,
        "creative": label.creative,
    }


class AnnotationHandler(LocalHandler):
    """``GET /``, ``/state``, ``/image/<number of the caption>``; ``POST /label``."""

    server: AnnotationServer  # pyright: ignore[reportIncompatibleVariableOverride]

    def do_GET(self) -> None:
        try:
            self.check_host()
            path = self.path.partition("?")[0]
            if path == "/":
                self.send("text/html; charset=utf-8", self.server.html)
            elif path == "/state":
                content = json.dumps(self.server.open_page(), ensure_ascii=False)
                self.send("application/json", content.encode())
            elif found := re.fullmatch(r"/image/([0-9]{1,9})", path):
                self._send_image(int(found[1]))
            else:
                raise RequestError(HTTPStatus.NOT_FOUND, "there is no such page")
        except RequestError as error:
            self.refuse(error)

    def do_POST(self) -> None:
        try:
            # Read first: a refusal would be lost if the connection was closed while it is sent.
            body = self.read_body(MAX_BODY)
            self.check_origin("save labels")
            if self.path != "/label":
                raise RequestError(HTTPStatus.NOT_FOUND, "there is no such page")
            try:
                request = validate(LabelRequest, parse_json(body))
            except ValueError as error:
                raise RequestError(HTTPStatus.BAD_REQUEST, str(error)) from error
            self.server.save(request)
            self.send("application/json", b"{}")
        except RequestError as error:
            self.refuse(error)

    def _send_image(self, caption: int) -> None:
        if caption >= len(self.server.store.captions):
            raise RequestError(HTTPStatus.NOT_FOUND, "there is no such image")
        try:
            content = self.server.image(caption)
        except UnreadableImageError as error:
            raise RequestError(HTTPStatus.NOT_FOUND, str(error)) from error
        self.send("image/jpeg", content, cache="private, max-age=3600")
