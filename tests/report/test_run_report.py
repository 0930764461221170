"""The page about a run."""

import json
import re
from pathlib import Path

import pytest
import yaml
from browsing import CHROMIUM, add_script, browse, read
from PIL import Image
from report_files import METRICS
from torch.utils.tensorboard.writer import SummaryWriter

from groundrl.errors import UserError
from groundrl.report.run_report import read_curves, write_report
from groundrl.report.runs import read_metrics
from groundrl.report.tables import duration


def test_a_finished_run_has_every_section(run_dir: Path) -> None:
    file = write_report(run_dir)
    page = read(file)
    assert file == run_dir / "report.html"
    assert page.headings == [
        "warm-run",
        "Before and after",
        "Answers on held-out questions",
        "Curves",
        "Config",
    ]
    assert page.counts["article"] == page.counts["img"] == 3 * 4
    assert page.counts["figure"] == 1 + 2  # the metric with an interval, two curves
    text = file.read_text()
    assert "0.750 ± 0.050" in text
    assert text.index("<details>") < text.index("tabletop/color/acc")
    assert "grpo 2 h 10 min" in text
    assert "name: &lt;tiny&gt;" in text


def test_a_report_fetches_nothing(run_dir: Path) -> None:
    file = write_report(run_dir)
    assert all(address.startswith("data:image/jpeg;base64,") for address in read(file).addresses)
    assert not re.search(r"https?://|@import|url\(", file.read_text())


@pytest.mark.parametrize(
    ("kept", "headings"),
    [
        ("metrics.json", ["Before and after"]),
        ("resolved.yaml", ["Config"]),
        ("tensorboard", ["Curves"]),
        ("heldout_sft.jsonl", ["Answers on held-out questions"]),
    ],
)
def test_a_report_is_made_of_what_is_there(
    run_dir: Path, tmp_path: Path, kept: str, headings: list[str]
) -> None:
    part = tmp_path / "part"
    part.mkdir()
    (run_dir / kept).rename(part / kept)
    assert read(write_report(part)).headings == ["part", *headings]


def test_what_a_config_or_an_event_file_names_is_escaped(tmp_path: Path) -> None:
    evil = "<script>x()</script>"
    config = {"note": evil, "model": {"path": evil}, "reward": {"terms": {evil: {}}}}
    (tmp_path / "resolved.yaml").write_text(yaml.safe_dump(config))
    metrics = {f"{evil}/acc": 0.5, f"{evil}/acc_low": 0.25, f"{evil}/color/acc": 1.0}
    (tmp_path / "metrics.json").write_text(json.dumps({evil: metrics, "grpo": metrics}))
    with SummaryWriter(str(tmp_path / "events")) as writer:
        for step in range(3):
            writer.add_scalar(f"{evil}/loss", 1.0, step)
    file = write_report(tmp_path)
    assert read(file).counts["script"] == 1
    assert file.read_text().count("&lt;script&gt;x()") >= 10


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nothing to report in"):
        write_report(tmp_path)


def test_a_report_can_be_written_again(run_dir: Path) -> None:
    first = write_report(run_dir).read_bytes()
    assert write_report(run_dir).read_bytes() == first


def test_the_metrics_of_an_evaluation_are_one_stage(tmp_path: Path) -> None:
    (tmp_path / "metrics.json").write_text(json.dumps({"pope_random/f1": 1, "pope_random/n": 10}))
    stages, seconds = read_metrics(tmp_path)
    assert stages == {"result": {"pope_random/f1": 1.0, "pope_random/n": 10.0}}
    assert seconds == {}
    assert read(write_report(tmp_path)).headings[1:] == ["Results"]


def test_seconds_are_no_stage(run_dir: Path) -> None:
    stages, seconds = read_metrics(run_dir)
    assert list(stages) == ["start", "sft", "grpo"]
    assert seconds == METRICS["time"]


