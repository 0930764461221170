"""Readers of rows and of published data sets."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

import published_files
from small_data import MAKERS

from campaigns.readers import Reader, draw, files, lines, place
from groundrl.data.datasets import sample_file
from groundrl.data.formats.conversations import ConversationRows, PromptRows
from groundrl.data.formats.ms_swift import MsSwiftRows
from groundrl.data.formats.table import TableRows
from groundrl.data.formats.visual_genome import VisualGenomeRows
from groundrl.data.tables.build import hub_module
from groundrl.data.tables.reader import Resize
from groundrl.evaluation.benchmarks.mme import COGNITION, MME, PERCEPTION
from groundrl.evaluation.benchmarks.mmhal import MMHal
from groundrl.evaluation.benchmarks.yes_no import POPE
from groundrl.feedback.labels import read_captions
from groundrl.published.aokvqa import AOKVQAReader
from groundrl.published.drivingvqa import DrivingVQAReader
from groundrl.published.reader import PublishedReader
from groundrl.published.refcoco import RefCOCOReader
from groundrl.published.rel3d import Rel3DReader
from groundrl.published.spatialsense import SpatialSenseReader
from groundrl.published.vsr import VSRReader

FORMATS = {
    "ms_swift": MsSwiftRows(),
    "conversations": ConversationRows(),
    "trl": PromptRows(),
    "visual_genome": VisualGenomeRows(),
    "table": TableRows(),
}
TURNS = [
    {"from": "human", "value": "<image>\nWhat is it?"},
    {"from": "gpt", "value": "A <ref>cat</ref><box>[[100, 200, 300, 400]]</box>."},
]
SWIFT = {
    "messages": [
        {"role": "user", "content": "<image>Find <ref-object>"},
        {"role": "assistant", "content": [{"type": "text", "text": "<bbox>"}]},
    ],
    "images": ["a.png"],
    "objects": {"ref": ["cat"], "bbox": [[1, 2, 30, 40]], "bbox_type": "real"},
}
TRL = {
    "prompt": [{"role": "user", "content": "What is it?"}],
    "completion": [{"role": "assistant", "content": "A cat"}],
    "image": "a.png",
}
GENOME = {
    "image_id": 1,
    "url": "https://host/VG_100K/a.png",
    "regions": [{"phrase": "a cat", "x": 1, "y": 2, "width": 30, "height": 40, "region_id": 1}],
}
PROBLEM = {
    "image": "a.png",
    "problem": "<image>What is it?\nA. cat\nB. dog",
    "solution": "<think>A tail [1, 2, 30, 40].</think>\n<answer> B </answer>",
}
BOXED = {
    **{"id": 7, "image": "a.png", "question": "Which?", "choices": ["cat", "dog"]},
    **{"correct_choice_idx": 1, "bbox": [[1.5, 2, 3, 4]], "labels": ["dog"], "rationale": "It is."},
}
CSV = 'id,image,question,answer\n1,a.png,What?,cat\n2,a.png,"Who,\nwhere?",dog\n'


def read_rows(folder: Path) -> object:
    """Every row of the file, decoded and turned into a sample."""
    found = hub_module(
        path=str(next(folder.glob("rows.*"))),
        formats=FORMATS,
        columns={},
        frame="pixel",
        resize=Resize(factor=28, min_pixels=3136, max_pixels=12845056),
        check_rows=None,
    )
    return [found.train[index] for index in range(len(found.train))]


def table(row: dict[str, Any]) -> Reader:
    """Three such rows, one below the other."""
    rows = [row | {key: number for key in ("id", "image_id") if key in row} for number in range(3)]
    write = files(["a.png", "0.jpg", "1.jpg", "2.jpg"], rows_jsonl=lines(*rows))
    return Reader(write=write, damaged="rows.*", read=read_rows)


def samples(name: str) -> Reader:
    """Of our own schema."""
    return Reader(
        write=MAKERS[name],
        damaged=f"*.{name}",
        read=lambda folder: [*sample_file(folder / f"samples.{name}").samples],
    )


ROWS: Final = {
    "samples jsonl": samples("jsonl"),
    "samples parquet": samples("parquet"),
    "ms_swift rows": table(SWIFT),
    "llava rows": table({"id": "1", "image": "a.png", "conversations": TURNS}),
    "trl rows": table(TRL),
    "visual genome rows": table(GENOME),
    "r1 rows": table(PROBLEM),
    "table rows": table(BOXED),
    "json rows": Reader(
        write=files(["a.png"], rows_json=[PROBLEM, PROBLEM]), damaged="rows.*", read=read_rows
    ),
    "csv rows": Reader(write=files(["a.png"], rows_csv=CSV), damaged="rows.*", read=read_rows),
}

# Published data sets


def published(name: str, damaged: str, reader: Callable[..., PublishedReader]) -> Reader:
    """As training reads it."""
    return Reader(
        write=published_files.WRITERS[name],
        damaged=damaged,
        read=lambda folder: reader(root=str(folder), split="train").find_samples(),
    )


POPE_ROW = {"question_id": 1, "image": "a.jpg", "text": "Is there a cat?", "label": "yes"}
MMHAL_ROW = {
    **{"image_id": "x", "image_src": "http://host/a.jpg", "image_content": ["cat"]},
    **{"question": "What?", "gt_answer": "A cat.", "question_type": "attribute"},
}


def write_mme(folder: Path) -> None:
    """A question of each task."""
    for task in (*PERCEPTION, *COGNITION):
        draw(f"{task}/0001.jpg")(folder)
        asked = "0001.jpg\tIs it red?\tYes\n0001.jpg\tIs it blue?\tNo\n"
        place(folder, f"lists/{task}.txt", asked)


PUBLISHED: Final = {
    "vsr": published("vsr", "vsr/zeroshot/*.jsonl", partial(VSRReader, variant="zeroshot")),
    "spatialsense": published("spatialsense", "**/*.json", SpatialSenseReader),
    "rel3d": published("rel3d", "**/*.json", Rel3DReader),
    "aokvqa": published("aokvqa", "**/*.json", AOKVQAReader),
    "drivingvqa": published("drivingvqa", "**/*.json", DrivingVQAReader),
    "refcoco": published("refcoco", "refcoco/*", partial(RefCOCOReader, dataset="refcoco")),
    "pope": Reader(
        write=files(["val2014/a.jpg"], coco_pope_random_json=lines(POPE_ROW)),
        damaged="*.json",
        read=lambda folder: POPE(variant="random", root=str(folder)).questions(),
    ),
    "mmhal": Reader(
        write=files(["images/a.jpg"], response_template_json=[MMHAL_ROW]),
        damaged="*.json",
        read=lambda folder: MMHal(root=str(folder)).questions(),
    ),
    "mme": Reader(
        write=write_mme,
        damaged="**/*.txt",
        read=lambda folder: MME(root=str(folder)).questions(),
    ),
    "captions": Reader(
        write=files(
            ["a.png"],
            captions_jsonl=lines(
                {
                    **{"id": "1", "image": "a.png", "question": "What is it?"},
                    **{"text": "A red cat.", "annotator": "me"},
                    "sentences": [{"start": 0, "stop": 10, "errors": ["attribute"], "severity": 2}],
                }
            ),
        ),
        damaged="*.jsonl",
        read=lambda folder: read_captions(folder / "captions.jsonl"),
    ),
}
