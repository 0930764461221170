"""Feed everything that reads with damaged files and texts: ``python -m campaigns.fuzz``.

What is read becomes a value or a UserError, never another exception, within ``SECONDS``. The time
of texts that grow is measured: twice the text may take ``GROWTH`` times as long.
"""

import contextlib
import gc
import importlib
import itertools
import logging
import random
import tempfile
import time
import traceback
import warnings
from argparse import Namespace
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from campaigns.mutations import MUTATIONS, Mutation, draw, mutate
from campaigns.readers import Reader
from campaigns.table import Case, main
from campaigns.texts import ALL_TEXTS, TEXTS, TextReader
from groundrl.errors import UserError

READERS = {
    "detection": ("campaigns.detection_readers", "DETECTION"),
    "rows": ("campaigns.row_readers", "ROWS"),
    "published": ("campaigns.row_readers", "PUBLISHED"),
    "runs": ("campaigns.run_readers", "RUNS"),
}
"""Readers of files: part of the campaign -> where they are; imported when they are needed."""
EXPECTED = "a value or a UserError"
SECONDS = 5.0
"""Of the processor, for one small file or text."""
GROWTH = 3.0
"""Twice the text, so many times the time; 4 is quadratic."""
MEASURABLE = 0.04
"""Seconds from which on a time says something."""
WORTH_TELLING = 3
"""Failures of one reader by one kind of damage."""
LONGEST = 1 << 18
"""Characters."""
PIECES = (
    *("<think>", "</think>", "<answer>", "<obj>", "<bbox>[", "<ref>", "<box>[[", "<loc_1>", "<a>"),
    *("[", "]", "{", "}", "(", ")", ".", "?", "。", ",", "(A) ", "A. ", '"', "\\", "**", "```"),
    *(". ", "-", "_", " ", "\n", "1,", "1 ", "1", "a", "a ", "a, ", "é", "cup ", "not ", "no, "),
    *('{"bbox_2d": [', '{"a":', "[1, 2, 3, 4]", "red cup left of the ball. ", "two cups and "),
    *("the answer is ", "Is there a ", "rating: 3 "),
)


@dataclass(slots=True)
class Attack:
    """What was tried on one reader."""

    read: Callable[[list[Mutation]], object]
    errors: tuple[type[Exception], ...]
    tried: int = 0
    slowest: float = 0.0
    problems: list[str] = field(default_factory=list)

    def __call__(self, mutations: list[Mutation]) -> None:
        """Try one; it raises what a reader must not raise."""
        begin = time.process_time()
        self.tried += 1
        with contextlib.suppress(UserError, *self.errors):
            self.read(mutations)
        took = time.process_time() - begin
        self.slowest = max(self.slowest, took)
        if took > SECONDS:
            raise TimeoutError(f"{took:.1f} s")

    def run(self, kind: str, size: int, draws: random.Random) -> None:
        """``size`` times some mutations, the first of them of this kind. The first of each failure
        is kept."""
        found: dict[str, list[Mutation]] = {}
        for _ in range(size):
            mutations = draw(kind, draws)
            told = self.failure(mutations)
            if told is not None:
                found.setdefault(told, mutations)
        for told, one in list(found.items())[:WORTH_TELLING]:
            self.problems.append(f"{told}; {self.smallest(one)}")

    def failure(self, mutations: list[Mutation]) -> str | None:
        """What was raised, and where."""
        try:
            self(mutations)
        # Whatever it is, it is the campaign's result.
        except Exception as error:  # noqa: BLE001
            return describe(error)
        return None

    def smallest(self, mutations: list[Mutation]) -> list[Mutation]:
        """As few of them as raise something."""
        counts = range(1, len(mutations))
        fewer = (list(some) for n in counts for some in itertools.combinations(mutations, n))
        return next((some for some in fewer if self.failure(some) is not None), mutations)


def describe(error: Exception) -> str:
    """The exception and where it was raised."""
    frames = [
        one for one in traceback.extract_tb(error.__traceback__) if "groundrl" in one.filename
    ]
    where = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "?"
    return f"{type(error).__name__} {str(error)[:80]!r} in {where}"


