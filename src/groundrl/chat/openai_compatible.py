"""Models behind an OpenAI-compatible endpoint: OpenAI, vLLM servers, and many others."""

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING, Any, ClassVar

from groundrl.api_keys import key_problems, read_key
from groundrl.cache_key import cache_key
from groundrl.chat.base import MOST_TOKENS, OPTION, Reply, Request
from groundrl.chat.spending import Spending
from groundrl.config_node import ConfigNode
from groundrl.control_tokens import JOINER, SERVED, break_tokens
from groundrl.errors import UserError

if TYPE_CHECKING:
    from openai import APIStatusError, OpenAI

ABOUT_ONE_REQUEST = frozenset(
    {"content_filter", "content_policy_violation", "context_length_exceeded"}
)
"""Codes of a 400 response that concern the request, not the model: other requests may succeed."""
OUT_OF_CREDIT = "insufficient_quota"
"""Code of a 429 response for which retries are useless."""


class OpenAICompatibleModel:
    """Greedy decoding; ``at_once`` requests at a time in total, from however many threads.

    Failed requests are retried after growing pauses, or after the server's ``Retry-After``. When
    all retries have failed, and for an empty or invalid response, the reply is None. When the
    budget is used up, the remaining requests of a call get None, and the next call raises.
    """

    resource_options: ClassVar[frozenset[str]] = frozenset({"at_once", "timeout", "retries"})

    def __init__(
        self,
        model: str,
        urls: Sequence[str],
        key_variable: str | None = None,
        at_once: int = 16,
        timeout: float = 120.0,
        retries: int = 4,
        max_tokens: int = 1024,
        extra_body: Mapping[str, Any] | None = None,
        spending: Spending | None = None,
    ) -> None:
        """``urls``: up to and including ``/v1``, of servers of one model, used in turn.
        ``key_variable``: the environment variable with the API key; None: no key is needed.
        ``at_once``: requests at a time to all servers together. ``timeout``: seconds without a
        byte of the response. ``extra_body``: fields of the request to add or replace; null removes
        one."""
        self.model = model
        if not urls:
            raise UserError(f"no server: type '{OPTION}urls=[http://<host>:8000/v1]'")
        self.urls = tuple(url.rstrip("/") for url in urls)
        self.key_variable = key_variable
        self.at_once = at_once
        self.timeout = timeout
        self.retries = retries
        self.options: dict[str, Any] = {"temperature": 0, "max_completion_tokens": max_tokens}
        self.options |= extra_body or {}
        self.spending = spending
        self._changed_options = {} if max_tokens == 1024 else {"max_completion_tokens": max_tokens}
        self._changed_options |= extra_body or {}
        self._slots = threading.Semaphore(at_once)
        self._lock = threading.Lock()
        self._clients: list[OpenAI] = []
        self._turns = count()

    @classmethod
    def config_problems(cls, node: ConfigNode) -> Iterator[str]:
        """The environment variable that holds the key is not set."""
        yield from key_problems(node)

    @property
    def name(self) -> str:
        """The model, and the options that are not the defaults."""
        return cache_key(self.model, **self._changed_options)

    def __call__(self, requests: Sequence[Request]) -> list[Reply | None]:
        """See ``ChatModel``. Raises UserError when the server refuses, and BudgetSpent, also for no
        requests."""
        if self.spending is not None:
            self.spending.check_budget()
        if not requests:
            return []
        self._all_clients()  # raises the error of a missing key before any work
        # Twice as many threads: half of them encode images while the others wait for responses.
        with ThreadPoolExecutor(2 * self.at_once) as pool:
            return list(pool.map(self._ask, requests))

    def _ask(self, request: Request) -> Reply | None:
        body = self._body(request)
        with self._slots:
            if self.spending is not None and self.spending.exhausted:
                return None
            reply = self._post(body)
            if reply is not None and self.spending is not None:
                self.spending.add(reply)
                cost = self.spending.price.cost(reply.prompt_tokens, reply.completion_tokens)
                reply = replace(reply, cost=cost)
        return reply if reply is not None and reply.text.strip() else None

    def _body(self, request: Request) -> dict[str, Any]:
        images = [
            {"type": "image_url", "image_url": {"url": image.data_url}} for image in request.images
        ]
        text = break_tokens(request.text, SERVED, JOINER)
        content = [*images, {"type": "text", "text": text}] if images else text
        body: dict[str, Any] = {
            "model": self.model,
            "messages": [{"role": "user", "content": content}],
            "seed": request.seed,
        }
        if request.schema is not None:
            schema = {"name": "answer", "schema": request.schema, "strict": True}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        body |= self.options
        return {key: value for key, value in body.items() if value is not None}

    def _post(self, body: dict[str, Any]) -> Reply | None:
        from openai import APIConnectionError, APIStatusError

        clients = self._all_clients()
        client = clients[next(self._turns) % len(clients)]
        try:
            return read_reply(client.post("/chat/completions", cast_to=bytes, body=body))
        except APIConnectionError:
            return None
        except APIStatusError as error:
            busy = error.status_code >= 500 or error.status_code in (408, 409, 429)
            if error.code in ABOUT_ONE_REQUEST or (busy and error.code != OUT_OF_CREDIT):
                return None
            # Without its cause, which holds the whole response, maybe with parts of the key.
            raise self._refusal(error, str(client.base_url)) from None

    def _refusal(self, error: "APIStatusError", url: str) -> UserError:
        status = error.status_code
        where = f"{url.rstrip('/')} refuses {self.model} ({status})"
        if status == 401:  # the response may contain parts of the key
            variable = self.key_variable
            need = (
                f"export {variable}=<its key>" if variable else f"{OPTION}key_variable=<variable>"
            )
            return UserError(f"{where}: the key is missing or wrong. Type {need}")
        message = " ".join(error.response.text.split())[:300]
        if self.key_variable is not None:
            message = message.replace(self._key(), "***")
        fix = "model=<a model that it has>" if status == 404 else "<option>=<what it takes>"
        return UserError(f"{where}: {message}. Type {OPTION}{fix}")

    def _key(self) -> str:
        return "none" if self.key_variable is None else read_key(self.key_variable, self.urls[0])

    def _all_clients(self) -> "list[OpenAI]":
        """One client per server, shared by all threads."""
        from openai import OpenAI

        with self._lock:
            if not self._clients:
                key = self._key()
                self._clients = [
                    OpenAI(
                        api_key=key, base_url=url, timeout=self.timeout, max_retries=self.retries
                    )
                    for url in self.urls
                ]
            return self._clients


def _is_count(tokens: object) -> bool:
    return isinstance(tokens, int) and 0 <= tokens <= MOST_TOKENS


def read_reply(body: bytes) -> Reply | None:
    """Parse a chat completion, with empty text where it has none; None for anything else."""
    try:
        answer = json.loads(body)
        text = answer["choices"][0]["message"]["content"] or ""
        used = answer.get("usage") or {}
        prompt, completion = (used.get(f"{kind}_tokens", 0) for kind in ("prompt", "completion"))
        if not (isinstance(text, str) and _is_count(prompt) and _is_count(completion)):
            return None
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, RecursionError):
        return None
    return Reply(text=text, prompt_tokens=prompt, completion_tokens=completion)
