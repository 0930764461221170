"""A client of a model behind a server: typed boxes in pixels of the picture.

::

    model = ServedModel.open("http://localhost:8000/v1", name="grounded", folder="shared")
    answer = model.ask("photo.jpg", "Where is the red cup?")
    print(answer.parsed.answer, answer.parsed.groundings)
"""

import math
from dataclasses import dataclass
from pathlib import Path

from groundrl.answers.attempt import Attempt, read_attempt
from groundrl.ask.pictures import find_pictures
from groundrl.ask.question import check_question, make_sample, open_template
from groundrl.boxes import Frame, ImageSizes
from groundrl.chat.base import ChatModel, ImageAttachment, Request
from groundrl.chat.openai_compatible import OpenAICompatibleModel
from groundrl.errors import UserError
from groundrl.export.description import ModelDescription, read_description
from groundrl.records import Completion, RolloutGroup


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedModel:
    """A shared model, asked as in its training, with the frame and grammar of its boxes."""

    description: ModelDescription
    chat: ChatModel

    @classmethod
    def open(
        cls, url: str, *, name: str, folder: str | Path, key_variable: str | None = None
    ) -> "ServedModel":
        """``url``: of an OpenAI-compatible server, up to and including ``/v1``. ``name``: of the
        model there. ``folder``: what is served, for its ``groundrl.json``. ``key_variable``: the
        environment variable with the server's key. Raises UserError."""
        description = read_description(Path(folder).expanduser())
        chat = OpenAICompatibleModel(
            name, [url], key_variable=key_variable, max_tokens=description.max_tokens
        )
        return cls(description=description, chat=chat)

    def ask(self, picture: str | Path, question: str) -> Attempt:
        """The answer, with boxes in the PIXEL frame. Raises UserError for a picture or a question
        that cannot be asked, and where the server does not answer."""
        (image,) = find_pictures([str(picture)])
        notation = self.description.notation
        sample = make_sample(image, check_question(question))
        template = open_template(self.description.template, notation.grammar)
        attachment = ImageAttachment(image.load(), lossless=True)
        (reply,) = self.chat([Request(text=template.text(sample), images=(attachment,))])
        if reply is None:
            raise UserError(f"{self.chat.name} gives no answer: see whether its server is running")
        completion = Completion(text=reply.text, tokens=(), logprobs=(), truncated=False)
        sizes = image_sizes(self.description, image.width, image.height)
        group = RolloutGroup(sample=sample, sizes=sizes, completions=(completion,))
        return read_attempt(group, completion, notation.grammar, notation.frame)


def image_sizes(description: ModelDescription, width: int, height: int) -> ImageSizes:
    """Of a picture, and of what its model sees of it. Raises UserError where that is not known
    and boxes are measured in it."""
    limits = description.resize_factor, description.min_pixels, description.max_pixels
    factor, fewest, most = limits
    if factor is None or fewest is None or most is None:
        if description.frame == Frame.MODEL:
            raise UserError("groundrl.json does not say how images are resized: export it again")
        model = width, height
    else:
        model = resized(width, height, factor=factor, min_pixels=fewest, max_pixels=most)
    return ImageSizes(width=width, height=height, model_width=model[0], model_height=model[1])


def resized(
    width: int, height: int, *, factor: int, min_pixels: int, max_pixels: int
) -> tuple[int, int]:
    """Width and height to which the processors of Qwen-VL resize an image: multiples of ``factor``
    with an area between the limits, in nearly the same shape (arXiv 2409.12191, section 2.1)."""
    sides = width, height
    w, h = (round(side / factor) * factor for side in sides)
    if w * h > max_pixels:
        shrink = math.sqrt(width * height / max_pixels)
        w, h = (max(factor, math.floor(side / shrink / factor) * factor) for side in sides)
    elif w * h < min_pixels:
        grow = math.sqrt(min_pixels / (width * height))
        w, h = (math.ceil(side * grow / factor) * factor for side in sides)
    return w, h
