"""XML annotation files, in the encoding that they declare, with the line of each element."""

import re
from io import StringIO
from pathlib import Path
from typing import Final
from xml.etree import ElementTree

from groundrl.data.problems import Problems
from groundrl.errors import UserError
from groundrl.files import decode_text, is_file
from groundrl.json_rows import replace_surrogates

Element = ElementTree.Element
_DECLARATION: Final = re.compile(rb"""<\?xml[^>]*?\sencoding\s*=\s*["']([A-Za-z0-9._:-]+)["']""")
_HEAD: Final = 200
"""Bytes in which an encoding is declared."""


class XmlFile:
    """An XML document. Raises UserError for its encoding, ElementTree.ParseError for the rest."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines: dict[Element, int] = {}
        parser = ElementTree.XMLPullParser(events=("start",))
        # ElementTree keeps no line numbers, so it is fed line by line; a text is taken as it is,
        # whatever encoding its first line declares.
        text = _decode(path, path.read_bytes())
        for number, line in enumerate(StringIO(text, newline=""), start=1):
            parser.feed(line)
            self.lines |= {element: number for _, element in parser.read_events()}  # pyright: ignore
        parser.close()
        self.root = next(iter(self.lines))

    def where(self, element: Element) -> str:
        """ "file:line" of an element."""
        return f"{self.path}:{self.lines[element]}"


def read_xml(path: Path, problems: Problems) -> XmlFile | None:
    """The document; None, and a problem, where it is missing or broken."""
    if not is_file(path):
        problems.add(path, "no such annotation file")
        return None
    try:
        return XmlFile(path)
    except ElementTree.ParseError as error:
        problems.add(f"{path}:{error.position[0]}", f"not valid XML ({error})")
    except UserError as error:
        problems.found.append(str(error))
    return None


def _decode(path: Path, content: bytes) -> str:
    declared = _DECLARATION.match(content.removeprefix(b"\xef\xbb\xbf")[:_HEAD].lstrip())
    if declared is None:
        return decode_text(path, content)
    name = declared[1].decode()
    if name.lower() in ("utf-8", "utf8"):
        return decode_text(path, content)
    try:
        return replace_surrogates(content.decode(name))
    except (LookupError, UnicodeError) as error:
        raise UserError(
            f'{path} says encoding="{name}", and cannot be read so ({error}). Save it as UTF-8, '
            'and write encoding="UTF-8"'
        ) from error


def number(element: Element, attribute: str) -> float:
    """A number among the attributes. Raises ValueError."""
    return to_number(element.get(attribute, ""), f"{attribute} of <{element.tag}>")


def to_number(text: str, name: str) -> float:
    """The number that a text of XML is. Raises ValueError."""
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{name} must be a number, got {text.strip()!r}") from None


def stated_size(width: str, height: str) -> tuple[object, object] | None:
    """The size of an image as XML states it: numbers where they are; None for none, or for zeros,
    which some tools write."""
    found = tuple(
        int(float(text)) if re.fullmatch(r"\d{1,9}(\.0*)?", text) else text
        for text in (width.strip(), height.strip())
    )
    return None if found in (("", ""), (0, 0)) else (found[0], found[1])
