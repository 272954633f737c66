"""Which cases the sheet shows."""

from dataclasses import replace
from unittest.mock import PropertyMock, patch

from helpers.review.sheet import panel_case, sheet, worst_median_best
from helpers.review.source import ReviewSource, open_source
from tests.review.runs import BROKEN, CASES, FAILED, GRIDDED, write_data, write_run


def test_worst_median_best_and_none_twice(tmp_path):
    source = open_source(write_run(tmp_path / "run"), write_data(tmp_path / "data"))
    assert worst_median_best(source) == {"first": list(CASES[:2])}
    cases = [replace(case, scores={"dice": number / 10}) for number, case in enumerate(source.cases)]
    cases[3] = replace(cases[3], scores={"dice": None})
    with patch.object(ReviewSource, "cases", new_callable=PropertyMock, return_value=tuple(cases)):
        assert worst_median_best(source, 2) == {
            "worst": [CASES[0], CASES[1]], "median": [CASES[2]], "best": [CASES[5], CASES[4]]
        }  # fmt: skip
        found = worst_median_best(source, 9)
    assert sorted(found["worst"]) == sorted(set(CASES) - {CASES[3]}) and found["median"] == found["best"] == []


def test_panels_say_how_a_prediction_ended_and_leave_out_what_cannot_be_read(tmp_path):
    source = open_source(write_run(tmp_path / "run"), write_data(tmp_path / "data"))
    failed = panel_case(source, source.view(FAILED))
    assert failed.prediction is None and failed.title == f"{FAILED}  |  no_seg"
    assert panel_case(source, source.view(BROKEN)) is None
    figure = sheet(source, {"some": [GRIDDED, BROKEN]})
    assert [row.get_suptitle() for row in figure.subfigs] == [f"{GRIDDED}  |  ok"]
    assert sheet(source, {"first": [BROKEN]}).texts[0].get_text() == "none of the 1 frames can be read"
