"""A page looked at in headless Chromium: what it logs, what it asks for, and what its pictures came to."""

import contextlib
import functools
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# The first two are needed in containers, the others keep the browser itself off the network.
_ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


_INSTALL_S = 300


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


@functools.cache
def _executable() -> tuple[str | None, str | None]:
    """The system's Chromium, else None for playwright's own; then why there is neither.

    What lacks is installed: from the distribution where that is allowed, else into the user's cache.
    """
    with FileLock(Path(tempfile.gettempdir()) / f"vesselkit-chromium-{os.getuid()}.lock"):  # tests run side by side
        if found := _on_path():
            return found, None
        install = [[sys.executable, "-m", "playwright", "install", "chromium"]]
        if os.geteuid() == 0 and shutil.which("apt-get"):
            install = [["apt-get", "update"], ["apt-get", "install", "-y", "--no-install-recommends", _NAMES[0]]]
        for command in install:
            try:
                ended = subprocess.run(command, capture_output=True, text=True, timeout=_INSTALL_S, check=False)
            except subprocess.TimeoutExpired:
                return None, f"{' '.join(command)}: no end after {_INSTALL_S} s"
            if ended.returncode:
                said = (ended.stderr + ended.stdout).splitlines()
                errors = [line.strip() for line in said if line.lstrip().startswith(("E:", "Error"))]
                return None, f"{' '.join(command)}: {(errors or [f'exit code {ended.returncode}'])[0]}"
        return _on_path(), None


def _on_path() -> str | None:
    return next(filter(None, map(shutil.which, _NAMES)), None)


@functools.cache
def _driver_fault() -> str | None:
    """Why playwright's own program does not start, else None. It wants libatomic, which a bare Debian lacks."""
    program, _ = import_module("playwright._impl._driver").compute_driver_executable()

    def fault() -> str | None:
        ended = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
        return None if ended.returncode == 0 else ended.stderr.strip().splitlines()[0]

    with FileLock(Path(tempfile.gettempdir()) / f"vesselkit-chromium-{os.getuid()}.lock"):
        if fault() and os.geteuid() == 0 and shutil.which("apt-get"):
            subprocess.run(["apt-get", "install", "-y", "libatomic1"], capture_output=True, check=False)
        return fault()


@contextlib.contextmanager
def chromium() -> Iterator[Any]:
    """Headless Chromium; two cannot be at once. The test is skipped where it or playwright is not there."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    executable, reason = _executable()
    if reason:
        pytest.skip(f"no Chromium is installed, and it cannot be: {reason}")
    if fault := _driver_fault():
        pytest.skip(f"playwright does not start: {fault}")
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
