"""``python -m groundrl.data data=voc data.root=...``: see what a training would be given.

Writes a page with samples as the model is asked them (prompt, boxes, what the warm-up teaches to
answer), kinds of question, balance of the answers, sizes of the boxes, what can be answered without
the image, images that stand in two sets, and images that the model sees shrunk. Options are those
of train.py. No weights are loaded.

The exit status is 1 if training would stop, and 2 for a mistake in the command.
"""

import sys
from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from omegaconf import DictConfig

from groundrl.boxes import Frame, ImageSizes, convert
from groundrl.data.datasets import PartlyKnown, SampleSource, known_samples
from groundrl.data.survey import (
    KindSummary,
    count_areas,
    draw_samples,
    same_pixels,
    summarize_kinds,
)
from groundrl.errors import UserError
from groundrl.evaluation.prompting import choose_template
from groundrl.files import write_text
from groundrl.grammar import get_grammar
from groundrl.grammar.base import Grammar
from groundrl.launch.commands.base import command_line, compose_checked, open_command
from groundrl.launch.make import make
from groundrl.launch.training import check_rationales, check_terms_apply
from groundrl.prompts import PromptTemplate
from groundrl.records import Sample
from groundrl.report.data_page import (
    SampleView,
    TargetText,
    area_table,
    kind_table,
    render_data_page,
)
from groundrl.report.tables import to_text

NAME = "train"
"""Of the config."""
MOST_NAMED = 10
"""Problems of single samples, and images in two sets, that are named; the others are counted."""
ABOVE_CHANCE = 0.1
"""From which on it is told that answers can be guessed from the text."""


def main(argv: Sequence[str]) -> int:
    """Run the command; returns the exit status."""
    assert __doc__ is not None
    parser = command_line("groundrl.data", __doc__)
    parser.add_argument("--page", type=Path, default=Path("outputs/data.html"))
    parser.add_argument("--cards", type=int, default=24, help="samples of each set on the page")
    parser.add_argument("--most", type=int, default=2000, help="samples of each set looked at")
    flags = parser.parse_intermixed_args(argv)
    try:
        with open_command(NAME, flags.overrides, flags.config_dir):
            cfg = compose_checked(NAME, flags.overrides)
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    try:
        problems = run(cfg, flags)
    except UserError as error:
        print(f"training would stop: {error}", file=sys.stderr)
        return 1
    print(*(f"training would stop: {line}" for line in problems), flags.page, sep="\n")
    return 1 if problems else 0


def run(cfg: DictConfig, flags: Namespace) -> list[str]:
    """Print the tables, write the page, and return what would stop a training. Raises UserError
    for data that cannot be read at all."""
    grammar = get_grammar(cfg.grammar)
    data = make(cfg.data, seed=cfg.seed)
    template = choose_template(make(cfg.model.template), data.form, grammar, "grounded")
    sources = {"train": data.train, **data.heldout}
    # What was read when the data were checked is not read again.
    looked = {
        name: draw_samples(known_samples(source) or source, flags.most)
        for name, source in sources.items()
    }
    kinds = {name: summarize_kinds(samples) for name, samples in looked.items()}
    tables = [kind_table(name, len(sources[name]), found) for name, found in kinds.items()]
    tables.append(area_table({name: count_areas(found) for name, found in looked.items()}))
    print(*map(to_text, tables), sep="\n\n", end="\n\n")
    problems = list(find_problems(cfg, looked["train"], data.train, grammar, template))
    warnings = list(find_warnings(looked, kinds, cfg.model.get("max_pixels")))
    frame = written_frame(cfg)
    views = [
        view_sample(name, sample, grammar, template, frame)
        for name, source in sources.items()
        for sample in shown_samples(source, looked[name], flags.cards)
    ]
    facts = [*flags.overrides, f"grammar {grammar.name}", f"frame {cfg.model.frame}"]
    flags.page.parent.mkdir(parents=True, exist_ok=True)
    title = f"Data of {', '.join(flags.overrides) or 'the embedded world'}"
    page = render_data_page(
        title, facts=facts, problems=problems, warnings=warnings, tables=tables, samples=views
    )
    write_text(flags.page, page)
    return problems


