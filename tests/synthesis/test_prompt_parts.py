"""The images in requests are prepared once for all models."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from PIL import Image
from synthesis_views import FixedDetector

from groundrl.chat.base import Reply, Request
from groundrl.detectors.records import InputImage
from groundrl.synthesis.annotate import Annotator
from groundrl.synthesis.teachers.prompted import PromptedTeacher
from groundrl.synthesis.verifiers.prompted import PromptedVerifier


@dataclass
class Counting:
    """A red image that counts how often it is decoded."""

    width: int = 160
    height: int = 160
    key: str = "red"
    loads: int = 0

    def load(self) -> Image.Image:
        self.loads += 1
        return Image.new("RGB", (self.width, self.height), "red")


@dataclass
class Remembers:
    """A model that says the same of everything, and knows what it was asked."""

    answer: str
    name: str = "remembers"
    asked: list[Request] = field(default_factory=list)

    def __call__(self, requests: Sequence[Request]) -> list[Reply | None]:
        self.asked += requests
        return [Reply(text=self.answer, prompt_tokens=1, completion_tokens=1) for _ in requests]


def test_teacher_and_verifier_share_an_image_that_is_decoded_once() -> None:
    source = Counting()
    writes = Remembers('{"caption": "A red cup."}')
    keeps = Remembers('{"decision": "keep", "reason": "fine"}')
    annotate = Annotator(
        detector=FixedDetector(),
        teacher=PromptedTeacher(chat=writes),
        verifier=PromptedVerifier(chat=keeps),
    )
    image = InputImage(id="red", source=source, digest="red")
    assert annotate(image, {}).annotated is not None
    assert (len(writes.asked), len(keeps.asked), source.loads) == (3, 3, 1)
    whole, *crops = (request.images[0] for request in writes.asked)
    again = [request.images[0] for request in keeps.asked]
    assert all(one is other for one, other in zip([*crops, whole], again, strict=True))
    assert crops[0].image.size == (336, 336)
    assert whole.image.size == (160, 160)
    assert whole.data_url is whole.data_url
    # A model that is shown less sees other pixels.
    small = PromptedVerifier(chat=keeps, max_side=80)
    assert Annotator(detector=FixedDetector(), teacher=annotate.teacher, verifier=small)(
        image, {}
    ).annotated
    assert keeps.asked[-1].images[0].image.size == (80, 80)
