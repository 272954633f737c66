"""Every key and every slider of the viewer, on whatever page it stands."""

import json
import re
import time

from helpers.review.viewer_facts import viewer_module
from tests.support.review_runs import CASES, SEVERAL

PATIENCE_S = 60  # on a machine that others use too; a wait ends as soon as there is what it waits for
TELL_WHAT_IS_DRAWN = """document.addEventListener(
    "vesselkit:drawn", (event) => { document.body.dataset.drawn = event.detail.case_id; }, true);"""

_ROW = re.compile(r'^    \["[^"]+", \[(.*?)\],\s+"', re.MULTILINE | re.DOTALL)  # of the table that `?` shows
_BEFORE = {"t": "ArrowUp", "d": "c", "D": "c d", "w": "W", "q": "i", "0": "1", "z": "a", ",": ".", "[": "s", "]": "s"}
_PANELS = {f"Shift+{digit}" for digit in range(1, 10)}
_AFTER = {"?", "x", "E", "y", "b", "G", "Enter", *_PANELS}  # what stays switched on, whatever comes next
_SLIDERS = {"width": "c", "divide": "s"}  # what makes a slider count

# All that a reader sees: texts, what is chosen, where the keys go, and the pictures.
_SEEN = """() => {
    const root = document.querySelector(".vesselkit-review"), all = (what) => Array.from(root.querySelectorAll(what));
    return [
        root.innerText, document.activeElement.outerHTML.slice(0, 200),
        ...all("input").map((one) => `${one.value} ${one.checked}`), ...all("button").map((one) => one.ariaPressed),
        ...all("canvas").map((one) => one.toDataURL()),
    ].join("|");
}"""
PICTURES = "() => Array.from(document.querySelectorAll('.vesselkit-review canvas'), (one) => one.toDataURL()).join()"


def all_keys() -> list[str]:
    """What `event.key` is for each key of the viewer, in the order of its list."""
    return [key for row in _ROW.findall(viewer_module()) for key in json.loads(f"[{row}]")]


def try_all(page) -> None:
    """Press each key and move each slider, and see that it does something.

    Args:
        page: a page with the run of `tests.support.review_runs`, in the order of its case ids, and a reviewer.
    """
    page.evaluate(TELL_WHAT_IS_DRAWN)
    keys = all_keys()
    assert len(keys) > 40
    for key in keys:
        _begin(page, _BEFORE.get(key, "").split())
        before = page.evaluate(_SEEN)
        parts = ["Shift", f"Digit{key[-1]}"] if key in _PANELS else [key]
        for part in parts:
            page.keyboard.down(part)
        _wait(page, f"before => ({_SEEN})() !== before", before, f"key {key!r}")
        for part in reversed(parts):
            page.keyboard.up(part)
        if key in _AFTER:
            page.keyboard.press("+".join(parts))
    for name in page.eval_on_selector_all("[type=range]", "found => found.map((one) => one.dataset.control)"):
        _begin(page, _SLIDERS.get(name, "").split())
        before = page.evaluate(PICTURES)
        page.focus(f"[data-control={name}]")
        page.keyboard.press("End")
        if name == "window":  # it starts there
            page.keyboard.press("Home")
        _wait(page, f"before => ({PICTURES})() !== before", before, f"slider {name}")


def wait_until_drawn(page) -> None:
    """Until the case that is named is on the screen; the page has had `TELL_WHAT_IS_DRAWN` from its start."""
    drawn = "() => document.body.dataset.drawn === document.querySelector('.vk-id')?.textContent"
    page.wait_for_function(drawn, timeout=PATIENCE_S * 1000)


def _begin(page, keys) -> None:
    """Back to one case and the settings of the start, then these keys."""
    end = time.monotonic() + PATIENCE_S
    while not _is_shown(page, SEVERAL):
        # Right after "Run All" the viewer may be taken out and put in again, and a choice with it.
        assert time.monotonic() < end, f"{SEVERAL}: never drawn"
    for key in ("q", "0", *keys):
        page.keyboard.press(key)
        _rest(page)


def _is_shown(page, case_id) -> bool:
    """Choose a case by its slider; whether it is drawn within some seconds."""
    page.evaluate(
        """(place) => {
            const slider = document.querySelector("[data-control=case]");
            document.querySelectorAll(".vesselkit-review details").forEach((fold) => { fold.open = true; });
            document.querySelector(".vesselkit-review").focus();
            document.body.dataset.drawn = "";
            slider.value = place;
            slider.dispatchEvent(new Event("input"));
        }""",
        CASES.index(case_id) + 1,
    )
    end = time.monotonic() + 10
    while page.evaluate("() => document.body.dataset.drawn") != case_id:
        if time.monotonic() > end:
            return False
        page.wait_for_timeout(30)
    return True


def _rest(page) -> None:
    """Until nothing moves on the screen any more, such as what a kernel was asked to keep."""
    seen, end = None, time.monotonic() + PATIENCE_S
    while seen != (seen := page.evaluate(_SEEN)):
        assert time.monotonic() < end, "the screen does not come to rest"
        page.wait_for_timeout(100)


def _wait(page, reached, value, what) -> None:
    end = time.monotonic() + PATIENCE_S
    while not page.evaluate(reached, value):
        assert time.monotonic() < end, f"{what}: nothing changed on the screen"
        page.wait_for_timeout(30)
