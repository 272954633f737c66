"""Frame, sequence, patient; and what stands next to every number."""

import numpy as np
import pandas as pd
import pytest

from helpers.data.groups.name_parts import Spellings
from helpers.evaluation.score_table import (
    SampleSizes,
    Unit,
    both_empty,
    capped,
    keys_of,
    patient_means,
    pooled,
    records_of,
    sequence_means,
    sizes,
    summary,
    summary_of_scored,
    table_of,
    unit_columns,
    unit_keys,
    unit_of,
    with_united,
)
from helpers.metrics.definitions import METRICS
from tests.support.score_tables import TRUTH, of_patients, table

# Patient A: a sequence of recall 1 and 0.5, another of 0.1; patient B: one frame of 0.9.
NESTED = table(("a1", "A1", "A", 10), ("a2", "A1", "A", 5), ("a3", "A2", "A", 1), ("b1", "B1", "B", 9))


def row(rows, metric):
    return rows.set_index("metric").loc[metric]


def test_frames_then_sequences_then_patients():
    assert sequence_means(NESTED)["recall"].tolist() == pytest.approx([0.75, 0.1, 0.9])
    assert patient_means(NESTED)["recall"].tolist() == pytest.approx([0.425, 0.9])
    assert row(summary(NESTED), "recall")["mean"] == pytest.approx((0.425 + 0.9) / 2)


def test_sizes_stand_next_to_every_number():
    assert sizes(NESTED) == SampleSizes(cases=4, sequences=3, patients=2)
    rows = summary(NESTED)
    assert list(rows["metric"]) == list(METRICS)
    assert (rows[["n_cases", "n_sequences", "n_patients"]] == [4, 3, 2]).all().all()
    assert (rows["unit"] == "patient").all() and rows["independent"].all() and rows["few"].all()


def test_columns_of_a_summary():
    described = ["metric", "mean", "low", "high", "interval", "few", "n_units"]
    counted = ["n_undefined", "n_infinite"]
    context = ["unit", "independent", "n_cases", "n_sequences", "n_patients", "n_failed"]
    assert list(summary(NESTED).columns) == [*described, "unit_means", "median", *counted, *context]
    assert list(pooled(NESTED).columns) == [*described, *counted, *context]
    assert (pooled(NESTED)[["n_undefined", "n_infinite", "n_failed"]] == 0).all().all()


def test_sequences_of_the_same_name_are_told_apart_by_patient():
    same = table(("a", "S", "A", 10), ("b", "S", "B", 0))
    assert sizes(same).sequences == 2 and len(sequence_means(same)) == 2


@pytest.mark.parametrize(
    ("sequences", "patients", "unit", "expected"),
    [
        (("S1", "S1"), ("P1", "P2"), Unit.PATIENT, SampleSizes(2, 2, 2)),
        (("S1", "S2"), ("P1", None), Unit.SEQUENCE, SampleSizes(2, 2, None)),
        ((None, "S2"), (None, None), Unit.CASE, SampleSizes(2, None, None)),
    ],
)
def test_the_unit_is_the_largest_that_is_known(sequences, patients, unit, expected):
    scores = table(("c1", sequences[0], patients[0], 10), ("c2", sequences[1], patients[1], 5))
    assert unit_of(scores) is unit and sizes(scores) == expected
    rows = summary(scores)
    assert (rows["independent"] == (unit is Unit.PATIENT)).all()
    assert row(rows, "recall")["n_units"] == 2 and row(rows, "recall")["mean"] == pytest.approx(0.75)


def test_a_failure_counts_as_zero_and_the_headline_without_it_is_beside():
    scores = of_patients([10, 10, None, 5])
    assert row(summary(scores), "recall")["mean"] == pytest.approx(2.5 / 4)
    assert row(summary(scores), "recall")["n_failed"] == 2
    assert row(summary_of_scored(scores), "recall")["mean"] == pytest.approx(2.5 / 3)
    assert row(summary_of_scored(scores), "recall")["n_cases"] == 6
    assert summary_of_scored(of_patients([None])) is None


def test_undefined_values_are_left_out_and_counted():
    precision = row(summary(of_patients([10, None])), "precision")
    assert precision["mean"] == 1 and precision["n_undefined"] == 2 and precision["n_units"] == 1
    assert np.isnan(precision["low"])


def test_infinite_distances_are_capped_at_the_diagonal_and_counted():
    scores = of_patients([10, None])
    distance = row(summary(scores), "hd95_px")
    assert distance["n_infinite"] == 2 and distance["mean"] == pytest.approx(np.hypot(*TRUTH.shape) / 2)
    assert distance["median"] == pytest.approx(np.hypot(*TRUTH.shape) / 2)
    assert np.isinf(scores["hd95_px"]).sum() == 2 and not np.isinf(capped(scores)["hd95_px"]).any()
    assert row(summary(scores), "hd95_mm")["n_units"] == 0  # no spacing is known: no distance in mm


