"""Runs scored on the same cases: what is counted, compared, and left on the disk."""

import json
import shutil
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from helpers import __version__
from helpers.core.errors import RefusedInput
from helpers.data.dataset import open_dataset
from helpers.data.frames.frame import listing_sha256
from helpers.data.rules import Rules
from helpers.evaluation.evaluate import evaluate
from helpers.evaluation.metrics_folder import open_metrics
from helpers.evaluation.paired import compare, pair
from helpers.evaluation.regression_gate import scores_of
from helpers.evaluation.score_table import summary, summary_of_scored
from helpers.metrics.case_scores import CaseArrays, score_case
from helpers.metrics.overlap import count_pixels, dice
from helpers.metrics.postprocessing import Processing
from helpers.metrics.threshold_curve import counts_at
from helpers.runs.case_parts import CaseResult, commit_case
from helpers.runs.finishing import finish_run
from helpers.runs.result_rows import COLUMNS, PredictionRow
from helpers.runs.run_config import start_run
from helpers.runs.run_folder import open_run
from helpers.runs.status import PredictionStatus
from helpers.runs.stored_maps import StoredLogits, Upsampling, round_for_storage
from tests.support.bars import recorded
from tests.support.score_tables import row_of
from tests.support.vessel_runs import SIDE, write_data, write_run


def test_scores_are_those_of_the_engine(data, truths, good, tmp_path):
    with recorded() as seen:
        found = evaluate([good], data, tmp_path / "m", processes=1)
    units = {what: unit for word, what, *_, unit, _, _ in (one for one in seen.told if one[0] == "begun")}
    expected = {"checking": "case", "reference bounds": "case", "scoring": "case"}
    assert {what: units.get(what) for what in expected} == expected
    metrics = open_metrics(tmp_path / "m")
    table = metrics.scores("good")
    assert list(table["case_id"]) == [case.case_id for case in data.cases]
    assert (table["dice"] == 1).all() and row_of(found, "dice")["mean"] == 1
    case_id = table["case_id"][0]
    expected = score_case(CaseArrays(case_id, truths[case_id], truths[case_id]))
    assert table["cldice"][0] == expected.values["cldice"] and table["tp"][0] == truths[case_id].sum()
    assert counts_at(metrics.histograms("good")[case_id], 0.0).tp == truths[case_id].sum()
    assert {row["metric"]: row["mean"] for row in found.summary["runs"][0]["summary"]} == {
        metric: pytest.approx(value, nan_ok=True) if np.isfinite(value) else None
        for metric, value in summary(table).set_index("metric")["mean"].items()
    }
    assert found.summary["runs"][0]["scored_only"] is None
    assert json.loads((tmp_path / "m/summary.json").read_text())["files"].keys() >= {"metrics.parquet"}


TABLES = ("metrics", "changes", "yardsticks", "thresholds", "reliability", "guesses", "frames", "sequences")


