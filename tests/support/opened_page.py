"""A page of the review in a real browser, as tests look at it and work with it."""

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tests.support.review_runs import CASES, HEIGHT, WIDTH
from tests.support.viewer_controls import PATIENCE_S, TELL_WHAT_IS_DRAWN


@dataclass
class Opened:
    """A page, and what it did."""

    page: Any
    console: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def press(self, *keys):
        for key in keys:
            self.page.keyboard.press(key)
        self.settle()

    def judge(self, *keys):
        """Press keys as a reviewer does, who looks at a case before saying what to do with it."""
        for key in keys:
            self.press(key)
            self.wait(lambda: self.page.evaluate("document.body.dataset.drawn") == self.text(".vk-id"))

    def settle(self):
        self.page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def move(self, name, value):
        self.page.eval_on_selector(
            f"[data-control={name}]",
            "(slider, value) => { slider.value = value; slider.dispatchEvent(new Event('input')); }",
            str(value),
        )
        self.settle()

    def case(self, case_id):
        self.move("case", CASES.index(case_id) + 1)
        self.wait(lambda: self.text(".vk-id") == case_id)

    def wait(self, reached):
        """Until a state is reached, for what a page loads or decodes by itself."""
        end = time.monotonic() + PATIENCE_S
        while not reached():
            assert time.monotonic() < end, "the page did not get there"
            self.page.wait_for_timeout(30)
        self.settle()

    def text(self, selector):
        return self.page.inner_text(selector)

    def notes(self):
        return self.page.eval_on_selector_all(
            ".vk-note", "found => found.map((one) => one.hidden ? '' : one.textContent)"
        )

    def frame(self, panel):
        """The frame's pixels in a panel at one to one, uint8 (H, W, 3)."""
        self.press("0", "1")
        pixels = self.page.eval_on_selector(
            f"canvas[data-panel='{panel}']",
            """(canvas, [width, height]) => {
                const left = Math.round(canvas.width / 2 - width / 2), top = Math.round(canvas.height / 2 - height / 2);
                const copy = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
                copy.drawImage(canvas, -left, -top);
                return Array.from(copy.getImageData(0, 0, width, height).data);
            }""",
            [WIDTH, HEIGHT],
        )
        return np.array(pixels, np.uint8).reshape(HEIGHT, WIDTH, 4)[:, :, :3]

    def coloured(self, panel):
        """Pixels of a panel that are not grey, bool (H, W)."""
        frame = self.frame(panel)
        return (frame != frame[:, :, :1]).any(axis=2)


def open_page(browser, path):
    context = browser.new_context(viewport={"width": 1500, "height": 950}, accept_downloads=True)
    page, address = context.new_page(), Path(path).resolve().as_uri()
    found = Opened(page)
    page.add_init_script(TELL_WHAT_IS_DRAWN)
    page.on("console", lambda said: found.console.append(said.text))
    page.on("pageerror", lambda error: found.console.append(str(error)))
    page.on("request", lambda request: found.asked.append(request.url))
    page.goto(address)
    page.wait_for_selector(".vk-id")
    page.wait_for_timeout(200)
    yield found
    context.close()
    assert found.console == []
    own = address.rsplit("/", 1)[0]
    assert [url for url in found.asked if not url.startswith(("data:", "blob:", own))] == []
