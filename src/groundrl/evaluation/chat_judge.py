"""A language model as judge, behind an OpenAI-compatible server (OpenAI, or vLLM's own)."""

import hashlib
import json
import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from groundrl.errors import UserError
from groundrl.evaluation.judges import Case, Flaw, Judgement, read_judgement

PROMPT = """\
You see a question, somebody's reasoning and their answer. You do not see the picture, and it does \
not matter whether the reasoning or the answer is true of it. Decide one thing: would a careful \
reader who believes the reasoning arrive at this answer?

Question: {question}
Options: {options}
Reasoning: {reasoning}
Answer: {answer}

If so, aligned is true and flaw is "none". If not, aligned is false and flaw is "contradiction" \
(the reasoning says the opposite), "missing detail" (it does not go far enough), "irrelevant" (it \
is about something else) or "other". Give the reason in one sentence."""
SCHEMA = {
    "type": "object",
    "properties": {
        "reason": {"type": "string"},
        "aligned": {"type": "boolean"},
        "flaw": {"type": "string", "enum": [flaw.value for flaw in Flaw]},
    },
    "required": ["reason", "aligned", "flaw"],
    "additionalProperties": False,
}
TRIES = 4
PAUSE = 1.0
"""Seconds before the second try; doubled each time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatJudge:
    """Asks for JSON of a fixed schema, greedily. A server that fails is asked again; in the end the
    case stays unjudged and the run goes on. An unreadable verdict counts as misaligned."""

    model: str
    url: str
    """Up to and including ``/v1``."""
    key_variable: str | None = None
    """Environment variable that holds the key; None: none is needed."""
    prompt_file: str | None = None
    """Another prompt, with {question}, {options}, {reasoning} and {answer}."""
    at_once: int = 8
    timeout: float = 60.0

    @property
    def name(self) -> str:
        """The model and the prompt."""
        digest = hashlib.blake2b(self._prompt().encode(), digest_size=4).hexdigest()
        return f"{self.model} {digest}"

    def __call__(self, cases: Sequence[Case]) -> list[Judgement | None]:
        """One request each, ``at_once`` at a time. Raises UserError when the server refuses."""
        with ThreadPoolExecutor(self.at_once) as pool:
            return list(pool.map(self._judge, cases))

    def _prompt(self) -> str:
        if self.prompt_file is None:
            return PROMPT
        path = Path(self.prompt_file).expanduser()
        if not path.is_file():
            raise UserError(f"judge.prompt_file={path}: no such file")
        return path.read_text(encoding="utf-8")

    def _judge(self, one: Case) -> Judgement | None:
        prompt = self._prompt()
        values = {"options": ", ".join(one.options) or "none", "question": one.question}
        values |= {"reasoning": one.reasoning, "answer": one.answer}
        for name, value in values.items():  # texts may hold braces of their own
            prompt = prompt.replace(f"{{{name}}}", value)
        body = {
            "model": self.model,
            "messages": [{"role": "user", "content": prompt}],
            "temperature": 0,
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "judgement", "schema": SCHEMA, "strict": True},
            },
        }
        answer = self._post(body)
        if answer is None:
            return None
        text = answer["choices"][0]["message"]["content"]
        try:
            return read_judgement(json.loads(text))
        except (KeyError, TypeError, ValueError):
            return Judgement(aligned=False, flaw=Flaw.OTHER, reason=f"unreadable: {text!r:.200}")

    def _post(self, body: dict[str, Any]) -> dict[str, Any] | None:
        headers = {"Content-Type": "application/json"}
        if self.key_variable is not None:
            if self.key_variable not in os.environ:
                raise UserError(f"judge: set {self.key_variable} to the key of {self.url}")
            headers["Authorization"] = f"Bearer {os.environ[self.key_variable]}"
        url = f"{self.url.rstrip('/')}/chat/completions"
        request = Request(url, json.dumps(body).encode(), headers)
        for attempt in range(TRIES):
            try:
                with urlopen(request, timeout=self.timeout) as answer:
                    return json.loads(answer.read())
            except HTTPError as error:
                if error.code < 500 and error.code != 429:
                    told = error.read().decode(errors="replace")[:300]
                    raise UserError(f"judge: {url} refuses ({error.code}): {told}") from error
            except (URLError, TimeoutError, ConnectionError):
                pass
            if attempt + 1 < TRIES:
                time.sleep(PAUSE * 2**attempt)
        return None
