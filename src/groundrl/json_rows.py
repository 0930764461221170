"""Rows of JSON (or Parquet, or pickles) that come from outside, validated by pydantic.

A row's shape is a dataclass (or a TypedDict) whose fields are annotated with the types below::

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Label:
        id: Text
        aligned: Flag
        boxes: tuple[tuple[Text, Corners], ...] = ()

    for where, label in read_json_lines(path, path.read_bytes(), Label, problems.add):
        ...

Scalars are strict: ``true`` is no number and ``"1"`` is none either. Lists become tuples, objects
become dataclasses. Unknown fields are ignored, unless the class has
``__pydantic_config__ = ConfigDict(extra="forbid")``.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BeforeValidator, Field, Strict, TypeAdapter, ValidationError

from groundrl.files import json_lines

T = TypeVar("T")

_SURROGATE = re.compile("[\ud800-\udfff]")
_EXPECTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "float_type": "a number",
    "finite_number": "a number",
    "bool_type": "true or false",
    "none_required": "null",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "an object",
    "dataclass_type": "an object",
    "model_type": "an object",
    "greater_than_equal": "a number from {ge} on",
    "less_than_equal": "a number up to {le}",
    "literal_error": "{expected}",
    "enum": "{expected}",
    "too_short": "at least {min_length} items",
    "too_long": "at most {max_length} items",
}
"""Pydantic's type of an error -> what was expected."""


def replace_surrogates(text: str) -> str:
    """Each lone surrogate, which no file in UTF-8 can hold, becomes U+FFFD; offsets stay."""
    return _SURROGATE.sub("\ufffd", text)


def surrogate_problem(text: str) -> str | None:
    """Where the text holds a lone surrogate, half of a character, which no tokenizer takes."""
    found = _SURROGATE.search(text)
    return found and (
        f"holds half of a character, {found[0]!a}, in place {found.start()}: write the whole one"
    )


def _refuse_surrogates(value: object) -> object:
    problem = surrogate_problem(value) if isinstance(value, str) else None
    if problem:
        raise ValueError(problem)
    return value


def _clean(value: object) -> object:
    return replace_surrogates(value) if isinstance(value, str) else value


Text = Annotated[str, BeforeValidator(_clean), Strict()]
"""Text that UTF-8 can encode: lone surrogates are replaced."""
SoundText = Annotated[str, BeforeValidator(_refuse_surrogates), Strict()]
"""Text that UTF-8 can encode: a lone surrogate is an error."""
Flag = Annotated[bool, Strict()]
"""true or false."""
Whole = Annotated[int, Strict(), Field(ge=0)]
"""A whole number from 0 on."""
Number = Annotated[float, Strict(), Field(allow_inf_nan=False)]
"""A finite number."""
Corners = tuple[Number, Number, Number, Number]
"""Four numbers."""


def validate(shape: type[T], value: object) -> T:
    """The value in its shape. Raises ValueError with every problem, as ``path: what is wrong``."""
    try:
        return _adapter(shape).validate_python(value)
    except ValidationError as error:
        raise ValueError("; ".join(describe_problems(error))) from None


def describe_problems(error: ValidationError) -> list[str]:
    """One line per problem: ``boxes[1].label: expected text, got 3``."""
    lines: list[str] = []
    missing: dict[tuple[int | str, ...], list[str]] = {}
    lengths: dict[tuple[int | str, ...], tuple[int, object]] = {}
    for one in error.errors(include_url=False):
        parent, name = one["loc"][:-1], one["loc"][-1:]
        if one["type"] == "missing" and isinstance(name[0], str):
            missing.setdefault(parent, []).append(name[0])
        elif one["type"] == "missing":  # an item of a list of fixed length; the last one counts
            lengths[parent] = (int(name[0]) + 1, one["input"])
        else:
            lines.append(
                _describe(one["type"], one["loc"], one["msg"], one.get("ctx", {}), one["input"])
            )
    lacking = [
        _at(parent, f"lacks the field{'s' * (len(names) > 1)} {', '.join(map(repr, names))}")
        for parent, names in missing.items()
    ]
    short = [
        _at(parent, f"expected {length} items, got {value!r:.60}")
        for parent, (length, value) in lengths.items()
    ]
    return list(dict.fromkeys([*lacking, *short, *lines]))


def read_rows(
    rows: Iterable[tuple[str, Any]], shape: type[T], report: Callable[[str, str], None]
) -> Iterator[tuple[str, T]]:
    """The rows (place, value) that have the shape; ``report(place, what)`` gets all problems of the
    others. A value that is a ValueError is reported as it is."""
    for where, value in rows:
        try:
            if isinstance(value, ValueError):
                raise value
            row = validate(shape, value)
        except ValueError as error:
            report(where, str(error))
        else:
            yield where, row


def read_json_lines(
    path: Path, content: bytes, shape: type[T], report: Callable[[str, str], None]
) -> Iterator[tuple[str, T]]:
    """The lines of a JSONL file that have the shape, each with ``file:line``; ``report(file:line,
    what)`` gets every problem of the others. Blank lines are left out."""
    return read_rows(json_lines(path, content), shape, report)


@cache
def _adapter(shape: type) -> Any:
    return TypeAdapter(shape)


def _describe(
    kind: str, location: tuple[int | str, ...], message: str, context: dict[str, Any], value: object
) -> str:
    if kind in ("unexpected_keyword_argument", "extra_forbidden"):
        return _at(location[:-1], f"has an unknown field {location[-1]!r}")
    if kind == "value_error":
        return _at(location, str(context["error"]))
    if kind in _EXPECTED:
        return _at(location, f"expected {_EXPECTED[kind].format(**context)}, got {value!r:.60}")
    return _at(location, f"{message}, got {value!r:.60}")


def _at(location: tuple[int | str, ...], what: str) -> str:
    path = ""
    for part in location:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else part
    return f"{path}: {what}" if path else what
