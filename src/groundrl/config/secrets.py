"""Keys and passwords that were typed as options: a config is written to files that people share."""

import re
from collections.abc import Iterator

from groundrl.config.problems import join

NAME = re.compile(
    r"(^|[_.-])(api[_-]?key|access[_-]?key|secret|password|passwd|authorization|token)$", re.I
)
IN_URL = re.compile(
    r"://[^/\s@]+@|[?&](api[_-]?key|key|token|access[_-]?token|secret|password|sig(nature)?)=", re.I
)


def secret_problems(tree: object, path: str = "") -> Iterator[str]:
    """Options that hold a key, by their name or in a URL; the key itself is not repeated."""
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield from secret_problems(value, join(path, str(key)))
    elif isinstance(tree, list):
        for index, value in enumerate(tree):
            yield from secret_problems(value, join(path, index))
    elif isinstance(tree, str) and tree and (NAME.search(path) or IN_URL.search(tree)):
        yield (
            f"{path} holds a key, and options are written to resolved.yaml and the report: drop "
            "it, type export <NAME>=<key>, and name that variable in key_variable=<NAME>"
        )
