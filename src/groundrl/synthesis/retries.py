"""Repeats a request to a language model until its answer can be parsed."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final, TypeVar

from groundrl.chat.base import ChatModel, Reply, Request
from groundrl.chat.spending import BudgetSpent
from groundrl.synthesis.annotations import Caption, Decision, Verdict, VerdictSource

Answer = TypeVar("Answer", Caption, Verdict)

MAX_TRIES: Final = 3
RETRY_INSTRUCTION: Final = (
    "An earlier answer to this could not be used. Answer with this JSON and nothing else."
)
"""Added to a repeated request: a model that decodes greedily would repeat its answer."""
UNPARSED: Final = "unreadable"
"""Begins the reason of a verdict that stands for an answer that could not be parsed."""
MAX_REASON_LENGTH: Final = 300
"""Characters."""


def reject_unparsed(why: str) -> Verdict:
    """The verdict on a caption where the caption or the verdict could not be parsed."""
    reason = f"{UNPARSED}: {why}"[:MAX_REASON_LENGTH]
    return Verdict(decision=Decision.REJECT, reason=reason, by=VerdictSource.FORMAT)


def is_parsed(answer: Caption | Verdict) -> bool:
    """Whether the model's answer could be parsed; other results are not cached."""
    if isinstance(answer, Caption):
        return bool(answer.text.strip())
    return answer.by is not VerdictSource.FORMAT


def ask_with_retries(
    chat: ChatModel, requests: Sequence[Request], parse: Callable[[int, str], Answer]
) -> list[Answer | None]:
    """The parsed answer to each request; ``parse`` is called with the index of the request.

    After ``MAX_TRIES`` answers that could not be parsed, the last of them. None where the model was
    unreachable. Tokens and cost are summed over all tries. Raises UserError when the model refuses.
    """
    answers: list[Answer | None] = [None for _ in requests]
    pending = list(range(len(requests)))
    for attempt in range(MAX_TRIES):
        replies = _ask(chat, requests, pending, attempt)
        for i, reply in zip(pending, replies, strict=True):
            previous = answers[i]
            answers[i] = None if reply is None else _add_cost(parse(i, reply.text), reply, previous)
        pending = [i for i in pending if (one := answers[i]) is not None and not is_parsed(one)]
        if not pending:
            break
    return answers


def _ask(
    chat: ChatModel, requests: Sequence[Request], pending: Sequence[int], attempt: int
) -> Sequence[Reply | None]:
    if attempt == 0:
        return chat(requests)
    repeated = [
        replace(requests[i], text=f"{requests[i].text}\n{RETRY_INSTRUCTION}") for i in pending
    ]
    try:
        return chat(repeated)
    except BudgetSpent:  # the answers that were parsed before are still returned
        return [None for _ in pending]


def _add_cost(answer: Answer, reply: Reply, previous: Answer | None) -> Answer:
    tokens, cost = (0, 0.0) if previous is None else (previous.tokens, previous.cost)
    return replace(answer, tokens=tokens + reply.tokens, cost=cost + reply.cost)
