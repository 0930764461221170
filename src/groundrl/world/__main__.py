"""``python -m groundrl.world --out sheet.png``: scenes, boxes and questions on one page."""

import argparse
import sys
from collections.abc import Sequence
from itertools import product
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Int8
from PIL import Image, ImageDraw, ImageFont

from groundrl.errors import UserError
from groundrl.records import Sample
from groundrl.world.graph import Look, Scene, SceneSpec, Subject
from groundrl.world.questions import KINDS, questions_about
from groundrl.world.render import Render, render

ZOOM = 3
MARGIN = 12
TEXT_LINES = 7
FONT = ImageFont.load_default(size=15)
LINE = 19
INK, PAPER, RIGHT = (30, 30, 30), (250, 250, 247), (0, 120, 40)
PALETTE = np.array(
    [(40, 40, 40), (230, 80, 60), (70, 130, 230), (90, 190, 90), (240, 190, 60), (170, 90, 200)],
    dtype=np.uint8,
)


def _enlarge(image: Image.Image) -> Image.Image:
    return image.resize((image.width * ZOOM, image.height * ZOOM), Image.Resampling.NEAREST)


def draw_boxes(image: Image.Image, scene: Scene) -> Image.Image:
    """The image ``ZOOM`` times as large, every object boxed and named."""
    page = _enlarge(image)
    draw = ImageDraw.Draw(page)
    for thing in scene.objects:
        x1, y1, x2, y2 = (ZOOM * value for value in thing.box.corners)
        draw.rectangle((x1, y1, x2 - 1, y2 - 1), outline=(255, 255, 255))
        # Moved to the left at the right edge, so that the whole name is visible.
        left = min(x1 + 2, page.width - FONT.getlength(thing.label) - 1)
        place = (left, max(0, y1 - 17))
        draw.rectangle(draw.textbbox(place, thing.label, font=FONT), fill=(0, 0, 0))
        draw.text(place, thing.label, font=FONT, fill=(255, 255, 255))
    return page


def mask_panel(instances: Int8[np.ndarray, "H W"]) -> Image.Image:
    """One flat colour per object, near to far; dark is background."""
    # -1, the background, comes first; colours repeat when there are more objects than colours.
    colors = np.where(instances < 0, 0, 1 + instances % (len(PALETTE) - 1))
    return _enlarge(Image.fromarray(PALETTE[colors]))


def depth_panel(depth: Float32[np.ndarray, "H W"]) -> Image.Image:
    """Bright is near; grey levels are spread evenly over the range of 1 / depth."""
    inverse = 1 / depth
    low, high = float(inverse.min()), float(inverse.max())
    share = (inverse - low) / max(high - low, 1e-9)
    return _enlarge(Image.fromarray((255 * share).astype(np.uint8)).convert("RGB"))


def _wrap(text: str, width: int) -> list[str]:
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and FONT.getlength(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def question_panel(sample: Sample, width: int) -> Image.Image:
    """Kind, question, options with the right ones marked, and the rationale."""
    parts = sample.rationale or ()
    rationale = "".join(part if isinstance(part, str) else f"[{part.label}]" for part in parts)
    written = [(line, INK) for line in _wrap(f"{sample.kind}: {sample.question}", width)]
    for option in sample.options:
        right = option in sample.answers
        written.append((f"{'>>' if right else '   '} {option}", RIGHT if right else INK))
    written += [(line, INK) for line in _wrap(rationale, width)]
    page = Image.new("RGB", (width, LINE * max(len(written), TEXT_LINES)), PAPER)
    draw = ImageDraw.Draw(page)
    for row, (line, ink) in enumerate(written):
        draw.text((0, row * LINE), line, font=FONT, fill=ink)
    return page


def _stack(images: list[Image.Image], *, across: bool) -> Image.Image:
    """Images in a row or in a column, with margins."""
    widths, heights = [i.width + MARGIN for i in images], [i.height + MARGIN for i in images]
    size = (sum(widths), max(heights)) if across else (max(widths), sum(heights))
    page, at = Image.new("RGB", size, PAPER), 0
    for image, width, height in zip(images, widths, heights, strict=True):
        page.paste(image, (at, 0) if across else (0, at))
        at += width if across else height
    return page


def _cell(drawn: Render, kind: str) -> Image.Image:
    image = draw_boxes(Image.fromarray(drawn.image), drawn.scene)
    # A scene without a question of this kind shows one of another kind.
    samples = questions_about(drawn.scene, (kind,), 1) or questions_about(drawn.scene, KINDS, 1)
    return _stack([image, question_panel(samples[0], image.width)], across=False)


def contact_sheet(
    subjects: list[Subject], looks: list[Look], rows: int, seed: int, size: int
) -> Image.Image:
    """One column per subject and look, ``rows`` scenes each, then masks and depths of the first."""
    groups = list(product(subjects, looks))
    lines, kinds = [], 0
    for index in range(rows):
        cells = []
        for subject, look in groups:
            spec = SceneSpec(
                seed=seed, index=index, subject=subject, look=look, width=size, height=size
            )
            cells.append(_cell(render(spec), KINDS[kinds % len(KINDS)]))
            kinds += 1
        lines.append(_stack(cells, across=True))
    panels = []
    for subject in subjects:  # every look of a scene has the same masks and depth
        spec = SceneSpec(
            seed=seed, index=0, subject=subject, look=looks[0], width=size, height=size
        )
        drawn = render(spec)
        shown = [mask_panel(drawn.instances), depth_panel(drawn.depth)]
        panels += shown if len(looks) > 1 else [_stack(shown, across=False)]
    page = _stack([*lines, _stack(panels, across=True)], across=False)
    framed = Image.new("RGB", (page.width + MARGIN, page.height + MARGIN), PAPER)
    framed.paste(page, (MARGIN, MARGIN))
    return framed


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m groundrl.world", description="Draw a page of scenes with questions."
    )
    subjects, looks = [str(s) for s in Subject], [str(look) for look in Look]
    parser.add_argument("--subject", nargs="+", choices=subjects, default=subjects)
    parser.add_argument("--look", nargs="+", choices=looks, default=looks)
    parser.add_argument("--rows", type=int, default=4, help="scenes per column (default 4)")
    parser.add_argument("--seed", type=int, default=0, help="which endless series of scenes")
    parser.add_argument("--size", type=int, default=160, help="pixels of a side (default 160)")
    parser.add_argument("--out", type=Path, required=True, help="the PNG file to write")
    arguments = parser.parse_args(argv)
    if arguments.rows < 1:
        parser.error(f"--rows must be at least 1, got {arguments.rows}")
    if arguments.out.suffix.lower() != ".png":
        parser.error(f"--out must end in .png, got {arguments.out}")
    if not arguments.out.resolve().parent.is_dir():
        parser.error(f"--out: there is no folder {arguments.out.resolve().parent}; make it first")
    return arguments


def main(argv: Sequence[str] | None = None) -> int:
    """Write the contact sheet. Returns the exit status: 0, or 2 for a UserError."""
    arguments = _arguments(argv)
    try:
        page = contact_sheet(
            [Subject(name) for name in arguments.subject],
            [Look(name) for name in arguments.look],
            arguments.rows,
            arguments.seed,
            arguments.size,
        )
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    page.save(arguments.out)
    print(arguments.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
