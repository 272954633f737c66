"""Scores as tables for people: the numbers are those of the engine, and what they rest on stands with them."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score, jaccard_score

from helpers.evaluation.paired import changes, compare, pair
from helpers.evaluation.score_table import summary
from helpers.notebook.evaluation_tables import (
    SECOND,
    change_counts,
    definition_table,
    median_case,
    reference_bound_table,
    unit_differences,
    with_warnings,
    written_comparison,
    written_scores,
)
from tests.support.score_tables import TRUTH, found, of_patients, table

DRAWS = 200


def cell(shown, row, column):
    return shown.set_index("metric").loc[row, column]


def test_scores_with_intervals_sizes_and_cautions():
    model, baseline = of_patients([8, 10]), of_patients([5, None])
    shown = written_scores({"model": summary(model), "frangi": summary(baseline)})
    assert list(shown.columns) == ["metric", "model", "frangi"]
    assert cell(shown, "Recall", "model") == "0.900 (P0 0.800, P1 1.000)"
    assert cell(shown, "Precision", "frangi") == "1.000 (P0 1.000) (2 undefined)"
    assert cell(shown, "HD95, px", "frangi").endswith("2 of 4 cases at the cap)")
    assert cell(shown, "failed or missing, scored as empty", "frangi") == "2"
    assert cell(shown, "rests on", "model") == "4 cases, 2 sequences, 2 patients"
    assert "each patient's mean and no interval: 2 patients, fewer than 5" in cell(shown, "caution", "model")
    assert cell(shown, "95 % intervals", "model") == "none"
    assert "means have no interval: they rest on fewer than 5 patients" in cell(shown, "without interval", "model")
    assert not any("mm" in name for name in shown["metric"])


def test_warnings_are_the_first_rows():
    shown = with_warnings(written_scores({"model": summary(of_patients([8, 10]))}), ["leaked", "few"])
    assert shown.iloc[:2].to_numpy().tolist() == [["WARNING: leaked", ""], ["WARNING: few", ""]]
    assert shown.iloc[2]["metric"] == "Dice"


def test_no_caution_where_there_is_none_to_give():
    shown = written_scores({"model": summary(of_patients(list(range(10))))})
    assert not {"caution", "without interval"} & set(shown["metric"])
    assert cell(shown, "95 % intervals", "model") == "Student's t, logit scale; of HD95: Student's t, log scale"


def test_the_second_table_holds_what_the_headline_does_not():
    shown = written_scores({"model": summary(of_patients([8, 10]))}, SECOND)
    assert "Specificity" in set(shown["metric"]) and "Dice" not in set(shown["metric"])


def test_reference_bounds_are_averaged_over_patients():
    scores = table(("a", "s1", "P1", 5), ("b", "s1", "P1", 5), ("c", "s2", "P2", 5))
    values = pd.DataFrame(
        {"case_id": ["c", "a", "b"], "ceiling": [1.0, 0.5, 0.7], "all_empty": 0.0, "all_foreground": 0.2}
    )
    assert reference_bound_table(values, scores)["Dice"].tolist() == [0.8, 0.0, 0.2]


def test_median_case():
    assert median_case(table(("a", None, None, 9), ("b", None, None, 1), ("c", None, None, 5))) == "c"
    assert median_case(table(("a", None, None, 9), ("b", None, None, 1))) == "b"


def test_definitions_equal_scikit_learns():
    scores = table(("a", None, None, 4))
    functions = {"dice": f1_score, "iou": jaccard_score}
    shown = definition_table(scores, "a", TRUTH, found(4), functions)
    assert shown["verdict"].tolist() == ["equal", "equal"]
    assert shown["this evaluation"].tolist() == pytest.approx([8 / 14, 0.4])
    assert definition_table(scores, "a", TRUTH * 255, found(4).astype(float), functions).equals(shown)
    assert definition_table(scores, "a", TRUTH, found(5), functions)["verdict"].tolist() == ["DIFFERENT"] * 2


def test_differences_of_units_are_what_the_comparison_averages():
    pairing = pair(of_patients([5, 6, None]), of_patients([7, 6, 9]))
    compared = compare(pairing, draws=DRAWS)
    differences = unit_differences(pairing, list(compared["metric"]))
    means = differences.groupby("metric")["difference"].mean()
    assert means.to_dict() == pytest.approx(compared.set_index("metric")["difference"].to_dict())
    by_unit = differences[differences["metric"] == "recall"].set_index("unit")["difference"]
    assert by_unit.to_dict() == pytest.approx({"P0": 0.2, "P1": 0.0, "P2": 0.9})
    assert set(differences.loc[differences["metric"] == "precision", "unit"]) == {"P0", "P1"}


def test_no_p_value_from_too_few_patients():
    few = written_comparison(compare(pair(of_patients([5, 5]), of_patients([6, 8])), ("recall",), draws=DRAWS))
    row = few.iloc[0]
    assert row["difference"] == "+0.200 (P0 +0.100, P1 +0.300)" and row["rests on"] == "2 patients, 4 cases"
    assert row["p, sign flip (Holm)"] == row["p, Wilcoxon (Holm)"] == ""
    many = compare(pair(of_patients([5] * 10), of_patients([6] * 10)), ("recall",), draws=DRAWS)
    assert written_comparison(many).iloc[0]["p, sign flip (Holm)"] == "0.00195"


def test_cases_that_changed_are_counted():
    changed = changes(pair(of_patients([5, 5, 5]), of_patients([6, 4, 5])))
    assert change_counts(changed).iloc[0].to_dict() == {"better": 2, "worse": 2, "same": 2}
    assert np.array_equal(changed["change"], ["worse"] * 2 + ["same"] * 2 + ["better"] * 2)
