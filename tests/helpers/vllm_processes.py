"""Running processes of vLLM's own server."""

import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import httpx


@dataclass
class Running:
    process: subprocess.Popen[bytes]
    url: str


def kill(server: Running) -> None:
    if server.process.poll() is None:
        os.killpg(server.process.pid, signal.SIGKILL)
        server.process.wait()


def wait_for(server: Running, log: Path, seconds: float = 240) -> None:
    for _ in range(int(seconds)):
        assert server.process.poll() is None, log.read_text()[-3000:]
        try:
            httpx.get(f"{server.url}/health", timeout=2).raise_for_status()
            return
        except httpx.HTTPError:
            time.sleep(1)
    raise AssertionError(log.read_text()[-3000:])
