"""Break the machine below the commands: ``python -m campaigns.faults``.

A full disk, a read-only folder, too few file handles, a clock that jumps; servers of language
models that fail. Commands end in one message without a traceback and, typed again on a sound
machine, as an unharmed run does. Requests to a server that fails end in no answer or in a
UserError.

``broken.c`` is compiled and loaded into the processes, so that writes of all libraries are met.
"""

import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from argparse import Namespace
from collections.abc import Iterator, Mapping
from pathlib import Path

from scripts import import_libraries

from campaigns.jobs import JOBS, Job, differences, outcome, stage
from campaigns.processes import run, start
from campaigns.servers import SERVERS, ask_servers
from campaigns.table import Case, main

SOURCE = Path(__file__).with_name("broken.c")
LOADED = "BROKEN_LOADED"
"""Set where ``broken.c`` is in this process."""
SHORT: Mapping[str, Job] = {
    "train": stage("sft"),
    "synthesize": JOBS["synthesize"],
    "evaluate": JOBS["evaluate"],
}
DISKS = tuple(f"disk-{name}" for name in SHORT)
MACHINES = ("read-only", "handles", "clock")
HANDLES = (24, 40, 64)
"""How many files may be open; a run needs about forty."""
DAY = 86400


def campaign(args: Namespace) -> Iterator[Case]:
    """``size`` writes of each command find the disk full; the other faults are met once each."""
    if {*args.only} - {*SERVERS}:
        import_libraries()
    for name in args.only:
        if name in SERVERS:
            yield from ask_servers(name)
            continue
        with tempfile.TemporaryDirectory(prefix="faults-") as place:
            folder = Path(place)
            if name in DISKS:
                job = SHORT[name.removeprefix("disk-")]
                yield from fill_disk(name, job, folder, args.size, random.Random(args.seed))
            else:
                yield from break_machine(name, SHORT["train"], folder)


def fill_disk(name: str, job: Job, folder: Path, size: int, draws: random.Random) -> Iterator[Case]:
    """The disk is full from a write on: of those to as many files as possible."""
    log = folder / "writes"
    counted = {
        "BROKEN_KIND": "count",
        "BROKEN_FOLDER": f"{folder}/unharmed",
        "BROKEN_LOG": str(log),
    }
    status, told = run(job.command(folder / "unharmed"), changed=counted)
    if status or not log.exists():
        yield Case(name=name, expected="status 0", seen=f"{status}: {told[-300:]}", failed=True)
        return
    expected = outcome(folder / "unharmed" / "run")
    writes = log.read_text().splitlines()
    for number in chosen(writes, size, draws):
        harmed = folder / str(number)
        broken = {"BROKEN_KIND": "full", "BROKEN_FROM": str(number), "BROKEN_FOLDER": str(harmed)}
        status, told = run(job.command(harmed), changed=broken)
        problems = [] if status == 0 else one_message(status, told, "space left")
        problems += same_when_typed_again(job, harmed, expected)
        place = writes[number - 1].removeprefix(f"{folder}/unharmed/")
        ended = "goes on" if status == 0 else "ends"
        case = f"{name}, write {number} of {len(writes)} ({place}): {ended}"
        yield Case.of(case, "one message or none, then the unharmed run", problems)
        shutil.rmtree(harmed, ignore_errors=True)


def chosen(writes: list[str], size: int, draws: random.Random) -> list[int]:
    """Numbers of ``size`` writes: the first and the last to each file come before others."""
    first: dict[str, int] = {}
    last: dict[str, int] = {}
    for number, path in enumerate(writes, 1):
        kind = Path(path).suffix
        first.setdefault(f"{Path(path).parent}{kind}", number)
        last[f"{Path(path).parent}{kind}"] = number
    ends = sorted({*first.values(), *last.values()})
    others = [number for number in range(1, len(writes) + 1) if number not in ends]
    draws.shuffle(ends)
    draws.shuffle(others)
    return sorted([*ends, *others][:size])


