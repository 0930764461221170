"""HTML pages, parsed and in a real browser."""

import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

CHROMIUM = shutil.which("chromium")
VOID = {"meta", "img", "br", "input"}


class Page(HTMLParser):
    """Headings, images and outside addresses; fails on tags that do not nest."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.headings: list[str] = []
        self.addresses: list[str] = []
        self.counts: dict[str, int] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.counts[tag] = self.counts.get(tag, 0) + 1
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.counts[tag] = self.counts.get(tag, 0) + 1

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("h1", "h2"):
            self.headings.append(data)


def read(file: Path) -> Page:
    """The parsed page."""
    page = Page()
    page.feed(file.read_text(encoding="utf-8"))
    page.close()
    assert page.open == []
    return page


def add_script(file: Path, code: str) -> None:
    """Append JavaScript to the script of a page."""
    text = file.read_text(encoding="utf-8")
    assert text.count("</script>") == 1
    file.write_text(text.replace("</script>", f"{code}</script>"), encoding="utf-8")


def browse(*options: str) -> str:
    """Chromium's output, without network."""
    command = [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", *options]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
