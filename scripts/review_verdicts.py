"""What 50 verdicts take in a window of 1280 x 800: `python -m scripts.review_verdicts [--place lab|voila|page]`.

Does what a reviewer would, in a headless Chromium, on what `make demo` left in outputs/demo. Runs all cells of
`04_review` in a real JupyterLab with its file browser open, or opens Voila's page, or the page without a server. Brings
a picture of at least 480 pixels and the verdict buttons on the screen: enlarges a panel where the viewer offers that,
else turns the wheel. Then judges case after case with the keyboard. `--code` measures the viewer of another checkout.
"""

import argparse
import contextlib
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from playwright.sync_api import TimeoutError

from helpers.core import paths
from helpers.review.verdicts import read_lines
from tests.support.browser import chromium
from tests.support.servers import lab, voila, write_notebook

DATA, STAGES = "helpers/dev/demo/files/data", ("predict", "evaluate", "baseline")
REVIEWER = "measured"
CELLS_MS, CASE_MS, ASK_MS = 600_000, 90_000, 15_000
NOTCH, MOST_NOTCHES = 100, 40  # pixels that a wheel moves at once
SETTLE_MS = 120
ANSWERS = ("accept", "fix", "reject")  # in turn; the last two with a reason

# What of the viewer is on the screen: not cut by the window, nor by anything around it. What the body cuts is the
# window's matter: its own box, which has no height in JupyterLab, cuts nothing.
_SIGHT = """() => {
    const root = document.querySelector(".vesselkit-review");
    const inSight = (node) => {
        const box = node.getBoundingClientRect();
        let [left, top, right, bottom] = [0, 0, innerWidth, innerHeight];
        for (let up = node.parentElement; up && up !== document.body; up = up.parentElement) {
            const style = getComputedStyle(up);
            if (style.overflowX === "visible" && style.overflowY === "visible") continue;
            const cut = up.getBoundingClientRect();
            [left, top] = [Math.max(left, cut.left), Math.max(top, cut.top)];
            [right, bottom] = [Math.min(right, cut.right), Math.min(bottom, cut.bottom)];
        }
        const whole = box.width > 0 && box.left >= left - 1 && box.right <= right + 1 && box.top >= top - 1 &&
            box.bottom <= bottom + 1;
        const height = Math.min(box.width, box.height); // the demo's frames are square
        return { whole, top: box.top - top, height };
    };
    const named = (kind, pattern) => [...root.querySelectorAll(kind)].filter(
        (one) => pattern.test(one.ariaLabel || one.textContent) && one.getBoundingClientRect().width > 0);
    const pictures = named("canvas", /./).map(inSight), buttons = named("button", /^(Accept|Fix|Reject)/).map(inSight);
    const largest = pictures.reduce((best, one) => (one.height > best.height ? one : best), pictures[0]);
    const above = Math.min(...buttons.map((one) => one.top));
    return { picture: largest, buttons: buttons.every((one) => one.whole), above };
}"""
_LARGER = """() => [...document.querySelectorAll(".vesselkit-review .vk-help dt")]
    .filter((key) => /enlarge|larger|one panel/i.test(key.nextElementSibling?.textContent ?? ""))
    .map((key) => key.textContent)[0] ?? null"""
_SCORED = "() => /[0-9]/.test(document.querySelector('[data-score=dice]').textContent)"
_FAILED = ".jp-OutputArea-output:has-text('Traceback (most recent call last)')"
_DRAWN = """document.addEventListener("vesselkit:drawn", (event) => { window.drawn = event.detail.case_id; }, true);"""


