"""What stands where in a picture of a film."""

from dataclasses import replace

import numpy as np
from PIL import Image

from helpers.review.figures.mask_drawing import COLOUR_BLIND_SAFE, OPACITY
from helpers.review.figures.panels import GroundTruth
from helpers.review.films.film_frame import CineFrame, Sheet, draw_frame

PAPER = (20, 22, 26)


def frame(truth=True, masks=(True,), image=True, statuses=("ok",), ignored=None):
    """A grey frame of 8 x 8 pixels; truth in the left half, masks in the upper half."""
    left, upper = np.zeros((8, 8), bool), np.zeros((8, 8), bool)
    left[:, :4], upper[:4] = True, True
    return CineFrame(
        "c1",
        Image.new("RGB", (8, 8), (100, 100, 100)) if image else None,
        GroundTruth(left, ignored) if truth else None,
        tuple(upper if mask else None for mask in masks),
        statuses,
    )


def panel(picture, sheet, place):
    """A panel of the picture, quarter by quarter: the colours upper left, upper right, lower left, lower right."""
    left = 4 + place % sheet.columns * (sheet.panel[0] + 4)
    top = 26 + place // sheet.columns * (sheet.panel[1] + 30) + 26
    height, width = sheet.panel[1] // 2, sheet.panel[0] // 2
    middles = [(y + height // 2, x + width // 2) for y, x in ((0, 0), (0, width), (height, 0), (height, width))]
    return [tuple(picture[top + y, left + x].tolist()) for y, x in middles]


def tinted(colour):
    return tuple(round((1 - OPACITY) * 100 + OPACITY * 255 * part) for part in colour)


def test_four_panels_of_one_run():
    sheet = Sheet.of(["run"], 8, 8)
    picture = draw_frame(sheet, frame(), "c1")
    assert picture.dtype == np.uint8 and picture.shape == (*sheet.size[::-1], 3)
    assert picture.shape[0] % 2 == picture.shape[1] % 2 == 0
    assert sheet.titles == ("Original", "Ground truth", "Prediction", "Overlay")
    palette, plain = COLOUR_BLIND_SAFE, (100, 100, 100)
    assert panel(picture, sheet, 0) == [plain] * 4
    assert panel(picture, sheet, 1) == [tinted(palette.truth), plain] * 2
    assert panel(picture, sheet, 2) == [tinted(palette.prediction)] * 2 + [plain] * 2
    assert panel(picture, sheet, 3) == [tinted(palette.both), tinted(palette.false), tinted(palette.missed), plain]


def test_several_runs_are_overlays_side_by_side_in_rows_of_three():
    sheet = Sheet.of(["a", "b", "c"], 8, 8)
    assert sheet.titles[2:] == ("a", "b", "c") and sheet.columns == 3
    picture = draw_frame(sheet, frame(masks=(True, False, True), statuses=("ok", "no_seg", "ok")), "c1")
    assert panel(picture, sheet, 2) == panel(picture, sheet, 4)
    assert panel(picture, sheet, 3)[0] == (70, 74, 82)  # the grey of a panel that says why it is empty


def test_a_gap_is_shown_in_every_panel():
    sheet = Sheet.of(["run"], 8, 8)
    picture = draw_frame(sheet, frame(False, (False,), False, ("read_error",)), "c1")
    assert [panel(picture, sheet, place)[0] for place in range(4)] == [(70, 74, 82)] * 4
    assert (picture > 200).sum() > (draw_frame(sheet, frame(), "c1") > 200).sum()  # words


def test_pixels_that_are_not_scored_are_grey_and_neither_missed_nor_false():
    sheet = Sheet.of(["run"], 8, 8)
    lower = np.zeros((8, 8), bool)
    lower[4:] = True
    plain, hatched = draw_frame(sheet, frame(), "c1"), draw_frame(sheet, frame(ignored=lower), "c1")
    for place in (1, 3):
        left, top, side = 4 + place * (sheet.panel[0] + 4), 52, sheet.panel[1]
        upper, ignored = (
            hatched[top + y : top + y + 100, left : left + side].astype(int) for y in (0, side // 2 + 112)
        )
        assert np.array_equal(upper, plain[top : top + 100, left : left + side])
        if place == 3:
            assert np.ptp(ignored, axis=2).max() == 0, "grey alone"
            assert ignored.min() < 110 and ignored.max() > 150
    assert panel(hatched, sheet, 2) == panel(plain, sheet, 2), "the prediction's panel knows nothing of the truth"
    assert (plain[-22:] != hatched[-22:]).any(), "the legend says so"


def test_without_truth_the_overlay_is_the_prediction():
    sheet = Sheet.of(["run"], 8, 8)
    picture = draw_frame(sheet, frame(truth=False), "c1")
    assert panel(picture, sheet, 2) == panel(picture, sheet, 3)


def test_the_stamp_of_a_demonstration_is_on_it(monkeypatch):
    sheet = Sheet.of(["run"], 8, 8)
    plain = draw_frame(sheet, frame(), "c1")
    monkeypatch.setenv("VESSELKIT_STAMP", "synthetic")
    stamped = draw_frame(sheet, frame(), "c1")
    monkeypatch.delenv("VESSELKIT_STAMP")
    assert np.array_equal(draw_frame(replace(sheet, stamp="synthetic"), frame(), "c1"), stamped)
    changed = np.argwhere((plain != stamped).any(-1))
    assert len(changed) and changed[:, 0].min() >= plain.shape[0] - 26
