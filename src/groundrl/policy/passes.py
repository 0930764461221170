"""Forward passes over rows of different lengths: packed into a budget of tokens, and divided."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar, runtime_checkable

from groundrl.policy.shared_prefix.layout import pack_rows, padded_length

S = TypeVar("S")


@runtime_checkable
class Row(Protocol):
    """What is computed in one row of a forward pass."""

    @property
    def length(self) -> int:
        """Its tokens, padding excluded."""
        ...

    def split(self: S, budget: int) -> Sequence[S]:
        """The same work in rows of at most ``budget`` tokens, padding included, or in the shortest
        that there are."""
        ...


RowT = TypeVar("RowT", bound=Row)


@dataclass(frozen=True, slots=True, kw_only=True)
class ForwardPass(Generic[RowT]):
    """Rows that share a forward pass."""

    rows: Sequence[RowT]

    @property
    def size(self) -> int:
        """Its tokens, padding included."""
        return len(self.rows) * padded_length(max(row.length for row in self.rows))

    def within(self, limit: int) -> "list[ForwardPass[RowT]]":
        """The same rows in passes of at most ``limit`` tokens, or of one row that is not split."""
        return pack(self.rows, limit)


def pack(rows: Sequence[RowT], tokens: int, split_at: int | None = None) -> list[ForwardPass[RowT]]:
    """Passes of at most ``tokens`` tokens, padding included, over all ``rows``. Rows longer than
    ``split_at``, by default ``tokens``, are split."""
    parts = [part for row in rows for part in row.split(tokens if split_at is None else split_at)]
    chosen = pack_rows([part.length for part in parts], tokens)
    return [ForwardPass(rows=[parts[i] for i in indices]) for indices in chosen]