def test_everything_that_the_summary_says(data, truths, good, tmp_path):
    other = write_run(tmp_path / "other", {case_id: np.roll(mask, 1) for case_id, mask in truths.items()})
    found = evaluate([good, other], data, tmp_path / "m", processes=1, draws=50, seed=7)
    summary = found.summary
    assert json.loads((tmp_path / "m/summary.json").read_text()) == summary
    assert (tmp_path / "m/summary.md").read_text() == found.text and found.folder == tmp_path / "m"
    assert list(summary) == [
        *("schema", "schema_version", "created", "version", "settings", "dataset", "training", "standing", "sealed"),
        *("warnings", "data_check", "runs", "yardsticks", "comparisons", "studies", "processing", "guesses"),
        *("sequences", "groups", "definitions", "files"),
    ]
    assert (summary["schema"], summary["schema_version"]) == ("vesselkit.metrics", 4)
    assert (summary["version"], summary["training"], summary["processing"]) == (__version__, None, None)
    assert summary["groups"] is None and "Groups" not in found.text
    assert abs(datetime.now(UTC) - datetime.fromisoformat(summary["created"])) < timedelta(minutes=10)
    assert summary["settings"] == {"seed": 7, "draws": 50, "level": 0.95}
    listing = listing_sha256(data.frames)
    assert summary["dataset"] == {
        "layout": "paired",
        "ids": "public",
        "key_fingerprint": None,
        "cases": 12,
        "without_truth": 0,
        "scored": 12,
        "left_out": {},
        "left_out_cases": {},
        "splits": [],
        "listing_sha256": listing,
        "centres": None,
    }
    assert set(summary["files"]) == {*(f"{name}.parquet" for name in TABLES), "histograms.npz"}
    (compared,) = summary["comparisons"]
    keys = ["first", "second", "title", "edit_distance", "identical", "warnings", "changes", "metrics"]
    assert list(compared) == keys
    assert (compared["first"], compared["second"], compared["warnings"]) == ("good", "other", [])
    changed = open_metrics(tmp_path / "m").changes()
    columns = ["first_run", "second_run", "case_id", "first", "second", "difference", "change"]
    assert list(changed.columns) == columns
    assert set(changed["first_run"]) == {"good"} and set(changed["second_run"]) == {"other"}
    table = open_metrics(tmp_path / "m").table()
    assert list(table.columns[:2]) == ["run", "case_id"] and table["run"].tolist() == ["good"] * 12 + ["other"] * 12
    added = ["outcomes", "statuses", "summary", "precision", "scored_only", "pooled"]
    assert [list(run)[-6:] for run in summary["runs"]] == [added] * 2
    equal, *others = summary["warnings"]
    assert equal.startswith(
        "good: 12 of 12 masks with vessels equal the ground truth to the pixel, which nothing drawn"
    )
    assert others == [
        "whether scored cases are training data was not checked (--training)",
        "6 patients, fewer than 10: no p-values are given",
    ]


def test_a_failure_counts_as_an_empty_mask_and_is_shown_apart(data, truths, tmp_path):
    first = data.cases[0].case_id
    run = write_run(tmp_path / "run", {**truths, first: None})
    found = evaluate([run], data, tmp_path / "m", processes=1)
    table = open_metrics(tmp_path / "m").scores("run")
    assert table["outcome"][0] == "failed" and table["dice"][0] == 0 and table["pr_auc"][0] == 0
    assert row_of(found, "dice")["mean"] == pytest.approx(1 - 1 / len(data.cases))
    assert row_of(found, "dice", part="scored_only")["mean"] == 1
    assert found.summary["runs"][0]["outcomes"] == {"scored": len(data.cases) - 1, "failed": 1, "missing": 0}
    assert found.summary["runs"][0]["statuses"] == {"no_seg": 1, "ok": len(data.cases) - 1}


@pytest.mark.slow
def test_a_case_that_a_run_lacks_is_missing_but_for_a_limited_run(data, truths, tmp_path):
    fewer = dict(list(truths.items())[2:])
    lacking = evaluate([write_run(tmp_path / "lacking", fewer)], data, tmp_path / "m", processes=1)
    assert lacking.summary["runs"][0]["outcomes"]["missing"] == 2
    limited = evaluate([write_run(tmp_path / "limited", fewer, limit=10)], data, tmp_path / "n", processes=1)
    assert limited.summary["runs"][0]["outcomes"]["missing"] == 0
    assert list(limited.summary["dataset"]["left_out"].values()) == [2]
    assert "2 cases with ground truth left out" in limited.text


def test_two_runs_are_compared_on_the_cases_of_both(data, truths, good, tmp_path):
    worse = {case_id: np.roll(mask, 2, axis=1) for case_id, mask in list(truths.items())[1:]}
    other = write_run(tmp_path / "other", worse, limit=len(worse))
    found = evaluate([good, other], data, tmp_path / "m", names=["ours", "base|line"], processes=1)
    metrics = open_metrics(tmp_path / "m")
    assert metrics.runs == ("ours", "base|line") and len(metrics.table()) == 2 * len(worse)
    compared = metrics.summary["comparisons"][0]
    assert compared["changes"] == {"worse": len(worse)} and compared["identical"] == 0
    dice = next(row for row in compared["metrics"] if row["metric"] == "dice")
    assert dice["difference"] < 0 and dice["high"] < 0 and dice["p_sign_flip"] is None  # six patients
    assert set(metrics.changes()["change"]) == {"worse"}
    assert "base\\|line" in found.text and "base|line" not in found.text
    assert "fewer than 10: no p-values are given" in found.text


