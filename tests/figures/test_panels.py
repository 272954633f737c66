"""The 4-panel picture: what is drawn, what is said where something is missing, and what is refused."""

import io

import numpy as np
import pytest
from PIL import Image

from helpers.errors import UsageProblem
from helpers.figures.panels import (
    COLOUR_BLIND_SAFE,
    GroundTruth,
    PanelCase,
    PredictedMask,
    contact_sheet,
    four_panel,
    png_bytes,
    save_panel,
    tint,
)

IMAGE = Image.new("L", (3, 2), 100)
TRUTH = GroundTruth(np.array([[1, 1, 0], [0, 0, 0]], bool))
PREDICTION = PredictedMask(np.array([[0, 1, 1], [0, 0, 0]], bool))


def axes_of(figure, row=0):
    return figure.subfigs[row].axes


def words(figure):
    return " ".join(text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text")))


def drawn(axis):
    return np.asarray(axis.images[0].get_array())


def test_four_panels_with_opaque_colours():
    figure = four_panel(IMAGE, TRUTH, PREDICTION, case_id="case_0001", status="ok", opacity=1.0)
    axes = axes_of(figure)
    assert [axis.get_title() for axis in axes] == ["Original", "Ground truth", "Prediction", "Overlay"]
    grey = pytest.approx([100 / 255] * 3)
    assert drawn(axes[0])[0, 0] == grey
    assert drawn(axes[1])[0, 0].tolist() == [1, 0, 0] and drawn(axes[1])[0, 2] == grey
    assert drawn(axes[2])[0, 2] == pytest.approx([0, 0.85, 0]) and drawn(axes[2])[0, 0] == grey
    overlay = drawn(axes[3])
    assert overlay[0, 0] == pytest.approx(COLOUR_BLIND_SAFE.missed)
    assert overlay[0, 1] == pytest.approx(COLOUR_BLIND_SAFE.both)
    assert overlay[0, 2] == pytest.approx(COLOUR_BLIND_SAFE.false)
    assert overlay[1, 1] == grey


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
        "both",
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
    assert "no ground truth" in axes_of(figure)[3].texts[0].get_text()


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


def test_tint_leaves_the_frame_alone():
    frame = np.zeros((2, 3, 3), np.float32)
    tinted = tint(frame, [(TRUTH.mask, (1.0, 0.0, 0.0))], 0.5)
    assert frame.max() == 0 and tinted[0, 0].tolist() == [0.5, 0, 0] and tinted[1].max() == 0
