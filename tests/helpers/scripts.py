"""Commands of this project, run to their end in processes that begin with the libraries imported.

A server, one for each process of tests, imports them once and forks for every command: most of a
small run's time is the imports. Where a test is about starting, it starts an interpreter itself.
"""

import atexit
import gc
import importlib
import json
import os
import runpy
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[2]
LIBRARIES: Final = (
    *("groundrl.launch.training", "groundrl.launch.evaluation", "groundrl.launch.synthesis"),
    *("groundrl.policy.load", "groundrl.stages.grpo", "groundrl.stages.rejection_sampling"),
    *("groundrl.launch.trained_run", "transformers.models.qwen3_vl.modeling_qwen3_vl"),
    *("torchvision", "torch._dynamo", "lightning.pytorch", "hydra.main"),
)
_lock = threading.Lock()
_servers: list[subprocess.Popen[str]] = []


def environment(**changed: str) -> dict[str, str]:
    """That of commands: one thread, and this package."""
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT / "src"), **changed}


def run_python(
    *command: object, folder: Path = ROOT, **changed: str
) -> subprocess.CompletedProcess[str]:
    """``python <command>`` in ``folder``, to its end; ``changed``: variables of the environment."""
    words = [str(word) for word in command]
    with tempfile.TemporaryDirectory(prefix="told-") as told, _lock:
        files = [Path(told, name) for name in ("stdout", "stderr")]
        status = _ask(
            {
                "command": words,
                "folder": str(folder),
                "environment": environment(**changed),
                "files": [str(file) for file in files],
            }
        )
        texts = (file.read_text(errors="replace") for file in files)
        return subprocess.CompletedProcess([sys.executable, *words], status, *texts)


def _ask(request: Mapping[str, Any]) -> int:
    if not _servers:
        command = [sys.executable, __file__]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        _servers.append(subprocess.Popen(command, env=environment(), **pipes))
        atexit.register(_servers[0].communicate)  # no more commands: it ends
    server = _servers[0]
    assert server.stdin is not None
    assert server.stdout is not None
    print(json.dumps(request), file=server.stdin, flush=True)
    return int(server.stdout.readline())


def import_libraries() -> None:
    """Import what commands need."""
    from groundrl.launch.logs import silence_libraries

    silence_libraries()
    for name in LIBRARIES:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()


def serve() -> list[str]:
    """Fork for every line of standard input, and write the status of the process, as ``subprocess``
    has it, when it has ended. Returns in the forked process: the command that it shall be."""
    import_libraries()
    for line in sys.stdin:
        if (pid := os.fork()) == 0:
            return take_place(json.loads(line))
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
    sys.exit()


def take_place(request: Mapping[str, Any]) -> list[str]:
    """Go where the command of a request is run, and return it."""
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["folder"])
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for descriptor, file in zip((1, 2), request["files"], strict=True):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT), descriptor)
    return request["command"]


def run_here(command: Sequence[str]) -> None:
    """What ``python <command>`` does once it has started."""
    first, *_ = command
    folder = Path.cwd() if first == "-m" else Path(first).parent.resolve()
    added = [str(folder), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    sys.path[:] = [*added, *(path for path in sys.path if path not in added)]
    if first == "-m":
        sys.argv = [*command[1:]]
        runpy.run_module(command[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = [*command]
        runpy.run_path(first, run_name="__main__")


if __name__ == "__main__":
    run_here(serve())