def test_what_a_mean_leaves_out_and_caps_stands_beside_it(data, truths, good, tmp_path):
    empty = {case_id: mask if number else np.zeros_like(mask) for number, (case_id, mask) in enumerate(truths.items())}
    found = evaluate([write_run(tmp_path / "run", empty)], data, tmp_path / "m", processes=1, draws=100)
    lines = {line.split(" | ")[0]: line for line in found.text.splitlines()}
    assert "(all units equal, 1 undefined, fewer than 10 patients)" in lines["| Precision"]
    assert "(median 0.000, 1 of 12 cases at the cap, fewer than 10 patients)" in lines["| HD95 [px]"]
    assert "undefined" not in lines["| Dice"]


def test_identical_runs_are_called_out_in_the_table(data, truths, good, tmp_path):
    found = evaluate([good, write_run(tmp_path / "again", truths)], data, tmp_path / "m", processes=1)
    assert found.summary["comparisons"][0]["identical"] == len(truths)
    assert "| **warning:** good and again hold the same masks" in found.text


@pytest.mark.slow
def test_post_processing_is_measured_beside_the_masks_as_they_are(data, truths, good, tmp_path):
    processing = Processing(close_gaps=1, remove_small=3)
    found = evaluate([good], data, tmp_path / "m", processing=processing, processes=1, draws=100)
    facts = found.summary["processing"]
    assert (facts["close_gaps"], facts["remove_small"]) == (1, 3)
    rows = {row["metric"]: row for row in facts["runs"][0]["metrics"]}
    changed = [dice(count_pixels(mask, processing.apply(mask))) for mask in truths.values()]
    assert rows["dice"]["first"] == 1 and rows["dice"]["second"] == pytest.approx(np.mean(changed)) != 1
    assert row_of(found, "dice")["mean"] == 1  # the headline is of the masks as they are
    assert "## Post-processing" in found.text.split("## Second table")[1]
    assert evaluate([good], data, tmp_path / "m", processes=1, draws=100).summary["processing"] is None


@pytest.mark.slow
def test_every_prompt_is_scored_under_its_own_name(data, truths, tmp_path):
    mark = start_run(
        tmp_path / "run", {"prompts": {"p1": "a", "p2": "b"}, "threshold": 0.5, "combine": "union"}
    ).config_sha256
    for case_id, mask in truths.items():
        rows, logits = [], round_for_storage(np.where(mask, 4.0, -4.0))
        for prompt_id in ("p1", "p2"):
            known = {"case_id": case_id, "prompt_id": prompt_id, "seg_count": 1, "seg_index": 0}
            known |= {"status": PredictionStatus.OK, "width": SIDE, "height": SIDE, "mask_pixels": int(mask.sum())}
            rows.append(PredictionRow(**{**dict.fromkeys(COLUMNS), **known}))
        maps = {name: StoredLogits(logits[None], Upsampling.NONE, None, SIDE, SIDE) for name in ("p1", "p2")}
        commit_case(tmp_path / "run", mark, CaseResult(case_id, tuple(rows), maps, dict.fromkeys(maps, mask), {}))
    assert finish_run(tmp_path / "run", list(truths), {})
    assert (
        evaluate([tmp_path / "run"], data, tmp_path / "m", processes=1).summary["comparisons"][0]["second"] == "run:p2"
    )
    chosen = evaluate([tmp_path / "run"], data, tmp_path / "m", prompt="p2", processes=1)
    assert [run["name"] for run in chosen.summary["runs"]] == ["run"]