@dataclass(frozen=True)
class Taken:
    """What one verdict took.

    Attributes:
        scrolls: turns of the wheel in one direction, to see the picture and then the buttons.
        notches: of the wheel, 100 pixels each.
        keys: pressed for the verdict.
        seconds: from the verdict's key until the next case was on the screen.
    """

    scrolls: int
    notches: int
    keys: int
    seconds: float


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--place", choices=("lab", "voila", "page"), default="lab")
    parser.add_argument("--verdicts", type=int, default=50)
    parser.add_argument("--window", default="1280x800", metavar="WxH")
    parser.add_argument("--least", type=int, default=480, metavar="PIXELS", help="height of the picture, at least")
    parser.add_argument("--code", type=Path, default=paths.project_root(), help="checkout whose viewer is measured")
    parser.add_argument("--shots", type=Path, default=None, metavar="DIR", help="keep pictures of the screen here")
    given = parser.parse_args()
    os.environ["PYTHONPATH"] = str(given.code.resolve())  # of the kernels and servers
    width, height = map(int, given.window.split("x"))
    with tempfile.TemporaryDirectory(prefix="vesselkit-verdicts-") as name, chromium() as browser:
        root = _project(Path(name).resolve(), given.code.resolve())
        page = browser.new_page(viewport={"width": width, "height": height})
        page.add_init_script(_DRAWN)
        begun = time.monotonic()
        with {"lab": _lab, "voila": _voila, "page": _page}[given.place](page, root, given.code.resolve()) as files:
            opened = time.monotonic() - begun
            hand = _Hand(page, given.least, given.shots, f"{given.place}-{given.window}")
            hand.begin()
            taken = [hand.judge(number) for number in range(given.verdicts)]
            hand.shoot("end")
            kept = [one for file in files() for one in read_lines(file)]
            chromium_version = browser.version
    if given.place != "page" and len(kept) != given.verdicts:
        sys.stderr.write(f"expected {given.verdicts} verdicts on the disk, found {len(kept)}\n")
        return 1
    report = _report(given, hand, taken, opened) | {"versions": _versions(chromium_version)}
    _print_table(report)
    print(json.dumps(report))
    return 0


