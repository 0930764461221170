"""What is wrong with the options of a model that runs in this process."""

from collections.abc import Iterator
from pathlib import Path

from groundrl.config_node import ConfigNode

FOLDER_STARTS = ("/", "./", "../", "~")
"""How the name of a folder begins, and no hub id."""


def local_model_problems(node: ConfigNode) -> Iterator[str]:
    """``model`` looks like a folder and is none."""
    model = node.options.get("model")
    if isinstance(model, str) and model.startswith(FOLDER_STARTS) and not Path(model).is_dir():
        yield f"{node.path}.model={model}: no such folder. Type the whole path, or a hub id"
