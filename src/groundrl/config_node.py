"""What a class may say about its own options in a config, before anything is built.

``check_config`` and ``resume=`` look at every class or function that a ``_target_`` names, of this
package or of another. It may declare

* ``config_problems``: a classmethod ``(node: ConfigNode) -> Iterator[str]`` of what is wrong with
  its options, each with what to type instead;
* ``supplied_arguments``: names of arguments that the code adds, so that no config states them;
* ``resource_options``: names of options that bound memory, money or time, or name a place. They
  change no result, so a run may be resumed with other values.

A function gets them from ``config_hooks``.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

Hooked = TypeVar("Hooked", bound=Callable[..., object])


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigNode:
    """A node with a ``_target_``, in plain values; what is not known yet (``???``) is left out."""

    path: str
    """Its place: ``stage.grpo.module.loss``."""
    options: Mapping[str, Any]
    """Its own keys, without Hydra's (``_target_``, ``_partial_``, ...)."""
    tree: Mapping[str, Any]
    """The whole config."""
    targets: Mapping[str, Callable[..., object]] = field(default_factory=dict)
    """Every class or function that the config names, by the path of its node."""

    @property
    def role(self) -> str:
        """The first part of the path, which is the group that the user chose: ``judge``."""
        return self.path.partition(".")[0]

    def value(self, path: str) -> Any:
        """The value at a dotted path of the whole config; None where there is none."""
        return value_at(self.tree, path)

    def named(self, key: str, under: str = "") -> Iterator[tuple[str, Any]]:
        """Path and value of every option of that name, in the whole config or below a path."""
        yield from options_named(value_at(self.tree, under) if under else self.tree, key, under)


def too_small(node: ConfigNode, least: Mapping[str, int]) -> Iterator[str]:
    """What is wrong with the options that are numbers below their least value."""
    for name, bound in least.items():
        value = node.options.get(name)
        if isinstance(value, int | float) and value < bound:
            option = f"{node.path}.{name}"
            yield f"{option}={value} is too small: type {option}={bound}, or more"


def value_at(tree: object, path: str) -> Any:
    """The value at a dotted path of nested dicts and lists; None where there is none."""
    for part in path.split("."):
        if isinstance(tree, Mapping) and part in tree:
            tree = tree[part]
        elif isinstance(tree, list) and part.isdigit() and int(part) < len(tree):
            tree = tree[int(part)]
        else:
            return None
    return tree


def options_named(tree: object, key: str, path: str = "") -> Iterator[tuple[str, Any]]:
    """Path and value of every key of that name in nested dicts and lists."""
    items = tree.items() if isinstance(tree, Mapping) else ()
    for name, value in enumerate(tree) if isinstance(tree, list) else items:
        place = f"{path}.{name}" if path else str(name)
        if name == key:
            yield place, value
        yield from options_named(value, key, place)


def config_hooks(
    *,
    problems: Callable[[ConfigNode], Iterator[str]] | None = None,
    resource_options: frozenset[str] = frozenset(),
) -> Callable[[Hooked], Hooked]:
    """Decorator that gives a function what a class declares in its body."""

    def attach(function: Hooked) -> Hooked:
        vars(function).update(config_problems=problems, resource_options=resource_options)
        return function

    return attach
