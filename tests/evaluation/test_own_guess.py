"""What a run's own guesses are, and what they were worth."""

import numpy as np
import pandas as pd
import pytest

from helpers.evaluation.guess_text import guess_notes, guess_rows, guess_text
from helpers.evaluation.own_guess import DoubtOrder, Signal, doubts_of, guess_record
from helpers.evaluation.scored_runs import ScoredRun
from helpers.runs.result_rows import COLUMNS, PredictionRow
from helpers.runs.status import PredictionStatus

CASES = 40


class TableRun:
    """A run of which only the table is asked."""

    def __init__(self, rows):
        self.rows = {row[0].case_id: row for row in rows}

    def has(self, case_id):
        return case_id in self.rows

    def prediction(self, case_id, prompt_id):
        return self.rows[case_id]


def row(case_id, **known):
    known = {"case_id": case_id, "prompt_id": "p1", "status": PredictionStatus.OK, "mask_pixels": 5, **known}
    return PredictionRow(**{**dict.fromkeys(COLUMNS), **known})


def test_doubts_of_a_table():
    """The second has two `[SEG]`, of which the lower counts; the third has no mask, the fourth is not in the run."""
    rows = [
        (row("a", predicted_iou=0.9, object_score=3.0),),
        (row("b", predicted_iou=0.8, object_score=2.0), row("b", predicted_iou=0.5, object_score=4.0)),
        (row("c", mask_pixels=None, status=PredictionStatus.NO_SEG),),
    ]
    found = doubts_of(ScoredRun("run", TableRun(rows), "p1"), ["a", "b", "c", "d"], {"a": 0.75})
    assert list(found) == ["map", "predicted_iou", "object_score"], "without an ensemble there is none"
    assert found["predicted_iou"].tolist() == pytest.approx([0.1, 0.5, np.inf, np.inf])
    assert found["object_score"].tolist() == [-3.0, -2.0, np.inf, np.inf]
    assert found["map"].tolist() == pytest.approx([0.25, np.nan, np.inf, np.inf], nan_ok=True)


def test_an_order_ranks_cases_and_equal_doubts_share_a_place():
    order = DoubtOrder(Signal.MAP, {"c10": 0.5, "c2": 0.5, "c1": 0.1, "c3": np.inf})
    assert order.case_ids == ("c3", "c2", "c10", "c1") and order.ranks == {"c3": 1, "c2": 2, "c10": 2, "c1": 4}


def scored(patients):
    """40 cases whose Dice falls from case to case, and guesses: one that is right, one without a value somewhere."""
    dice = np.linspace(0.9, 0.1, CASES)
    names = [f"c{number:02d}" for number in range(CASES)]
    people = [f"P{number % patients:02d}" for number in range(CASES)]
    table = pd.DataFrame({"case_id": names, "sequence": people, "patient": people, "dice": dice})
    lines = {"missed": 10.0, "missed_in_spread": np.nan, "missed_in_map": np.where(dice > 0.5, 2.0, 4.0)}
    gap = np.where(np.arange(CASES) == 3, np.nan, 0.0)
    guesses = {"case_id": names, "map": -dice, "ensemble": dice, "object_score": gap, **lines}
    return table, pd.DataFrame(guesses)


def test_orders_are_judged_with_intervals_over_patients():
    record = guess_record(*scored(patients=10), draws=50)
    best, worst = record["signals"]
    assert (best["signal"], best["found"], best["silent"]) == (Signal.MAP, 1.0, [])
    assert best["found_low"] is None, "all draws agree"
    assert best["aurc_low"] < best["aurc"] < best["aurc_high"]
    assert worst["found"] == 0.0 and worst["silent"] == ["c39", "c38", "c37", "c36"]
    assert best["aurc"] < 0.5 < worst["aurc"] and record["by_chance"]["aurc"] == pytest.approx(0.5)
    (shares,) = record["maps"]
    assert (shares["map"], shares["cases"], shares["units"]) == ("map", CASES, 10) and shares["mean"] == pytest.approx(
        0.3
    )
    assert (record["cases"], record["patients"], record["unit"]) == (CASES, 10, "patient")


def test_few_patients_have_no_interval_and_few_cases_no_order():
    few = guess_record(*scored(patients=9), draws=50)
    assert few["signals"][0]["found"] == 1.0 and few["signals"][0]["found_low"] is None
    assert "fewer than 10 units" in guess_notes(few)[0]
    table, guesses = (one.head(19) for one in scored(patients=5))
    assert guess_record(table, guesses)["signals"] == []
    assert "fewer than 20 cases" in guess_notes(guess_record(table, guesses))[0]


def test_unknown_patients_are_said():
    table, guesses = scored(patients=10)
    record = guess_record(table.assign(patient=None), guesses, draws=20)
    assert record["patients"] is None and "patients unknown" in guess_notes(record)[0]


def test_words_of_a_record():
    record = {"run": "my|run", **guess_record(*scored(patients=10), draws=50)}
    assert guess_rows(record)[0][:2] == ["Dice that the map expects", "1.00"]
    assert guess_rows(record)[-1] == ["by chance", "0.20", "0.500", ""]
    text = guess_text([record], "Heading")
    assert text.startswith("## Heading\n") and "my\\|run" in text and "From 40 cases of 10 patients." in text
    assert "5 % by chance; 40 cases of 10 patients" in text
    assert guess_text([{**record, "signals": [], "maps": []}], "Heading") == guess_text([], "Heading") == ""