def shown_samples(source: SampleSource, looked: Sequence[Sample], most: int) -> Sequence[Sample]:
    """At most so many, with their images: what is known beforehand may lack them."""
    return (
        draw_samples(source, most) if isinstance(source, PartlyKnown) else draw_from(looked, most)
    )


def draw_from(samples: Sequence[Sample], most: int) -> Sequence[Sample]:
    """At most so many, evenly spaced."""
    step = max(1, -(-len(samples) // most)) if most else len(samples) + 1
    return samples[::step] if most else []


def written_frame(cfg: DictConfig) -> Frame:
    """Of the boxes in the targets shown. Where the model's frame is that of its resized image,
    which only its processor knows, the page shows pixels of the image."""
    frame = Frame(cfg.model.frame)
    return Frame.PIXEL if frame is Frame.MODEL else frame


def find_problems(
    cfg: DictConfig,
    samples: Sequence[Sample],
    train: SampleSource,
    grammar: Grammar,
    template: PromptTemplate,
) -> Iterator[str]:
    """What would stop a training, in lines."""
    checks = [lambda: check_terms_apply(make(cfg.reward.terms), train)]
    warm_up = "sft" in cfg.pipeline
    if warm_up:
        checks.append(lambda: check_rationales(train))
    for check in checks:
        try:
            check()
        except UserError as error:
            yield str(error)
    found = []
    for sample in samples if warm_up else ():
        if sample.rationale is not None:
            try:
                write_target(sample, grammar, template, written_frame(cfg))
            except (UserError, ValueError) as error:
                found.append(f"{sample.id}: {error}")
    yield from found[:MOST_NAMED]
    if len(found) > MOST_NAMED:
        yield f"and {len(found) - MOST_NAMED} more samples whose answer cannot be written"


def find_warnings(
    looked: Mapping[str, Sequence[Sample]],
    kinds: Mapping[str, Sequence[KindSummary]],
    max_pixels: int | None,
) -> Iterator[str]:
    """What may spoil the results of a training, in lines."""
    for name, found in kinds.items():
        for kind in found:
            if kind.text_only is not None and kind.text_only > kind.chance + ABOVE_CHANCE:
                yield (
                    f"{name}, {kind.kind}: {kind.text_only:.2f} of the answers can be guessed from "
                    f"the question alone (chance {kind.chance:.2f})"
                )
    shared = same_pixels(looked)
    if shared:
        yield (
            f"{len(shared)} images stand in two sets with equal pixels: "
            + "; ".join(" = ".join(places) for places in shared[:MOST_NAMED])
        )
    if max_pixels is not None:
        images = {i.key: i for found in looked.values() for s in found for i in s.images}
        large = [i for i in images.values() if i.width * i.height > max_pixels]
        if large:
            yield (
                f"{len(large)} of {len(images)} images have more than model.max_pixels={max_pixels}"
                " pixels: the model sees them shrunk"
            )


def view_sample(
    name: str, sample: Sample, grammar: Grammar, template: PromptTemplate, frame: Frame
) -> SampleView:
    """A sample of the set ``name``; without a target where none can be written."""
    target = None
    if sample.rationale is not None:
        try:
            target = write_target(sample, grammar, template, frame)
        except (UserError, ValueError):
            target = None  # a problem of the page already
    return SampleView(set=name, sample=sample, prompt=template.text(sample), target=target)


def write_target(
    sample: Sample, grammar: Grammar, template: PromptTemplate, frame: Frame
) -> TargetText:
    """What the warm-up teaches to answer. Raises UserError, and ValueError where the grammar cannot
    write it."""
    width, height = sample.image.width, sample.image.height
    sizes = ImageSizes(width=width, height=height, model_width=width, model_height=height)
    text = grammar.render(template.response(sample, sizes, frame))
    parsed = grammar.parse(text, frame)
    groundings = [
        replace(item, box=convert(item.box, Frame.PIXEL, sizes)) for item in parsed.groundings
    ]
    return TargetText(text=text, groundings=groundings, spans=parsed.spans)
