"""The page about a synthesis."""

import re
from pathlib import Path

import pytest
from browsing import CHROMIUM, browse, read
from hypothesis import given
from hypothesis import strategies as st
from synthesis_files import KEEP, checked, region, reject, repair, shown

from groundrl.report.parts import MOST_BOXES, MOST_CHARACTERS
from groundrl.synthesis.annotations import CaptionError, ErrorKind
from groundrl.synthesis.quality import CaptionStatistics
from groundrl.synthesis.report.captions import history
from groundrl.synthesis.report.cards import MOST_CROPS
from groundrl.synthesis.report.page import synthesis_page
from groundrl.synthesis.report.showcase import MAX_REASONS, OTHERS, Showcase, ShownImage

CUP, DOG = region("cup", 0), region("dog", 1)


def showcase(*images: ShownImage, most: int = 200) -> Showcase:
    """All of them were seen."""
    found = Showcase(most=most)
    for one in images:
        found.add(one)
    return found


def written(folder: Path, *images: ShownImage, most: int = 200) -> Path:
    """The page about those images."""
    tally = CaptionStatistics()
    for one in images:
        tally.add(one.annotated)
    figures = {name: float(value) for name, value in tally.counts.items()}
    figures |= {f"verification/{name}": value for name, value in tally.compute_quality().items()}
    figures |= {"images": float(len(images)), "samples/train/locate": 3.0}
    people = {"regions": "given", "verdicts": None}
    seen = showcase(*images, most=most)
    file = folder / "report.html"
    file.write_text(synthesis_page("small", ["2 s"], people, figures, seen, "seed: <0>"))
    return file


def mixed(folder: Path) -> list[ShownImage]:
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


def test_a_repair_stands_beside_what_it_replaces() -> None:
    told = history(checked("It is a red cup. Nice.", repair("red cup", "It is a blue cup. Nice.")))
    assert "<del><mark>red cup</mark>.</del> <ins>blue cup.</ins>" in told.replace(
        "</del><del>", ""
    )
    assert "verified again" not in told


def test_a_sentence_that_a_repair_leaves_out_is_struck_through() -> None:
    wrong = repair("two dogs", "A cup. A box.", ErrorKind.OBJECT)
    told = history(checked("A cup. I see two dogs. A box.", wrong, KEEP))
    plain = re.sub(r"</?mark>|</del><del>", "", told)
    assert "A cup. <del>I see two dogs.</del> A box." in plain
    assert "<ins>" not in told
    assert 'verified again: <span class="chip right">keep</span>' in told


def test_of_a_rejected_caption_the_span_is_struck_through() -> None:
    told = history(checked("This is a dog.", reject("dog")))
    assert "This is a <del><mark>dog</mark></del>." in told


@pytest.mark.parametrize(("span", "note"), [("", ""), ("a cat", "“a cat” are not in the text")])
def test_without_its_span_a_rejected_caption_is_struck_through_whole(span: str, note: str) -> None:
    told = history(checked("This is a dog.", reject(span)))
    assert "<del>This is a dog.</del>" in told
    assert note in told


def test_a_caption_that_nobody_verified_is_only_shown() -> None:
    assert history(checked("A <b>cup</b>.")) == '<p class="said">A &lt;b&gt;cup&lt;/b&gt;.</p>'


WORDS = st.lists(st.sampled_from(["a", "red", "cup.", "<i>", "b&b"]), max_size=9).map(" ".join)


