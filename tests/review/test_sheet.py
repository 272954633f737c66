"""Which cases the sheet shows."""

from dataclasses import replace
from unittest.mock import PropertyMock, patch

from PIL import Image

from helpers.core.vocabulary import QueueOrder
from helpers.evaluation.evaluate import evaluate
from helpers.evaluation.metrics_folder import open_metrics
from helpers.review.pictures import panel_case, sheet, worst_median_best
from helpers.review.review_source import ReviewSource, open_source
from helpers.review.session import ranked
from tests.support.review_runs import BROKEN, CASES, FAILED, GRIDDED, HEIGHT, WIDTH, write_data, write_run


def test_worst_median_best_and_none_twice(tmp_path):
    source = open_source(write_run(tmp_path / "run"), write_data(tmp_path / "data"))
    assert worst_median_best(source) == {"first": list(CASES[:2])}
    cases = [replace(case, scores={"dice": number / 10}) for number, case in enumerate(source.cases)]
    cases[3] = replace(cases[3], scores={"dice": None})
    with patch.object(ReviewSource, "cases", new_callable=PropertyMock, return_value=tuple(cases)):
        assert worst_median_best(source, 2) == {
            "worst": [CASES[0], CASES[1]], "median": [CASES[2]], "best": [CASES[5], CASES[4]]
        }  # fmt: skip
        assert worst_median_best(source, 9) == worst_median_best(source, 2)
        seen = [replace(case, empty=case.case_id in (CASES[5], CASES[0])) for case in cases]
        with patch.object(ReviewSource, "cases", new_callable=PropertyMock, return_value=tuple(seen)):
            shown = worst_median_best(source, 1)
            assert shown == {"worst": [CASES[1]], "median": [CASES[2]], "best": [CASES[4]]}


def test_panels_say_how_a_prediction_ended_and_leave_out_what_cannot_be_read(tmp_path):
    source = open_source(write_run(tmp_path / "run"), write_data(tmp_path / "data"))
    failed = panel_case(source, source.view(FAILED))
    assert failed.prediction is None and failed.title == f"{FAILED}  |  no_seg"
    assert panel_case(source, source.view(BROKEN)) is None
    figure = sheet(source, {"some": [GRIDDED, BROKEN]})
    assert [row.get_suptitle() for row in figure.subfigs] == [f"{GRIDDED}  |  ok"]
    assert sheet(source, {"first": [BROKEN]}).texts[0].get_text() == "of 1 frame none can be read"


def test_a_frame_without_vessel_in_truth_and_mask_is_marked_by_its_scores(tmp_path):
    data, run = write_data(tmp_path / "data"), write_run(tmp_path / "run")
    Image.new("L", (WIDTH, HEIGHT)).save(tmp_path / "data" / "masks" / f"{FAILED}.png")
    evaluate([run], data, tmp_path / "scores", draws=10, processes=1)
    source = open_source(run, data, metrics=open_metrics(tmp_path / "scores"))
    assert source.scores[FAILED]["dice"] == 1
    assert [case.case_id for case in source.cases if case.empty] == [FAILED]
    assert [case["case_id"] for case in source.document()["cases"] if case["empty"]] == [FAILED]
    assert FAILED not in sum(worst_median_best(source, 2).values(), [])
    assert ranked(source.cases, QueueOrder.BEST, "dice")[-1].case_id == FAILED
    assert not any(case.empty for case in open_source(run, data).cases)