class _Hand:
    """A reviewer's eyes and hands on an opened viewer."""

    def __init__(self, page: Any, least: int, shots: Path | None, name: str) -> None:
        self._page, self._least, self._shots, self._name = page, least, shots, name
        self._scrolls = self._notches = 0
        self.larger: str | None = None
        self.before: dict[str, int] = {}
        self.picture = 0

    def begin(self) -> None:
        """Bring the viewer on the screen, and its picture to the height that is wanted where it offers that."""
        viewer = self._page.locator(".vesselkit-review")
        viewer.evaluate("root => root.scrollIntoView({ block: 'start' })")
        viewer.locator("h2").first.click()  # gives it the keys
        keys = self._wait_for_the_first()
        self.shoot("opened")
        if not self._fits():
            self.larger = self._page.evaluate(_LARGER)
            if self.larger is not None:
                self._page.keyboard.press(self.larger.split()[0])
                self._page.wait_for_timeout(SETTLE_MS)
                keys += 1
        if not self._fits():
            self._see_both()
        self.before = {"keys": keys, "scrolls": self._scrolls}
        self.picture = round(self._page.evaluate(_SIGHT)["picture"]["height"])
        self.shoot("first")

    def _wait_for_the_first(self) -> int:
        """Until the first case has its scores; how many keys it took, since a kernel may be too busy to answer."""
        for asked in range(CASE_MS // ASK_MS):
            with contextlib.suppress(TimeoutError):
                self._page.wait_for_function(_SCORED, timeout=ASK_MS)
                self._page.wait_for_timeout(SETTLE_MS)
                return asked
            self._page.keyboard.press("Home")
        sys.exit("review_verdicts: the viewer shows no scores of its first case")

    def judge(self, number: int) -> Taken:
        """Look at the case, give it a verdict, and wait for the next one."""
        self._scrolls = self._notches = 0
        if not self._fits():
            self._see_both()
        answer = ANSWERS[number % len(ANSWERS)]
        keys = [] if answer == "accept" else [str(2 + number % 8)]
        keys.append(answer[0])
        here = self._case()
        for key in keys[:-1]:
            self._page.keyboard.press(key)
        begun = time.monotonic()
        self._page.keyboard.press(keys[-1])
        self._wait_for_case(here)
        return Taken(self._scrolls, self._notches, len(keys), time.monotonic() - begun)

    def shoot(self, moment: str) -> None:
        """Keep what the screen shows."""
        if self._shots is not None:
            self._shots.mkdir(parents=True, exist_ok=True)
            self._page.screenshot(path=self._shots / f"{self._name}-{moment}.png")

    def _fits(self) -> bool:
        seen = self._sight()
        return seen["picture"]["whole"] and seen["picture"]["height"] >= self._least and seen["buttons"]

    def _sight(self) -> dict[str, Any]:
        """What is on the screen once nothing moves on it."""
        seen = None
        while seen != (seen := self._page.evaluate(_SIGHT)):
            self._page.wait_for_timeout(SETTLE_MS)
        return seen

    def _see_both(self) -> None:
        """Turn the wheel until the largest picture is whole on the screen, then until the buttons are."""
        self._turn(lambda seen: seen["picture"]["whole"], lambda seen: seen["picture"]["top"] < 0)
        self._turn(lambda seen: seen["buttons"], lambda seen: seen["above"] < 0)

    def _turn(self, reached: Any, upwards: Any) -> None:
        """One scroll: notch after notch, beside the pictures, where the wheel would zoom."""
        seen, turned = self._sight(), 0
        if reached(seen):
            return
        box = self._page.locator(".vesselkit-review").bounding_box()
        self._page.mouse.move(box["x"] + 4, min(max(box["y"] + 4, 300), 500))
        while not reached(seen) and turned < MOST_NOTCHES:
            self._page.mouse.wheel(0, -NOTCH if upwards(seen) else NOTCH)
            turned += 1
            seen = self._sight()
        self._scrolls, self._notches = self._scrolls + 1, self._notches + turned

    def _case(self) -> str:
        return self._page.inner_text(".vk-id")

    def _wait_for_case(self, other: str) -> None:
        """Until a case other than that one is named and drawn."""
        self._page.wait_for_function(
            "other => { const id = document.querySelector('.vk-id').textContent; "
            "return id !== other && window.drawn === id; }",
            arg=other,
            timeout=CASE_MS,
        )


def _project(root: Path, code: Path) -> Path:
    """A project with the demo's results in it that verdicts can be given in, and gone."""
    results = paths.project_root() / "outputs" / "demo"
    if not (results / "predict").is_dir():
        sys.exit("review_verdicts: outputs/demo has no run: `make demo` makes it")
    (root / "outputs" / "demo").mkdir(parents=True)
    for stage in STAGES:
        if (results / stage).exists():
            (root / "outputs" / "demo" / stage).symlink_to(results / stage)
    (root / "notebooks").symlink_to(code / "notebooks")
    return root


@contextlib.contextmanager
def _lab(page: Any, root: Path, code: Path) -> Iterator[Any]:
    folder = root / "lab"
    folder.mkdir()
    values = {"data": str(code / DATA), "reviewer": REVIEWER}
    write_notebook(code / "notebooks/04_review.ipynb", folder / "04_review.ipynb", **values)
    with lab(folder, root) as address:
        page.goto(f"{address}/lab/tree/04_review.ipynb?reset")
        page.wait_for_selector("#jp-left-stack .jp-FileBrowser", timeout=CELLS_MS)
        _wait_for_kernel(page, address)
        _run_all(page)
        found = page.wait_for_selector(f".vesselkit-review .vk-id, {_FAILED}", state="attached", timeout=CELLS_MS)
        if page.query_selector(_FAILED):
            sys.exit(f"review_verdicts: a cell failed: {found.inner_text()}")
        # The cells below the viewer go on for a while, and take the notebook with them.
        page.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status=idle]", timeout=CELLS_MS)
        yield lambda: (root / "outputs/demo/review").glob(f"*/verdicts/{REVIEWER}.jsonl")


