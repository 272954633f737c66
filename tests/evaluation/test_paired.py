"""Comparing two runs: intersection, intervals, tests, and when there is nothing to test."""

import numpy as np
import pandas as pd
import pytest

from helpers.core.errors import RefusedInput
from helpers.evaluation.markdown import written_side
from helpers.evaluation.paired import changes, compare, pair, turned
from helpers.metrics.definitions import COMPARED
from tests.support.score_tables import of_patients, table

BEFORE = [5, 6, 4, 7, 5, 6, 5, 4, 6, 5, 7, 6]
AFTER = [7, 8, 7, 9, 7, 9, 8, 6, 9, 7, 9, 8]
P_VALUES = ["p_sign_flip", "p_wilcoxon", "p_sign_flip_holm", "p_wilcoxon_holm"]


def row(rows, metric):
    return rows.set_index("metric").loc[metric]


def test_a_clear_gain():
    rows = compare(pair(of_patients(BEFORE), of_patients(AFTER)))
    recall = row(rows, "recall")
    assert recall["difference"] == pytest.approx((sum(AFTER) - sum(BEFORE)) / 120)
    assert recall["difference"] == pytest.approx(recall["second"] - recall["first"])
    assert 0 < recall["low"] < recall["difference"] < recall["high"]
    assert recall["p_sign_flip"] == pytest.approx(2 / 2**12)  # the observed signs and their mirror
    assert recall["p_sign_flip"] < recall["p_sign_flip_holm"] < 0.05 and recall["p_wilcoxon"] < 0.01
    assert recall["n_units"] == 12 and recall["n_cases"] == 24 and list(rows["metric"]) == list(COMPARED)


def test_only_cases_of_both_are_compared():
    first = table(("a", "A", "A", 5), ("b", "B", "B", 5), ("c", "C", "C", 10))
    second = table(("d", "D", "D", 1), ("b", "B", "B", 8), ("a", "A", "A", 6))
    pairing = pair(first, second)
    assert (pairing.only_first, pairing.only_second) == (("c",), ("d",))
    assert list(pairing.first["case_id"]) == list(pairing.second["case_id"]) == ["a", "b"]
    assert row(compare(pairing), "recall")["difference"] == pytest.approx(0.2)


def test_columns_of_a_comparison():
    rows = compare(pair(of_patients([5, 6]), of_patients([6, 7])), ("recall",), draws=10)
    described = ["metric", "first", "second", "difference", "low", "high", "interval", "few", "unit"]
    assert list(rows.columns) == [*described, "independent", "n_units", "unit_means", "n_cases", *P_VALUES]
    assert rows["unit"].tolist() == ["patient"] and rows["independent"].all()
    cases = table(("a", None, None, 5)), table(("a", None, None, 6))
    found = compare(pair(*cases), ("recall",), draws=10)
    assert found["unit"].tolist() == ["case"] and not found["independent"].any()


def test_identical_masks_are_called_out_and_not_tested():
    pairing = pair(of_patients(BEFORE), of_patients(BEFORE))
    assert pairing.all_identical and len(pairing.identical) == 24
    rows = compare(pairing)
    assert (rows["difference"] == 0).all() and rows[P_VALUES].isna().all().all()
    some = pair(of_patients(BEFORE, 1), of_patients([*BEFORE[:-1], 1], 1))
    assert not some.all_identical and len(some.identical) == 11


def test_no_p_value_under_ten_units():
    rows = compare(pair(of_patients(BEFORE[:9]), of_patients(AFTER[:9])))
    assert rows["few"].all() and rows[P_VALUES].isna().all().all()
    equal = rows["interval"] == "none: all units equal"
    assert (rows["low"].isna() == equal).all() and rows.loc[equal, "metric"].tolist() == ["precision"]


def test_cases_that_one_run_leaves_undefined_are_out_of_both_means():
    first, second = of_patients([10, 5]), of_patients([10, None])
    precision = row(compare(pair(first, second), ("precision",)), "precision")
    assert (precision["n_units"], precision["n_cases"]) == (1, 2)


