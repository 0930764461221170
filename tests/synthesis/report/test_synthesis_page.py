"""The page of a synthesis."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from browsing import CHROMIUM, add_script, browse, read
from synthesis_files import KEEP, checked, region, reject, repair, shown

from groundrl.report.page import MAX_CHARACTERS
from groundrl.report.pictures.image_view import MAX_BOXES
from groundrl.synthesis.annotations import CaptionError, ErrorKind
from groundrl.synthesis.quality import CaptionStatistics
from groundrl.synthesis.report.cards import MAX_CROPS
from groundrl.synthesis.report.page import synthesis_page
from groundrl.synthesis.report.selection import (
    ImageResult,
    ImageSelection,
)

CUP, DOG = region("cup", 0), region("dog", 1)


def select(*images: ImageResult, size: int = 200) -> ImageSelection:
    """A selection that was offered these images."""
    found = ImageSelection(size=size)
    for one in images:
        found.add(one)
    return found


def write_page(folder: Path, *images: ImageResult, size: int = 200) -> Path:
    """The page of those images."""
    statistics = CaptionStatistics()
    for one in images:
        statistics.add(one.annotated)
    figures = {name: float(value) for name, value in statistics.counts.items()}
    figures |= {
        f"verification/{name}": value for name, value in statistics.compute_quality().items()
    }
    figures |= {"images": float(len(images)), "samples/train/locate": 3.0}
    made_by = {"regions": "given", "verdicts": None}
    selection = select(*images, size=size)
    file = folder / "report.html"
    file.write_text(synthesis_page("small", ["2 s"], made_by, figures, selection, "seed: <0>"))
    return file


def mixed(folder: Path) -> list[ImageResult]:
    """One kept, one with a repair that was planted, one with a rejected crop."""
    red = CaptionError(kind=ErrorKind.ATTRIBUTE, span="red cup")
    mended = repair("red cup", "This is a blue cup.")
    return [
        shown(folder, "good", checked("A cup.", KEEP), checked("This is a cup.", KEEP, of=CUP)),
        shown(
            folder,
            "mended",
            checked("A cup.", KEEP),
            checked("This is a red cup.", mended, KEEP, of=CUP, planted=(red,)),
        ),
        shown(
            folder,
            "bad",
            checked("A cup.", KEEP),
            checked("This is a cup.", KEEP, of=CUP),
            checked("This is a dog.", reject("dog"), of=DOG),
        ),
    ]


def test_the_page_has_every_part_and_fetches_nothing(tmp_path: Path) -> None:
    file = write_page(tmp_path, *mixed(tmp_path))
    page = read(file)
    assert page.headings == ["small", "Counts", "Verdicts", "Images", "Config"]
    assert page.counts["article"] == 3
    assert page.counts["img"] == 3 + 4  # images and crops
    assert all(address.startswith("data:image/jpeg;base64,") for address in page.addresses)
    text = file.read_text()
    assert "verdicts: none" in text
    assert "seed: &lt;0&gt;" in text
    # The one planted error was caught.
    assert '<td class="number">1.000</td><td class="number">1.000</td>' in text
    assert "planted: attribute “red cup”" in text
    # Rejected first, kept last.
    assert text.index(">bad<") < text.index(">mended<") < text.index(">good<")


def test_what_a_teacher_writes_is_escaped_and_cut(tmp_path: Path) -> None:
    evil = "</p><script>x()</script> " * 400
    one = region('"><script>y()</script>')
    file = write_page(
        tmp_path, shown(tmp_path, "<b>1</b>", checked(evil, reject("x()")), checked(evil, of=one))
    )
    text = file.read_text()
    read(file)
    assert text.count("<script") == 1  # the page's own
    assert text.count("x()") < 3 * MAX_CHARACTERS / len("</p><script>x()</script> ")
    assert f"and {len(evil) - MAX_CHARACTERS:,} more" in text


EVIL = "\"'><script>x()</script>"


@pytest.mark.parametrize("part", ["text", "reason", "span", "repaired", "label", "id", "planted"])
def test_no_text_of_a_model_becomes_markup(tmp_path: Path, part: str) -> None:
    evil = {part: EVIL}
    one = region(evil.get("label", "cup"))
    text = f"This is a red {one.label}. {evil.get('text', '')}"
    wrong = repair(evil.get("span", "red"), f"This is a {one.label}. {evil.get('repaired', '')}")
    wrong = replace(wrong, reason=evil.get("reason", "it looks blue"))
    error = CaptionError(kind=ErrorKind.ATTRIBUTE, span=evil.get("planted", "red"))
    image = shown(
        tmp_path,
        evil.get("id", "image"),
        checked(text, wrong, KEEP),
        checked(text, wrong, KEEP, of=one, planted=(error,)),
    )
    file = write_page(tmp_path, image)
    assert read(file).counts["script"] == 1
    assert "&lt;script&gt;x()" in file.read_text()


def test_title_facts_and_config_are_escaped() -> None:
    page = synthesis_page(EVIL, [EVIL], {EVIL: EVIL}, {}, select(), EVIL)
    assert page.count("<script") == 1
    assert page.count("&lt;script&gt;x()") == 6


def test_a_crowd_of_regions_is_drawn_in_part_and_counted(tmp_path: Path) -> None:
    crowd = [region(f"cup {k}", k) for k in range(50)]
    kept = [checked(f"This is a {one.label}.", KEEP, of=one) for one in crowd[:20]]
    last = checked("This is a dog.", reject("dog"), of=crowd[20])
    whole = checked("Cups.", KEEP)
    text = write_page(
        tmp_path, shown(tmp_path, "crowd", whole, *kept, last, more=tuple(crowd[21:]))
    ).read_text()
    assert text.count('class="box ') == MAX_BOXES
    assert text.count('class="box dotted"') == MAX_BOXES - 21
    assert text.count('alt="crop"') == MAX_CROPS
    assert "and 9 more crops" in text
    assert "50 regions" in text
    # Among the crops that are shown is the rejected one.
    assert "<del><mark>dog</mark></del>" in text


def test_an_image_without_regions_questions_or_file_has_a_card(tmp_path: Path) -> None:
    bare = shown(tmp_path, "bare", checked("A wall.", KEEP))
    (tmp_path / "cup.png").unlink()
    text = write_page(tmp_path, bare).read_text()
    assert "the image is not here" in text
    assert "no questions" in text
    assert "planted no errors" in text


def test_few_of_many_images_are_shown_and_something_of_everything(tmp_path: Path) -> None:
    good = [shown(tmp_path, f"good{k}", checked("A cup.", KEEP)) for k in range(50)]
    bad = [shown(tmp_path, f"bad{k}", checked("A dog.", reject("dog"))) for k in range(2)]
    selection = select(*good[:25], bad[0], *good[25:], bad[1], size=6)
    picked = [one.annotated.image.id for one in selection.images]
    assert len(picked) == 6
    assert {*picked[:2]} == {"bad0", "bad1"}
    assert selection.seen == 52
    text = write_page(tmp_path, *good, size=6).read_text()
    assert "This page shows 6 of 50 images" in text


PROBE = """{
const cards = () => document.querySelectorAll(".card:not([hidden])").length;
const entries = () => document.querySelectorAll(".card:not([hidden]) .entry.caption:not([hidden])");
const results = [];
const choose = (key, value) => {
  document.querySelector(`button[data-key="${key}"][data-value="${value}"]`).click();
  results.push(`${key}=${value}:${cards()}/${entries().length}`);
};
results.push(`all:${cards()}/${entries().length}`);
choose("verdict", "rejected"); choose("error", "attribute"); choose("verdict", "");
choose("planted", "caught"); choose("error", "object"); choose("planted", "");
choose("error", ""); choose("level", "crop");
const card = document.querySelector(".card");
const highlighted = () => [...card.querySelectorAll(".highlighted")]
  .map(one => one.classList[0] + one.dataset.box).join() || "none";
// A window in the background sends no events of the focus.
const send = (one, what) => one.dispatchEvent(new FocusEvent(what, {bubbles: true}));
const phrase = card.querySelector(".phrase");
phrase.focus(); send(phrase, "focusin"); results.push(highlighted());
phrase.blur(); send(phrase, "focusout"); results.push(highlighted());
card.querySelector(".entry.caption[data-box=r2]")
  .dispatchEvent(new PointerEvent("pointerover", {bubbles: true})); results.push(highlighted());
document.title = results.join(" ");
}"""


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="needs the program chromium")
def test_filters_hide_captions_and_phrases_highlight_their_boxes(tmp_path: Path) -> None:
    page = write_page(tmp_path, *mixed(tmp_path))
    add_script(page, PROBE)
    shown_ = browse(f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", page.as_uri())
    title = re.search(r"<title>(.*?)</title>", shown_)
    assert title is not None
    assert title[1].split() == [
        "all:3/7",
        *("verdict=rejected:1/1", "error=attribute:0/0", "verdict=:1/1"),
        *("planted=caught:1/1", "error=object:0/0", "planted=:1/1"),
        *("error=:3/7", "level=crop:3/4"),
        # The box, its crop's caption, and the phrases of the merged caption and of the rationale.
        *("boxr1,entryr1,phraser1,phraser1", "none", "boxr2,entryr2,phraser2"),
    ]
