"""Runs against the first: direction of the differences, identical masks called out, cases that changed."""

from dataclasses import dataclass

import pandas as pd
import pytest

from helpers.evaluation.paired import compare, pair
from helpers.evaluation.scored_runs import ScoredRun
from helpers.notebook.evaluate_notebook import Results
from helpers.notebook.evaluation_tables import compared_with_first
from tests.support.score_tables import of_patients


@dataclass(frozen=True)
class Tables:
    """Stands in for a metrics folder."""

    tables: dict[str, pd.DataFrame]
    warnings: tuple[str, ...] = ()
    edited: tuple[str, ...] = ()

    @property
    def summary(self):
        runs = [{"name": name, "edit_distance": {} if name in self.edited else None} for name in self.tables]
        return {"training": {"warnings": list(self.warnings)}, "runs": runs}

    def scores(self, run):
        return self.tables[run]

    def comparison(self, second):
        first = next(iter(self.tables.values()))
        return compare(pair(first, self.tables[second]), draws=200, seed=0)


def results(**tables):
    return Results(Tables(tables), tuple(ScoredRun(name, None, "p1") for name in tables))


def test_differences_are_the_first_run_less_the_other():
    (found,) = compared_with_first(results(model=of_patients([8] * 7), frangi=of_patients([6] * 6 + [9])))
    table, counts, ends = found.tables
    row = table.set_index("metric").loc["Recall"]
    assert (row["frangi"], row["model"]) == ("0.643", "0.800") and row["difference"].startswith("+0.157 [")
    assert counts.iloc[0].to_dict() == {"better": 12, "worse": 2, "same": 0}
    assert len(ends) == 10 and ends["change"].tolist()[:3] == ["worse", "worse", "better"]
    assert ends.columns.tolist()[1:3] == ["Dice, frangi", "Dice, model"]
    assert "model less frangi, by patient" in found.figures["difference_1"].get_suptitle()
    assert found.text.startswith("model against frangi: 14 cases, 7 sequences, 7 patients; masks identical in 0 of 14")


def test_the_same_masks_are_called_out_and_untested():
    same = of_patients([5] * 12)
    (found,) = compared_with_first(results(model=same, copy=same.copy()))
    assert "THE SAME MASKS" in found.text
    assert set(found.tables[0]["p, sign flip (Holm)"]) == {""}


def test_leakage_stands_in_the_table():
    tables = Tables({"a": of_patients([5, 6]), "b": of_patients([6, 7])}, ("all are training data",))
    scored_runs = tuple(ScoredRun(name, None, "p1") for name in tables.tables)
    (found,) = compared_with_first(Results(tables, scored_runs))
    assert found.tables[0].iloc[0].tolist() == ["WARNING: all are training data", *[""] * 6]


def test_a_run_from_whose_masks_the_ground_truth_began_is_not_compared():
    tables = Tables({"a": of_patients([5, 6]), "b": of_patients([6, 7])}, edited=("b",))
    (found,) = compared_with_first(Results(tables, tuple(ScoredRun(name, None, "p1") for name in tables.tables)))
    assert (found.tables, found.figures) == ((), {})
    assert found.text.startswith("b is not compared with a: the ground truth began from the masks of b, so that")


def test_every_other_run_gets_one():
    tables = {name: of_patients([number, 5]) for number, name in enumerate("abc", start=1)}
    assert [found.number for found in compared_with_first(results(**tables))] == [1, 2]
    assert not list(compared_with_first(results(a=tables["a"])))


def test_cases_of_one_run_only_are_counted():
    first = of_patients([5, 6, 7])
    (found,) = compared_with_first(results(a=first, b=first[:4]))
    assert "2 cases left out" in found.text and pytest.approx(4) == found.tables[1].iloc[0].sum()