def break_machine(name: str, job: Job, folder: Path) -> Iterator[Case]:
    """The other faults of a machine."""
    status, told = run(job.command(folder / "unharmed"))
    expected = outcome(folder / "unharmed" / "run")
    if status:
        yield Case(name=name, expected="status 0", seen=f"{status}: {told[-300:]}", failed=True)
    elif name == "read-only":
        harmed = folder / "kept"
        broken = {"BROKEN_KIND": "read_only", "BROKEN_FOLDER": str(harmed)}
        harmed.mkdir()
        status, told = run(job.command(harmed), changed=broken)
        yield Case.of(
            "a folder that is read-only", "one message", one_message(status, told, "ead-only")
        )
        run(job.command(harmed))
        status, told = run(job.command(harmed), changed=broken)
        problems = one_message(status, told, "ead-only")
        problems += same_when_typed_again(job, harmed, expected)
        yield Case.of("a finished run in a read-only folder", "one message", problems)
    elif name == "handles":
        for handles in HANDLES:
            harmed = folder / str(handles)
            status, told = run(job.command(harmed), handles=handles)
            problems = [] if status == 0 else one_message(status, told, "open files")
            problems += same_when_typed_again(job, harmed, expected)
            yield Case.of(f"{handles} open files", "one message, or the unharmed run", problems)
    else:
        for shift in (-DAY, DAY):
            harmed = folder / str(shift)
            broken = {"BROKEN_KIND": "clock", "BROKEN_FROM": "150", "BROKEN_SHIFT": str(shift)}
            status, told = run(job.command(harmed), changed=broken)
            problems = [told[-300:]] if status else differences(expected, outcome(harmed / "run"))
            yield Case.of(f"a clock that jumps by {shift} s", "the unharmed run", problems)
            yield after_a_stop(job, folder / f"stopped {shift}", expected, shift)


def after_a_stop(job: Job, harmed: Path, expected: Mapping[str, str], shift: int) -> Case:
    """A run that was killed goes on, on a machine with another clock."""
    process = start(job.command(harmed))
    last = harmed / "run" / "checkpoints" / "sft" / "last.ckpt"
    while process.poll() is None and not last.exists():
        time.sleep(0.005)
    if process.status is None:
        os.kill(process.pid, 9)
    process.finish()
    broken = {"BROKEN_KIND": "clock", "BROKEN_FROM": "1", "BROKEN_SHIFT": str(shift)}
    status, told = run(job.command(harmed), changed=broken)
    problems = [told[-300:]] if status else differences(expected, outcome(harmed / "run"))
    return Case.of(f"killed, then a clock {shift} s away", "the unharmed run", problems)


def one_message(status: int, told: str, words: str) -> list[str]:
    """What is not as promised in how a command ended."""
    problems = [] if status in (1, 2) else [f"status {status}"]
    if "Traceback" in told:
        problems.append(f"a traceback: {told[-200:]}")
    if words not in told:
        problems.append(f"no message of {words!r}: {told[-200:]}")
    return problems


def same_when_typed_again(job: Job, harmed: Path, expected: Mapping[str, str]) -> list[str]:
    """What a command leaves otherwise than the unharmed one when it is typed again on a sound
    machine."""
    status, told = run(job.command(harmed))
    if status:
        return [f"typed again it ends with {status}: {told[-300:]}"]
    return differences(expected, outcome(harmed / "run"))


def load_broken() -> None:
    """Start this program again with ``broken.c`` in it; exit where it cannot be compiled."""
    if LOADED in os.environ or sys.argv[-2:] == ["--only", *SERVERS]:
        return
    with tempfile.TemporaryDirectory(prefix="broken-") as folder:
        library = Path(folder) / "broken.so"
        build = ["cc", "-shared", "-fPIC", "-O1", "-o", str(library), str(SOURCE), "-ldl"]
        if shutil.which("cc") is None or subprocess.run(build, check=False).returncode:
            sys.exit("broken.c needs a C compiler, cc; type --only chat-server for what needs none")
        command = [sys.executable, "-m", "campaigns.faults", *sys.argv[1:]]
        loaded = os.environ | {LOADED: "1", "LD_PRELOAD": str(library)}
        sys.exit(subprocess.run(command, env=loaded, check=False).returncode)


if __name__ == "__main__":
    load_broken()
    parts = [*DISKS, *MACHINES, *SERVERS]
    main(__doc__, campaign, size=6, meaning="writes of a command", parts=parts)
