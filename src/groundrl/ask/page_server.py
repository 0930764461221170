"""A local page to ask on: a picture, a question, answers side by side."""

import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from email.parser import BytesParser
from email.policy import HTTP
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

from groundrl.answers.attempt import Attempt
from groundrl.ask.asker import Asker
from groundrl.ask.pictures import read_picture
from groundrl.ask.question import check_question
from groundrl.errors import UserError
from groundrl.files import printable
from groundrl.images import UnreadableImageError
from groundrl.json_rows import replace_surrogates
from groundrl.records import ImageFile, ImageSource
from groundrl.report.answers.text import AnswerText, split_text
from groundrl.report.local_server import LocalHandler, LocalServer, RequestError
from groundrl.report.page import load_templates
from groundrl.report.pictures.image_view import (
    MAX_BOXES,
    ImageView,
    inline_jpeg,
    view_image,
    view_predicted_box,
)
from groundrl.world.graph import SceneSpec
from groundrl.world.source import SceneImage

MAX_BODY: Final = 40_000_000
"""Bytes of a request with a picture."""
MAX_SAMPLES: Final = 8
SCENES: Final = 12
"""Of the embedded world, to choose from."""
UPLOADS_KEPT: Final = 20
IMAGE_SIDE: Final = 480
POLL_SECONDS: Final = 0.5
"""Between two checks for Ctrl-C while there is no request."""
TEMPLATES = load_templates("groundrl.ask")


