"""Several runs beside each other on the page from the disk."""

import numpy as np
import pytest

from helpers.core.vocabulary import Combine
from helpers.review.logit_coding import coded_map
from helpers.review.page import write_page
from helpers.review.review_source import open_source
from tests.support.opened_page import open_page
from tests.support.review_runs import CASES, FAILED, GRIDDED, write_data, write_run


@pytest.fixture(scope="module")
def several(tmp_path_factory):
    """A review with a run in its place and two beside it, and the page."""
    folder = tmp_path_factory.mktemp("several")
    data = write_data(folder / "data")
    others = [write_run(folder / name, seed=seed, threshold=0.4) for name, seed in (("track", 5), ("fused", 9))]
    against = write_run(folder / "other", seed=7)
    source = open_source(write_run(folder / "run"), data, against=against, beside=others)
    return source, write_page(source, folder / "review.html")


@pytest.fixture
def beside(several, browser):
    yield from open_page(browser, several[1])


def dice_of(mask, truth):
    return f"{2 * (mask & truth).sum() / (mask.sum() + truth.sum()):.3f}"


def test_runs_beside_have_panels_with_their_masks_and_dice_at_every_threshold(beside, several):
    source, _ = several
    runs = {2: source.scored_runs[0].run, 4: source.beside[0].run, 5: source.beside[1].run}
    captions = "figure:not([hidden]) figcaption b"
    assert beside.page.eval_on_selector_all(captions, "all => all.map((one) => one.textContent)") == [
        "Original", "Ground truth", "Prediction", "Overlay", "track", "fused",
    ]  # fmt: skip
    beside.case(GRIDDED)
    truth = source.view(GRIDDED).truth.mask
    for panel, run in runs.items():
        mask = run.mask(GRIDDED, "p1")
        assert np.array_equal(beside.coloured(panel), mask)  # its own threshold, as it was scored
        assert beside.text(f"[data-dice='{panel}']") == dice_of(mask, truth)
    beside.move("threshold", 0.9)
    for panel, run in runs.items():
        mask = coded_map(run.logits(GRIDDED, "p1"), Combine.UNION, [None]).mask(0.9)
        assert np.array_equal(beside.coloured(panel), mask)
        assert beside.text(f"[data-dice='{panel}']") == dice_of(mask, truth)
    assert len({beside.text(f"[data-dice='{panel}']") for panel in runs}) == 3


def test_runs_beside_play_in_step(beside, several):
    source, _ = several
    first, second = CASES[:2]
    beside.case(first)
    beside.press("y")
    beside.wait(lambda: beside.page.evaluate("document.body.dataset.drawn") == second)
    beside.press("y")
    beside.wait(lambda: beside.page.evaluate("document.body.dataset.drawn") == beside.text(".vk-id"))
    shown = beside.text(".vk-id")
    assert shown in (first, second)
    for panel, scored_run in ((2, source.scored_runs[0]), (4, source.beside[0]), (5, source.beside[1])):
        assert np.array_equal(beside.coloured(panel), scored_run.run.mask(shown, "p1"))


def test_runs_beside_say_what_is_missing_and_leave_the_screen_when_blind(beside):
    beside.case(FAILED)
    assert all("no prediction: no_seg" in beside.notes()[panel] for panel in (2, 4, 5))
    assert [beside.text(f"[data-dice='{panel}']") for panel in (2, 4, 5)] == ["–"] * 3
    beside.case(GRIDDED)
    canvas = beside.page.locator("canvas[data-panel='4']")
    assert canvas.is_visible()
    beside.press("x")
    assert not canvas.is_visible() and "track" not in beside.text(".vesselkit-review")
    beside.press("x")
    assert canvas.is_visible() and beside.coloured(4).any()