def test_a_few_cases_at_the_cap_move_the_mean_and_not_the_median():
    scores = of_patients([9] * 23 + [None] * 2, frames=1)
    distance, diagonal = row(summary(scores), "hd95_px"), np.hypot(*TRUTH.shape)
    assert distance["n_infinite"] == 2 and distance["median"] == 1
    assert distance["mean"] == pytest.approx((23 + 2 * diagonal) / 25)
    # It is of cases, not of patients: a failure in one frame of every patient leaves it, too.
    each = table(*((f"P{p}-F{f}", "S", f"P{p}", 9 if f else None) for p in range(4) for f in range(5)))
    assert row(summary(each), "hd95_px")["median"] == 1
    assert np.isnan(row(summary(each), "hd95_mm")["median"])


def test_the_diagonal_in_mm_follows_the_spacing():
    scores = of_patients([None]).assign(pixel_height_mm=0.5, pixel_width_mm=0.25, hd95_mm=np.inf)
    assert capped(scores)["hd95_mm"].tolist() == pytest.approx([np.hypot(4 * 0.5, 12 * 0.25)] * 2)


def test_pooled_and_per_image_as_in_refcoco():
    """cIoU: 25 pixels shared of 40 in either; gIoU: the mean of the four IoU, patients notwithstanding."""
    rows = pooled(NESTED)
    assert row(rows, "ciou")["mean"] == pytest.approx(25 / 40)
    assert row(rows, "giou")["mean"] == pytest.approx(NESTED["iou"].mean())
    assert (rows["n_units"] == 2).all() and (rows["n_cases"] == 4).all()


def test_pooled_of_nothing_at_all_is_unknown():
    empty = NESTED.assign(tp=0, fp=0, fn=0)
    assert np.isnan(row(pooled(empty), "ciou")["mean"])


def test_the_interval_is_over_patients_not_frames():
    numbers = list(range(1, 11)) * 2
    few_frames, many_frames = (row(summary(of_patients(numbers, frames)), "recall") for frames in (1, 12))
    assert (few_frames["low"], few_frames["high"]) == pytest.approx((many_frames["low"], many_frames["high"]))
    assert many_frames["n_units"] == 20 and many_frames["n_cases"] == 240 and not many_frames["few"]


def test_spellings_of_a_patient_are_one_unit():
    scored = table(("a", "s1", "P1", 10), ("b", "s2", "P2", 0), ("c", "s3", "P3", 0))
    both = with_united(scored, Spellings({"P1": "P2", "P2": "P2"}))
    assert list(both["united"]) == ["P2", "P2", "P3"] and list(both["patient"]) == ["P1", "P2", "P3"]
    assert sizes(both) == SampleSizes(3, 3, 2) and sizes(scored) == SampleSizes(3, 3, 3)
    assert patient_means(both, ["recall"]).to_dict("list") == {"patient": ["P2", "P3"], "recall": [0.5, 0.0]}
    assert summary(both)["n_units"].iloc[0] == 2 and pooled(both)["n_units"].iloc[0] == 2
    assert list(keys_of(both, Unit.SEQUENCE)) == ["s1", "s2", "s3"] and list(unit_keys(both)) == ["P2", "P2", "P3"]
    assert unit_columns(both) == ["case_id", "sequence", "patient", "united"]
    assert with_united(scored, Spellings({"P1": "P9", "P9": "P9"})) is scored  # the other one is not among these


def test_cases_in_which_nothing_is_to_be_seen():
    """Neither a hit, nor a false alarm, nor a miss; the pixels that both leave out do not count."""
    counted = [(0, 0, 0, 9), (1, 0, 0, 9), (0, 1, 0, 9), (0, 0, 1, 9), (1, 1, 0, 9), (0, 1, 1, 9), (0, 0, 0, 0)]
    found = both_empty(pd.DataFrame(counted, columns=["tp", "fp", "fn", "tn"], index=range(10, 17)))
    assert found.tolist() == [True, False, False, False, False, False, True] and found.index.tolist() == [
        *range(10, 17)
    ]


def test_rows_of_json_come_back():
    rows = [
        {"metric": "dice", "mean": 0.5, "low": None, "few": True, "n_sequences": 3, "n_patients": None},
        {"metric": "iou", "mean": None, "low": None, "few": False, "n_sequences": None, "n_patients": None},
    ]
    found = table_of(rows)
    assert found["n_patients"].dtype == found["n_sequences"].dtype == "Int64" and found["low"].dtype == float
    assert records_of(found) == rows
    assert records_of(table_of([{"mean": np.inf, "n": np.int64(2)}])) == [{"mean": None, "n": 2}]
    assert [type(value) for value in records_of(found)[0].values()] == [str, float, type(None), bool, int, type(None)]
