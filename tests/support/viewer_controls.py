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

# A number for the pixels of a canvas, which changes with each of them; to write them as a PNG takes ten times as long.
_NUMBERED = """const numbered = (canvas) => {
    const { width, height } = canvas;
    if (!width || !height) return "nothing";
    const copy = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
    copy.drawImage(canvas, 0, 0);
    let number = 2166136261;
    for (const pixel of new Uint32Array(copy.getImageData(0, 0, width, height).data.buffer)) {
        number = Math.imul(number ^ pixel, 16777619);
    }
    return `${width} ${height} ${number}`;
};"""
# All that a reader sees: texts, what is chosen, where the keys go, and the pictures.
_SEEN = f"""() => {{
    {_NUMBERED}
    const root = document.querySelector(".vesselkit-review"), all = (what) => Array.from(root.querySelectorAll(what));
    return [
        root.innerText, document.activeElement.outerHTML.slice(0, 200),
        ...all("input").map((one) => `${{one.value}} ${{one.checked}}`), ...all("button").map((one) => one.ariaPressed),
        ...all("canvas").map(numbered),
    ].join("|");
}}"""
PICTURES = f"""() => {{
    {_NUMBERED}
    return Array.from(document.querySelectorAll('.vesselkit-review canvas'), numbered).join();
}}"""
_AT_REST = f"""async ([pause, patience]) => {{
    const seen = {_SEEN}, end = Date.now() + patience;
    for (let last = null, now = seen(); now !== last; last = now, now = seen()) {{
        if (Date.now() > end) return false;
        await new Promise((done) => setTimeout(done, pause));
    }}
    return true;
}}"""
_CHANGED = """async ([before, patience]) => {
    const seen = %s, end = Date.now() + patience;
    while (seen() === before) {
        if (Date.now() > end) return false;
        await new Promise((done) => setTimeout(done, 15));
    }
    return true;
}"""


def all_keys() -> list[str]:
    """What `event.key` is for each key of the viewer, in the order of its list."""
    return [key for row in _ROW.findall(viewer_module()) for key in json.loads(f"[{row}]")]


def try_all(page, pause_ms: int = 100) -> None:
    """Press each key and move each slider, and see that it does something.

    Args:
        page: a page with the run of `tests.support.review_runs`, in the order of its case ids, and a reviewer.
        pause_ms: how long nothing may change on a screen that is at rest; a kernel answers within the default.
    """
    page.evaluate(TELL_WHAT_IS_DRAWN)
    keys = all_keys()
    assert len(keys) > 40
    for key in keys:
        _begin(page, _BEFORE.get(key, "").split(), pause_ms)
        before = page.evaluate(_SEEN)
        parts = ["Shift", f"Digit{key[-1]}"] if key in _PANELS else [key]
        for part in parts:
            page.keyboard.down(part)
        _wait(page, _SEEN, before, f"key {key!r}")
        for part in reversed(parts):
            page.keyboard.up(part)
        if key in _AFTER:
            page.keyboard.press("+".join(parts))
    for name in page.eval_on_selector_all("[type=range]", "found => found.map((one) => one.dataset.control)"):
        _begin(page, _SLIDERS.get(name, "").split(), pause_ms)
        before = page.evaluate(PICTURES)
        page.focus(f"[data-control={name}]")
        page.keyboard.press("End")
        if name == "window":  # it starts there
            page.keyboard.press("Home")
        _wait(page, PICTURES, before, f"slider {name}")


def wait_until_drawn(page) -> None:
    """Until the case that is named is on the screen; the page has had `TELL_WHAT_IS_DRAWN` from its start."""
    drawn = "() => document.body.dataset.drawn === document.querySelector('.vk-id')?.textContent"
    page.wait_for_function(drawn, timeout=PATIENCE_S * 1000)


def _begin(page, keys, pause_ms) -> None:
    """Back to one case and the settings of the start, then these keys."""
    end = time.monotonic() + PATIENCE_S
    while not _is_shown(page, SEVERAL):
        # Right after "Run All" the viewer may be taken out and put in again, and a choice with it.
        assert time.monotonic() < end, f"{SEVERAL}: never drawn"
    for key in ("q", "0", *keys):
        page.keyboard.press(key)
        _rest(page, pause_ms)


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


def _rest(page, pause_ms) -> None:
    """Until nothing moves on the screen any more, such as what a kernel was asked to keep."""
    assert page.evaluate(_AT_REST, [pause_ms, PATIENCE_S * 1000]), "the screen does not come to rest"


def _wait(page, seen, before, what) -> None:
    assert page.evaluate(_CHANGED % seen, [before, PATIENCE_S * 1000]), f"{what}: nothing changed on the screen"
