import json
import logging
import math

import pytest

from helpers.checkpoints.read import training_folder
from helpers.checkpoints.read.training_folder import LogScope, list_runs, read_training_log
from helpers.core.errors import RefusedInput


def write_run(folder, name, lines):
    path = folder / name / "vis_data" / "scalars.json"
    path.parent.mkdir(parents=True)
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines))
    return path


def test_newest_run_and_all_runs(tmp_path):
    write_run(
        tmp_path, "20260102_000000", [{"lr": 1e-4, "loss": 2.0, "step": 10}, {"lr": 5e-5, "loss": 1.0, "step": 20}]
    )
    write_run(tmp_path, "20260101_000000", [{"loss": 9.0, "step": 10, "loss_mask": 3.0}])
    newest = read_training_log(tmp_path)
    assert list(newest.columns) == ["run", "step", "lr", "loss"]
    assert newest["loss"].tolist() == [2.0, 1.0]
    everything = read_training_log(tmp_path, LogScope.ALL)
    assert everything["run"].tolist() == ["20260101_000000", "20260102_000000", "20260102_000000"]
    assert everything["loss"].tolist() == [9.0, 2.0, 1.0]
    assert math.isnan(everything["lr"][0])
    assert [path.parent.parent.name for path in list_runs(tmp_path)] == ["20260101_000000", "20260102_000000"]


def test_cut_last_line_and_nan(tmp_path, caplog):
    write_run(tmp_path, "r", [{"loss": float("nan"), "step": 1}, {"loss": 1.5, "step": 2}, '{"loss": 1.2, "st'])
    with caplog.at_level(logging.WARNING):
        table = read_training_log(tmp_path)
    assert table["step"].tolist() == [1, 2]
    assert math.isnan(table["loss"][0])
    assert "last line is cut" in caplog.text


@pytest.mark.parametrize("bad", ["{broken", "[1, 2]"])
def test_other_bad_lines_are_refused(tmp_path, bad):
    path = write_run(tmp_path, "r", [{"step": 1}, bad, {"step": 3}])
    with pytest.raises(RefusedInput, match="line 2") as refusal:
        read_training_log(tmp_path)
    assert str(path) in str(refusal.value)


def test_no_log_and_empty_log(tmp_path):
    assert read_training_log(tmp_path).empty
    write_run(tmp_path, "r", [])
    table = read_training_log(tmp_path)
    assert table.empty
    assert list(table.columns) == ["run", "step"]


def test_validation_lines_take_their_step_from_iter(tmp_path):
    write_run(tmp_path, "r", [{"iter": 5, "loss": 1.0, "nested": {"a": 1}}, {"iter": 6, "step": 7}, {"epoch": 1}])
    table = read_training_log(tmp_path)
    assert table["step"].tolist()[:2] == [5, 7] and math.isnan(table["step"][2])
    assert "nested" not in table.columns


def test_a_log_of_more_than_a_gigabyte_is_refused(tmp_path, monkeypatch):
    (tmp_path / "run/vis_data").mkdir(parents=True)
    log = tmp_path / "run/vis_data/scalars.json"
    log.write_text('{"step": 1}\n')
    monkeypatch.setattr(training_folder, "_MAX_LOG_BYTES", log.stat().st_size)
    assert len(read_training_log(tmp_path)) == 1
    monkeypatch.setattr(training_folder, "_MAX_LOG_BYTES", log.stat().st_size - 1)
    with pytest.raises(RefusedInput, match="scalars.json is larger than 0 GB, which no training log is"):
        read_training_log(tmp_path)


def test_a_sparse_log_of_a_gigabyte_and_a_byte_is_refused(tmp_path):
    (tmp_path / "run/vis_data").mkdir(parents=True)
    with (tmp_path / "run/vis_data/scalars.json").open("wb") as file:
        file.truncate((1 << 30) + 1)
    with pytest.raises(RefusedInput, match="is larger than 1 GB"):
        read_training_log(tmp_path)
