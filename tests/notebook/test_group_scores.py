"""Scores by group in notebook 03: what stands with them, and what is said where none were asked for."""

from types import SimpleNamespace

from helpers.data.groups.case_groups import CaseGroups, GroupSource
from helpers.evaluation.groups import group_record
from helpers.notebook.group_scores import group_figures, group_tables
from tests.support.score_tables import of_patients


def results(record):
    return SimpleNamespace(
        metrics=SimpleNamespace(summary={} if record is None else {"groups": record}),
        scores={"model": None},
        title="2 UNSEEN patients",
        training_warnings=["leaked"],
    )


def test_groups_stand_below_what_is_warned_of_and_above_their_notes():
    scores = of_patients([8, 10])
    groups = CaseGroups("side", GroupSource.CSV, dict.fromkeys(scores["case_id"][:3], "left") | {"P1-F1": None})
    found = results(group_record({"model": scores}, groups))
    table, notes = group_tables(found)
    assert list(table.columns) == ["groups by side, exploratory", "metric", "model", "rests on"]
    assert table.iloc[:2, 0].tolist() == ["WARNING: leaked", "2 UNSEEN patients"]
    assert table.iloc[2].tolist()[:2] == ["left", "Dice"] and table.iloc[-1, 0] == "unknown"
    assert table.iloc[2, 3] == "3 cases, 2 sequences, 2 patients"
    assert any("1 is; groups are not compared by a test" in note for note in notes["about the groups"])
    (figure,) = group_figures(found).values()
    assert "2 UNSEEN patients" in figure.get_suptitle()


def test_without_groups_it_is_said():
    for found in (results(None), SimpleNamespace(metrics=SimpleNamespace(summary={"groups": None}))):
        (table,) = group_tables(found)
        assert table.iloc[0, 0] == "none asked for" and group_figures(found) == {}
