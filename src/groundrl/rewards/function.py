"""A reward function with TRL's signature as a term."""

import importlib
import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

from groundrl.answers.attempt import Attempt
from groundrl.errors import UserError
from groundrl.records import Sample


@dataclass(frozen=True)
class Function:
    """Calls ``f(prompts, completions, **columns) -> list[float | None]``, TRL's signature.

    ``f`` gets keyword arguments, each a list of one: ``prompts`` (the bare question) and
    ``completions`` as strings, ``completion_ids``, and the sample's columns ``id``, ``options``,
    ``answers``, ``kind``, ``labels`` and ``boxes`` (true ones, pixels ``[x1, y1, x2, y2]``); a
    function without ``**columns`` gets those that it names. Any finite range; None: not applicable.
    Raises UserError when ``path`` leads to no function or the result is not such a list.
    Source: the function's own. Games it: depends on the function; audit it.
    """

    needs: ClassVar[frozenset[str]] = frozenset()
    path: str
    """Dotted path, such as ``my_rewards.brevity``."""
    weight: float = 1.0
    function: Callable[..., Any] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "function", load_function(self.path))

    def __call__(self, attempt: Attempt) -> float | None:
        """See the class."""
        arguments = {
            "prompts": [attempt.sample.question],
            "completions": [attempt.completion.text],
            "completion_ids": [list(attempt.completion.tokens)],
            **columns(attempt.sample),
        }
        values = self.function(**_accepted(self.function, arguments))
        if not isinstance(values, list) or len(values) != 1 or not _is_value(values[0]):
            raise UserError(
                f"the reward function {self.path} returned {values!r} for one completion; "
                "expected a list with one finite number or None per completion"
            )
        return None if values[0] is None else float(values[0])


def columns(sample: Sample) -> dict[str, list[Any]]:
    """The sample as columns of a batch of one."""
    return {
        "id": [sample.id],
        "options": [list(sample.options)],
        "answers": [list(sample.answers)],
        "kind": [sample.kind],
        "labels": [[grounding.label for grounding in sample.groundings]],
        "boxes": [[list(grounding.box.corners) for grounding in sample.groundings]],
    }


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


def _accepted(function: Callable[..., Any], arguments: dict[str, Any]) -> dict[str, Any]:
    parameters = inspect.signature(function).parameters
    if any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values()):
        return arguments
    return {name: value for name, value in arguments.items() if name in parameters}


def _is_value(value: object) -> bool:
    return value is None or (isinstance(value, int | float) and math.isfinite(value))
