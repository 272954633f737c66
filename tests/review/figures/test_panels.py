"""The 4-panel picture: what is drawn, what is said where something is missing, and what is refused."""

import io
from unittest.mock import patch

import numpy as np
import pytest
from matplotlib.text import Text
from PIL import Image

from helpers.core.errors import UsageProblem
from helpers.review.figures.mask_drawing import COLOUR_BLIND_SAFE
from helpers.review.figures.panels import (
    GroundTruth,
    PanelCase,
    PredictedMask,
    contact_sheet,
    four_panel,
    png_bytes,
    save_panel,
)
from helpers.review.figures.sheet_layout import MaskStyle

IMAGE = Image.new("L", (3, 2), 100)
TRUTH = GroundTruth(np.array([[1, 1, 0], [0, 0, 0]], bool))
PREDICTION = PredictedMask(np.array([[0, 1, 1], [0, 0, 0]], bool))


FACTOR = 86  # of a frame 3 pixels wide


def axes_of(figure, row=0):
    return figure.subfigs[row].axes


def words(figure):
    return " ".join(text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text")))


def drawn(axis):
    """The panel's picture with a pixel for each of the frame, uint8: the middle one of those that show it."""
    return np.asarray(axis.images[0].get_array())[FACTOR // 2 :: FACTOR, FACTOR // 2 :: FACTOR]


def box(figure, axis):
    """Where a panel is in the picture at 100 dots per inch: rows, columns."""
    found = axis.get_window_extent().transformed(figure.dpi_scale_trans.inverted())
    left, right = (round(part * 100) for part in (found.x0, found.x1))
    top, bottom = (round((figure.get_figheight() - part) * 100) for part in (found.y1, found.y0))
    return slice(top, bottom), slice(left, right)


def pixels(figure):
    return np.asarray(Image.open(io.BytesIO(png_bytes(figure))).convert("RGB"))


def test_four_panels_with_opaque_colours():
    figure = four_panel(IMAGE, TRUTH, PREDICTION, case_id="case_0001", status="ok", opacity=1.0, style=MaskStyle.FILL)
    axes = axes_of(figure)
    assert [axis.get_title() for axis in axes] == ["Original", "Ground truth", "Prediction", "Overlay"]
    grey = [100, 100, 100]
    assert drawn(axes[0])[0, 0].tolist() == grey
    assert drawn(axes[1])[0, 0].tolist() == [255, 0, 0] and drawn(axes[1])[0, 2].tolist() == grey
    assert drawn(axes[2])[0, 2].tolist() == [0, 217, 0] and drawn(axes[2])[0, 0].tolist() == grey
    overlay = drawn(axes[3]) / 255
    assert overlay[0, 0] == pytest.approx(COLOUR_BLIND_SAFE.missed, abs=0.002)
    assert overlay[0, 1] == pytest.approx(COLOUR_BLIND_SAFE.both, abs=0.002)
    assert overlay[0, 2] == pytest.approx(COLOUR_BLIND_SAFE.false, abs=0.002)
    assert drawn(axes[3])[1, 1].tolist() == grey


@pytest.mark.parametrize(("width", "height"), [(300, 277), (513, 40), (256, 512), (100, 60), (9, 11)])
def test_a_panel_has_exactly_the_frames_pixels_or_a_whole_multiple(width, height):
    frame = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    nothing = np.zeros((height, width), bool)
    figure = four_panel(Image.fromarray(frame), GroundTruth(nothing), PredictedMask(nothing), case_id="c", status="ok")
    shown = pixels(figure)
    factor = -(-256 // max(width, height))
    for axis in axes_of(figure):
        rows, columns = box(figure, axis)
        panel = shown[rows, columns]
        assert np.array_equal(panel, frame.repeat(factor, 0).repeat(factor, 1))
        around = shown[rows.start - 1 : rows.stop + 1, columns.start - 1 : columns.stop + 1]
        assert (around[[0, -1]] == 255).all() and (around[:, [0, -1]] == 255).all()


def test_the_scale_multiplies_each_pixel_and_keeps_the_size_in_inches():
    frame = np.random.default_rng(0).integers(0, 256, (260, 300, 3), dtype=np.uint8)
    figures = [
        four_panel(Image.fromarray(frame), None, None, case_id="c", status="ok", dpi=dpi) for dpi in (100, 200, 50)
    ]
    one, two, half = (Image.open(io.BytesIO(png_bytes(figure))) for figure in figures)
    assert two.size == (2 * one.width, 2 * one.height) and abs(half.width - one.width / 2) < 1
    assert [round(found.info["dpi"][0]) for found in (one, two, half)] == [100, 200, 50]
    rows, columns = (slice(2 * part.start, 2 * part.stop) for part in box(figures[0], axes_of(figures[0])[0]))
    assert np.array_equal(np.asarray(two.convert("RGB"))[rows, columns], frame.repeat(2, 0).repeat(2, 1))
    with pytest.raises(UsageProblem, match="dpi: expected 10 to 1200, got 5"):
        four_panel(IMAGE, TRUTH, None, case_id="c", status="ok", dpi=5)


def test_a_sheet_too_large_is_drawn_smaller_and_says_so():
    with patch("helpers.review.figures.panels._MOST_PIXELS", 100_000):
        figure = four_panel(IMAGE, TRUTH, PREDICTION, case_id="c", status="ok")
    assert figure.dpi < 100 and f"panels at 1/{round(100 / figure.dpi)} of the scale" in words(figure)
    assert "of the scale" not in words(four_panel(IMAGE, TRUTH, PREDICTION, case_id="c", status="ok"))


def test_contours_leave_every_pixel_of_the_mask_as_the_frame_has_it():
    frame = np.full((300, 300), 100, np.uint8)
    mask = np.zeros((300, 300), bool)
    mask[100, 50:250] = True  # a vessel one pixel wide
    figure = four_panel(
        Image.fromarray(frame), GroundTruth(mask), PredictedMask(mask.T.copy()), case_id="c", status="ok"
    )
    shown = pixels(figure)
    truth, predicted = (shown[box(figure, axis)] for axis in axes_of(figure)[1:3])
    assert (truth[mask] == 100).all() and (predicted[mask.T] == 100).all()
    assert (truth[99, 50:250] == [255, 0, 0]).all() and (truth[101, 50:250] == [255, 0, 0]).all()
    assert (predicted[50:250, 99] == [0, 217, 0]).all()
    red = (truth != 100).any(-1)
    assert red.sum() == 402 and not (predicted == [255, 0, 0]).all(-1).any()


def test_pixels_that_are_not_scored_are_neither_missed_nor_false():
    frame = Image.new("L", (300, 300), 100)
    truth, predicted, ignored = (np.zeros((300, 300), bool) for _ in range(3))
    truth[:40, 100:140] = predicted[:40, :40] = True
    predicted[200:240, :40] = True
    ignored[:100] = True
    case = PanelCase(frame, GroundTruth(truth, ignored), PredictedMask(predicted), "c", "ok")
    figure = contact_sheet([case])
    shown = pixels(figure)
    original, annotated, prediction, overlay = (shown[box(figure, axis)] for axis in axes_of(figure))
    grey = round(255 * COLOUR_BLIND_SAFE.unscored[0])
    assert set(np.unique(overlay[:100])) == {100, grey} and 0.4 < (overlay[:100] == grey).all(-1).mean() < 0.6
    assert (overlay[200:240, :40] != 100).any(-1).all(), "false where it is scored"
    assert (annotated[60:90] == grey).all(-1).any() and (original == 100).all()
    assert not (prediction == grey).all(-1).any(), "the prediction's panel knows nothing of the truth"
    assert "not scored" in words(figure)
    assert "not scored" not in words(four_panel(frame, GroundTruth(truth), None, case_id="c", status="ok"))
    assert "IDENTICAL" not in case.title
    same = PanelCase(frame, GroundTruth(predicted & ~ignored, ignored), PredictedMask(predicted), "c", "ok")
    assert "IDENTICAL" in same.title, "all that is scored is the same"
    with pytest.raises(TypeError, match=r"ignored pixels: expected shape \(2, 3\), got \(3, 2\)"):
        GroundTruth(TRUTH.mask, TRUTH.mask.T.copy())


def test_words_can_be_read_where_a_page_shrinks_the_picture():
    for side in (40, 300, 512, 1024):
        figure = four_panel(Image.new("L", (side, side)), None, None, case_id="c", status="ok")
        width = figure.get_figwidth()
        sizes = [text.get_fontsize() / 72 / width * 1000 for text in figure.findobj(Text) if text.get_text()]
        assert min(sizes) > 9, "pixels in a page 1000 pixels wide"


def test_title_and_legend():
    scores = {"Dice": 0.5, "clDice": None}
    text = words(four_panel(IMAGE, TRUTH, PREDICTION, case_id="case_0001", status="ok", scores=scores))
    for expected in (
        "case_0001",
        "ok",
        "Dice 0.500",
        "clDice n/a",
        "missed (truth only)",
        "false (prediction only)",
        "found (both)",
    ):
        assert expected in text


def test_missing_ground_truth_is_an_empty_labelled_panel():
    figure = four_panel(IMAGE, None, PREDICTION, case_id="case_0001", status="ok")
    axes = axes_of(figure)
    assert not axes[1].images and axes[1].texts[0].get_text() == "no ground truth"
    assert np.array_equal(drawn(axes[3]), drawn(axes[2]))


def test_missing_prediction_says_why_and_draws_no_truth_in_its_place():
    figure = four_panel(IMAGE, TRUTH, None, case_id="case_0001", status="no_seg")
    axes = axes_of(figure)
    assert not axes[2].images and axes[2].texts[0].get_text() == "no prediction: no_seg"
    assert np.array_equal(drawn(axes[3]), drawn(axes[1]))


def test_neither():
    figure = four_panel(IMAGE, None, None, case_id="case_0001", status="read_error")
    assert [len(axis.images) for axis in axes_of(figure)] == [1, 0, 0, 0]
    assert axes_of(figure)[3].texts[0].get_text() == "no ground truth,\nno prediction: read_error"


def test_truth_and_prediction_cannot_be_swapped():
    with pytest.raises(TypeError, match="truth: expected GroundTruth or None, got PredictedMask"):
        four_panel(IMAGE, PREDICTION, None, case_id="case_0001", status="ok")
    with pytest.raises(TypeError, match="prediction: expected PredictedMask or None, got GroundTruth"):
        four_panel(IMAGE, None, TRUTH, case_id="case_0001", status="ok")
    with pytest.raises(TypeError, match="got ndarray"):
        four_panel(IMAGE, TRUTH.mask, None, case_id="case_0001", status="ok")


@pytest.mark.parametrize("mask", [np.zeros((2, 3)), np.zeros((1, 2, 3), bool), [[True]]])
def test_masks_are_bool_planes(mask):
    with pytest.raises(TypeError, match="bool array"):
        GroundTruth(mask)


def test_sizes_must_agree():
    with pytest.raises(UsageProblem, match=r"case_0001: truth mask has shape \(3, 2\), the image \(2, 3\)"):
        four_panel(IMAGE, GroundTruth(TRUTH.mask.T.copy()), None, case_id="case_0001", status="ok")


def test_a_prediction_equal_to_its_truth_is_flagged():
    same = PredictedMask(TRUTH.mask.copy())
    assert "IDENTICAL" in words(four_panel(IMAGE, TRUTH, same, case_id="case_0001", status="ok"))
    assert "IDENTICAL" not in words(four_panel(IMAGE, TRUTH, PREDICTION, case_id="case_0001", status="ok"))
    empty = np.zeros_like(TRUTH.mask)
    none = four_panel(IMAGE, GroundTruth(empty), PredictedMask(empty), case_id="case_0001", status="empty_mask")
    assert "IDENTICAL" not in words(none)


def test_contact_sheet_has_a_row_for_each_case_and_one_legend():
    cases = [PanelCase(IMAGE, TRUTH, PREDICTION, f"case_{index:04d}", "ok") for index in (1, 2, 3)]
    figure = contact_sheet(cases, heading="Worst cases")
    assert len(figure.subfigs) == 3 and len(figure.legends) == 1
    assert all(len(axes_of(figure, row)) == 4 for row in range(3))
    assert "case_0003" in words(figure) and "Worst cases" in words(figure)
    with pytest.raises(UsageProblem, match="at least one case"):
        contact_sheet([])
    with pytest.raises(UsageProblem, match="opacity"):
        contact_sheet(cases, opacity=2.0)


def test_saved_png_holds_no_metadata(tmp_path):
    figure = four_panel(IMAGE, TRUTH, PREDICTION, case_id="$case_0001$ <b>", status="ok")
    path = save_panel(figure, tmp_path / "case_0001.png")
    with Image.open(path) as image:
        image.load()
        assert set(image.info) <= {"dpi"} and image.width > image.height
    content = path.read_bytes()
    assert b"tEXt" not in content and b"atplotlib" not in content and str(tmp_path).encode() not in content
    assert png_bytes(figure) == content
    with pytest.raises(UsageProblem, match=r".png"):
        save_panel(figure, tmp_path / "case_0001.svg")


def test_panels_are_not_blank():
    image = Image.open(io.BytesIO(png_bytes(four_panel(IMAGE, TRUTH, PREDICTION, case_id="c", status="ok"))))
    assert len(image.convert("RGB").getcolors(2**20)) > 10
