"""The words of temporal scores, of results that are written by hand."""

import pytest

from helpers.evaluation.sequence_scores import (
    sequence_difference_rows,
    sequence_rows,
    sequences_text,
    stepless_text,
)

NAMES = ("dice", "cldice", "flicker", "temporal_dice", "temporal_dice_gap", "first_gap", "last_gap")
UNKNOWN = {"low": None, "high": None, "few": False, "n_units": 12}


def run(name, **means):
    metrics = [{"metric": metric, "mean": means.get(metric), **UNKNOWN} for metric in NAMES]
    return {"run": name, "metrics": metrics}


COMPARED = [
    {**UNKNOWN, "metric": metric, "difference": None, "p_sign_flip": None, "p_sign_flip_holm": None} for metric in NAMES
]
COMPARED[2] |= {"difference": -0.25, "low": -0.5, "high": 0.0, "p_sign_flip_holm": 0.03125}
COMPARED[3] |= {"difference": 0.125, "few": True}
FOUND = {
    "unit": "patient",
    "sequences": 13,
    "runs": [run("frame", dice=0.75, flicker=0.5), run("memory|2", flicker=0.25)],
    "comparisons": [{"first": "frame", "second": "memory|2", "metrics": COMPARED}],
}
FOUND["runs"][0]["metrics"][0] |= {"low": 0.7, "high": 0.8, "few": True}


def test_a_row_for_each_metric_and_a_text_for_each_run():
    assert sequence_rows(FOUND) == [
        ["Dice", "0.750 [0.700, 0.800] (fewer than 10 patients)", ""],
        ["clDice", "", ""],
        ["Flicker", "0.500", "0.250"],
        ["Temporal Dice", "", ""],
        ["Temporal Dice, distance to the truth's", "", ""],
        ["First-frame gap", "", ""],
        ["Last-frame gap", "", ""],
    ]


def test_differences_with_their_p_values():
    rows = dict(sequence_difference_rows(FOUND))
    assert rows["Flicker"] == "-0.250 [-0.500, 0.000], p 0.0312"
    assert rows["Temporal Dice"] == "0.125 (fewer than 10 patients)"
    assert rows["Dice"] == ""


def test_the_section():
    title, said, table, paired, differences, explained = sequences_text(FOUND).split("\n\n")
    assert (title, said.split(".")[0]) == ("## Sequences", "13 sequences, means of patient means")
    lines = ["|  | frame | memory\\|2 |", "| --- | --- | --- |"]
    assert table.splitlines()[:2] == lines and len(table.splitlines()) == 9
    assert table.splitlines()[4] == "| Flicker | 0.500 | 0.250 |"
    assert paired.endswith(":") and differences.splitlines()[:2] == ["|  | memory\\|2 less frame |", "| --- | --- |"]
    assert differences.splitlines()[4] == "| Flicker | -0.250 [-0.500, 0.000], p 0.0312 |"
    better = [line.rsplit("(better: ")[1] for line in explained.splitlines()]
    assert better == ["higher)", "higher)", "lower)", "as the truth)", "lower)", "lower)", "lower)"]


def test_one_run_is_compared_with_none():
    assert len(sequences_text({**FOUND, "comparisons": []}).split("\n\n")) == 4
    assert sequences_text(None) == ""


@pytest.mark.parametrize("found", [{"sequences": 3}, {"sequences": 3, "stepless": 0}])
def test_nothing_is_said_where_all_sequences_have_steps(found):
    assert stepless_text(found) == ""


def test_sequences_without_steps_are_counted():
    text = stepless_text({"sequences": 3, "stepless": 2})
    assert text.startswith("2 of 3 sequences have no two neighbouring frames of one size, so that nothing is said of")
