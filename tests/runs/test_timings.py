"""The times of a run as a table, and in the manifest."""

import json

import pytest

from helpers.runs.timings import predict_summary, timing_path, timing_table


@pytest.mark.parametrize("text", ["", "[1]", '{"read_seconds": 0.'])
def test_damaged_times_are_unknown(tmp_path, text):
    (tmp_path / "timings").mkdir()
    timing_path(tmp_path, "a").write_text(text)
    assert timing_table(tmp_path, ["a"])["read_seconds"].to_pylist() == [None]


def test_a_case_without_a_stage_has_null_there_and_counts_for_nothing(tmp_path):
    (tmp_path / "timings").mkdir()
    stages = {"read_seconds": 0.1, "prepare_seconds": 0.2, "predict_seconds": 0.3, "batch_size": 2}
    timing_path(tmp_path, "a").write_text(json.dumps({**stages, "drafted_answers": 2}))
    timing_path(tmp_path, "b").write_text(json.dumps({**stages, "predict_seconds": 0.5, "drafted_answers": 1}))
    timing_path(tmp_path, "c").write_text(json.dumps({"read_seconds": 0.1}))
    table = timing_table(tmp_path, ["b", "a", "c", "d"])
    assert table["case_id"].to_pylist() == ["b", "a", "c", "d"]
    assert table["drafted_answers"].to_pylist() == [1, 2, None, None]
    assert predict_summary(table) == {
        "median_predict_seconds": 0.4,
        "max_predict_seconds": 0.5,
        "drafted_answers": 3,
    }
