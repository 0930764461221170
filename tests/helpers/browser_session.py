"""Chromium driven by keys, through the pipe of its DevTools protocol: no package, no port."""

import base64
import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from browsing import CHROMIUM

CODES = {"Enter": 13, "Escape": 27, "ArrowDown": 40}
PATIENCE = 30.0
"""Seconds until something that does not come true is a failure."""


class BrowserSession:
    """One page."""

    def __init__(self, to_browser: int, from_browser: int) -> None:
        self._to, self._from = to_browser, from_browser
        self._pending = b""
        self._count = 0
        self._session: dict[str, str] = {}

    def open(self, address: str) -> None:
        """Load the address in a new page."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = {"sessionId": attached["sessionId"]}
        self.call("Page.navigate", url=address)

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """The result of a command of the protocol; events are left out."""
        self._count += 1
        command = {"id": self._count, "method": method, "params": parameters, **self._session}
        if method.startswith("Target."):
            command.pop("sessionId", None)
        os.write(self._to, json.dumps(command).encode() + b"\0")
        while True:
            while b"\0" not in self._pending:
                received = os.read(self._from, 1 << 16)
                assert received, "the browser has ended"
                self._pending += received
            line, _, self._pending = self._pending.partition(b"\0")
            answer = json.loads(line)
            if answer.get("id") == self._count:
                assert "error" not in answer, answer
                return answer["result"]

    def press(self, *keys: str) -> None:
        """Press the keys one after the other."""
        for key in keys:
            text = "\r" if key == "Enter" else key if len(key) == 1 else ""
            code = CODES.get(key) or ord(key.upper())
            event = {"key": key, "windowsVirtualKeyCode": code}
            self.call("Input.dispatchKeyEvent", type="keyDown", text=text, **event)
            self.call("Input.dispatchKeyEvent", type="keyUp", **event)

    def value(self, expression: str) -> Any:
        """The value of a JavaScript expression."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def wait_for(self, expression: str) -> None:
        """Wait until the expression is true."""
        until = time.monotonic() + PATIENCE
        while not self.value(expression):
            assert time.monotonic() < until, f"never true: {expression}"
            time.sleep(0.02)

    def screenshot(self, path: Path, width: int, height: int, *, dark: bool) -> None:
        """Write what a window of this size shows as a PNG."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.call("Emulation.setDeviceMetricsOverride", **size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot")["data"]))


@contextmanager
def start_browser(profile: Path) -> Iterator[BrowserSession]:
    """A browser without windows; it is ended with the block."""
    options = ("--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe")
    command = [str(CHROMIUM), *options, f"--user-data-dir={profile}"]
    # The browser reads commands from its file 3 and answers on its file 4.
    shell = ["sh", "-c", 'exec "$@" 3<&0 4>&1', "sh", *command]
    process = subprocess.Popen(
        shell, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield BrowserSession(process.stdin.fileno(), process.stdout.fileno())
    finally:
        process.stdin.close()
        process.stdout.close()
        process.terminate()
        process.wait(timeout=PATIENCE)