def test_a_metric_that_no_case_has_is_no_row():
    assert compare(pair(of_patients([5]), of_patients([6])), ("hd95_mm", "dice"))["metric"].tolist() == ["dice"]


def test_beside_the_means_of_a_distance_stand_medians_and_cases_at_the_cap():
    rows = compare(pair(of_patients([10, 5, 5]), of_patients([10, 10, None])), ("recall", "hd95_px"), draws=10)
    recall, distance = row(rows, "recall"), row(rows, "hd95_px")
    assert np.isnan(recall["first_median"]) and np.isnan(recall["second_n_infinite"])
    assert (distance["first_n_infinite"], distance["second_n_infinite"]) == (0, 2)
    assert distance["second_median"] == 0 < distance["first_median"]
    assert written_side({"metric": "recall", **recall}, "first") == f"{recall['first']:.3f}"
    side = written_side({"metric": "hd95_px", **distance}, "second")
    assert side == f"{distance['second']:.3f} (median 0.000, 2 of 6 cases at the cap)"


def test_runs_without_a_common_case_are_refused():
    with pytest.raises(RefusedInput, match="share cases"):
        pair(table(("a", None, None, 5)), table(("b", None, None, 5)))


def test_runs_on_other_ground_truth_are_refused():
    first = of_patients([5])
    with pytest.raises(RefusedInput, match="case P0-F0: .*disagree"):
        pair(first, first.assign(fn=first["fn"] + 1))
    with pytest.raises(RefusedInput, match="disagree"):
        pair(first, first.assign(patient="P9"))


def test_unknown_patients_do_not_disagree():
    scores = table(("a", None, None, 5))
    assert pair(scores, scores).all_identical


def test_changes_list_the_worst_first():
    first = table(("a", None, None, 5), ("b", None, None, 5), ("c", None, None, 5))
    second = table(("a", None, None, 6), ("b", None, None, 1), ("c", None, None, 5))
    found = changes(pair(first, second), "recall")
    assert list(found.columns) == ["case_id", "first", "second", "difference", "change"]
    assert found["case_id"].tolist() == ["b", "c", "a"]
    assert found["change"].tolist() == ["worse", "same", "better"]
    assert found["difference"].tolist() == pytest.approx([-0.4, 0, 0.1])
    assert changes(pair(first, second)).equals(changes(pair(first, second), "dice", tolerance=0.0))
    assert changes(pair(first, second), "recall", tolerance=0.2)["change"].tolist() == ["worse", "same", "same"]


def test_a_larger_distance_is_worse():
    first, second = table(("a", None, None, 10)), table(("a", None, None, None))
    found = changes(pair(first, second), "hd95_px")
    assert found["change"].tolist() == ["worse"] and np.isfinite(found["second"]).all()


@pytest.mark.parametrize("before", [BEFORE, [*BEFORE[:-1], None]])
def test_a_turned_comparison_is_that_of_the_runs_in_the_other_order(before):
    first, second = of_patients(before), of_patients(AFTER)
    turned_round = turned(compare(pair(first, second), draws=300))
    pd.testing.assert_frame_equal(turned_round, compare(pair(second, first), draws=300), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("column", "value"),
    [("height", 5), ("width", 13), ("sequence", "S9"), ("sequence", None), ("patient", None), ("tp", 9), ("fn", 9)],
)
def test_in_what_two_tables_must_agree(column, value):
    first = of_patients([5, 5], frames=1)
    second = first.assign(**{column: first[column].where(first.index == 0, value)})
    with pytest.raises(
        RefusedInput, match="case P1-F0: the two tables disagree on its ground truth, sequence or patient"
    ):
        pair(first, second)


def test_other_hits_of_the_same_truth_are_fine():
    first = of_patients([5])
    found = pair(first, first.assign(tp=first["tp"] + 2, fn=first["fn"] - 2, fp=7))
    assert len(found.first) == 2 and found.only_first == found.only_second == ()


def test_runs_without_a_common_case_are_counted():
    one, other = table(("a", None, None, 5)), table(("b", None, None, 5), ("c", None, None, 5))
    with pytest.raises(RefusedInput, match="found none in common among 1 and 2. Evaluate both on the same data set"):
        pair(one, other)
