"""Compares values of YAML files with type annotations, and describes the values that fit."""

import types
from collections.abc import Collection, Mapping
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin


def fits(value: object, annotation: object) -> bool:
    """Whether ``value`` is of the annotated type. Annotations that are no plain data always fit."""
    if isinstance(value, dict) and "_target_" in value:
        return True
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return fits(value, arguments[0])
    if origin in (Union, types.UnionType):
        return any(fits(value, choice) for choice in arguments)
    if origin is Literal:
        # True == 1, yet Literal[1] does not mean True.
        return any(value == choice and type(value) is type(choice) for choice in arguments)
    if annotation is None or annotation is type(None):
        return value is None
    kind = origin or annotation
    if not isinstance(kind, type):
        return True
    return _fits_class(value, kind, arguments)


def _fits_class(value: object, kind: type, arguments: tuple[object, ...]) -> bool:
    if kind is object:
        return True
    if issubclass(kind, Enum):
        return value in [member.value for member in kind] or isinstance(value, kind)
    if kind in (int, float):
        numbers = int if kind is int else (int, float)
        return isinstance(value, numbers) and not isinstance(value, bool)
    if kind is Path:
        return isinstance(value, str | Path)
    if kind not in (str, bytes) and issubclass(kind, Mapping):
        return isinstance(value, dict) and (
            len(arguments) < 2 or all(fits(item, arguments[1]) for item in value.values())
        )
    if kind is not str and isinstance(value, list):
        return _fits_list(value, kind, arguments)
    try:
        return isinstance(value, kind)
    except TypeError:  # a protocol that cannot be checked at run time
        return True


def _fits_list(value: list[Any], kind: type, arguments: tuple[object, ...]) -> bool:
    # A type that is no collection (a module, a config of another library) may take any list.
    if not issubclass(list, kind) and not issubclass(kind, Collection):
        return False
    if kind is tuple and arguments and arguments[-1] is not Ellipsis:
        return len(value) == len(arguments) and all(map(fits, value, arguments))
    return not arguments or all(fits(item, arguments[0]) for item in value)


def choices(annotation: object) -> list[str]:
    """The values that a Literal, an enum, a bool or a union of them allows; empty for others."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return [str(choice) for choice in arguments]
    if origin in (Union, types.UnionType):
        parts = [choices(choice) for choice in arguments]
        return [name for part in parts for name in part] if all(parts) else []
    if annotation is bool:
        return ["true", "false"]
    if annotation is type(None):
        return ["null"]
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return [str(member.value) for member in annotation]
    return []


def expected(annotation: object) -> str:
    """The values that fit, in words: ``"one of token, sequence"``, ``"a whole number or null"``."""
    allowed = choices(annotation)
    if allowed:
        return f"one of {', '.join(allowed)}" if len(allowed) > 1 else allowed[0]
    if get_origin(annotation) in (Union, types.UnionType):
        return " or ".join(expected(choice) for choice in get_args(annotation))
    words = {int: "a whole number", float: "a number", str: "text", Path: "a path"}
    if annotation in words:
        return words[annotation]
    kind = get_origin(annotation) or annotation
    if kind is tuple and get_args(annotation) and get_args(annotation)[-1] is not Ellipsis:
        return f"a list of {len(get_args(annotation))} values"
    if isinstance(kind, type) and issubclass(kind, Mapping):
        return "a mapping"
    if isinstance(kind, type) and issubclass(kind, Collection):
        return "a list"
    return f"a {getattr(kind, '__name__', kind)} (a node with _target_)"


def placeholder(name: str, annotation: object) -> str:
    """An example of the value in a command line: ``<folder>``, ``<number>``, ``token``."""
    allowed = choices(annotation)
    if allowed:
        return allowed[0]
    parts = get_args(annotation) if get_origin(annotation) in (Union, types.UnionType) else ()
    kinds = {annotation, *parts}
    if name in {"root", "dir", "folder"} or name.endswith(("_root", "_dir", "_folder")):
        return "<folder>"
    if name == "file" or name.endswith("_file"):
        return "<file>"
    if kinds & {int, float}:
        return "<number>"
    if Path in kinds:
        return "<path>"
    return "<value>"
