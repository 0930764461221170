"""How other tools write files of answers: a format for each, recognised by its fields.

Published lists (``generated_response``), POPE's and LLaVA's answers, logs of lmms-eval, sheets of
VLMEvalKit, outputs of OpenAI's batches (as vLLM writes them, too), and MME's result files.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Final

from pydantic import BeforeValidator, ConfigDict

from groundrl.evaluation.answer_format import AnswerFormat, Clue, GivenAnswer
from groundrl.json_rows import Text, validate

LETTERS: Final = "ABCDEFGH"
"""Columns of a sheet's options."""


def _to_text(value: object) -> object:
    return str(value) if isinstance(value, int | float) else value


Key = Annotated[Text, BeforeValidator(_to_text)]
"""An id: a text or a number."""


class Row(ABC):
    """The shape of a row that is validated."""

    __slots__ = ()
    title: ClassVar[str]
    sign: ClassVar[frozenset[str]]
    """Fields by which a row is recognised."""

    @property
    @abstractmethod
    def given(self) -> GivenAnswer:
        """Raises ValueError for a row without an answer."""


@dataclass(frozen=True, slots=True)
class ShapedFormat:
    """The format whose rows have this shape."""

    shape: type[Row]

    @property
    def title(self) -> str:
        """See ``AnswerFormat``."""
        return self.shape.title

    @property
    def sign(self) -> frozenset[str]:
        """See ``AnswerFormat``."""
        return self.shape.sign

    def read(self, row: Mapping[str, Any]) -> GivenAnswer:
        """See ``AnswerFormat``."""
        return validate(self.shape, row).given


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedRow(Row):
    """A record of a published list."""

    title: ClassVar[str] = "a published list"
    sign: ClassVar[frozenset[str]] = frozenset({"generated_response"})
    prompt: Text | None = None
    generated_response: Text
    ground_truth_response: Text
    id: Key | None = None
    question_id: Key | None = None
    image: Text | None = None

    @property
    def given(self) -> GivenAnswer:
        """See ``Row``."""
        key = self.question_id if self.id is None else self.id
        return GivenAnswer(
            text=self.generated_response,
            prompt=self.prompt,
            truth=self.ground_truth_response,
            clue=Clue.of(key, self.image),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LmmsEvalRow(Row):
    """A line of ``*_samples_*.jsonl`` of lmms-eval."""

    title: ClassVar[str] = "a log of lmms-eval"
    sign: ClassVar[frozenset[str]] = frozenset({"doc_id", "filtered_resps"})
    filtered_resps: tuple[Any, ...]
    """One text, in a list or in a list of lists."""
    doc: dict[str, Any] = field(default_factory=dict)
    """The row of the data set, without images."""
    input: Any = None
    target: Any = None

    @property
    def given(self) -> GivenAnswer:
        """See ``Row``."""
        said = self.filtered_resps[0] if self.filtered_resps else None
        said = said[0] if isinstance(said, list) and said else said
        if not isinstance(said, str):
            raise ValueError(f"filtered_resps: expected one text, got {said!r:.60}")
        own = {key: str(value) for key, value in self.doc.items() if isinstance(value, str | int)}
        image = own.get("image_source", own.get("image"))
        return GivenAnswer(
            text=said,
            prompt=own.get("question") or (self.input if isinstance(self.input, str) else None),
            truth=self.target if isinstance(self.target, str) else None,
            clue=Clue.of(own.get("question_id"), image, own.get("category")),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchMessage:
    """What a model said."""

    content: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchChoice:
    """One completion."""

    message: BatchMessage


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchBody:
    """A chat completion."""

    choices: tuple[BatchChoice, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchResponse:
    """How a request was answered."""

    body: BatchBody


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRow(Row):
    """A line of the output of an OpenAI batch; ``vllm run-batch`` writes the same."""

    title: ClassVar[str] = "the output of an OpenAI batch"
    sign: ClassVar[frozenset[str]] = frozenset({"custom_id", "response"})
    custom_id: Key
    """The question's id."""
    response: BatchResponse | None
    error: Any = None

    @property
    def given(self) -> GivenAnswer:
        """See ``Row``."""
        if self.response is None or not self.response.body.choices:
            raise ValueError(
                f"request {self.custom_id!r} failed ({self.error!r:.80}): ask it again"
            )
        text = self.response.body.choices[0].message.content
        return GivenAnswer(text=text, clue=Clue.of(self.custom_id))


@dataclass(frozen=True, slots=True, kw_only=True)
class VLMEvalKitRow(Row):
    """A row of a sheet of VLMEvalKit, as JSON, TSV or CSV."""

    title: ClassVar[str] = "a sheet of VLMEvalKit"
    sign: ClassVar[frozenset[str]] = frozenset({"index", "question", "prediction"})
    question: Text
    prediction: Key
    answer: Key | None = None
    image_path: Text | None = None
    category: Text | None = None
    A: Key | None = None
    B: Key | None = None
    C: Key | None = None
    D: Key | None = None
    E: Key | None = None
    F: Key | None = None
    G: Key | None = None
    H: Key | None = None

    @property
    def given(self) -> GivenAnswer:
        """See ``Row``. The index is the sheet's own."""
        options = [getattr(self, letter) for letter in LETTERS]
        return GivenAnswer(
            text=self.prediction,
            prompt=self.question,
            options=tuple(option for option in options if option),
            truth=self.answer,
            clue=Clue.of(None, self.image_path or None, self.category),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LLaVARow(Row):
    """A line of LLaVA's evaluation scripts."""

    title: ClassVar[str] = "answers as LLaVA writes them"
    sign: ClassVar[frozenset[str]] = frozenset({"question_id", "prompt", "text"})
    question_id: Key
    prompt: Text
    text: Text
    image: Text | None = None
    category: Text | None = None

    @property
    def given(self) -> GivenAnswer:
        """See ``Row``."""
        clue = Clue.of(self.question_id, self.image, self.category)
        return GivenAnswer(text=self.text, prompt=self.prompt, clue=clue)


@dataclass(frozen=True, slots=True, kw_only=True)
class POPERow(Row):
    """A line of the answers that POPE's script takes. Other files hold the truth in ``answer``, so
    a field that is not known is an error."""

    __pydantic_config__ = ConfigDict(extra="forbid")
    title: ClassVar[str] = "answers as POPE takes them"
    sign: ClassVar[frozenset[str]] = frozenset({"question", "answer"})
    question: Text
    answer: Text
    label: Text | None = None
    image: Text | None = None
    question_id: Key | None = None

    @property
    def given(self) -> GivenAnswer:
        """See ``Row``."""
        clue = Clue.of(self.question_id, self.image)
        return GivenAnswer(text=self.answer, prompt=self.question, truth=self.label, clue=clue)


@dataclass(frozen=True, slots=True, kw_only=True)
class MMERow(Row):
    """A line of ``<task>.txt`` with the answers: image, question, truth, answer."""

    title: ClassVar[str] = "MME's result files"
    sign: ClassVar[frozenset[str]] = frozenset({"mme_image"})
    mme_image: Text
    question: Text
    truth: Text
    answer: Text

    @property
    def given(self) -> GivenAnswer:
        """See ``Row``."""
        return GivenAnswer(
            text=self.answer,
            prompt=self.question,
            truth=self.truth,
            clue=Clue.of(None, self.mme_image),
        )


PUBLISHED: Final = ShapedFormat(PublishedRow)
FORMATS: Final[tuple[AnswerFormat, ...]] = (
    PUBLISHED,
    *map(ShapedFormat, (LmmsEvalRow, BatchRow, VLMEvalKitRow, LLaVARow, MMERow, POPERow)),
)
"""The first that recognises a row reads it; ``records.formats`` come before them."""
