"""Pixels that are not scored: left out of every count, and metrics of shape undefined where there are any."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from helpers.core.errors import RefusedInput
from helpers.data.cases import scored_pixels
from helpers.evaluation.score_table import scores_table, summary
from helpers.metrics.case_scores import CaseArrays, score_case
from helpers.metrics.definitions import METRICS
from helpers.metrics.reference_bounds import reference_bounds

OF_COUNTS = {"dice", "iou", "precision", "recall", "specificity", "pr_auc"}
MASKS = arrays.arrays(bool, (6, 8))


@settings(max_examples=40)
@given(MASKS, MASKS, MASKS.filter(lambda ignored: ignored.any() and not ignored.all()), st.integers(0, 9))
def test_scores_are_those_of_the_other_pixels(truth, prediction, ignored, seed):
    logits = np.random.default_rng(seed).normal(size=truth.shape).astype(np.float32)
    found = score_case(CaseArrays("a", truth & ~ignored, prediction, logits=logits, ignored=ignored))
    kept = scored_pixels(ignored)
    alone = score_case(CaseArrays("a", kept(truth), kept(prediction), logits=kept(logits)))
    assert found.counts == alone.counts and (found.height, found.width) == truth.shape
    assert np.array_equal(found.histogram.vessel, alone.histogram.vessel)
    for metric in METRICS:
        if metric in OF_COUNTS:
            assert found.values[metric] == pytest.approx(alone.values[metric], nan_ok=True)
        else:
            assert np.isnan(found.values[metric]), metric
    other = score_case(CaseArrays("a", truth & ~ignored, prediction ^ ignored, logits=logits, ignored=ignored))
    assert [other.values[name] for name in ("dice", "iou")] == [found.values[name] for name in ("dice", "iou")]


@settings(max_examples=10)
@given(MASKS, MASKS)
def test_nothing_ignored_changes_nothing(truth, prediction):
    scores = [score_case(CaseArrays("a", truth, prediction, ignored=one)) for one in (None, np.zeros_like(truth))]
    assert repr(scores[0].row()) == repr(scores[1].row())


def test_undefined_cases_are_counted_and_others_stay():
    square = np.zeros((6, 8), bool)
    square[2:4, 2:6] = True
    ignored = np.zeros_like(square)
    ignored[0] = True
    cases = [CaseArrays("a", square, square), CaseArrays("b", square, square, ignored=ignored)]
    rows = summary(scores_table([score_case(case) for case in cases])).set_index("metric")
    assert rows.loc["dice", "n_undefined"] == 0 and rows.loc["dice", "mean"] == 1
    for metric in ("cldice", "nsd_2px", "hd95_px", "assd_px", "betti0_error", "broken_branches"):
        assert rows.loc[metric, "n_undefined"] == 1 and np.isfinite(rows.loc[metric, "mean"])


def test_a_case_that_is_ignored_as_a_whole_is_refused():
    full = np.ones((4, 4), bool)
    with pytest.raises(RefusedInput, match="case a: expected pixels to score"):
        score_case(CaseArrays("a", ~full, full, ignored=full))


def test_reference_bounds_leave_ignored_pixels_out():
    truth, ignored = np.zeros((4, 4), bool), np.zeros((4, 4), bool)
    truth[:2], ignored[2:] = True, True
    assert (
        reference_bounds(truth, scored_pixels(ignored)).all_foreground == 1
        and reference_bounds(truth).all_foreground < 1
    )


def test_a_case_without_logits_has_no_curve():
    square, ignored = np.eye(4, dtype=bool), np.eye(4, dtype=bool)[::-1]
    found = score_case(CaseArrays("a", square, square, ignored=ignored))
    assert found.histogram is None and np.isnan(found.values["pr_auc"]) and found.values["dice"] == 1
    failed = score_case(CaseArrays("a", square, None, ignored=ignored, logits_expected=True))
    assert failed.values["pr_auc"] == 0