@given(before=WORDS, after=WORDS, start=st.integers(0, 20), length=st.integers(0, 9))
def test_what_is_struck_through_and_what_stays_is_the_caption(
    before: str, after: str, start: int, length: int
) -> None:
    wrong = repair(before[start : start + length], after)
    told = history(checked(before, wrong)).partition("</p>")[0].removeprefix('<p class="said">')
    old = re.sub(r" <ins>.*?</ins> |<(?!i>)[^>]*>", "", told)
    for code, sign in (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")):
        old = old.replace(code, sign)
    assert old == before
    new = re.sub(r"<del>.*?</del>|<[^>]*>", "", told)
    for code, sign in (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")):
        new = new.replace(code, sign)
    assert new.split() == after.split()


def test_the_page_has_every_part_and_fetches_nothing(tmp_path: Path) -> None:
    file = written(tmp_path, *mixed(tmp_path))
    page = read(file)
    assert page.headings == ["small", "Made", "Verdicts", "Images", "Config"]
    assert page.counts["article"] == 3
    assert page.counts["img"] == 3 + 4  # images and crops
    assert all(address.startswith("data:image/jpeg;base64,") for address in page.addresses)
    text = file.read_text()
    assert "verdicts: nobody" in text
    assert "seed: &lt;0&gt;" in text
    # The one planted error was caught.
    assert '<td class="number">1.000</td><td class="number">1.000</td>' in text
    assert "planted: attribute “red cup”" in text
    # Rejected first, kept last.
    assert text.index(">bad<") < text.index(">mended<") < text.index(">good<")


def test_what_a_teacher_writes_is_escaped_and_cut(tmp_path: Path) -> None:
    evil = "</p><script>x()</script> " * 400
    one = region('"><script>y()</script>')
    file = written(
        tmp_path, shown(tmp_path, "<b>1</b>", checked(evil, reject("x()")), checked(evil, of=one))
    )
    text = file.read_text()
    read(file)
    assert text.count("<script") == 1  # the page's own
    assert text.count("x()") < 3 * MOST_CHARACTERS / len("</p><script>x()</script> ")
    assert f"and {len(evil) - MOST_CHARACTERS:,} more" in text


def test_a_crowd_of_regions_is_drawn_in_part_and_counted(tmp_path: Path) -> None:
    crowd = [region(f"cup {k}", k) for k in range(50)]
    kept = [checked(f"This is a {one.label}.", KEEP, of=one) for one in crowd[:20]]
    last = checked("This is a dog.", reject("dog"), of=crowd[20])
    whole = checked("Cups.", KEEP)
    text = written(
        tmp_path, shown(tmp_path, "crowd", whole, *kept, last, more=tuple(crowd[21:]))
    ).read_text()
    assert text.count('class="box ') == MOST_BOXES
    assert text.count('class="box unseen"') == MOST_BOXES - 21
    assert text.count('alt="crop"') == MOST_CROPS
    assert "and 9 more crops" in text
    assert "50 regions" in text
    # Among the crops that are shown is the rejected one.
    assert "<del><mark>dog</mark></del>" in text


def test_an_image_without_regions_questions_or_file_has_a_card(tmp_path: Path) -> None:
    bare = shown(tmp_path, "bare", checked("A wall.", KEEP))
    (tmp_path / "cup.png").unlink()
    text = written(tmp_path, bare).read_text()
    assert "the image is not here" in text
    assert "no questions" in text
    assert "planted no errors" in text


def test_few_of_many_images_are_shown_and_something_of_everything(tmp_path: Path) -> None:
    good = [shown(tmp_path, f"good{k}", checked("A cup.", KEEP)) for k in range(50)]
    bad = [shown(tmp_path, f"bad{k}", checked("A dog.", reject("dog"))) for k in range(2)]
    seen = showcase(*good[:25], bad[0], *good[25:], bad[1], most=6)
    picked = [one.annotated.image.id for one in seen.picked()]
    assert len(picked) == 6
    assert {*picked[:2]} == {"bad0", "bad1"}
    assert seen.seen == 52
    text = written(tmp_path, *good, most=6).read_text()
    assert "This page shows 6 of 50 images" in text


def test_reasons_are_counted_in_bounded_memory(tmp_path: Path) -> None:
    seen = Showcase()
    for k in range(MAX_REASONS + 5):
        verdict = reject("dog")
        said = type(verdict)(decision=verdict.decision, reason=f"reason {k}", flaw=verdict.flaw)
        seen.add(shown(tmp_path, f"{k}", checked("A dog.", said)))
    assert len(seen.reasons) == MAX_REASONS + 1
    assert seen.reasons["reject", "object", OTHERS] == 5


PROBE = """{
const cards = () => document.querySelectorAll(".card:not([hidden])").length;
const entries = () => document.querySelectorAll(".card:not([hidden]) .entry.caption:not([hidden])");
const told = [];
const choose = (key, value) => {
  document.querySelector(`button[data-key="${key}"][data-value="${value}"]`).click();
  told.push(`${key}=${value}:${cards()}/${entries().length}`);
};
told.push(`all:${cards()}/${entries().length}`);
choose("verdict", "rejected"); choose("error", "attribute"); choose("verdict", "");
choose("planted", "caught"); choose("error", "object"); choose("planted", "");
choose("error", ""); choose("level", "crop");
const card = document.querySelector(".card");
const lit = () => [...card.querySelectorAll(".lit")]
  .map(one => one.classList[0] + one.dataset.box).join() || "none";
// A window that is not in front tells nobody of the focus.
const say = (one, what) => one.dispatchEvent(new FocusEvent(what, {bubbles: true}));
const phrase = card.querySelector(".phrase");
phrase.focus(); say(phrase, "focusin"); told.push(lit());
phrase.blur(); say(phrase, "focusout"); told.push(lit());
card.querySelector(".entry.caption[data-box=r1]")
  .dispatchEvent(new PointerEvent("pointerover", {bubbles: true})); told.push(lit());
document.title = told.join(" ");
}"""


@pytest.mark.skipif(CHROMIUM is None, reason="needs the program chromium")
def test_filters_hide_captions_and_phrases_light_their_boxes(tmp_path: Path) -> None:
    page = written(tmp_path, *mixed(tmp_path))
    page.write_text(page.read_text().replace("</script></body>", f"{PROBE}</script></body>"))
    shown_ = browse(f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", page.as_uri())
    title = re.search(r"<title>(.*?)</title>", shown_)
    assert title is not None
    assert title[1].split() == [
        "all:3/7",
        *("verdict=rejected:1/1", "error=attribute:0/0", "verdict=:1/1"),
        *("planted=caught:1/1", "error=object:0/0", "planted=:1/1"),
        *("error=:3/7", "level=crop:3/4"),
        # The box, its crop's caption, and the phrases of the merged caption and of the rationale.
        *("boxr0,entryr0,phraser0,phraser0", "none", "boxr1,entryr1,phraser1"),
    ]
