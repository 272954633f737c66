"""The viewer in a real JupyterLab: keys, a slider, verdicts that outlive the kernel."""

import json
import time
import urllib.request

import pytest

from helpers.review.corrections.store import CorrectionStore
from helpers.review.verdicts import read_lines
from tests.support.correcting import stroke
from tests.support.review_runs import CASES, HEIGHT, WIDTH, write_data, write_run
from tests.support.servers import lab, write_notebook
from tests.support.shipped_notebooks import REVIEW
from tests.support.viewer_controls import TELL_WHAT_IS_DRAWN, try_all, wait_until_drawn

CELLS_S = 180
PLACE = "vesselkit-place"


def run_all(page):
    """All cells in a fresh kernel, until the viewer shows a case."""
    page.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status=idle]", timeout=60_000)
    page.keyboard.press("Escape")
    page.locator(".lm-MenuBar-itemLabel", has_text="Kernel").click()
    page.locator(".lm-Menu-itemLabel", has_text="Restart Kernel and Run All Cells").click()
    page.click(".jp-Dialog button.jp-mod-warn, .jp-Dialog button.jp-mod-accept")
    page.wait_for_function("() => !document.querySelector('.vesselkit-review')", timeout=60_000)
    page.evaluate("() => { delete document.body.dataset.drawn; }")
    page.wait_for_selector(".vesselkit-review [data-score=dice]", timeout=CELLS_S * 1000)
    page.locator(".vesselkit-review").scroll_into_view_if_needed()
    wait_until_drawn(page)


def loaded_again(page):
    """The page anew, at the cell of the viewer, which JupyterLab makes only when it is near."""
    page.reload()
    page.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status=idle]", timeout=60_000)
    end = time.monotonic() + 60
    while not page.query_selector(".vesselkit-review, .vesselkit-place"):
        assert time.monotonic() < end, "neither the viewer nor what is to be run stands in its place"
        page.mouse.move(800, 500)
        page.mouse.wheel(0, 400)
        page.wait_for_timeout(200)
    page.locator(".jp-OutputArea:has(.vesselkit-place)").scroll_into_view_if_needed()
    page.wait_for_timeout(500)


def end_kernels(address):
    with urllib.request.urlopen(f"{address}/api/sessions") as answer:
        sessions = json.load(answer)
    for one in sessions:
        urllib.request.urlopen(urllib.request.Request(f"{address}/api/sessions/{one['id']}", method="DELETE")).close()


def found_again(page, root):
    """The correction of the first case, on the screen as on the disk."""
    page.wait_for_selector("figure:has([data-panel='5']) .vk-legend:has-text('corrected')")
    assert page.inner_text(".vk-corrected") == "corrected"
    store = CorrectionStore(root / "outputs/demo/review/run/corrections")
    record = store.standing()["ann"][CASES[0]]
    mask = store.mask(record)
    assert mask[3:8, 10].all() and mask[3:8, 28].all() and not mask[5, 18:23].any()
    assert record.tools == ("brush", "eraser") and record.truth_seen and record.base.began_from == "prediction"


def wait(reached):
    end = time.monotonic() + 60
    while not reached():
        assert time.monotonic() < end
        time.sleep(0.1)


