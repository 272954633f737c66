"""Pictures of scores: what is drawn is what the tables hold, and every picture says what it rests on."""

import numpy as np
import pandas as pd
import pytest

from helpers.data.groups.case_groups import CaseGroups, GroupSource
from helpers.evaluation.groups import group_record
from helpers.evaluation.paired import compare, pair
from helpers.evaluation.score_table import summary
from helpers.review.figures.score_figures import difference_figure, distribution_figure, group_figure, headline_figure
from tests.support.score_tables import of_patients, table

DRAWS = 200


def words(figure) -> str:
    return "\n".join(text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text")))


def markers(axis, marker: str) -> list[tuple[list[float], list[float]]]:
    """The points drawn with a marker, legends' empty ones left out."""
    found = [line for line in axis.lines if line.get_marker() == marker and len(line.get_xdata())]
    return [(list(line.get_xdata()), list(line.get_ydata())) for line in found]


def test_headline_draws_and_writes_means_and_intervals_of_each_run():
    model, baseline = of_patients([8, 10, 8, 10, 9], 1), of_patients([5, None, 5, 5, 5], 1)
    summaries = {"model": summary(model), "$frangi$": summary(baseline)}
    figure = headline_figure(summaries)
    shares, distances = figure.axes
    recall = summaries["model"].set_index("metric").loc["recall"]
    rows = [label.get_text() for label in shares.get_yticklabels()]
    assert rows[:4] == ["Dice", "IoU", "Precision", "Recall"] and not any("mm" in row for row in rows)
    assert [label.get_text() for label in distances.get_yticklabels()] == ["HD95, px (lower is better)"]
    assert pytest.approx(0.9) == recall["mean"] and ([0.9], [2.8]) in [
        (pytest.approx(x), pytest.approx(y)) for x, y in markers(shares, "o")
    ]
    spans = [np.vstack(found.get_segments())[:, 0].tolist() for found in shares.collections]
    assert [recall["low"], recall["high"]] in spans
    text = words(figure)
    assert f"0.900 [{recall['low']:.3f}, {recall['high']:.3f}]" in text and "0.400 [" in text
    assert "5 cases, 5 sequences, 5 patients" in text and "failed or missing: model 0, $frangi$ 1" in text
    assert "no p-values: 5 patients, fewer than 10" in text and "independence" not in text
    row = summaries["$frangi$"].set_index("metric").loc["hd95_px"]
    assert f"(median {row['median']:.3f}, 1 of 5 cases at the cap)" in text and "(1 undefined)" in text
    assert [entry.get_text() for entry in figure.axes[-1].get_legend().get_texts()] == ["model", "$frangi$"]


def test_headline_shows_a_dot_for_each_of_few_patients_and_no_interval():
    figure = headline_figure({"model": summary(of_patients([8, 10]))})
    shares = figure.axes[0]
    ((recalls, heights),) = [found for found in markers(shares, ".") if found[1] == [3.0, 3.0]]
    assert recalls == pytest.approx([0.8, 1.0]) and heights == [3, 3]
    assert not any(axis.collections for axis in figure.axes) and "[" not in words(figure)
    assert "each patient's mean and no interval: 2 patients, fewer than 5" in words(figure)


def test_headline_says_what_is_unknown_and_draws_no_interval_of_one_unit():
    lone = table(("a", None, None, 8))
    figure = headline_figure({"model": summary(lone)})
    text = words(figure)
    assert "1 case, sequences unknown, patients unknown" in text
    assert "independence of cases unknown" in text and "[" not in text
    assert not any(axis.collections for axis in figure.axes)


def test_distributions_are_ordered_by_the_first_runs_patients():
    first, second = of_patients([9, 4, 6]), of_patients([5, 8, 7])
    figure = distribution_figure({"model": first, "other": second}, ["recall"])
    (axis,) = figure.axes
    assert [label.get_text() for label in axis.get_xticklabels()] == ["P1", "P2", "P0"]
    assert sorted(set(markers(axis, ".")[0][0])) == pytest.approx([0.2, 1.2, 2.2])
    for marker, expected in (("o", [0.4, 0.6, 0.9]), ("s", [0.8, 0.7, 0.5])):
        ((places, values),) = markers(axis, marker)
        by_place = dict(zip(places, values, strict=True))
        assert [by_place[place] for place in range(3)] == pytest.approx(expected)
    assert len(markers(axis, ".")[0][0]) == 6
    assert "6 cases, 3 sequences, 3 patients" in words(figure)


def test_all_panels_have_one_order():
    scores = of_patients([9, 4, 6])
    first, second = distribution_figure({"model": scores.assign(cldice=1 - scores["dice"])}, ["dice", "cldice"]).axes
    assert [label.get_text() for label in second.get_xticklabels()] == ["P1", "P2", "P0"]
    assert [label.get_text() for label in first.get_xticklabels()] == ["P1", "P2", "P0"]


def test_a_metric_that_no_case_has_is_an_empty_labelled_panel():
    (axis,) = distribution_figure({"model": of_patients([9, 4])}, ["hd95_mm"]).axes
    assert "undefined for every case" in axis.texts[0].get_text()


def test_many_patients_are_counted_and_not_named():
    (axis,) = distribution_figure({"model": of_patients([5] * 41, frames=1)}, ["recall"]).axes
    assert not axis.get_xticklabels() and axis.get_xlabel() == "41 patients"


def test_differences_by_unit_with_the_mean():
    compared = compare(pair(of_patients([5, 5]), of_patients([6, 8])), ("recall",), draws=DRAWS)
    differences = pd.DataFrame({"metric": "recall", "unit": ["P1", "P0"], "difference": [0.3, 0.1]})
    figure = difference_figure(differences, compared, first="frangi", second="model", sizes_note="4 cases")
    (axis,) = figure.axes
    assert markers(axis, "o")[0][0] == [0.1, 0.3] and markers(axis, "s")[0][0] == pytest.approx([0.2])
    text = words(figure)
    assert "model less frangi, by patient" in text and "4 cases" in text and "2 patients, fewer than 5" in text


def test_groups_have_intervals_or_a_dot_for_each_patient_and_stand_in_the_order_of_their_names():
    model, other = of_patients([8, 10, 4, 6, 7, 9, 5], 1), of_patients([None] * 7, 1)
    names = dict(zip(model["case_id"], ["$b$"] * 5 + [None] * 2, strict=True))
    record = group_record({"model": model, "other": other}, CaseGroups("side", GroupSource.CSV, names))
    figure = group_figure(record, "of seven patients", ("recall",))
    (axis,) = figure.axes
    assert [label.get_text() for label in axis.get_yticklabels()] == [
        "$b$\n5 cases, 5 sequences, 5 patients", "unknown\n2 cases, 2 sequences, 2 patients",
    ]  # fmt: skip
    assert ([pytest.approx(0.7)], [pytest.approx(-0.2)]) in markers(axis, "o")
    dots = [found for found in markers(axis, ".") if found[1] == [0.8, 0.8]]
    assert dots == [([pytest.approx(0.9), pytest.approx(0.5)], [0.8, 0.8])]
    row = record["groups"][0]["runs"][0]["summary"]
    recall = next(one for one in row if one["metric"] == "recall")
    spans = [np.vstack(found.get_segments())[:, 0].tolist() for found in axis.collections]
    assert [recall["low"], recall["high"]] in spans
    text = words(figure)
    assert "Groups by side, exploratory" in text and "groups are not compared by a test" in text
    assert "of seven patients" in text and [one.get_text() for one in axis.get_legend().get_texts()] == [
        "model",
        "other",
    ]