def _wait_for_kernel(page: Any, address: str) -> None:
    """Until the notebook's kernel has started, and JupyterLab knows that it is idle."""
    end = time.monotonic() + CELLS_MS / 1000
    while not any(
        one["kernel"]["execution_state"] == "idle" for one in page.request.get(f"{address}/api/sessions").json()
    ):
        if time.monotonic() > end:
            sys.exit("review_verdicts: JupyterLab starts no kernel")
        page.wait_for_timeout(SETTLE_MS)
    page.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status=idle]", timeout=CELLS_MS)


def _run_all(page: Any) -> None:
    """By the menu; again where JupyterLab, whose kernel may still start, let it pass."""
    for _ in range(CASE_MS // ASK_MS):
        if page.query_selector(".jp-Dialog"):  # such as which kernel, before one is there
            page.keyboard.press("Enter")
            page.wait_for_selector(".jp-Dialog", state="detached", timeout=ASK_MS)
        for entry in ("Run", "Run All Cells"):
            page.get_by_role("menuitem", name=entry, exact=True).click()
        with contextlib.suppress(TimeoutError):
            page.wait_for_selector(".jp-InputPrompt:has-text('[*]'), .jp-OutputArea-output", timeout=ASK_MS)
            return
    sys.exit("review_verdicts: JupyterLab runs no cell")


@contextlib.contextmanager
def _voila(page: Any, root: Path, code: Path) -> Iterator[Any]:
    with voila(root, root / "log", ["-p", "data", str(code / DATA), "-p", "reviewer", REVIEWER]) as address:
        page.goto(address)
        page.wait_for_selector(".vesselkit-review .vk-id", timeout=CELLS_MS)
        yield lambda: (root / "outputs/demo/review").glob(f"*/verdicts/{REVIEWER}.jsonl")


@contextlib.contextmanager
def _page(page: Any, root: Path, code: Path) -> Iterator[Any]:
    run = root / "outputs" / "demo" / "predict" / "model"
    command = [Path(sys.executable).with_name("vesselkit"), "review-page", run, "--data", code / DATA]
    subprocess.run([*command, "--output", root / "review.html"], check=True, capture_output=True)
    page.goto((root / "review.html").as_uri())
    page.fill("[data-control=reviewer]", REVIEWER)
    page.keyboard.press("Escape")
    yield lambda: ()


def _report(given: argparse.Namespace, hand: _Hand, taken: list[Taken], opened: float) -> dict[str, Any]:
    columns = {name: [getattr(one, name) for one in taken] for name in asdict(taken[0])}
    return {
        "place": given.place,
        "window": given.window,
        "verdicts": len(taken),
        "picture_height": hand.picture,
        "panel_enlarged_with": hand.larger,
        "before_the_first": hand.before,
        "opened_seconds": round(opened, 1),
        "total": {name: round(sum(values), 1) for name, values in columns.items()},
        "most": {name: round(max(values), 2) for name, values in columns.items()},
        "median_seconds": round(statistics.median(columns["seconds"]), 2),
    }


def _print_table(report: dict[str, Any]) -> None:
    count = report["verdicts"]
    print(f"{report['place']}, {report['window']}: {count} verdicts, picture {report['picture_height']} pixels high")
    print(f"{'':10}{'before':>8}{'total':>8}{'a verdict':>11}{'most':>7}")
    for name, total in report["total"].items():
        before = report["before_the_first"].get(name, "")
        print(f"{name:10}{before!s:>8}{total:>8}{total / count:>11.2f}{report['most'][name]:>7}")


def _versions(browser: str) -> dict[str, str]:
    named = ("jupyterlab", "anywidget", "voila", "playwright")
    return {"python": platform.python_version(), "chromium": browser} | {name: version(name) for name in named}


if __name__ == "__main__":
    sys.exit(main())
