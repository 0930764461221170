"""Takes adapters over HTTP inside a vLLM server that shares no folder with the training:

    vllm serve <model> ... --middleware groundrl.rollout.servers.adapter_uploads.AdapterUploads

``PUT /v1/adapters/<run>-<number>/<file>`` writes a file of an adapter into a temporary folder of
the server and answers ``{"folder": ...}``, which ``/v1/load_lora_adapter`` takes as ``lora_path``.
Only addresses of ``GROUNDRL_UPLOADS_FROM`` may write (networks, separated by commas; by default
this machine), only with the server's API key, where it has one (``vllm serve --api-key``), and only
up to ``MAX_BYTES``. This file needs the standard library only: a server
needs this package without what it depends on.
"""

import json
import os
import re
import shutil
import tempfile
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from itertools import count
from pathlib import Path
from typing import Any, Final

PREFIX: Final = "/v1/adapters/"
FILES: Final = ("adapter_config.json", "adapter_model.safetensors")
"""The files of an adapter, as PEFT names them."""
NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")
"""Of an adapter: no dots, no slashes."""
MAX_BYTES: Final = 4 * 2**30
"""Of one file: rank 512 on all linear layers of a model with 7 billion weights takes 5 GB in
float32, rank 64 takes 0.7 GB."""
KEPT_ADAPTERS: Final = 16
"""Of all runs together, however many processes each has: those of runs that have ended stay until
then."""
ALLOWED: Final = "GROUNDRL_UPLOADS_FROM"
"""The environment variable with the networks that may write."""
LOOPBACK: Final = "127.0.0.0/8,::1"
NO_SUCH_PATH: Final = frozenset({404, 405})
"""What a server answers to an upload that it lets through: it has no such path itself."""

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]


class AdapterUploads:
    """ASGI middleware; every other request goes on to the server."""

    def __init__(self, app: App) -> None:
        """Raises ValueError where the environment variable holds no networks."""
        self._app = app
        self._networks = read_networks(os.environ.get(ALLOWED, LOOPBACK))
        self._numbers = count()
        """Of uploads."""
        self.root = Path(tempfile.mkdtemp(prefix="groundrl-adapters-"))
        weakref.finalize(self, shutil.rmtree, self.root, ignore_errors=True)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer an upload, or let the server answer."""
        if scope["type"] != "http" or not scope["path"].startswith(PREFIX):
            return await self._app(scope, receive, send)
        status, answer = await self._take(scope, receive)
        content = json.dumps(answer).encode()
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(content)).encode()),
        ]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    async def _take(self, scope: Message, receive: Receive) -> tuple[int, dict[str, str]]:
        """Write the file; the status and the body of the answer."""
        host = scope["client"][0] if scope.get("client") else None  # None: a socket of this machine
        if host is not None and not is_in(host, self._networks):
            return 403, {
                "error": f"uploads from {host} are not allowed: start the server with "
                f"{ALLOWED}={host}, or let rollout.adapter_folder be a folder that it can read"
            }
        status = await self._status_behind(scope)
        if status not in NO_SUCH_PATH:
            return max(status, 400), {"error": f"the server itself answers {status} to uploads"}
        name, _, file = scope["path"].removeprefix(PREFIX).partition("/")
        if scope["method"] != "PUT" or file not in FILES or not NAME.fullmatch(name):
            return 400, {"error": f"PUT {PREFIX}<name>/ takes {' and '.join(FILES)} only"}
        folder = self.root / name
        folder.mkdir(exist_ok=True)
        # Several processes of a run may send the same adapter at once.
        partial = folder / f"{file}.{next(self._numbers)}.partial"
        size = 0
        try:
            with partial.open("wb") as target:
                async for part in body_parts(receive):
                    size += len(part)
                    if size <= MAX_BYTES:  # the rest is read, so that the client hears the answer
                        target.write(part)
            if size > MAX_BYTES:
                return 413, {
                    "error": f"{file} has more than {MAX_BYTES} bytes: lower adapter.rank, or let "
                    "rollout.adapter_folder be a folder that the server can read"
                }
            partial.replace(folder / file)
        except ConnectionError as error:  # the client is gone, and does not hear this answer
            return 400, {"error": str(error)}
        finally:
            partial.unlink(missing_ok=True)
        self._remove_others(folder)
        return 200, {"folder": str(folder)}

    async def _status_behind(self, scope: Message) -> int:
        """What the server answers to the request without its body. vLLM adds middleware before its
        check of keys, which an upload must pass before a byte of it is read."""
        statuses: list[int] = []

        async def receive() -> Message:
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])

        await self._app(dict(scope), receive, send)
        return statuses[0]

    def _remove_others(self, newest: Path) -> None:
        """Keep the newest adapters, this one among them."""
        others = [path for path in self.root.iterdir() if path != newest]
        others.sort(key=lambda path: path.stat().st_mtime, reverse=True)
        for path in others[KEPT_ADAPTERS - 1 :]:
            shutil.rmtree(path, ignore_errors=True)


def read_networks(text: str) -> tuple[IPv4Network | IPv6Network, ...]:
    """``10.0.0.0/8,192.168.1.7`` as networks. Raises ValueError for anything else."""
    try:
        return tuple(ip_network(part.strip()) for part in text.split(","))
    except ValueError as error:
        raise ValueError(
            f"{ALLOWED}={text}: {error}; expected networks, as 10.0.0.0/8,192.168.1.7"
        ) from error


def is_in(host: str, networks: tuple[IPv4Network | IPv6Network, ...]) -> bool:
    """Whether an address is in one of the networks; an IPv4 address may be written as IPv6."""
    address = ip_address(host)
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return any(address in network for network in networks)


async def body_parts(receive: Receive) -> AsyncIterator[bytes]:
    """The parts of a request's body. Raises ConnectionError when the client is gone before its
    end."""
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionError("the client is gone")
        yield message.get("body", b"")
        more = message.get("more_body", False)