@pytest.mark.slow
@pytest.mark.longest
def test_keys_sliders_and_verdicts_in_jupyterlab(browser, tmp_path):
    root, folder = tmp_path / "root", tmp_path / "lab"
    folder.mkdir()
    write_data(root / "data")
    write_run(root / "outputs/demo/predict/run")
    write_run(root / "outputs/demo/predict/other", seed=7)
    write_run(root / "outputs/demo/predict/third", seed=9)
    named = {"predictions": "run", "against": ["other"], "beside": ["third"]}
    write_notebook(REVIEW, folder / "review.ipynb", data="data", reviewer="ann", **named)
    verdicts = root / "outputs/demo/review/run/verdicts/ann.jsonl"
    context = browser.new_context(viewport={"width": 1500, "height": 1000})
    page = context.new_page()
    page.add_init_script(TELL_WHAT_IS_DRAWN)
    try:
        with lab(folder, root) as address:
            page.goto(f"{address}/lab/tree/review.ipynb?reset", timeout=60_000)
            page.wait_for_selector(".jp-NotebookPanel", timeout=60_000)
            page.wait_for_selector(".jp-RenderedMarkdown h1", timeout=60_000)
            run_all(page)
            viewer = page.locator(".vesselkit-review")
            viewer.focus()
            assert page.inner_text("figure:has([data-panel='4']) figcaption b") == "third"
            assert 0 < float(page.inner_text("[data-dice='4']")) < 1
            # r, a and z mean other things in JupyterLab's own command mode
            for key, said in {"3": "", "r": "reject", "f": "fix", "a": "accept", "z": "taken back"}.items():
                page.keyboard.press(key)
                page.wait_for_selector(f".vk-card [role=status]:text('{said}')", timeout=60_000, state="attached")
                wait_until_drawn(page)
            assert page.inner_text(".vk-progress") == "ann: 2 of 6 reviewed, 1 rejected"
            found = read_lines(verdicts)
            assert [one.verdict for one in found] == ["reject", "fix", "accept", None]
            assert found[0].reasons == ("broken vessel",) and found[0].case_id == CASES[0]
            page.keyboard.press("Home")
            page.wait_for_function("(id) => document.querySelector('.vk-id').textContent === id", arg=CASES[0])
            wait_until_drawn(page)
            before = page.inner_text("[data-score=precision]")
            for _ in range(60):
                page.keyboard.press("ArrowDown")
            changed = "(before) => document.querySelector('[data-score=precision]').textContent !== before"
            page.wait_for_function(changed, arg=before)
            cells = page.locator(".jp-Notebook-cell, .jp-Cell").count()
            page.keyboard.press("d")
            page.keyboard.press("d")  # would delete a cell in command mode
            assert page.locator(".jp-Notebook-cell, .jp-Cell").count() == cells
            page.screenshot(path=tmp_path / "lab.png")
            page.keyboard.press("E")
            stroke(page, (WIDTH, HEIGHT), (10, 5), (30, 5), panel=5)
            page.keyboard.press("e")
            stroke(page, (WIDTH, HEIGHT), (20, 0), (20, 12), panel=5)
            page.keyboard.press("x")
            stroke(page, (WIDTH, HEIGHT), (28, 5), panel=5)
            page.keyboard.press("z")  # the piece is there again
            page.screenshot(path=tmp_path / "correcting.png")
            page.keyboard.press("s")
            page.wait_for_selector(".vk-card [role=status]:text('the correction is saved')", timeout=60_000)
            page.keyboard.press("E")
            page.keyboard.press("Control+s")
            wait(lambda: PLACE in (folder / "review.ipynb").read_text())
            loaded_again(page)
            page.wait_for_selector(".vesselkit-review .vk-progress")
            assert page.inner_text(".vk-progress") == "ann: 2 of 6 reviewed, 1 rejected, 1 corrected"
            assert page.is_hidden(".vesselkit-place")
            found_again(page, root)
            end_kernels(address)
            loaded_again(page)
            page.wait_for_selector(".vesselkit-place")
            beside = page.locator(".jp-OutputArea:has(.vesselkit-place)")
            assert beside.inner_text().strip() == page.inner_text(".vesselkit-place")
            page.screenshot(path=tmp_path / "gone.png")
            run_all(page)
            assert page.inner_text(".vk-progress") == "ann: 2 of 6 reviewed, 1 rejected, 1 corrected"
            found_again(page, root)
            page.screenshot(path=tmp_path / "again.png")
            try_all(page)
            assert page.locator(".jp-Notebook-cell, .jp-Cell").count() == cells
    finally:
        page.screenshot(path=tmp_path / "end.png")
        context.close()
