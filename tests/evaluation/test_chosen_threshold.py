"""A threshold chosen apart from the cases that it is scored on."""

import numpy as np
import pytest
from scipy.special import expit, logit

from helpers.core.errors import RefusedInput
from helpers.evaluation.chosen_threshold import CURVES, cross_validated, on_development, threshold_curves
from helpers.evaluation.score_table import Unit
from helpers.metrics.intervals import Method, Scale, mean_interval
from helpers.metrics.overlap import dice
from helpers.metrics.threshold_curve import ChosenBy, counts_at, logit_histogram
from tests.support.score_tables import TRUTH, of_patients, table
from tests.support.score_tables import found as first

DRAWS = 200

# Vessel at logit 1, a halo of as many false pixels at 0.25: cut between the two, at 0.25 .. 1, all is right.
HALO = np.roll(TRUTH, 1, axis=0)
GRADED = np.where(TRUTH, 1.0, np.where(HALO, 0.25, -2.0))


def histograms(scores, logits):
    return {case_id: logit_histogram(TRUTH, logits) for case_id in scores["case_id"]}


def other(scores):
    """The same scores as of other patients."""
    renamed = scores[["case_id", "sequence", "patient"]].map(lambda name: f"dev-{name}")
    return scores.assign(**renamed)


def test_the_threshold_of_the_development_cases_is_locked():
    scored = of_patients([10, 10, 10])
    development = other(scored)
    # On the scored cases 0.9 would be as wrong as can be; they have no say.
    found = on_development(
        scored,
        histograms(scored, np.where(TRUTH, 0.1, -0.1)),
        development,
        histograms(development, GRADED),
    )
    assert found.threshold == pytest.approx(expit(0.25))
    assert found.chosen_by is ChosenBy.DEVELOPMENT and found.chosen_on == tuple(development["case_id"])
    assert found.dice.estimate == 0 and found.dice_at_half.estimate == 1 and found.gain.estimate == -1
    assert found.unit is Unit.PATIENT and found.fold_thresholds == ()


def test_the_gain_is_the_paired_difference():
    scored = of_patients([10] * 5, frames=1)
    found = on_development(scored, histograms(scored, GRADED), other(scored), histograms(other(scored), GRADED))
    at_half = dice(counts_at(logit_histogram(TRUTH, GRADED), 0.0))
    assert at_half == pytest.approx(2 / 3)
    assert found.dice.estimate == 1 and found.gain.estimate == pytest.approx(1 - at_half)
    assert found.gain.low == pytest.approx(found.gain.high)  # all patients gain the same


def test_development_cases_among_the_scored_are_refused():
    scored = of_patients([10, 10, 10])
    maps = histograms(scored, GRADED)
    with pytest.raises(RefusedInput, match="3 patients in both|6 cases in both"):
        on_development(scored, maps, scored, maps)


def test_a_fold_has_no_say_in_its_threshold():
    """Two patients, one a fold: each is scored with what the other one chose."""
    scored = of_patients([10, 10], frames=1)
    first, second = np.where(TRUTH, 3.0, -1.0), np.where(TRUTH, -2.0, -4.0)
    maps = {"P0-F0": logit_histogram(TRUTH, first), "P1-F0": logit_histogram(TRUTH, second)}
    found = cross_validated(scored, maps)
    assert sorted(found.fold_thresholds) == pytest.approx(sorted([0.5, expit(-2 - 1 / 16)]))
    # P0 at P1's choice is all foreground, P1 at P0's choice is empty.
    full = 2 * 10 / (10 + TRUTH.size)
    assert found.dice.estimate == pytest.approx(full / 2) and found.dice_at_half.estimate == 0.5
    assert found.chosen_by is ChosenBy.CROSS_VALIDATION and found.dice.units == 2


def test_flat_masks_choose_one_half():
    scored = of_patients([10] * 5, frames=1)
    found = cross_validated(scored, histograms(scored, np.where(TRUTH, 4.0, -4.0)))
    assert found.threshold == 0.5 and set(found.fold_thresholds) == {0.5}
    assert found.gain.estimate == 0 and found.gain.method is Method.EQUAL


