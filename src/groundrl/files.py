"""How files are named, read and written everywhere in the package."""

import codecs
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import yaml

from groundrl.errors import UserError

PARTIAL: Final = ".partial"
"""Ends the name of a file that is still being written."""


def is_file(path: Path) -> bool:
    """Whether there is a file at a path that stands in data. ``Path.is_file`` raises where no file
    can have that name: for 300 letters."""
    return os.path.isfile(path)


def printable(path: str | Path) -> str:
    """The path as valid Unicode on one line; different paths give different texts.

    Bytes outside UTF-8 become ``\\xff``, line ends and other invisible characters ``\\u000a``, and
    a backslash becomes two.
    """
    text = os.fsencode(path).replace(b"\\", b"\\\\").decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)


def parse_json(content: str | bytes) -> Any:
    """The value in a JSON text. Raises ValueError for what is no JSON, also for what is nested so
    deeply that the parser gives up."""
    try:
        return json.loads(content)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def json_lines(path: Path, content: bytes) -> Iterator[tuple[str, Any]]:
    """``file:line`` and the value of each line, or the ValueError of a line that is not JSON.

    Blank lines are left out. Bytes are split, because texts may hold separators that only
    ``str.splitlines`` knows.
    """
    for number, line in enumerate(content.split(b"\n"), start=1):
        if line.strip():
            try:
                value = parse_json(line)
            except ValueError as error:  # of JSON, or of UTF-8
                value = error
            yield f"{path}:{number}", value


def whole_lines(content: bytes) -> bytes:
    """The content up to its last line end: what follows was torn when its writer was stopped."""
    return content[: content.rfind(b"\n") + 1]


def drop_torn_line(path: Path) -> bytes:
    """Cut a torn last line off the file. Returns what is left; nothing for a missing file.

    The file is written only if there is such a line: other processes may be appending to it.
    """
    content = path.read_bytes() if path.exists() else b""
    whole = whole_lines(content)
    if len(whole) < len(content):
        os.truncate(path, len(whole))
    return whole


def partial_path(path: Path) -> Path:
    """``.name.partial`` in the same folder: a file until it is complete."""
    return path.with_name(f".{path.name}{PARTIAL}")


def decode_text(path: Path, content: bytes) -> str:
    """The text of a file in UTF-8, or in UTF-16 with a byte order mark. Raises UserError."""
    utf_16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return content.decode("utf-16" if utf_16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path} is no UTF-8 text (byte {error.start}: 0x{content[error.start]:02x}). Save it "
            f"as UTF-8: iconv -f <its encoding, such as GBK> -t UTF-8 {path.name} > new"
        ) from error


def read_text(path: Path) -> str:
    """The text of a file from outside, as ``decode_text`` reads it; line ends stay as they are."""
    return decode_text(path, path.read_bytes())


def read_json(path: Path) -> Any:
    """The value in a JSON file. Raises UserError for another encoding, or what is no JSON: a file
    that was cut short."""
    try:
        return parse_json(read_text(path))
    except ValueError as error:
        raise UserError(f"{path} is not valid JSON: {error}") from error


def read_yaml(path: Path) -> Any:
    """The plain value in a YAML file; no tag makes objects. Raises UserError for another encoding,
    or what is no YAML: endless digits, too."""
    try:
        return yaml.safe_load(read_text(path))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{path} is not valid YAML ({reason}): restore or mend it") from error


@contextmanager
def replace_file(path: Path, *, only_writer: bool = False) -> Iterator[Path]:
    """A path to write to; it takes the place of ``path`` when the block ends without an error, and
    is removed otherwise. Readers see the old file or the new one, never a part.

    Several processes may write the same file: the last one wins. ``only_writer``: no other process
    does, so the partial file has a fixed name, and one that a killed run left is overwritten. The
    folder is made where it is missing.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # Not mkstemp: the mode of its files keeps other users out.
    unique = path if only_writer else path.with_name(f"{path.name}.{uuid4().hex[:12]}")
    partial = partial_path(unique)
    try:
        yield partial
        partial.replace(path)
    except BaseException:
        remove_if_allowed(partial)
        raise


def sync_folder(folder: Path) -> None:
    """Wait until the names of the files in ``folder`` are on the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text with ``replace_file``."""
    with replace_file(path) as partial:
        partial.write_text(text, encoding="utf-8")


def write_json(path: Path, value: object) -> None:
    """Write a value as JSON, indented by one blank, with ``replace_file``."""
    write_text(path, json.dumps(value, indent=1))


def remove_if_allowed(path: Path) -> bool:
    """Whether the file is gone; a file of another user may have to stay."""
    try:
        path.unlink(missing_ok=True)
    except PermissionError:
        return False
    return True