def test_a_resumed_run_repeats_no_step(tmp_path: Path) -> None:
    for first, value in ((0, 1.0), (3, 2.0)):
        with SummaryWriter(str(tmp_path / f"from {first}")) as writer:
            for step in range(first, 5):
                writer.add_scalar("loss", value, step)
        (file,) = (tmp_path / f"from {first}").iterdir()
        (tmp_path / "events").mkdir(exist_ok=True)
        # Names begin with the second of creation, and a run is resumed seconds later.
        file.rename(tmp_path / "events" / f"events.out.tfevents.{1_700_000_000 + first}.host")
        file.parent.rmdir()
    (curves,) = read_curves(tmp_path).values()
    assert curves == {"loss": [(0, 1.0), (1, 1.0), (2, 1.0), (3, 2.0), (4, 2.0)]}


def test_bookkeeping_scalars_are_no_curves(run_dir: Path) -> None:
    (curves,) = read_curves(run_dir).values()
    assert list(curves) == ["policy/kl", "reward/iou"]


def test_reward_and_model_of_the_config_are_the_title(tmp_path: Path) -> None:
    (tmp_path / "resolved.yaml").write_text(
        "seed: 3\nmodel: {path: tiny}\nreward: {terms: {iou: {}, acc: {}}}\n"
    )
    file = write_report(tmp_path)
    assert read(file).headings[0] == "reward iou + acc, tiny"
    assert '<span class="chip">seed 3</span>' in file.read_text()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.5, "0.5 s"), (42.0, "42 s"), (185.0, "3 min 05 s"), (7800.0, "2 h 10 min")],
)
def test_durations_are_readable(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="needs the program chromium")
def test_a_browser_shows_the_page_in_both_colour_schemes(run_dir: Path, tmp_path: Path) -> None:
    address = write_report(run_dir).as_uri()
    profile = f"--user-data-dir={tmp_path / 'profile'}"
    # The count is written by the script, after the stage's filter has been applied.
    assert "4 of 12 answers" in browse(profile, "--dump-dom", address)
    corners = []
    for scheme in (0, 1):
        shot = tmp_path / f"{scheme}.png"
        scheme_option = f"--blink-settings=preferredColorScheme={scheme}"
        browse(profile, scheme_option, f"--screenshot={shot}", "--window-size=900,900", address)
        with Image.open(shot) as image:
            corners.append(image.convert("L").getpixel((2, 2)))
            assert len(image.convert("L").getcolors() or []) > 20
    dark, light = corners
    assert dark < 60 < 200 < light


PROBE = """{
const card = document.querySelector(".card:not([hidden])");
const highlighted = () => [...card.querySelectorAll(".highlighted")]
  .map(one => one.dataset.box).join() || "none";
const phrase = card.querySelector(".text .phrase"), box = card.querySelector(".box.magenta");
const results = [highlighted()];
// A window in the background sends no events of the focus.
const send = (one, what) => one.dispatchEvent(new FocusEvent(what, {bubbles: true}));
phrase.focus(); send(phrase, "focusin"); results.push(highlighted());
phrase.blur(); send(phrase, "focusout"); results.push(highlighted());
box.dispatchEvent(new PointerEvent("pointerover", {bubbles: true})); results.push(highlighted());
card.dispatchEvent(new PointerEvent("pointerleave")); results.push(highlighted());
const right = card.querySelector(".phrase.green");
right.focus(); send(right, "focusin"); results.push(highlighted());
const words = document.querySelector("input[type=search]");
words.value = "no such words"; words.oninput();
results.push(document.querySelector("#count").textContent);
document.title = results.join(" ");
}"""


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="needs the program chromium")
def test_a_phrase_and_its_box_are_highlighted_together(run_dir: Path, tmp_path: Path) -> None:
    page = write_report(run_dir)
    add_script(page, PROBE)
    shown = browse(f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", page.as_uri())
    both = "predicted0,predicted0"
    expected = f"none {both} none {both} none true0,true0 0 of 12 answers"
    assert f"<title>{expected}</title>" in shown
