"""API keys: an option names the environment variable that holds one, and no message shows it."""

import os
from collections.abc import Iterator

from groundrl.config_node import ConfigNode
from groundrl.errors import UserError


def key_problems(node: ConfigNode) -> Iterator[str]:
    """``key_variable`` names an environment variable that is not set."""
    variable = node.options.get("key_variable")
    if isinstance(variable, str) and not os.environ.get(variable):
        option = f"{node.path}.key_variable={variable}"
        yield f"{option} is not set: type export {variable}=<key>"


def read_key(variable: str, url: str) -> str:
    """The key of the server at ``url``, of printable ASCII characters without blanks. Raises
    UserError where the environment variable holds none."""
    key = os.environ.get(variable, "").strip()
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        state = "holds no key" if key else "is not set"
        raise UserError(f"{variable} {state}: type export {variable}=<the key of {url}>")
    return key
