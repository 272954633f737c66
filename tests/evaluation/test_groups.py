"""Scores by group: of whom, on how many, and nothing that compares groups."""

import json

import numpy as np
import pytest

from helpers.data.groups.case_groups import CaseGroups, GroupSource
from helpers.evaluation.evaluate import evaluate
from helpers.evaluation.groups import group_notes, group_record, group_rows, groups_table, groups_text
from helpers.evaluation.metrics_folder import open_metrics
from helpers.evaluation.score_table import records_of, summary
from helpers.evaluation.summary_text import summary_text
from helpers.metrics.definitions import HEADLINE
from tests.support.score_tables import of_patients, table
from tests.support.vessel_runs import SIDE, write_data, write_run


def by_frame(scores, *names):
    """The groups of the first frames, second frames and so on of each patient, then None."""
    by_case = {case_id: dict(enumerate(names)).get(int(case_id[-1])) for case_id in scores["case_id"]}
    return CaseGroups("side", GroupSource.CSV, by_case)


def test_a_group_is_scored_as_a_data_set_of_its_own():
    first, second = of_patients([8, 10, 4, 6, 7], frames=3), of_patients([5, None, 2, 3, 4], frames=3)
    groups = by_frame(first, "view 10", "view 9")
    record = group_record({"a": first, "b": second}, groups)
    assert [one["group"] for one in record["groups"]] == ["view 9", "view 10", None]
    assert (record["column"], record["source"], record["several"]) == ("side", "csv", 5)
    sizes = [(one["n_cases"], one["n_sequences"], one["n_patients"]) for one in record["groups"]]
    assert sizes == [(5, 5, 5)] * 3
    own = second[second["case_id"].str.endswith("F1")]
    expected = [row for row in records_of(summary(own)) if row["metric"] in HEADLINE]
    assert record["groups"][0]["runs"][1] == {"run": "b", "summary": expected}
    listed = groups_table(groups, list(first["case_id"]))
    assert list(listed.columns) == ["case_id", "group"] and listed["group"].isna().sum() == 5


def test_few_patients_are_dots_and_many_have_an_interval():
    scores = of_patients([8, 10, 4, 6, 7, 9, 5], frames=1)
    of_few = dict(zip(scores["case_id"], ["few"] * 2 + ["many"] * 5, strict=True))
    rows = group_rows(group_record({"a": scores}, CaseGroups("side", GroupSource.CSV, of_few)))
    found = {(row[0], row[1]): row[2:] for row in rows}
    assert found["few", "Recall"] == ["0.900 (P0 0.800, P1 1.000)", "2 cases, 2 sequences, 2 patients"]
    mean, sizes = found["many", "Recall"]
    assert mean.startswith("0.620 [") and "fewer" not in mean and sizes == "5 cases, 5 sequences, 5 patients"
    assert [row[0] for row in rows] == sorted(row[0] for row in rows)


def test_what_stands_with_the_scores():
    scores = of_patients([8, 10])
    notes = group_notes(group_record({"a": scores}, by_frame(scores, "one")))
    assert notes[0] == "Groups by the column side of a CSV file beside the data."
    assert notes[1].startswith("Patients may be in several groups: 2 are; groups are not compared by a test")
    assert notes[2].startswith("Mean over the means of patients in each group; 95 % intervals: none")
    assert "they rest on fewer than 5 patients, whose own means are shown" in notes[3]
    whole = dict.fromkeys(scores["case_id"], "AP straight")
    notes = group_notes(group_record({"a": scores}, CaseGroups("view", GroupSource.DICOM, whole)))
    assert notes[0] == "Groups by the view that DICOM headers state."
    assert notes[1].startswith("Patients may be in several groups; groups are not")


def test_unknown_patients_are_said_to_be_unknown():
    scores = table(("a", "S1", None, 5), ("b", "S2", "P1", 6), ("c", "S2", "P1", 7))
    record = group_record({"a": scores}, CaseGroups("side", GroupSource.CSV, {"a": "l", "b": "r", "c": None}))
    assert record["several"] is None and [one["n_patients"] for one in record["groups"]] == [None, 1, 1]
    notes = group_notes(record)
    assert notes[1].startswith("Patients are not known and may be in several groups")
    assert "means of sequences or patients in each group" in notes[2]


def test_groups_are_text_of_others():
    scores = of_patients([8, 10])
    groups = CaseGroups("s|de", GroupSource.CSV, dict.fromkeys(scores["case_id"], "<b>x|"))
    text = groups_text(group_record({"a": scores}, groups), "Groups", ["a"], [["**warning:** w", "", "", ""]])
    assert "<b>" not in text and "s|de" not in text and r"| \<b\>x\| | Dice |" in text
    assert text.index("**warning:** w") < text.index("Dice")
    assert groups_text(None, "Groups", ["a"], []) == ""


@pytest.fixture
def grouped(tmp_path):
    data = write_data(tmp_path / "data")
    rows = [f"{case.frame.path.stem},{'left' if place % 3 else 'right'}" for place, case in enumerate(data.cases)]
    (tmp_path / "data/sides.csv").write_text("\n".join(["Image,Side", *rows[:-1]]))
    truths = {case.case_id: case.truth.mask(SIDE, SIDE) for case in data.cases}
    run = write_run(tmp_path / "run", {case_id: np.roll(mask, 1) for case_id, mask in truths.items()})
    return evaluate([run], data, tmp_path / "m", groups="side", processes=1, draws=20)


def test_an_evaluation_by_groups(grouped):
    record = grouped.summary["groups"]
    assert json.loads((grouped.folder / "summary.json").read_text())["groups"] == record
    assert [(one["group"], one["n_cases"], one["n_patients"]) for one in record["groups"]] == [
        ("left", 7, 6), ("right", 4, 4), (None, 1, 1),
    ]  # fmt: skip
    metrics = open_metrics(grouped.folder)
    listed = metrics.groups()
    assert listed["case_id"].tolist() == metrics.scores("run")["case_id"].tolist() and "group" not in metrics.table()
    assert listed["group"].isna().sum() == 1 and "groups.parquet" in grouped.summary["files"]
    before, _, section = grouped.text.partition("\n## Groups, exploratory")
    section = section.partition("\n## Second table")[0]
    assert "## Reference bounds" in before and "column Side of a CSV file" in section and "p (" not in section
    dice = [line.split(" | ")[0] for line in section.splitlines() if " | Dice | " in line]
    assert dice == ["| left", "| right", "| unknown"]
    older = {name: value for name, value in grouped.summary.items() if name != "groups"}
    assert "Groups, exploratory" not in summary_text(older)
