"""The pictures of docs/tutorial.md: `python -m scripts.tutorial_pictures FOLDER`.

Runs the tutorial's own lines in FOLDER, in place of outputs/tutorial, on the demo's files. Where the tutorial asks a
reader to correct a case, a headless Chromium does it on the page that `vesselkit review-page` wrote, with strokes along
what the synthetic truth has and the mask lacks, and hands in what the page downloads. Pictures go to docs/images.
"""

import argparse
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from helpers.cli.app import main as vesselkit
from helpers.core.errors import VesselkitError
from helpers.core.paths import project_root
from helpers.data.dataset import open_dataset
from helpers.runs.run_folder import open_run
from scripts.correcting_reader import strokes
from tests.support.browser import chromium
from tests.support.correcting import set_size, stroke

PLACE, REVIEW = "outputs/tutorial", "vesselkit review "
WORST, CASE, READER = "P918-S01-F002", "P912-S02-F006", "ann"
_BLOCK = re.compile(r"^```\n(.*?)^```", re.DOTALL | re.MULTILINE)
_WIDTH, _QUALITY = 1100, 80


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    given = parser.parse_args()
    root = project_root()
    for line in tutorial_lines((root / "docs" / "tutorial.md").read_text(encoding="utf-8")):
        words = [word.replace(PLACE, str(given.folder)) for word in shlex.split(line)[1:]]
        made = [Path(word) for before, word in zip(words, words[1:], strict=False) if before == "--output"]
        if line.startswith(REVIEW):
            correct_on_the_page(words, given.folder, root / "docs" / "images" / "tutorial-correct.jpg")
        elif not any(path.exists() for path in made):
            run(words)
    for name, source in (
        ("tutorial-worst.jpg", given.folder / "pictures" / f"{WORST}.png"),
        ("tutorial-corrected.jpg", given.folder / "corrected-pictures" / f"{CASE}.png"),
    ):
        lessened(Image.open(source), root / "docs" / "images" / name)


def tutorial_lines(text: str) -> Iterator[str]:
    """The `vesselkit` lines in the blocks of a page, continued ones joined."""
    for block in _BLOCK.findall(text):
        for line in re.sub(r"\\\n\s*", "", block).splitlines():
            if line.startswith("vesselkit "):
                yield line


def run(words: list[str]) -> None:
    """A line of the command line. Raises VesselkitError where it ends otherwise than well."""
    try:
        vesselkit(words)
    except SystemExit as ended:
        if ended.code:
            raise VesselkitError(f"{shlex.join(words)}: ended with {ended.code}") from ended


def correct_on_the_page(words: list[str], folder: Path, picture: Path) -> None:
    """Correct one case as a reader does, take a picture of the viewer meanwhile, and hand the correction in.

    Args:
        words: of the tutorial's `review` line.
        folder: that the tutorial's results lie in.
    """
    of_run, data = Path(words[1]), Path(words[words.index("--data") + 1])
    page_file, taken = folder / "review.html", folder / "drawn.jsonl"
    metrics = words[words.index("--metrics") + 1]
    if not page_file.is_file():
        run(["review-page", str(of_run), "--data", str(data), "--metrics", metrics, "--output", str(page_file)])
    case = next(one for one in open_dataset(data).cases if one.case_id == CASE)
    opened = open_run(of_run)
    mask = opened.mask(CASE, next(iter(opened.prompts)))
    if case.truth is None or mask is None:
        raise VesselkitError(f"{CASE}: expected a mask and a ground truth, found one of them missing")
    height, width = mask.shape
    with chromium() as browser:
        page = browser.new_context(viewport={"width": 1500, "height": 950}, accept_downloads=True).new_page()
        page.goto(page_file.resolve().as_uri())
        page.wait_for_selector(".vk-id")
        page.fill("[data-control=reviewer]", READER)
        page.keyboard.press("Escape")
        place = sorted(opened.cases()).index(CASE)
        page.select_option("[data-control=sort]", "")  # by case id
        page.eval_on_selector(
            "[data-control=case]",
            "(slider, value) => { slider.value = value; slider.dispatchEvent(new Event('input')); }",
            str(place + 1),
        )
        page.wait_for_function("name => document.querySelector('.vk-id').textContent === name", arg=CASE)
        page.wait_for_timeout(500)
        page.keyboard.press("E")
        for tool, size, points in strokes(mask, np.asarray(case.truth.mask(width, height))):
            page.keyboard.press(tool)
            if size is not None:
                set_size(page, size)
            stroke(page, (width, height), *points)
        lessened(_screenshot(page, folder / "viewer.png"), picture)
        page.keyboard.press("s")
        page.wait_for_function("() => document.querySelector('.vk-card [role=status]').innerText.includes('saved')")
        page.keyboard.press("E")
        with page.expect_download() as waiting:
            page.click("text=Download")
        waiting.value.save_as(taken)
    verdicts = folder / f"{of_run.name}-review" / "review" / of_run.name / "verdicts"
    run(["review", str(of_run), "--data", str(data), "--verdicts", str(verdicts), "--import", str(taken)])


def _screenshot(page, path: Path) -> Image.Image:
    page.screenshot(path=path)
    return Image.open(path)


def lessened(picture: Image.Image, path: Path) -> None:
    """Keep a picture for a page of the docs: as JPEG, no wider than a page shows it."""
    picture = picture.convert("RGB")
    picture.thumbnail((_WIDTH, picture.height), Image.Resampling.LANCZOS)
    picture.save(path, quality=_QUALITY)


if __name__ == "__main__":
    main()
