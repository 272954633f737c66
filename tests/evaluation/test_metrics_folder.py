"""A metrics folder of a few rows: what is read of it, and what is refused."""

import json
from hashlib import sha256
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from helpers.core.errors import RefusedInput
from helpers.evaluation.metrics_folder import check_output, name_in, open_metrics, outdated, write_tables
from helpers.metrics.case_scores import mask_digest
from helpers.metrics.threshold_curve import LogitHistogram

MASK = np.eye(3, dtype=bool)
HISTOGRAM = LogitHistogram(np.arange(4), np.arange(4)[::-1].copy())
SCORES = pd.DataFrame(
    {
        "run": ["a", "a", "b"],
        "case_id": ["x", "y", "x"],
        "patient": ["P1", None, "P1"],
        "height": [3, 3, 3],
        "width": [3, 3, 3],
        "prediction_digest": [mask_digest(MASK), mask_digest(~MASK), mask_digest(0 * MASK)],
        "prediction": ["f1", None, "f2"],
    }
)
OF_RUNS = pd.DataFrame({"run": ["b", "a", "b"], "threshold": [0.1, 0.2, 0.3]})
RUNS = [
    {
        "name": "a",
        "config_sha256": "1",
        "prompt_id": "p1",
        "summary": [{"metric": "dice", "mean": 0.5}],
        "scored_only": None,
    },
    {
        "name": "b",
        "config_sha256": "1",
        "prompt_id": "p2",
        "summary": [],
        "scored_only": [{"metric": "dice", "mean": 0.7}],
    },
]


def write(folder, scores=SCORES, more=None, version=3):
    folder.mkdir(exist_ok=True)
    tables = dict.fromkeys(("changes.parquet", "yardsticks.parquet"), pd.DataFrame({"case_id": ["x"]}))
    tables |= dict.fromkeys(("thresholds.parquet", "reliability.parquet"), OF_RUNS)
    tables |= {"metrics.parquet": scores, **(more or {})}
    files = write_tables(folder, tables, {"a": {"x": HISTOGRAM}, "b": {}})
    summary = {"schema": "vesselkit.metrics", "schema_version": version, "files": files, "runs": RUNS}
    summary["comparisons"] = [{"second": "b", "metrics": [{"metric": "dice", "difference": 0.2}]}]
    summary["studies"] = [{"run": "a", "notes": ["one"]}, {"run": "b", "notes": []}]
    (folder / "summary.json").write_text(json.dumps(summary))
    return folder


@pytest.fixture
def metrics(tmp_path):
    return open_metrics(write(tmp_path / "metrics"))


def test_tables_of_a_folder(metrics):
    assert metrics.runs == ("a", "b") and "prediction" not in metrics.table().columns
    scores = metrics.scores("b")
    assert scores.index.tolist() == [0] and scores["case_id"].tolist() == ["x"] and "run" not in scores
    assert metrics.scores("a")["patient"].dtype == object
    with pytest.raises(RefusedInput, match="expected one of the runs a, b, got 'c'"):
        metrics.scores("c")
    assert metrics.means("a")["mean"].tolist() == [0.5] and metrics.means_of_scored("b")["mean"].tolist() == [0.7]
    assert metrics.means_of_scored("a") is None
    assert metrics.comparison("b")["difference"].tolist() == [0.2]
    assert metrics.operating_point("b")["notes"] == []
    assert (
        metrics.thresholds("b").to_dict("list") == metrics.reliability("b").to_dict("list") == {"threshold": [0.1, 0.3]}
    )
    assert metrics.changes()["case_id"].tolist() == metrics.reference_bounds()["case_id"].tolist() == ["x"]
    assert metrics.frames() is metrics.sequences() is metrics.groups() is None


def test_histograms_and_predictions_by_case(metrics):
    (found,) = metrics.histograms("a").items()
    assert found[0] == "x" and found[1].vessel.tolist() == [0, 1, 2, 3] and found[1].background.tolist() == [3, 2, 1, 0]
    assert found[1].vessel.dtype == np.int64 and metrics.histograms("b") == {}
    assert metrics.predictions("a") == {"x": "f1", "y": None} and metrics.predictions("b") == {"x": "f2"}


