"""Folders that are new, written whole or not at all."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from safetensors import SafetensorError

from groundrl.errors import UserError, is_disk_full, os_error
from groundrl.files import partial_path

SPARE = 1.05
"""Room that is asked for, as a multiple of the weights: tokenizer and configs are small."""


def check_new(to: Path) -> None:
    """Raise UserError where there is something already."""
    if os.path.lexists(to):
        raise UserError(f"to={to} exists already, and nothing is overwritten: type another folder")


@contextmanager
def new_folder(to: Path, weights: int) -> Iterator[Path]:
    """A folder to write into, which becomes ``to`` when the block ends without an error, and is
    removed otherwise.

    ``weights``: bytes that are going to be written. Raises UserError where ``to`` exists, where
    nothing can be written, and where there is no room.
    """
    check_new(to)
    partial = partial_path(to.with_name(f"{to.name}.{uuid4().hex[:12]}"))
    try:
        partial.mkdir(parents=True)
    except OSError as error:
        raise UserError(f"to={to} cannot be made ({error.strerror}): type to=<folder>") from error
    try:
        free = shutil.disk_usage(partial).free
        if free < SPARE * weights:
            raise _no_room(to, f"{SPARE * weights / 1e9:.3g} GB are needed, {free / 1e9:.3g} left")
        try:
            yield partial
        except SafetensorError as error:
            stopped_by = os_error(error, partial)
            if stopped_by is None or not is_disk_full(stopped_by):
                raise
            raise _no_room(to, str(stopped_by.strerror)) from error
        except OSError as error:
            if not is_disk_full(error):
                raise
            raise _no_room(to, str(error.strerror)) from error
        partial.rename(to)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def _no_room(to: Path, why: str) -> UserError:
    return UserError(f"to={to}: no room on the disk ({why}): free some, or type to=<another disk>")
