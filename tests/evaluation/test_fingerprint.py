"""Scores of what a run no longer says are told from those of what it says."""

import json
import shutil
from dataclasses import replace
from hashlib import sha256

import numpy as np
import pandas as pd
import pytest

from helpers.core.errors import RefusedInput
from helpers.evaluation.evaluate import evaluate
from helpers.evaluation.metrics_folder import name_in, open_metrics, outdated, require_unchanged
from helpers.evaluation.scored_runs import open_scored_runs
from helpers.runs.case_parts import CaseResult, commit_case
from helpers.runs.finishing import finish_run
from helpers.runs.run_folder import open_run
from tests.support.vessel_runs import SIDE, write_data, write_run


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A run of which a case has no mask, its scores, and its data; and the names of the cases."""
    folder = tmp_path_factory.mktemp("made")
    data = write_data(folder / "data")
    truths = {case.case_id: case.truth.mask(SIDE, SIDE) for case in data.cases}
    run = write_run(folder / "run", {**truths, min(truths): None})
    evaluate([run], data, folder / "m", names=["ours"], processes=1, draws=20)
    return folder, sorted(truths)


@pytest.fixture
def scored(made, tmp_path):
    """A copy of these: run, scores and names."""
    shutil.copytree(made[0], tmp_path, dirs_exist_ok=True)
    return tmp_path / "run", tmp_path / "m", made[1]


def predict_again(run, case_id, status=None):
    """Give a case another mask, or another status."""
    opened = open_run(run)
    row = opened.prediction(case_id, "p1")[0]
    mask, maps = opened.mask(case_id, "p1"), opened.logits(case_id, "p1")
    found = {} if mask is None else {"p1": mask}
    if mask is not None and status is None:
        found, maps = {"p1": ~mask}, replace(maps, logits=-maps.logits)
    row = row if status is None else replace(row, status=status)
    result = CaseResult(case_id, (row,), dict.fromkeys(found, maps), found, {})
    commit_case(run, opened.config.config_sha256, result)
    assert finish_run(run, opened.cases(), {})


def as_before(folder):
    """The folder as versions wrote it that kept no fingerprints."""
    path = folder / "metrics.parquet"
    pd.read_parquet(path).drop(columns="prediction").to_parquet(path, index=False)
    summary = json.loads((folder / "summary.json").read_text())
    summary["files"]["metrics.parquet"] = sha256(path.read_bytes()).hexdigest()
    (folder / "summary.json").write_text(json.dumps(summary))


@pytest.mark.parametrize("before", [False, True])
def test_scores_of_cases_that_were_predicted_again_are_outdated_and_no_others(scored, before):
    run, folder, (_, second, third, *_) = scored
    if before:
        as_before(folder)
    metrics = open_metrics(folder)
    assert (metrics.predictions("ours") is None) is before and "prediction" not in metrics.scores("ours")
    (scored_run,) = open_scored_runs([run])
    assert name_in(metrics, scored_run) == "ours" and outdated(metrics, "ours", scored_run) == frozenset()
    for case_id in (second, third):
        predict_again(run, case_id)
    assert outdated(metrics, "ours", open_scored_runs([run])[0]) == {second, third}


def test_another_run_has_no_name_in_a_metrics_folder(scored, tmp_path):
    other = write_run(tmp_path / "other", {"x": np.eye(SIDE, dtype=bool)}, seed=1)
    assert name_in(open_metrics(scored[1]), open_scored_runs([other])[0]) is None


def test_a_run_that_changes_while_it_is_scored_is_refused(scored):
    run, _, (_, second, *_) = scored
    scored_runs = open_scored_runs([run])
    require_unchanged(scored_runs)
    predict_again(run, second)
    with pytest.raises(RefusedInput, match="predicted again meanwhile. Give the same command again"):
        require_unchanged(scored_runs)