@pytest.mark.parametrize("name", ["frames", "sequences", "groups", "guesses"])
def test_tables_of_what_a_folder_may_have(tmp_path, name):
    table = pd.DataFrame({"run": ["a"], "case_id": ["x"]})
    found = open_metrics(write(tmp_path / "m", more={f"{name}.parquet": table}))
    shown = found.guesses("a") if name == "guesses" else getattr(found, name)()
    assert shown["case_id"].tolist() == ["x"]
    (tmp_path / f"m/{name}.parquet").unlink()
    with pytest.raises(RefusedInput, match=f"{name}.parquet: expected as summary.json has it, found lost or changed"):
        open_metrics(tmp_path / "m")


HASHED = ["metrics.parquet", "changes.parquet", "yardsticks.parquet", "thresholds.parquet", "reliability.parquet",
          "histograms.npz"]  # fmt: skip


@pytest.mark.parametrize("name", HASHED)
def test_a_file_that_was_changed_is_refused_by_name(tmp_path, name):
    folder = write(tmp_path / "m")
    (folder / name).write_bytes((folder / name).read_bytes() + b"x")
    with pytest.raises(RefusedInput, match=f"{name}: expected as summary.json has it, found lost or changed. Evaluate"):
        open_metrics(folder)


def test_versions_that_are_read(tmp_path):
    assert [open_metrics(write(tmp_path / "m", version=version)).runs for version in (2, 3)] == [("a", "b")] * 2
    for version in (1, 5):
        with pytest.raises(
            RefusedInput, match=rf"expected vesselkit.metrics version 4, found .* {version}. Evaluate ag"
        ):
            open_metrics(write(tmp_path / "m", version=version))


def test_where_scores_may_be_written(tmp_path):
    check_output(tmp_path / "new")
    (tmp_path / "empty").mkdir()
    check_output(tmp_path / "empty")
    check_output(write(tmp_path / "m"))
    (tmp_path / "other").mkdir()
    for content in ("[]", "{", '{"schema": "of nnU-Net"}'):
        (tmp_path / "other/summary.json").write_text(content)
        with pytest.raises(
            RefusedInput, match="other: expected a new folder, or an evaluation to replace. Name another"
        ):
            check_output(tmp_path / "other")
    with pytest.raises(RefusedInput):
        check_output(tmp_path / "other/summary.json")


def scored_run(config="1", prompt="p1", masks=None, predictions=None):
    run = SimpleNamespace(config=SimpleNamespace(config_sha256=config))
    return SimpleNamespace(run=run, prompt_id=prompt, mask=(masks or {}).get, prediction=(predictions or {}).get)


def test_the_name_of_a_run_in_the_scores(metrics):
    assert [name_in(metrics, scored_run(prompt=prompt)) for prompt in ("p1", "p2", "p3")] == ["a", "b", None]
    assert name_in(metrics, scored_run(config="2")) is None


def test_scores_of_something_else_are_told_by_fingerprints(metrics):
    assert outdated(metrics, "a", scored_run(predictions={"x": "f1"})) == frozenset()
    assert outdated(metrics, "a", scored_run(predictions={"x": "f2", "y": "f3"})) == {"x", "y"}


def test_of_earlier_versions_masks_are_compared(tmp_path):
    found = open_metrics(write(tmp_path / "m", scores=SCORES.drop(columns="prediction")))
    assert found.predictions("a") is None
    assert outdated(found, "a", scored_run(masks={"x": MASK, "y": ~MASK})) == frozenset()
    assert outdated(found, "a", scored_run(masks={"x": ~MASK})) == {"x", "y"}
    assert outdated(found, "b", scored_run()) == frozenset()  # no mask is an empty one


def test_tables_are_written_without_the_numbers_of_their_rows(tmp_path):
    scores = SCORES.set_axis([7, 3, 5])
    write(tmp_path / "m", scores=scores)
    assert pq.read_schema(tmp_path / "m/metrics.parquet").names == list(SCORES.columns)
    assert open_metrics(tmp_path / "m").scores("a").index.tolist() == [0, 1]


def test_what_is_written_is_told_by_its_hash(tmp_path):
    listed = json.loads((write(tmp_path / "m") / "summary.json").read_text())["files"]
    assert sorted(listed) == sorted(HASHED)
    assert listed == {name: sha256((tmp_path / "m" / name).read_bytes()).hexdigest() for name in listed}
