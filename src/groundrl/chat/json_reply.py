"""Finds JSON in the text of a model, which may be anything."""

import json
from typing import Any

MAX_LENGTH = 20_000
"""Characters that are read; the rest of a longer text is ignored."""


def after_thinking(text: str) -> str:
    """The text after ``</think>``; all of a text that starts with JSON."""
    return text if text.lstrip().startswith("{") else text.rpartition("</think>")[2]


def read_object(text: str) -> dict[str, Any] | None:
    """The JSON object in a text, with or without words around it; None where there is none, or
    where there are several that differ. Reasoning before ``</think>`` is ignored."""
    answer = after_thinking(text)[:MAX_LENGTH]
    decoder = json.JSONDecoder()
    found: list[dict[str, Any]] = []
    start = answer.find("{")
    while start >= 0:
        try:
            value, end = decoder.raw_decode(answer, start)
        except (ValueError, RecursionError):
            end = start + 1
        else:
            found += [value] if value not in found else []
        start = answer.find("{", end)
    return found[0] if len(found) == 1 else None
