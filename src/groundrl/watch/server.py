"""A run on a page for browsers on this machine: the newest rollouts with their boxes, the curves,
and what has been measured so far. The page reloads itself when the run has written something.

  python -m groundrl.watch outputs/my_run

Files are read only: the run does not notice, and one that has not begun or has ended is shown too.
"""

import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Sequence
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from typing import Final

from groundrl.errors import UserError
from groundrl.report.local_server import LocalHandler, LocalServer, RequestError
from groundrl.watch.page import render_page, version_of

PORT: Final = 8767


class WatchServer(LocalServer):
    """Serves the page of one run directory."""

    def __init__(self, run_dir: Path, port: int) -> None:
        """Raises UserError where there is no such folder, or the port cannot be had."""
        if not run_dir.is_dir():
            raise UserError(
                f"there is no folder {run_dir}: type the run directory that train.py names, or its "
                "output_dir="
            )
        self.run_dir = run_dir
        super().__init__(port, WatchHandler)


class WatchHandler(LocalHandler):
    """``GET /`` and ``GET /version``."""

    server: WatchServer  # pyright: ignore[reportIncompatibleVariableOverride]

    def do_GET(self) -> None:
        try:
            self.check_host()
            match self.path.partition("?")[0]:
                case "/":
                    self.send("text/html; charset=utf-8", render_page(self.server.run_dir).encode())
                case "/version":
                    version = version_of(self.server.run_dir)
                    self.send("text/plain; charset=utf-8", version.encode())
                case _:
                    raise RequestError(HTTPStatus.NOT_FOUND, "there is no such page")
        except RequestError as error:
            self.refuse(error)


def main(arguments: Sequence[str]) -> int:
    """Serve the page until Ctrl-C. Returns the exit status: 0, or 2 for a UserError."""
    parser = ArgumentParser(
        prog="python -m groundrl.watch",
        description=__doc__,
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.add_argument("run", type=Path, help="the run directory")
    parser.add_argument("--port", type=int, default=PORT, help="0: any that is free")
    options = parser.parse_args(arguments)
    try:
        with WatchServer(options.run, options.port) as server:
            print(f"{server.url}\nCtrl-C ends", flush=True)
            with suppress(KeyboardInterrupt):
                server.serve_forever()
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    return 0
