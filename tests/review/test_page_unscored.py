"""Pixels that the ground truth leaves unscored, in a real browser: striped grey, in no score, never false or missed."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from helpers.metrics.overlap import count_pixels, overlap_scores
from helpers.review.figures.mask_drawing import COLOUR_BLIND_SAFE, hatch
from helpers.review.page import write_page
from helpers.review.review_source import open_source
from tests.support.review_runs import GRIDDED, HEIGHT, SAME, WIDTH, write_data, write_run

GREY = np.rint(255 * np.array(COLOUR_BLIND_SAFE.unscored))
LEFT = np.zeros((HEIGHT, WIDTH), bool)
LEFT[:, :40] = True


@dataclass(frozen=True)
class Partly:
    """A truth whose left side is not scored."""

    vessel: np.ndarray
    size = None

    def mask(self, width, height):
        return self.vessel

    def ignored(self, width, height):
        return LEFT

    def rescaled_ignored(self, width, height, made_for=None):
        return LEFT


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("unscored")
    data = write_data(folder / "data")
    run = write_run(folder / "run")
    masks = open_source(run, data).scored_runs[0].run
    # The same mask where it is scored, and another one where it is not.
    truths = {SAME: masks.mask(SAME, "p1") & ~LEFT}
    cases = [
        replace(one, truth=Partly(truths.get(one.case_id, one.truth.mask(WIDTH, HEIGHT)))) if one.truth else one
        for one in data.cases
    ]
    source = open_source(run, replace(data, cases=tuple(cases)))
    return source, write_page(source, folder / "review.html", case_ids=None)


def test_they_have_grey_stripes_and_no_colour_of_an_error(opened, made):
    view = made[0].view(GRIDDED)
    truth, mask = view.truth.mask, view.predictions[0].mask.mask
    assert (mask & LEFT).any() and (truth & LEFT).any()
    opened.case(GRIDDED)
    striped, plain = hatch(LEFT), np.asarray(view.image.convert("RGB"))
    overlay = opened.frame(3)
    assert (np.abs(overlay[striped] - GREY) <= 1).all()
    assert np.array_equal(overlay[LEFT & ~striped], plain[LEFT & ~striped])
    assert np.array_equal(opened.coloured(3), (truth | mask) & ~LEFT)
    assert (np.abs(opened.frame(1)[striped & ~truth] - GREY) <= 1).all()
    assert np.array_equal(opened.coloured(1), truth) and np.array_equal(opened.coloured(2), mask)
    opened.page.keyboard.down(" ")
    opened.settle()
    assert all(np.array_equal(opened.frame(place), plain) for place in (1, 3))
    opened.page.keyboard.up(" ")


def test_scores_and_the_warning_leave_them_out_and_the_legend_names_them(opened, made):
    view = made[0].view(GRIDDED)
    opened.case(GRIDDED)
    scored = [mask[~LEFT][None] for mask in (view.truth.mask, view.predictions[0].mask.mask)]
    assert opened.text("[data-score=dice]") == f"{overlap_scores(count_pixels(*scored))['dice']:.3f}"
    legends = [
        opened.page.get_attribute(f"figure:has([data-panel='{place}']) .vk-legend", "title") for place in range(4)
    ]
    assert ["not scored" in one for one in legends] == [False, True, False, True]
    opened.case(SAME)
    assert opened.text("[data-score=dice]") == "1.000"
    assert opened.page.locator("text=identical to the ground truth: check its origin").is_visible()
