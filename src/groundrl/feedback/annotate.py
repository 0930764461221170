"""A local page to label the sentences of captions with.

``python -m groundrl.feedback.annotate captions=captions.jsonl annotator=ann``

The labels go to ``labels=``, by default ``<name of the captions>.<annotator>.jsonl`` beside the
captions, after every sentence. Type the same command again to go on after a break.
"""

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from groundrl.data.problems import Problems
from groundrl.errors import UserError
from groundrl.feedback.annotation_server import AnnotationServer
from groundrl.feedback.label_store import open_labels
from groundrl.feedback.labels import LabelledCaption, read_captions
from groundrl.feedback.options import read_options
from groundrl.language.splitting import split_sentences
from groundrl.report.local_server import PORTS

USAGE = (
    "python -m groundrl.feedback.annotate captions=<captions.jsonl> annotator=<name> "
    "[labels=<file.jsonl>] [port=8765]"
)
ANNOTATOR = re.compile(r"\w[\w.-]{0,39}")


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotationOptions:
    """What the command line says."""

    captions: Path
    annotator: str
    labels: Path
    port: int
    """0: any that is free."""


def parse_options(arguments: Sequence[str]) -> AnnotationOptions:
    """Raises UserError."""
    values = read_options(
        arguments, USAGE, {"captions": None, "annotator": None, "labels": "", "port": "8765"}
    )
    captions = Path(values["captions"]).expanduser()
    annotator = values["annotator"]
    if not ANNOTATOR.fullmatch(annotator):
        raise UserError(
            f"annotator={annotator!r} goes into the name of a file: type up to 40 letters, digits, "
            "'_', '-' or '.', for example annotator=ann"
        )
    labels = captions.with_name(f"{captions.stem}.{annotator}.jsonl")
    if values["labels"]:
        labels = Path(values["labels"]).expanduser()
    if labels.resolve() == captions.resolve():
        raise UserError(f"labels={labels} are the captions themselves: type another file")
    if labels.is_dir():
        raise UserError(f"labels={labels} is a folder: type the name of a file")
    if not (values["port"].isdecimal() and int(values["port"]) in PORTS):
        raise UserError(f"port={values['port']} is no port: type a number up to {PORTS[-1]}")
    return AnnotationOptions(
        captions=captions, annotator=annotator, labels=labels, port=int(values["port"])
    )


def read_unlabelled(path: Path) -> list[LabelledCaption]:
    """The captions of a file that have a sentence; labels that it may hold are not looked at.

    Raises UserError for broken lines, and where a caption stands there twice.
    """
    captions = read_captions(path)
    problems = Problems(f"captions={path}")
    seen: set[str] = set()
    for one in captions:
        if one.id in seen:
            problems.add(path, f"the caption {one.id!r} stands there more than once")
        seen.add(one.id)
    found = [one for one in captions if split_sentences(one.text)]
    if not found:
        problems.add(path, "no caption has a sentence")
    problems.raise_if_any()
    return found


def main(arguments: Sequence[str]) -> int:
    """Serve the page until Ctrl-C. Returns the exit status: 0, or 2 for a UserError."""
    try:
        options = parse_options(arguments)
        captions = read_unlabelled(options.captions)
        with (
            open_labels(captions, options.annotator, options.labels) as store,
            AnnotationServer(store, options.port) as server,
        ):
            print(server.url, flush=True)
            print(f"labels: {options.labels}; Ctrl-C ends", file=sys.stderr, flush=True)
            try:
                server.serve_forever()
            except KeyboardInterrupt:
                print(f"{store.finished} of {len(captions)} captions are labelled", file=sys.stderr)
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    except OSError as error:  # a full disk, or a folder that may not be written to
        print(f"the labels cannot be saved: {error}", file=sys.stderr)
        return 2
    print(options.labels)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
