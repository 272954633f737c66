"""The recorded masks of the official implementation, with faults: scores agree with independent code."""

import numpy as np
import pytest
from sklearn.metrics import f1_score, jaccard_score

from helpers.metrics.case_scores import CaseArrays, score_case
from tests.support.drawn_masks import faulty
from tests.support.golden_cases import CASES_WITH_MASKS, load_case
from tests.support.independent_metrics import by_package, cldice_by_points


@pytest.mark.golden
@pytest.mark.parametrize("name", CASES_WITH_MASKS)
def test_scores_of_a_recorded_mask(shared, name):
    truth = load_case(shared, name).mask(0)[0]
    found = faulty(truth, np.random.default_rng(8))
    ours = score_case(CaseArrays(name, truth, found)).values
    assert ours["dice"] == f1_score(truth.ravel(), found.ravel())
    assert ours["iou"] == jaccard_score(truth.ravel(), found.ravel())
    assert ours["cldice"] == pytest.approx(cldice_by_points(truth, found), abs=1e-6)
    shares, farthest = by_package(truth, found, (1.0, 1.0), (1, 2, 3))
    assert [ours["nsd_1px"], ours["nsd_2px"], ours["nsd_3px"]] == pytest.approx(shares, abs=1e-6)
    assert ours["hd95_px"] == pytest.approx(farthest, abs=1e-6)
