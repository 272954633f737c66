"""The viewer alone, on a page of Voila's."""

import re

import pytest

from helpers.core import paths
from helpers.notebook.serve import main, served_notebook
from helpers.review.corrections.store import CorrectionStore
from helpers.review.verdicts import read_lines
from tests.support.correcting import stroke
from tests.support.review_runs import CASES, HEIGHT, WIDTH, write_data, write_run
from tests.support.servers import START_S, voila
from tests.support.shipped_notebooks import REVIEW, ROOT
from tests.support.viewer_controls import PATIENCE_S, PICTURES, TELL_WHAT_IS_DRAWN, wait_until_drawn


def test_only_the_cells_that_lead_to_the_viewer_are_served():
    node = served_notebook(REVIEW, {"reviewer": "ann"})
    assert all(cell.cell_type == "code" for cell in node.cells)
    assert 'reviewer = "ann"' in node.cells[2].source and node.cells[-1].source == "review.show()"
    assert not any("write_page" in cell.source or "sheet(" in cell.source for cell in node.cells)


def test_unknown_parameters_are_refused_before_anything_starts(monkeypatch, capsys):
    monkeypatch.setenv(paths.ROOT_VARIABLE, str(ROOT))
    assert main(["-p", "revewer", "ann"]) == 2
    assert "did you mean reviewer?" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.longest
@pytest.mark.endurance
def test_a_review_on_voila(browser, tmp_path):
    write_data(tmp_path / "data")
    write_run(tmp_path / "outputs/demo/predict/run")
    (tmp_path / "notebooks").symlink_to(ROOT / "notebooks")
    page = browser.new_page(viewport={"width": 1500, "height": 1000})
    page.add_init_script(TELL_WHAT_IS_DRAWN)
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    try:
        with voila(tmp_path, tmp_path / "log", ["-p", "data", "data", "-p", "reviewer", "ann"]) as address:
            assert "viewer" not in page.request.get(address.split("?")[0]).text()  # without the token
            page.goto(address, timeout=START_S * 1000)  # after the cells before the viewer
            page.wait_for_selector(".vesselkit-review [data-score=dice]", timeout=START_S * 1000)
            for key, counted in {"r": "1 of 6 reviewed, 1 rejected", "a": "2 of 6 reviewed, 1 rejected"}.items():
                wait_until_drawn(page)
                page.keyboard.press(key)  # without a click
                page.wait_for_selector(f".vk-progress:has-text('ann: {counted}')", timeout=PATIENCE_S * 1000)
            page.screenshot(path=tmp_path / "voila.png")
            wait_until_drawn(page)
            page.keyboard.press("E")
            stroke(page, (WIDTH, HEIGHT), (10, 5), (30, 5))
            page.keyboard.press("e")
            stroke(page, (WIDTH, HEIGHT), (20, 0), (20, 12))
            page.keyboard.press("x")
            stroke(page, (WIDTH, HEIGHT), (28, 5))
            page.keyboard.press("z")  # the piece is back
            page.keyboard.press("s")
            page.wait_for_selector(".vk-progress:has-text('1 corrected')", timeout=PATIENCE_S * 1000)
            page.screenshot(path=tmp_path / "correcting.png")
            page.keyboard.press("E")
            page.reload(timeout=START_S * 1000)
            page.wait_for_selector(".vesselkit-review [data-score=dice]", timeout=START_S * 1000)
            page.wait_for_selector(".vk-progress:has-text('1 corrected')", timeout=PATIENCE_S * 1000)
            wait_until_drawn(page)
            page.focus("[data-control=threshold]")
            before = page.evaluate(PICTURES)
            page.keyboard.press("End")
            page.wait_for_function(f"before => ({PICTURES})() !== before", arg=before, timeout=PATIENCE_S * 1000)
    finally:
        page.close()
    store = CorrectionStore(tmp_path / "outputs/demo/review/run/corrections")
    ((case_id, corrected),) = store.standing()["ann"].items()
    assert case_id == CASES[2] and set(corrected.tools) == {"brush", "eraser"} and corrected.width == WIDTH
    mask = store.mask(corrected)
    assert mask[5, 10:17].all() and not mask[0:12, 20].any() and mask[5, 24:31].all()
    records = read_lines(tmp_path / "outputs/demo/review/run/verdicts/ann.jsonl")
    assert [(one.case_id, one.verdict) for one in records[:2]] == [(CASES[0], "reject"), (CASES[1], "accept")]
    assert all(re.match(r"(http|ws)://(localhost|127\.0\.0\.1)[:/]|data:|blob:", url) for url in asked)