def test_a_failed_case_is_empty_at_every_threshold():
    scored = of_patients([10, None], frames=1)
    maps = {"P0-F0": logit_histogram(TRUTH, GRADED)}
    found = cross_validated(scored, maps)
    assert found.dice_at_half.estimate == pytest.approx((2 / 3 + 0) / 2)


def test_one_patient_cannot_be_cross_validated():
    scored = of_patients([10])
    with pytest.raises(RefusedInput, match="at least 2"):
        cross_validated(scored, histograms(scored, GRADED))


def test_curves_are_the_scores_of_the_cut_masks():
    scored = of_patients([10, 10])
    curves = threshold_curves(scored, histograms(scored, GRADED))
    assert set(curves["metric"]) == set(CURVES) and len(curves) == 19 * len(CURVES)
    rows = curves.set_index(["metric", "threshold"])
    for threshold in (0.05, 0.5, 0.65, 0.95):
        expected = dice(counts_at(logit_histogram(TRUTH, GRADED), float(logit(threshold))))
        assert rows.loc[("dice", threshold), "mean"] == pytest.approx(expected)
    assert rows.loc[("recall", 0.95), "mean"] == 0 and np.isnan(rows.loc[("precision", 0.95), "mean"])


def test_a_curves_interval_is_that_of_the_mean():
    scored = table(*((f"c{i}", None, f"P{i}", 10) for i in range(5)))
    maps = {f"c{i}": logit_histogram(TRUTH, np.where(first(10 - i), 2.0, -2.0)) for i in range(5)}
    row = threshold_curves(scored, maps).set_index(["metric", "threshold"]).loc[("iou", 0.5)]
    expected = mean_interval(np.array([1.0, 0.9, 0.8, 0.7, 0.6]), Scale.SHARE)
    assert (row["mean"], row["low"], row["high"]) == pytest.approx((expected.estimate, expected.low, expected.high))


def test_five_patients_have_an_interval_and_four_have_none():
    for count, known in ((4, False), (5, True)):
        scored = of_patients([10] * count)
        maps = histograms(scored, GRADED)
        for case_id in ("P0-F0", "P0-F1"):  # a patient unlike the others: empty at every threshold
            del maps[case_id]
        curves = threshold_curves(scored, maps)
        dice_rows = curves[(curves["metric"] == "dice") & (curves["mean"] > 0)]
        assert len(dice_rows) and (dice_rows[["low", "high"]].notna() == known).all().all()


def test_curves_are_drawn_in_steps_of_a_twentieth():
    scored = of_patients([10, 10])
    curves = threshold_curves(scored, histograms(scored, GRADED))
    assert list(curves.columns) == ["metric", "threshold", "mean", "low", "high"]
    assert curves["metric"].unique().tolist() == ["dice", "iou", "precision", "recall"]
    steps = [0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95]
    assert curves["threshold"].tolist() == steps * 4 and curves.index.tolist() == list(range(76))


def test_a_score_that_one_patient_alone_has_is_a_mean_without_an_interval():
    """At 0.95 one of five patients has a mask, so that precision is known of it alone."""
    scored = of_patients([10] * 5, frames=1)
    logits = {"P0-F0": 5.0, **{f"P{patient}-F0": 1.0 for patient in (1, 2, 3, 4)}}
    maps = {case_id: logit_histogram(TRUTH, np.where(TRUTH, inside, -4.0)) for case_id, inside in logits.items()}
    rows = threshold_curves(scored, maps).set_index(["metric", "threshold"])
    precision, recall = rows.loc[("precision", 0.95)], rows.loc[("recall", 0.95)]
    assert precision["mean"] == 1 and np.isnan([precision["low"], precision["high"]]).all()
    assert recall["mean"] == pytest.approx(1 / 5) and 0 <= recall["low"] < recall["high"] <= 1
