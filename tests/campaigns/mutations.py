"""Damage to files and texts. A mutation is three plain values: what is done, where (a share of the
content), and with which of some odd values."""

import json
import random
import re
from collections.abc import Callable, Iterator
from typing import Any, Final

Mutation = tuple[str, float, int]

ODD_TEXTS: Final = (
    *("", " ", "\n", "\r", "\x00", "\t", '"', "'", "\\", "<", ">", "&", ",", ":", "{", "}", "["),
    *("-1", "0", "1e999", "-1e999", "nan", "inf", "NaN", "Infinity", "-0.0", "1e-320", "0x10"),
    *("9" * 30, "9" * 400, "9" * 5000, "1e308", "1_0", "٣", "½", "²", "true", "null", "None", "~"),
    *("\ufeff", "\ud800", "\u2028", "\x85", "\u202e", "é", "e\u0301", "👍🏽", "%s", "{0}", "${a}"),
    *("a" * 300, "../" * 8, "/", "//", "/dev/null", ".", "..", "C:\\a", "http://a/b", "!!python"),
    *("[" * 3000, '{"a":' * 3000, "(" * 3000, "<a>" * 3000, "- " * 3000, "&lt;" * 50),
    *("<think>", "</think>", "<answer>", "</answer>", "<obj>", "<bbox>", "<box>", "<|box_start|>"),
)
ODD_BYTES: Final = (
    *(b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff", b"\xed\xa0\x80", b"\xff", b"\xc3", b"\x00" * 8),
    *(one.encode("utf-8", "surrogatepass") for one in ODD_TEXTS),
)
DEEP: Final = json.loads("[" * 300 + "]" * 300)
ODD_VALUES: Final = (
    *(None, True, False, 0, 1, -1, 2, 0.5, -0.0, 1e-320, 1e308, -1e308, 10**30, -(10**30), 10**400),
    *(float("nan"), float("inf"), -float("inf"), [], {}, [[]], [{}], {"a": {}}, [None], [0]),
    *([1, 2, 3, 4], [4, 3, 2, 1], [0.1, 0.2, 0.3], [1e308] * 4, ["a"], {"": None}, DEEP),
    *ODD_TEXTS,
)
_TOKEN: Final = re.compile(r"[\w.+-]+")


def flip(content: bytes, where: float, which: int) -> bytes:
    """Another bit in one byte."""
    at = place(content, where)
    return content[:at] + bytes([content[at] ^ (1 << which % 8)]) + content[at + 1 :]


def cut(content: bytes, where: float, which: int) -> bytes:
    """The beginning, or the end."""
    at = place(content, where)
    return content[at:] if which % 4 == 0 else content[:at]


def drop(content: bytes, where: float, which: int) -> bytes:
    """Some bytes are missing."""
    at = place(content, where)
    return content[:at] + content[at + 1 + which % 40 :]


def repeat(content: bytes, where: float, which: int) -> bytes:
    """Some bytes stand there several times."""
    at = place(content, where)
    piece = content[at : at + 1 + which % 60]
    return content[:at] + piece * (2 + which % 90) + content[at:]


def insert(content: bytes, where: float, which: int) -> bytes:
    """Odd bytes in between; often in front, where a byte order mark stands."""
    at = 0 if which % 5 == 0 else place(content, where)
    return content[:at] + ODD_BYTES[which % len(ODD_BYTES)] + content[at:]


def replace_token(content: bytes, where: float, which: int) -> bytes:
    """Another text in the place of a word or number."""
    text = content.decode("utf-8", "surrogateescape")
    tokens = [*_TOKEN.finditer(text)]
    if not tokens:
        return content
    token = tokens[place(tokens, where)]
    odd = ODD_TEXTS[which % len(ODD_TEXTS)]
    changed = text[: token.start()] + odd + text[token.end() :]
    return changed.encode("utf-8", "surrogatepass" if "\ud800" in changed else "surrogateescape")


def swap_lines(content: bytes, where: float, which: int) -> bytes:
    """A line stands elsewhere, too."""
    lines = content.split(b"\n")
    line = lines[place(lines, where)]
    lines.insert(which % len(lines), line)
    return b"\n".join(lines)


def change_json(content: bytes, where: float, which: int) -> bytes:
    """Another value in one place of a JSON file, or of a line of JSONL: replaced, left out, nested
    or doubled."""
    whole = _load(content)
    lines = [] if whole is not None else content.split(b"\n")
    values = [whole] if whole is not None else [_load(line) for line in lines]
    spots = [
        (index, path)
        for index, value in enumerate(values)
        if value is not None
        for path in _paths(value)
    ]
    if not spots:
        return replace_token(content, where, which)
    index, path = spots[place(spots, where)]
    changed = json.dumps(_changed(values[index], path, which)).encode()
    if whole is not None:
        return changed
    return b"\n".join([*lines[:index], changed, *lines[index + 1 :]])


MUTATIONS: Final[dict[str, Callable[[bytes, float, int], bytes]]] = {
    one.__name__: one
    for one in (flip, cut, drop, repeat, insert, replace_token, swap_lines, change_json)
}
FURTHER: Final = (*MUTATIONS, "change_json", "change_json", "change_json", "replace_token")
"""Structured changes more often: most others end in the parser."""


def draw(kind: str, draws: random.Random) -> list[Mutation]:
    """One of this kind, and up to two of any."""
    kinds = [kind, *draws.choices(FURTHER, k=draws.randrange(3))]
    return [(one, draws.random(), draws.randrange(10_000)) for one in kinds]


def mutate(content: bytes, mutations: list[Mutation]) -> bytes:
    """The content with all of them, one after the other."""
    for name, where, which in mutations:
        if content:
            content = MUTATIONS[name](content, where, which)
    return content


def place(items: Any, where: float) -> int:
    """The index at this share of the items."""
    return min(int(where * len(items)), len(items) - 1)


def _load(content: bytes) -> Any:
    """The JSON value; None where there is none."""
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


def _paths(value: Any) -> Iterator[tuple[Any, ...]]:
    """The place of every value in a tree, the root first."""
    yield ()
    children: Any = ()
    if isinstance(value, dict):
        children = value.items()
    elif isinstance(value, list):
        children = enumerate(value)
    for key, child in children:
        yield from ((key, *path) for path in _paths(child))


def _changed(value: Any, path: tuple[Any, ...], which: int) -> Any:
    if not path:
        odd = ODD_VALUES[which % len(ODD_VALUES)]
        return {0: [value], 1: {"a": value}}.get(which % 11, odd)
    key, *rest = path
    copy: Any = dict(value) if isinstance(value, dict) else list(value)
    if rest or which % 13:
        copy[key] = _changed(value[key], tuple(rest), which)
    elif which % 2:
        del copy[key]
    elif isinstance(copy, dict):
        copy[f"{key}2"] = copy[key]
    else:
        copy.insert(key, copy[key])
    return copy