def test_what_was_decided_about_truth_is_recorded_and_ignored_pixels_are_counted(tmp_path):
    dataset = write_data(tmp_path / "data")
    first = sorted((tmp_path / "data" / "masks").iterdir())[0]
    values = np.array(Image.open(first))
    values[:4] = 77
    Image.fromarray(values).save(first)
    case_id = dataset.cases[0].case_id
    everything = {case.case_id: np.ones((SIDE, SIDE), bool) for case in dataset.cases}
    run = write_run(tmp_path / "run", everything)
    with pytest.raises(RefusedInput, match=r"cannot be used yet: .*77: .*--ignore VALUE --save"):
        evaluate([run], open_dataset(tmp_path / "data"), tmp_path / "none")
    dataset = open_dataset(tmp_path / "data", tried=Rules(ignore=("77",)))
    found = evaluate([run], dataset, tmp_path / "out", draws=10)
    assert found.summary["dataset"]["rules"] == {"ignore": ["77"]}
    assert found.summary["dataset"]["ignored"] == {"cases": 1, "pixels": 4 * SIDE}
    assert "Ground truth as decided: ignore 77" in found.text
    assert f"{4 * SIDE} pixels of 1 case are ignored" in found.text
    metrics = open_metrics(tmp_path / "out")
    assert scores_of(metrics).configuration["truth_rules"] == {"ignore": ["77"]}
    table = metrics.scores("run").set_index("case_id")
    vessel = int((values == 255).sum())
    assert table.loc[case_id, "dice"] == pytest.approx(2 * vessel / (vessel + SIDE * (SIDE - 4)))
    assert table["cldice"].isna().sum() == 1 and np.isnan(table.loc[case_id, "hd95_px"])


@pytest.mark.slow
def test_runs_of_several_versions_and_runs_without_digests_are_warned_of(data, truths, tmp_path):
    mixed, old = write_run(tmp_path / "mixed", truths), write_run(tmp_path / "old", truths)
    for place, case_id in enumerate(truths):
        commit_again(mixed, case_id, {"torch": "1.0" if place < 5 else "2.0"})
    finish_run(mixed, list(truths), {})
    (old / "artefacts.parquet").unlink()
    shutil.rmtree(old / "parts")
    manifest = json.loads((old / "manifest.json").read_text())
    del manifest["files"]["artefacts.parquet"]
    (old / "manifest.json").write_text(json.dumps(manifest))
    found = evaluate([mixed, old], data, tmp_path / "out", processes=1, draws=20)
    told = [text for text in found.summary["warnings"] if text.startswith("run ")]
    assert len(told) == 2 and told[1].startswith("run old: 12 of its 12 cases without digests")
    assert "run mixed: computed under different versions" in told[0]
    assert "5 of 12 cases with torch 1.0; 7 of 12 cases with torch 2.0" in told[0] and told[0] in found.text


def commit_again(run, case_id, made_with):
    opened = open_run(run)
    rows, maps = opened.prediction(case_id, "p1"), opened.logits(case_id, "p1")
    result = CaseResult(case_id, rows, {"p1": maps}, {"p1": opened.mask(case_id, "p1")}, {})
    commit_case(run, opened.config.config_sha256, result, made_with)


def test_a_metrics_folder_gives_back_the_tables_that_its_summary_came_from(data, truths, good, tmp_path):
    first = data.cases[0].case_id
    other = write_run(tmp_path / "other", {**{name: np.roll(mask, 2, 1) for name, mask in truths.items()}, first: None})
    evaluate([good, other], data, tmp_path / "m", names=["ours", "other"], processes=1, draws=50, seed=3)
    metrics = open_metrics(tmp_path / "m")
    ours, others = metrics.scores("ours"), metrics.scores("other")
    pd.testing.assert_frame_equal(metrics.means("other"), summary(others))
    assert metrics.means_of_scored("ours") is None
    scored = summary_of_scored(others)
    pd.testing.assert_frame_equal(metrics.means_of_scored("other"), scored)
    compared = compare(pair(ours, others), draws=50, seed=3)
    pd.testing.assert_frame_equal(metrics.comparison("other"), compared)
