from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from helpers.core.errors import UsageProblem
from helpers.data.cases import Case
from helpers.data.frames.frame import Frame
from helpers.data.truth.ground_truth import PolygonTruth
from helpers.review.case_panels import case_panel, frame_and_truth, truth_of, with_scores

SQUARE = PolygonTruth(((1.0, 1.0, 3.0, 1.0, 3.0, 3.0, 1.0, 3.0),))


@pytest.fixture
def frame(tmp_path):
    Image.new("L", (6, 4), 90).save(tmp_path / "f.png")
    return Frame("c1", tmp_path / "f.png")


def test_a_case_has_its_frame_truth_and_mask(frame):
    mask = np.zeros((4, 6), bool)
    panel = case_panel(Case(frame, SQUARE), mask, "ok")
    assert panel.image.size == (6, 4) and panel.truth.mask.sum() == 4 and panel.prediction.mask is mask
    assert (panel.case_id, panel.status, panel.scores, panel.note) == ("c1", "ok", {}, "")
    assert case_panel(Case(frame), None, "no_seg").prediction is None


def test_a_frame_that_cannot_be_read_has_no_panel(tmp_path):
    case = Case(Frame("c1", Path(tmp_path / "none.png")), SQUARE)
    assert frame_and_truth(case) == (None, None) and case_panel(case, None, "unreadable") is None


def test_a_mask_of_another_size_is_refused(frame):
    with pytest.raises(UsageProblem, match="c1: prediction mask has shape"):
        case_panel(Case(frame), np.zeros((6, 4), bool), "ok")


def test_a_truth_that_does_not_fit_leaves_its_panel_empty_and_says_why(frame):
    case = Case(frame, PolygonTruth(SQUARE.polygons, (12, 8)))
    assert case_panel(case, None, "ok").truth is None
    assert truth_of(Case(frame), 6, 4) == (None, "no ground truth")
    assert truth_of(case, 6, 4)[1].startswith("the ground truth does not fit its frame")
    assert truth_of(case, 64, 64, has_frame=False) == (None, "not shown: its frame cannot be read")


def test_scores_are_those_of_the_row_with_what_training_saw(frame):
    panel = with_scores(case_panel(Case(frame), None, "ok"), {"dice": 0.5, "hd95_px": None, "nsd_1px": 1.0}, "training")
    assert panel.scores == {"Dice": 0.5, "HD95 px": None} and "TRAINING" in panel.note
