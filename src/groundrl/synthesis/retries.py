"""Language models that are asked until what they say can be read."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final, TypeVar

from groundrl.chat.base import ChatModel, Reply, Request
from groundrl.chat.spending import BudgetSpent
from groundrl.synthesis.annotations import Caption, Decision, Signer, Verdict

Answer = TypeVar("Answer", Caption, Verdict)

MAX_TRIES: Final = 3
RETRY_NOTE: Final = (
    "An earlier answer to this could not be used. Answer with this JSON and nothing else."
)
"""Added when somebody is asked again: a greedy model would repeat itself."""
UNREADABLE: Final = "unreadable"
"""How the reason of a verdict begins that nobody really gave."""
LONGEST_REASON: Final = 300


def unreadable_verdict(why: str) -> Verdict:
    """The verdict on a caption where caption or verdict cannot be read."""
    reason = f"{UNREADABLE}: {why}"[:LONGEST_REASON]
    return Verdict(decision=Decision.REJECT, reason=reason, by=Signer.FORMAT)


def is_readable(said: Caption | Verdict) -> bool:
    """Whether somebody really said it. What is not is asked for again by the next run."""
    return bool(said.text.strip()) if isinstance(said, Caption) else said.by is not Signer.FORMAT


def ask_until_readable(
    chat: ChatModel, requests: Sequence[Request], read: Callable[[int, str], Answer]
) -> list[Answer | None]:
    """The answer to each, ``read`` with its index; after ``MAX_TRIES`` unreadable answers, the last
    of them. None where the model could not be reached. Tokens and cost are those of all tries.
    Raises UserError when the model refuses."""
    found: list[Answer | None] = [None for _ in requests]
    left = list(range(len(requests)))
    for attempt in range(MAX_TRIES):
        for i, reply in zip(left, _replies(chat, requests, left, attempt), strict=True):
            before = found[i]
            found[i] = None if reply is None else _with_cost(read(i, reply.text), reply, before)
        left = [i for i in left if (one := found[i]) is not None and not is_readable(one)]
        if not left:
            break
    return found


def _replies(
    chat: ChatModel, requests: Sequence[Request], left: Sequence[int], attempt: int
) -> Sequence[Reply | None]:
    if attempt == 0:
        return chat(requests)
    again = [replace(requests[i], text=f"{requests[i].text}\n{RETRY_NOTE}") for i in left]
    try:
        return chat(again)
    except BudgetSpent:  # what could be read is kept
        return [None for _ in left]


def _with_cost(said: Answer, reply: Reply, before: Answer | None) -> Answer:
    tokens, cost = (0, 0.0) if before is None else (before.tokens, before.cost)
    return replace(said, tokens=tokens + reply.tokens, cost=cost + reply.cost)
