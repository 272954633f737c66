"""One case scored in full: values, failures, refusals."""

import numpy as np
import pytest

from helpers.core.errors import RefusedInput
from helpers.evaluation.score_table import scores_table
from helpers.metrics.case_scores import CaseArrays, CaseScoring, mask_digest, score_case
from helpers.metrics.definitions import METRICS
from helpers.metrics.overlap import PixelCounts
from tests.support.drawn_masks import bar

TRUTH = bar(7, 9, rows=slice(3, 4), columns=slice(1, 9))
HALF = bar(7, 9, rows=slice(3, 4), columns=slice(1, 5))


def test_a_line_found_by_half():
    scores = score_case(CaseArrays("c1", TRUTH, HALF, sequence="S1", patient="P1"))
    assert tuple(scores.values) == METRICS
    assert scores.counts == PixelCounts(tp=4, fp=0, fn=4, tn=55)
    expected = {"dice": 2 / 3, "iou": 0.5, "recall": 0.5, "cldice": 2 / 3, "betti0_error": 0, "broken_length_px": 4}
    assert {name: scores.values[name] for name in expected} == pytest.approx(expected)
    assert scores.outcome is CaseScoring.SCORED


def test_scores_do_not_depend_on_the_place_in_the_frame():
    at_edge = score_case(CaseArrays("c1", TRUTH, HALF)).values
    moved = (np.pad(mask, ((4, 9), (11, 2))) for mask in (TRUTH, HALF))
    inside = score_case(CaseArrays("c1", *moved)).values
    for metric in set(METRICS) - {"specificity"}:
        assert at_edge[metric] == pytest.approx(inside[metric], nan_ok=True), metric


@pytest.mark.parametrize(("missing", "outcome"), [(False, CaseScoring.FAILED), (True, CaseScoring.MISSING)])
def test_a_case_without_a_mask_is_an_empty_mask_and_flagged(missing, outcome):
    found = score_case(CaseArrays("c1", TRUTH, None, missing=missing))
    empty = score_case(CaseArrays("c1", TRUTH, np.zeros_like(TRUTH)))
    assert found.outcome is outcome and empty.outcome is CaseScoring.SCORED
    assert found.values == pytest.approx(dict(empty.values), nan_ok=True)
    assert found.values["dice"] == 0 and np.isinf(found.values["hd95_px"])


def test_the_curve_counts_a_failure_as_zero_where_logits_are_expected():
    logits = np.where(TRUTH, 4.0, -4.0)
    assert score_case(CaseArrays("c1", TRUTH, TRUTH, logits=logits, logits_expected=True)).values["pr_auc"] == 1
    assert score_case(CaseArrays("c1", TRUTH, None, logits_expected=True)).values["pr_auc"] == 0
    assert np.isnan(score_case(CaseArrays("c1", TRUTH, None)).values["pr_auc"])


def test_digests_tell_masks_apart():
    assert mask_digest(TRUTH) == mask_digest(TRUTH.copy()) != mask_digest(HALF)
    assert mask_digest(np.zeros((2, 8), bool)) != mask_digest(np.zeros((4, 4), bool))


def test_the_table_has_one_row_for_each_case():
    table = scores_table(
        [
            score_case(CaseArrays("c1", TRUTH, HALF, "S1", "P1", spacing_mm=(0.3, 0.2))),
            score_case(CaseArrays("c2", TRUTH, None)),
        ]
    )
    assert list(table["case_id"]) == ["c1", "c2"] and list(table["outcome"]) == ["scored", "failed"]
    assert table.loc[0, "pixel_height_mm"] == 0.3 and np.isnan(table.loc[1, "pixel_height_mm"])
    assert table["patient"].isna().tolist() == [False, True] and table.loc[0, "tp"] == 4
    known = ["case_id", "sequence", "patient", "outcome", "height", "width", "pixel_height_mm", "pixel_width_mm"]
    assert list(table.columns) == [*known, "tp", "fp", "fn", "tn", "prediction_digest", *METRICS]
    assert table.loc[0, ["height", "width", "pixel_width_mm", "fp", "fn", "tn"]].tolist() == [7, 9, 0.2, 0, 4, 55]


def test_outcomes_have_the_names_that_tables_hold():
    assert list(CaseScoring) == ["scored", "failed", "missing"]


def test_what_is_shown_of_a_case_holds_no_pixels():
    case = CaseArrays("c1", TRUTH, HALF, logits=np.where(TRUTH, 4.0, -4.0))
    assert "array" not in repr(case) + repr(score_case(case))


@pytest.mark.parametrize(
    ("case", "message"),
    [
        (CaseArrays("c1", TRUTH, HALF[:5]), r"the prediction at the size of the ground truth \(7, 9\), got \(5, 9\)"),
        (CaseArrays("c1", TRUTH, HALF * 2), r"prediction: expected a mask .*int64 \(7, 9\) with the values 0, 2"),
        (CaseArrays("c1", TRUTH[0], None), "ground truth: expected a mask"),
        (CaseArrays("c1", np.zeros((0, 4), bool), None), "with pixels"),
        (CaseArrays("c1", TRUTH, HALF, logits=np.zeros((3, 3))), "the logits at the size"),
        (CaseArrays("c1", TRUTH, HALF, logits=np.full(TRUTH.shape, np.nan)), "finite logits"),
        (CaseArrays("c1", TRUTH, HALF, spacing_mm=(0.0, 0.3)), "pixel spacing"),
        (CaseArrays("c1", TRUTH, HALF, spacing_mm=(0.3, np.inf)), "pixel spacing"),
    ],
)
def test_what_cannot_be_scored_is_refused_by_case_id(case, message):
    with pytest.raises(RefusedInput, match=f"case c1: .*{message}"):
        score_case(case)


def test_a_table_refuses_no_case_and_a_case_twice():
    with pytest.raises(RefusedInput, match="at least one case"):
        scores_table([])
    scores = score_case(CaseArrays("c1", TRUTH, HALF))
    with pytest.raises(RefusedInput, match="case c1: .*once"):
        scores_table([scores, scores])
