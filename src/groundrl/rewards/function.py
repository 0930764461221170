"""A reward function of another trainer as a term."""

import asyncio
import importlib
import inspect
import math
import traceback
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

from groundrl.answers.attempt import Attempt
from groundrl.errors import UserError
from groundrl.records import NamedImage, Provenance, Sample
from groundrl.rewards.conventions import Answered, Convention, accepted, recognise, truth

SHOWN = 200
"""Characters of a completion in an error."""


@dataclass(frozen=True)
class Function:
    """Calls a function as TRL, verl or EasyR1 do, with one completion at a time.

    TRL: ``f(prompts, completions, **columns) -> list[float | None]``. ``f`` gets keyword arguments,
    each a list of one: ``prompts`` (the bare question) and ``completions`` as texts or as chat
    messages, ``completion_ids``, and the sample's columns ``id``, ``question``, ``options``,
    ``answers``, ``answer`` (also as ``solution``, ``ground_truth``), ``kind``, ``labels`` and
    ``boxes`` (true ones, pixels ``[x1, y1, x2, y2]``); a function without ``**columns`` gets those
    that it names. ``conventions`` has the others. It may be a coroutine, and return numbers of
    numpy and torch. Any finite range; None: not applicable.
    Raises UserError when ``path`` leads to no such function, at once; and where a call raises, or
    returns something else.
    Source: the function's own. Games it: depends on the function; audit it.
    """

    needs: ClassVar[frozenset[str]] = frozenset()
    path: str
    """Dotted path, such as ``my_rewards.brevity``."""
    weight: float = 1.0
    messages: bool | None = None
    """Whether TRL's completions are chat messages; None: as the function's source reads them."""
    function: Callable[..., Any] = field(init=False, repr=False, compare=False)
    convention: Convention = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        function = load_function(self.path)
        object.__setattr__(self, "function", function)
        convention = recognise(function, self.path, self.messages)
        object.__setattr__(self, "convention", convention)
        accepted(function, convention.arguments(_TRIAL), self.path)

    def __call__(self, attempt: Attempt) -> float | None:
        """See the class."""
        said = attempt.completion
        return self._rate(Answered(sample=attempt.sample, text=said.text, tokens=said.tokens))

    def try_on(self, sample: Sample) -> None:
        """Call the function once, as with the right answer. Raises UserError as a call does."""
        self._rate(Answered(sample=sample, text=f"<answer>{truth(sample)}</answer>", tokens=(0,)))

    def _rate(self, answered: Answered) -> float | None:
        arguments = accepted(self.function, self.convention.arguments(answered), self.path)
        try:
            result = self.function(**arguments)
            if inspect.isawaitable(result):
                result = asyncio.run(_wait_for(result))
        except Exception as error:  # the user's own code may raise anything
            raise UserError(
                f"the reward function {self.path} (called as by {self.convention.name}) raised "
                f"{_describe(error)} {_about(answered)}"
            ) from error
        try:
            value = self.convention.value(result)
        except ValueError:
            value = math.nan
        if value is not None and not (isinstance(value, int | float) and math.isfinite(value)):
            wanted = "a list with one finite number or None per completion"
            raise UserError(
                f"the reward function {self.path} returned {result!r:.{SHOWN}} {_about(answered)}; "
                f"expected {wanted if self.convention.batched else 'a finite number'}"
            )
        return None if value is None else float(value)


_TRIAL = Answered(
    sample=Sample(
        id="", image=NamedImage(key=""), question="", provenance=Provenance(dataset="", split="")
    ),
    text="",
    tokens=(),
)
"""For the names of the arguments."""


async def _wait_for(result: Awaitable[Any]) -> Any:
    return await result


def _about(answered: Answered) -> str:
    return f"for sample {answered.sample.id!r} and the completion {answered.text[:SHOWN]!r}"


def _describe(error: Exception) -> str:
    """The error with the last line of code that it went through."""
    *_, last = traceback.extract_tb(error.__traceback__)
    return f"{type(error).__name__}: {error} in {last.filename}:{last.lineno}"


def load_function(path: str) -> Callable[..., Any]:
    """The callable at a dotted path. Raises UserError."""
    module_name, _, name = path.rpartition(".")
    advice = "expected the dotted path of a function, such as path=my_rewards.brevity"
    if not module_name:
        raise UserError(f"the reward function {path!r} names no module; {advice}")
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise UserError(
            f"the reward function {path!r} cannot be imported ({error}); {advice}, "
            "in a file on PYTHONPATH"
        ) from error
    function = getattr(module, name, None)
    if not callable(function):
        raise UserError(f"{module_name} has no function called {name!r}; {advice}")
    return function
