"""The cost of a served model, counted across restarts, and its budget."""

import json
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field, Strict

from groundrl.chat.base import MOST_TOKENS, OPTION, Reply
from groundrl.errors import UserError
from groundrl.files import drop_torn_line, parse_json
from groundrl.json_rows import validate

MILLION = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """Per million tokens, in the currency of the provider."""

    prompt: float
    completion: float

    def cost(self, prompt_tokens: int, completion_tokens: int) -> float:
        """``(prompt tokens * prompt + completion tokens * completion) / 10^6``."""
        return (prompt_tokens * self.prompt + completion_tokens * self.completion) / MILLION


Tokens = Annotated[int, Strict(), Field(ge=0, le=MOST_TOKENS)]


@dataclass(frozen=True, slots=True, kw_only=True)
class _TokensRow:
    """Shape of a line."""

    prompt: Tokens
    completion: Tokens


class BudgetSpent(UserError):
    """The budget is used up: no more requests may be sent."""

    def __init__(self, budget: float, spent: str) -> None:
        super().__init__(budget, spent)
        self.budget = budget
        self.spent = spent

    def __str__(self) -> str:
        return (
            f"the budget of {self.budget} is spent: {self.spent}. What is finished is kept: type "
            f"the same command with resume=<run directory> and {OPTION}spending.budget=<more than "
            f"{self.budget}> to go on"
        )


class Spending:
    """Counts tokens and their cost. It can be used by several threads at once."""

    resource_options: ClassVar[frozenset[str]] = frozenset({"budget"})

    def __init__(self, price: Price, budget: float | None = None, path: str | None = None) -> None:
        """``budget``: in the price's currency; None: no limit. ``path``: JSON lines with the tokens
        of each reply; lines of earlier runs count. Raises UserError for a budget without price."""
        if budget is not None and max(price.prompt, price.completion) <= 0:
            raise UserError(
                f"budget={budget} is never reached at a price of 0: type price.prompt=<number> "
                "price.completion=<number>, per million tokens, beside it"
            )
        self.price = price
        self.budget = budget
        self.prompt_tokens = 0
        self.completion_tokens = 0
        self._path = None if path is None else Path(path).expanduser()
        self._lock = threading.Lock()
        if self._path is not None and self._path.exists():
            self._read(self._path)

    @property
    def cost(self) -> float:
        """Cost of all replies so far."""
        return self.price.cost(self.prompt_tokens, self.completion_tokens)

    @property
    def exhausted(self) -> bool:
        """Whether the budget is used up."""
        return self.budget is not None and self.cost >= self.budget

    def check_budget(self) -> None:
        """Raise BudgetSpent when the budget is used up."""
        if self.budget is not None and self.exhausted:
            spent = (
                f"{self.prompt_tokens} prompt and {self.completion_tokens} completion tokens cost "
                f"{self.cost:.4f}"
            )
            raise BudgetSpent(self.budget, spent)

    def add(self, reply: Reply) -> None:
        """Count a reply, and append it to the file."""
        with self._lock:
            self.prompt_tokens += reply.prompt_tokens
            self.completion_tokens += reply.completion_tokens
            if self._path is not None:
                # On the machine of a worker the folder may be missing.
                self._path.parent.mkdir(parents=True, exist_ok=True)
                row = {"prompt": reply.prompt_tokens, "completion": reply.completion_tokens}
                with self._path.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(row) + "\n")

    def _read(self, path: Path) -> None:
        for number, line in enumerate(drop_torn_line(path).splitlines(), start=1):
            try:
                row = validate(_TokensRow, parse_json(line))
            except ValueError as error:
                raise UserError(f"{path}:{number} is no record of tokens ({error})") from error
            self.prompt_tokens += row.prompt
            self.completion_tokens += row.completion
