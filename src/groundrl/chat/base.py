"""What is asked of a language model, and what it says."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from PIL.Image import Image

OPTION = "judge.chat., teacher.chat. or verifier.chat."
"""Before the name of a model's option, where a user is told what to type."""


JPEG_QUALITY = 95


@dataclass(frozen=True)
class ImageAttachment:
    """An image as models are shown it; made ready to be sent once, however many ask about it."""

    image: "Image"

    @cached_property
    def data_url(self) -> str:
        """A JPEG with all of its colour: a hundredth of a PNG's time to write."""
        buffer = BytesIO()
        self.image.convert("RGB").save(buffer, "JPEG", quality=JPEG_QUALITY, subsampling=0)
        return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One user turn."""

    text: str
    images: tuple[ImageAttachment, ...] = ()
    """Shown before the text."""
    schema: dict[str, Any] | None = None
    """JSON schema that the answer is held to; None: free text."""
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One answer; what it says is untrusted."""

    text: str
    prompt_tokens: int
    completion_tokens: int
    cost: float = 0.0
    """In the currency of whoever is paid; 0 where nobody is."""

    @property
    def tokens(self) -> int:
        """Of prompt and answer together."""
        return self.prompt_tokens + self.completion_tokens


@runtime_checkable
class ChatModel(Protocol):
    """Answers requests; threads may call it at once."""

    @property
    def name(self) -> str:
        """What its answers depend on: the model and how it samples, never a key."""
        ...

    def __call__(self, requests: Sequence[Request]) -> list[Reply | None]:
        """An answer to each; None where the model could not be reached. Raises UserError where it
        refuses."""
        ...