@dataclass(frozen=True, slots=True, kw_only=True)
class AskForm:
    """What the page sends."""

    image: str = "scene 1"
    """One of the choices."""
    question: str = ""
    samples: int = 1
    """1: the most likely answer; more are drawn at random."""
    compare: bool = False
    """Also ask the base without its adapter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerCard:
    """An answer as the page shows it."""

    who: str
    image: ImageView
    text: AnswerText
    answer: str | None
    damaged: Sequence[str]
    truncated: bool


@dataclass(slots=True, kw_only=True)
class Choices:
    """The pictures to choose from, by the name that the page shows."""

    pictures: dict[str, ImageSource]
    uploads: Path
    """Where uploaded pictures are kept."""
    uploaded: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, images: Sequence[ImageFile], uploads: Path) -> "Choices":
        """Those of the command line, then scenes of the embedded world."""
        pictures: dict[str, ImageSource] = {printable(one.path): one for one in images}
        for index in range(SCENES):
            pictures[f"scene {index + 1}"] = SceneImage(spec=SceneSpec(seed=0, index=index))
        return cls(pictures=pictures, uploads=uploads)

    def add(self, name: str, content: bytes) -> str:
        """Keep an uploaded picture and return its name among the choices. Raises UserError."""
        number = len(self.uploaded) + 1
        path = self.uploads / str(number)
        path.write_bytes(content)
        try:
            image = read_picture(path)
        except UnreadableImageError as error:
            path.unlink()
            raise UserError(f"{name}: {error}") from error
        choice = f"upload {number}: {name}"
        self.pictures[choice] = image
        self.uploaded.append(choice)
        if len(self.uploaded) > UPLOADS_KEPT:
            old = self.pictures.pop(self.uploaded[-UPLOADS_KEPT - 1], None)
            if isinstance(old, ImageFile):
                old.path.unlink()
        return choice


class AskServer(LocalServer):
    """Serves the page from threads of its own, and answers in the thread that calls ``serve``:
    the precision and the device of the model are set up there."""

    def __init__(
        self, asker: Asker, images: Sequence[ImageFile], uploads: Path, port: int, name: str
    ) -> None:
        """Raises UserError where the port cannot be had. ``name``: of the model, for the title."""
        self.asker = asker
        self.name = name
        self.choices = Choices.of(images, uploads)
        self._jobs: queue.SimpleQueue[tuple[Callable[[], str], Future[str]]] = queue.SimpleQueue()
        super().__init__(port, AskHandler)

    def serve(self) -> None:
        """Answer until KeyboardInterrupt, or until ``shutdown``."""
        thread = threading.Thread(target=self.serve_forever, args=(0.1,))
        thread.start()
        try:
            while thread.is_alive():
                try:
                    job, future = self._jobs.get(timeout=POLL_SECONDS)
                except queue.Empty:
                    continue
                future.set_result(job())
        finally:
            self.shutdown()
            thread.join()

    def ask(self, form: AskForm, upload: tuple[str, bytes] | None) -> str:
        """The page with the answers; called by the threads of requests."""
        future: Future[str] = Future()
        self._jobs.put((lambda: self._answer(form, upload), future))
        return future.result()

    def render(self, form: AskForm, cards: Sequence[AnswerCard] = (), problem: str = "") -> str:
        """The page with the form as it was filled in."""
        return TEMPLATES.get_template("ask.html.jinja").render(
            title=f"Ask {self.name}",
            form=form,
            choices=list(self.choices.pictures),
            most=MAX_SAMPLES,
            has_adapter=self.asker.has_adapter,
            cards=cards,
            problem=problem,
        )

    def _answer(self, form: AskForm, upload: tuple[str, bytes] | None) -> str:
        try:
            if upload is not None:
                form = AskForm(
                    image=self.choices.add(*upload),
                    question=form.question,
                    samples=form.samples,
                    compare=form.compare,
                )
            if form.image not in self.choices.pictures:
                raise UserError("this picture is no longer kept: choose it again")
            return self.render(form, self._cards(form))
        except UserError as error:
            return self.render(form, problem=str(error))

    def _cards(self, form: AskForm) -> list[AnswerCard]:
        image = self.choices.pictures[form.image]
        question = check_question(form.question)

        def answers(who: str) -> list[AnswerCard]:
            if form.samples == 1:
                return [make_card(who, image, one) for one in self.asker([image], question)]
            drawn = self.asker.sample(image, question, form.samples)
            return [make_card(f"{who}, {i + 1}", image, one) for i, one in enumerate(drawn)]

        cards = answers("with the adapter" if self.asker.has_adapter else "the model")
        if form.compare and self.asker.has_adapter:
            with self.asker.base_alone():
                cards += answers("the base alone")
        return cards


def make_card(who: str, image: ImageSource, attempt: Attempt) -> AnswerCard:
    """An answer over its picture."""
    size, parsed = (image.width, image.height), attempt.parsed
    boxes = [
        view_predicted_box(index, item, size)
        for index, item in enumerate(parsed.groundings[:MAX_BOXES])
    ]
    return AnswerCard(
        who=who,
        image=view_image(inline_jpeg(image.load(), IMAGE_SIDE), size, boxes),
        text=split_text(attempt.completion.text, parsed.groundings, parsed.spans),
        answer=parsed.answer,
        damaged=parsed.damaged,
        truncated=attempt.completion.truncated,
    )


class AskHandler(LocalHandler):
    """``GET /`` and ``POST /``."""

    server: AskServer  # pyright: ignore[reportIncompatibleVariableOverride]

    def do_GET(self) -> None:
        try:
            self.check_host()
            if self.path.partition("?")[0] != "/":
                raise RequestError(HTTPStatus.NOT_FOUND, "there is no such page")
            self._send_page(self.server.render(AskForm()))
        except RequestError as error:
            self.refuse(error)

    def do_POST(self) -> None:
        try:
            # Read first: a refusal would be lost if the connection was closed while it is sent.
            body = self.read_body(MAX_BODY)
            self.check_origin("ask")
            if self.path != "/":
                raise RequestError(HTTPStatus.NOT_FOUND, "there is no such page")
            form, upload = read_form(self.headers.get("Content-Type", ""), body)
            self._send_page(self.server.ask(form, upload))
        except RequestError as error:
            self.refuse(error)

    def _send_page(self, html: str) -> None:
        self.send("text/html; charset=utf-8", html.encode())


def read_form(kind: str, body: bytes) -> tuple[AskForm, tuple[str, bytes] | None]:
    """The fields of a multipart form (RFC 7578), and the name and content of an uploaded picture.
    Raises RequestError."""
    refusal = RequestError(HTTPStatus.BAD_REQUEST, "expected the form of the page")
    if not kind.startswith("multipart/form-data;") or not kind.isascii():
        raise refusal
    message = BytesParser(policy=HTTP).parsebytes(f"Content-Type: {kind}\r\n\r\n".encode() + body)
    if not message.is_multipart():
        raise refusal
    fields: dict[str, Any] = {}
    upload = None
    for part in message.iter_parts():
        name = part.get_param("name", header="content-disposition")
        content = part.get_payload(decode=True)
        if not isinstance(content, bytes):
            raise refusal
        if name == "upload":
            if content:
                upload = replace_surrogates(part.get_filename() or "picture"), content
        elif isinstance(name, str):
            fields[name] = content.decode("utf-8", "replace")
    count = fields.get("samples", "1")
    if count not in map(str, range(1, MAX_SAMPLES + 1)):
        raise RequestError(HTTPStatus.BAD_REQUEST, f"samples: a number from 1 to {MAX_SAMPLES}")
    form = AskForm(
        image=fields.get("image", ""),
        question=fields.get("question", ""),
        samples=int(count),
        compare="compare" in fields,
    )
    return form, upload
