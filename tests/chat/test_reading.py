"""JSON objects in what models say."""

import json

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from groundrl.chat.json_reply import read_object


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a": 1}', {"a": 1}),
        ('Sure!\n```json\n{"a": {"b": "}"}}\n```\n', {"a": {"b": "}"}}),
        ('<think>{"a": 2}</think>{"a": 1}', {"a": 1}),
        ('{"a": 1} or so {"a": 1}', {"a": 1}),
        ('{"a": 1} or rather {"a": 2}', None),
        ('{broken {"a": 1}', {"a": 1}),
        ('{"a": ', None),
        ("[1, 2]", None),
        ("", None),
        ('{"a":' * 50_000, None),
        ("{" * 100_000, None),
    ],
)
def test_the_one_object_is_read(text: str, expected: object) -> None:
    assert read_object(text) == expected


@given(st.text(alphabet='{}[]",:ab1 \\</think>\n', max_size=60))
def test_an_empty_reply_raises(text: str) -> None:
    read_object(text)


@pytest.mark.slow
@given(st.dictionaries(st.text(), st.integers() | st.text()), st.sampled_from(["", "Well: "]))
def test_what_was_written_is_read(value: dict[str, object], before: str) -> None:
    written = json.dumps(value)
    assume("</think>" not in written)  # it ends reasoning, wherever it stands
    assert read_object(before + written) == value
