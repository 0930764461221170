"""What a served model has cost, counted over restarts, and where to stop."""

import json
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from groundrl.chat.base import OPTION, Reply
from groundrl.errors import UserError
from groundrl.files import drop_torn_line

MILLION = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """Per million tokens, in the currency of whoever is paid."""

    prompt: float
    completion: float

    def of(self, prompt_tokens: int, completion_tokens: int) -> float:
        """``(prompt tokens * prompt + completion tokens * completion) / 10^6``."""
        return (prompt_tokens * self.prompt + completion_tokens * self.completion) / MILLION


class BudgetSpent(UserError):
    """Nothing more may be asked."""

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
    """Counts tokens; threads may share it."""

    resource_options: ClassVar[frozenset[str]] = frozenset({"budget"})

    def __init__(self, price: Price, budget: float | None = None, path: str | None = None) -> None:
        """``budget``: in the price's currency; None: no limit. ``path``: JSON lines of the tokens
        of each answer; those of earlier runs count. Raises UserError for a budget without price."""
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
        """Of all answers so far."""
        return self.price.of(self.prompt_tokens, self.completion_tokens)

    @property
    def exhausted(self) -> bool:
        """Whether nothing more may be asked."""
        return self.budget is not None and self.cost >= self.budget

    def require(self) -> None:
        """Raise BudgetSpent where nothing is left of it."""
        if self.budget is not None and self.exhausted:
            spent = (
                f"{self.prompt_tokens} prompt and {self.completion_tokens} completion tokens cost "
                f"{self.cost:.4f}"
            )
            raise BudgetSpent(self.budget, spent)

    def add(self, reply: Reply) -> None:
        """Count an answer."""
        with self._lock:
            self.prompt_tokens += reply.prompt_tokens
            self.completion_tokens += reply.completion_tokens
            if self._path is not None:
                self._path.parent.mkdir(parents=True, exist_ok=True)  # a worker's machine
                row = {"prompt": reply.prompt_tokens, "completion": reply.completion_tokens}
                with self._path.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(row) + "\n")

    def _read(self, path: Path) -> None:
        for number, line in enumerate(drop_torn_line(path).splitlines(), start=1):
            try:
                row = json.loads(line)
                self.prompt_tokens += int(row["prompt"])
                self.completion_tokens += int(row["completion"])
            except (KeyError, TypeError, ValueError) as error:
                raise UserError(f"{path}:{number} is no record of tokens ({error})") from error
