"""A page looked at in headless Chromium: what it logs, what it asks for, and what its pictures came to."""

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# The first two are needed in containers, the others keep the browser itself off the network.
_ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


@dataclass
class Seen:
    """What a page did.

    Attributes:
        console: errors and warnings that it logged, and exceptions.
        asked: addresses that it asked for, the page itself and those inside it (data:) left out.
        failed: addresses that it did not get.
        widths: natural width of every picture, in pixels; 0 where it could not be decoded.
        text: all that a reader sees.
    """

    console: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    widths: list[int] = field(default_factory=list)
    text: str = ""


@contextlib.contextmanager
def chromium() -> Iterator[Any]:
    """Headless Chromium; two cannot be at once. The test is skipped where there is none, or no playwright."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    executable = next(filter(None, map(shutil.which, _NAMES)), None)
    if executable is None:
        pytest.skip("no Chromium is installed: pages are not looked at in a browser")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=executable, args=_ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


def look_at(page_file: Path, screenshot: Path | None = None) -> Seen:
    """Open an HTML file and let it settle. Skips as `chromium`."""
    seen, address = Seen(), page_file.resolve().as_uri()
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.on("console", lambda said: seen.console.append(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: seen.console.append(str(error)))
        page.on("request", lambda request: seen.asked.append(request.url))
        page.on("requestfailed", lambda request: seen.failed.append(request.url))
        page.goto(address, wait_until="networkidle")
        seen.widths = page.eval_on_selector_all("img", "found => found.map(image => image.naturalWidth)")
        seen.text = page.inner_text("body")
        if screenshot is not None:
            page.screenshot(path=screenshot, full_page=True)
    seen.asked = [url for url in seen.asked if url != address and not url.startswith("data:")]
    return seen
