"""The interface of language models: requests and replies."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from PIL.Image import Image

OPTION = "judge.chat., teacher.chat. or verifier.chat."
"""Prefix of a model's options in error messages."""

JPEG_QUALITY = 95

MOST_TOKENS = 10**9
"""Of a prompt or an answer that a server may claim; more is nonsense."""


@dataclass(frozen=True)
class ImageAttachment:
    """An image of a request; it is encoded once, also when several requests share it."""

    image: "Image"
    lossless: bool = False
    """As PNG, for small models, whose answers JPEG changes."""

    @cached_property
    def data_url(self) -> str:
        """The image as PNG, or as JPEG without chroma subsampling, encoded in a hundredth of PNG's
        time."""
        buffer = BytesIO()
        if self.lossless:
            self.image.convert("RGB").save(buffer, "PNG")
            return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
        self.image.convert("RGB").save(buffer, "JPEG", quality=JPEG_QUALITY, subsampling=0)
        return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One user turn."""

    text: str
    images: tuple[ImageAttachment, ...] = ()
    """Placed before the text."""
    schema: dict[str, Any] | None = None
    """JSON schema of the reply; None: free text."""
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One reply of a model; its text is untrusted."""

    text: str
    prompt_tokens: int
    completion_tokens: int
    cost: float = 0.0
    """In the currency of the provider's prices; 0 for models without a price."""

    @property
    def tokens(self) -> int:
        """Of prompt and completion together."""
        return self.prompt_tokens + self.completion_tokens


@runtime_checkable
class ChatModel(Protocol):
    """A language model. It can be called by several threads at once."""

    @property
    def name(self) -> str:
        """Identifies everything that replies depend on: the model and its options; never an API
        key."""
        ...

    def __call__(self, requests: Sequence[Request]) -> list[Reply | None]:
        """A reply to each request; None where the model could not be reached. Raises UserError when
        the model refuses a request."""
        ...
