"""Choices that are fine alone and wrong together."""

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from groundrl.config.problems import join
from groundrl.config.tree import Target


def cross_checks(tree: dict[str, Any], targets: list[Target]) -> list[str]:
    """Problems that no single node shows."""
    return [
        *_unfed_terms(targets),
        *_lonely_groups(tree),
        *_biased_ratios(tree),
        *unwritable_folders(tree),
        *_absent_gpu(tree),
    ]


def _unfed_terms(targets: list[Target]) -> Iterator[str]:
    """Reward terms whose ``needs`` no training set ``provides``.

    Both are class attributes, sets out of {"groundings", "answers"}; a data set without
    ``provides`` is taken to have both. Training sets are the nodes under ``data.train`` if there
    are any, else all nodes under ``data``.
    """
    train = [t for t in targets if _is_under(t.path, "data.train")]
    declaring = [
        target
        for target in train or [t for t in targets if _is_under(t.path, "data")]
        if hasattr(target.call, "provides")
    ]
    if not declaring:
        return
    provided = frozenset[str]().union(*(_declared(t.call, "provides") for t in declaring))
    names = ", ".join(target.name.rpartition(".")[2] for target in declaring)
    for term in targets:
        lacking = sorted(_declared(term.call, "needs") - provided)
        if _is_under(term.path, "reward") and lacking:
            yield (
                f"{term.path} needs {' and '.join(lacking)}, but the training data ({names}) has "
                f"none: drop the term with ~{term.path}, or choose other data with data=<option>"
            )


def _is_under(path: str, parent: str) -> bool:
    return path == parent or path.startswith(f"{parent}.")


def _declared(call: Callable[..., object], name: str) -> frozenset[str]:
    return frozenset(getattr(call, name, ()))


def _lonely_groups(tree: dict[str, Any]) -> Iterator[str]:
    if "reward" not in tree:  # nothing is compared; an evaluation draws one answer each
        return
    for path, size in _named(tree, "group_size"):
        if isinstance(size, int) and size < 2:
            yield (
                f"{path} is {size}, but advantages compare the completions of one group: "
                f"type {path}=8, or any number from 2 on"
            )


def _biased_ratios(tree: dict[str, Any]) -> Iterator[str]:
    """A cut distribution differs from the one that the importance ratio divides by."""
    corrections = [p for p, cap in _named(tree, "importance_cap") if cap not in (None, False)]
    cuts = [(p, "1.0") for p, share in _named(tree, "top_p") if _number(share, 1.0) < 1]
    cuts += [(p, "0") for p, count in _named(tree, "top_k") if _number(count, 0.0) > 0]
    for correction in corrections:
        for cut, off in cuts:
            yield (
                f"{cut} cuts the sampling distribution, which biases the ratio that {correction} "
                f"corrects: type {cut}={off}, or {correction}=null"
            )


def _number(value: object, otherwise: float) -> float:
    return float(value) if isinstance(value, int | float) else otherwise


def unwritable_folders(tree: Mapping[str, Any]) -> Iterator[str]:
    """Folders of the run that cannot be made or written to."""
    for name in ("output_dir", "cache_dir"):
        value = tree.get(name)
        if not isinstance(value, str):
            continue
        folder = Path(value).absolute()
        while not folder.exists():
            folder = folder.parent
        if not folder.is_dir():
            yield f"{name}={value} cannot be made: {folder} is a file; type {name}=<folder>"
        elif not os.access(folder, os.W_OK | os.X_OK):
            yield f"{name}={value} is not writable ({folder}): type {name}=<folder>"


def _named(tree: object, name: str, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every place of the tree whose key is ``name``, with its value."""
    items = tree.items() if isinstance(tree, dict) else ()
    items = enumerate(tree) if isinstance(tree, list) else items
    for key, value in items:
        if key == name:
            yield join(path, key), value
        yield from _named(value, name, join(path, key))


def _absent_gpu(tree: dict[str, Any]) -> Iterator[str]:
    trainer = tree.get("trainer")
    if isinstance(trainer, dict) and trainer.get("accelerator") in ("gpu", "cuda"):
        import torch  # here: nothing else in this file needs a second for its imports

        if not torch.cuda.is_available():
            yield "trainer needs a GPU, and torch sees none on this machine: type trainer=cpu"