def campaign(args: Namespace) -> Iterator[Case]:
    """``size`` mutations for each reader, and the time of long texts."""
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    slowest: tuple[float, str] = (0.0, "")
    tried, begin = 0, time.process_time()
    for part in args.only:
        if part == "long-texts":
            longest = min(LONGEST, 2000 * args.size)
            yield from (growth(name, reader, longest) for name, reader in TEXTS.items())
            continue
        for name, reader in readers_of(part).items():
            draws = random.Random(f"{args.seed} {name}")
            attack = attack_files(reader) if isinstance(reader, Reader) else attack_texts(reader)
            with attack as one:
                for kind, size in shares(args.size).items():
                    one.run(kind, size, draws)
                    yield Case.of(f"{name}, {kind}, {size} times", EXPECTED, one.problems)
                    one.problems.clear()
            tried += one.tried
            slowest = max(slowest, (one.slowest, name))
    seen = f"{slowest[0]:.2f} s, of {slowest[1]}; all in {time.process_time() - begin:.0f} s"
    expected = f"at most {SECONDS:g} s"
    yield Case(name=f"slowest of {tried}", expected=expected, seen=seen, failed=False)


def shares(size: int) -> dict[str, int]:
    """How often each kind of damage comes first; all together ``size`` times."""
    whole, rest = divmod(size, len(MUTATIONS))
    counts = {kind: whole + (index < rest) for index, kind in enumerate(MUTATIONS)}
    return {kind: count for kind, count in counts.items() if count}


def readers_of(part: str) -> dict[str, Any]:
    """By name."""
    if part == "texts":
        return TEXTS
    module, name = READERS[part]
    return getattr(importlib.import_module(module), name)


@contextlib.contextmanager
def attack_files(reader: Reader) -> Iterator[Attack]:
    """On copies of its files; one file is damaged at a time."""
    with tempfile.TemporaryDirectory(prefix="fuzz-") as place:
        folder = Path(place)
        reader.write(folder)
        intact = {path: path.read_bytes() for path in sorted(folder.glob(reader.damaged))}
        paths = list(intact)
        problems = []
        try:
            reader.read(folder)
        # Whatever it is: nothing that comes after it would count.
        except Exception as error:  # noqa: BLE001
            problems.append(f"intact: {describe(error)}")

        def read(mutations: list[Mutation]) -> object:
            path = paths[mutations[0][2] % len(paths)]
            path.write_bytes(mutate(intact[path], mutations))
            try:
                return reader.read(folder)
            finally:
                path.write_bytes(intact[path])

        yield Attack(read, reader.errors, problems=problems)


@contextlib.contextmanager
def attack_texts(reader: TextReader) -> Iterator[Attack]:
    """On its texts, and on those of the others."""

    texts = [*reader.texts * 4, *ALL_TEXTS]

    def read(mutations: list[Mutation]) -> object:
        text = texts[mutations[0][2] % len(texts)]
        changed = mutate(text.encode(), mutations)
        # A tokenizer writes U+FFFD, JSON may hold half of a character.
        errors = "replace" if mutations[0][2] % 2 else "surrogatepass"
        try:
            return reader.read(changed.decode("utf-8", errors))
        except UnicodeDecodeError:
            return reader.read(changed.decode("utf-8", "replace"))

    yield Attack(read, reader.errors)


def growth(name: str, reader: TextReader, longest: int) -> Case:
    """How the time grows with the text, for every piece that may be repeated."""
    worst, problems = (0.0, ""), []
    pieces = (*PIECES, *reader.texts)

    def read(text: str) -> None:
        with contextlib.suppress(*reader.errors):
            reader.read(text)

    for piece in pieces:
        ratio, length = growth_of(read, piece, longest)
        worst = max(worst, (ratio, f"{ratio:.1f} at {length} characters of {piece[:20]!r}"))
    if worst[0] > GROWTH:
        problems.append(worst[1])
    return Case.of(f"{name}, {len(pieces)} texts", f"at most {GROWTH} times the time", problems)


def growth_of(
    read: Callable[[str], object], piece: str, longest: int = LONGEST
) -> tuple[float, int]:
    """Time of twice a text over time of the text, and its length; 0 where it is too fast to
    measure."""
    count = max(1, 2000 // len(piece))
    before = timed(read, piece * count)
    while len(piece) * count < longest:
        count *= 2
        now = timed(read, piece * count)
        if before > MEASURABLE:
            ratio = now / before
            if ratio > GROWTH:  # again, for another process may have had the caches
                short, long = (
                    min(timed(read, piece * times) for _ in range(3))
                    for times in (count // 2, count)
                )
                ratio = long / short
            return ratio, len(piece) * count
        before = now
    return 0.0, len(piece) * count


def timed(read: Callable[[str], object], text: str) -> float:
    """Seconds of the processor. The text ends otherwise than it goes on: what is tried from each
    place must not be tried to the end."""
    gc.disable()
    begin = time.process_time()
    read(f"{text}x")
    took = time.process_time() - begin
    gc.enable()
    return took


PARTS = ["texts", "long-texts", *READERS]


if __name__ == "__main__":
    main(__doc__, campaign, size=300, meaning="mutations a reader", parts=PARTS)
