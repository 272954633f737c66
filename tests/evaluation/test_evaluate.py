"""Runs scored on the same cases: what is counted, called out, refused, and left on the disk."""

import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from helpers import __version__
from helpers.core.errors import RefusedInput, UsageProblem
from helpers.data.dataset import open_dataset
from helpers.data.frames.frame import listing_sha256
from helpers.data.rules import Rules
from helpers.evaluation import evaluate as evaluating
from helpers.evaluation.evaluate import evaluate
from helpers.evaluation.markdown import escaped
from helpers.evaluation.metrics_folder import open_metrics
from helpers.evaluation.paired import compare, pair
from helpers.evaluation.regression_gate import check, read_baseline, scores_of, write_baseline
from helpers.evaluation.score_table import summary, summary_of_scored
from helpers.metrics.case_scores import CaseArrays, score_case
from helpers.metrics.overlap import count_pixels, dice
from helpers.metrics.postprocessing import Processing
from helpers.metrics.threshold_curve import counts_at
from helpers.prediction.run import predict
from helpers.runs.case_parts import CaseResult, commit_case, logits_name, mask_name
from helpers.runs.finishing import finish_run
from helpers.runs.mask_files import png_bytes
from helpers.runs.result_rows import COLUMNS, PredictionRow
from helpers.runs.run_config import start_run
from helpers.runs.run_folder import open_run
from helpers.runs.status import PredictionStatus
from helpers.runs.stored_logits import StoredLogits, Upsampling, round_for_storage
from tests.support.plain_predictor import PlainPredictor
from tests.support.vessel_runs import SIDE, write_data, write_run


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_data(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def truths(data):
    return {case.case_id: case.truth.mask(SIDE, SIDE) for case in data.cases}


@pytest.fixture(scope="module")
def good(data, truths, tmp_path_factory):
    return write_run(tmp_path_factory.mktemp("good") / "good", truths)


def row_of(found, metric, run=0, part="summary"):
    return next(row for row in found.summary["runs"][run][part] if row["metric"] == metric)


def test_scores_are_those_of_the_engine(data, truths, good, tmp_path):
    found = evaluate([good], data, tmp_path / "m", processes=1)
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


TABLES = ("metrics", "changes", "yardsticks", "thresholds", "reliability", "frames", "sequences")


def test_everything_that_the_summary_says(data, truths, good, tmp_path):
    other = write_run(tmp_path / "other", {case_id: np.roll(mask, 1) for case_id, mask in truths.items()})
    found = evaluate([good, other], data, tmp_path / "m", processes=1, draws=50, seed=7)
    summary = found.summary
    assert json.loads((tmp_path / "m/summary.json").read_text()) == summary
    assert (tmp_path / "m/summary.md").read_text() == found.text and found.folder == tmp_path / "m"
    assert list(summary) == [
        *("schema", "schema_version", "created", "version", "settings", "dataset", "training", "standing", "warnings"),
        *("data_check", "runs", "yardsticks", "comparisons", "studies", "processing", "sequences"),
        *("definitions", "files"),
    ]
    assert (summary["schema"], summary["schema_version"]) == ("vesselkit.metrics", 3)
    assert (summary["version"], summary["training"], summary["processing"]) == (__version__, None, None)
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
    }
    assert set(summary["files"]) == {*(f"{name}.parquet" for name in TABLES), "histograms.npz"}
    (compared,) = summary["comparisons"]
    assert list(compared) == ["first", "second", "title", "identical", "warnings", "changes", "metrics"]
    assert (compared["first"], compared["second"], compared["warnings"]) == ("good", "other", [])
    changed = open_metrics(tmp_path / "m").changes()
    columns = ["first_run", "second_run", "case_id", "first", "second", "difference", "change"]
    assert list(changed.columns) == columns
    assert set(changed["first_run"]) == {"good"} and set(changed["second_run"]) == {"other"}
    table = open_metrics(tmp_path / "m").table()
    assert list(table.columns[:2]) == ["run", "case_id"] and table["run"].tolist() == ["good"] * 12 + ["other"] * 12
    added = ["outcomes", "statuses", "summary", "scored_only", "pooled"]
    assert [list(run)[-5:] for run in summary["runs"]] == [added] * 2
    assert summary["warnings"] == [
        "whether scored cases are training data was not checked (--training)",
        "intervals rest on 6 patients, too few to rely on; no p-values are given",
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
    assert "too few to rely on" in found.text


def test_what_a_mean_leaves_out_and_caps_stands_beside_it(data, truths, good, tmp_path):
    empty = {case_id: mask if number else np.zeros_like(mask) for number, (case_id, mask) in enumerate(truths.items())}
    found = evaluate([write_run(tmp_path / "run", empty)], data, tmp_path / "m", processes=1, draws=100)
    lines = {line.split(" | ")[0]: line for line in found.text.splitlines()}
    assert "(1 undefined, fewer than 10 patients)" in lines["| Precision"]
    assert "(median 0.000, 1 of 12 cases at the cap, fewer than 10 patients)" in lines["| HD95 [px]"]
    assert "undefined" not in lines["| Dice"]


def test_patients_that_are_not_known_are_warned_of(data, good, tmp_path):
    cases = tuple(replace(case, frame=replace(case.frame, patient=None)) for case in data.cases)
    found = evaluate([good], replace(data, cases=cases), tmp_path / "m", processes=1, draws=50)
    assert found.summary["warnings"][-2:] == [
        "patients are not known for every case: sequences are taken as independent, which they may not be",
        "intervals rest on 6 sequences, too few to rely on; no p-values are given",
    ]


def test_yardsticks_weigh_patients_as_the_scores_do(data, good, tmp_path):
    uneven = replace(data, cases=data.cases[:3])
    found = evaluate([good], uneven, tmp_path / "m", processes=1, draws=100)
    full = open_metrics(tmp_path / "m").yardsticks()["all_foreground"]
    expected = ((full[0] + full[1]) / 2 + full[2]) / 2
    assert found.summary["yardsticks"]["all_foreground"] == pytest.approx(expected) != full.mean()
    assert f"a full mask {expected:.3f}" in found.text


def test_identical_runs_are_called_out_in_the_table(data, truths, good, tmp_path):
    found = evaluate([good, write_run(tmp_path / "again", truths)], data, tmp_path / "m", processes=1)
    assert found.summary["comparisons"][0]["identical"] == len(truths)
    assert "| **warning:** good and again hold the same masks" in found.text


@pytest.mark.parametrize("kind", ["list.txt", "annotations.json", "config.py"])
def test_training_cases_are_called_out_in_the_table(data, good, tmp_path, kind):
    (tmp_path / "annotations.json").write_text(json.dumps([{"image": f"train/{data.cases[0].frame.path.name}"}]))
    (tmp_path / "list.txt").write_text(f"# trained on\n{data.cases[0].case_id}\n")
    (tmp_path / "config.py").write_text("raise SystemExit\ndata_path = 'annotations.json'\n")
    found = evaluate([good], data, tmp_path / "m", training=tmp_path / kind, processes=1)
    assert found.summary["training"]["listed"] == [data.cases[0].case_id]
    assert found.summary["training"]["leaked"] == [case.case_id for case in data.cases[:2]]  # both of its patient
    assert f"| **warning:** 1 of {len(data.cases)} scored cases are training data" in found.text


def test_leakage_stands_in_every_table_of_scores(data, truths, good, tmp_path):
    (tmp_path / "list.txt").write_text(data.cases[0].case_id)
    other = write_run(tmp_path / "other", {case_id: np.roll(mask, 1) for case_id, mask in truths.items()})
    found = evaluate([good, other], data, tmp_path / "m", training=tmp_path / "list.txt", processes=1, draws=100)
    parts = found.text.split("\n## ")
    warned = [part.split("\n")[0] for part in parts if "| **warning:** 1 of 12 scored cases are training" in part]
    title = ": 6 patients, 1 of them TRAINING patients"
    assert warned == [f"{name}{title}" for name in ("Headline", "other against good", "Second table")]
    assert "Training list" in parts[0] and "1 entries, 1 cases of the data set among them" in parts[0]
    assert len(set(found.summary["warnings"])) == len(found.summary["warnings"])


def test_a_training_list_read_in_part_or_without_a_match_is_called_out(data, good, tmp_path):
    (tmp_path / "other.json").write_text('[{"image": "stranger.png"}]')
    (tmp_path / "config.py").write_text("files = ['other.json', 'lost.json']\n")
    found = evaluate([good], data, tmp_path / "m", training=tmp_path / "config.py", processes=1, draws=100)
    assert "| **warning:** 1 of 2 annotation files of the training config are not here" in found.text
    assert "| **warning:** none of the 1 entries of the training list is named like a case" in found.text
    assert found.summary["training"]["files_absent"] == 1


def test_a_config_without_its_data_is_refused(data, good, tmp_path):
    (tmp_path / "config.py").write_text("data_path = 'elsewhere.json'\n")
    with pytest.raises(RefusedInput, match=r"expected annotation files.*elsewhere\.json"):
        evaluate([good], data, tmp_path / "m", training=tmp_path / "config.py")


def test_what_cannot_be_compared_is_refused_before_any_work(data, truths, good, tmp_path):
    other_key = write_run(tmp_path / "key", truths, dataset={"key_fingerprint": "abc"})
    with pytest.raises(RefusedInput, match="different keys"):
        evaluate([good, other_key], data, tmp_path / "m")
    with pytest.raises(RefusedInput, match="case ids come from key abc"):
        evaluate([other_key], data, tmp_path / "m")
    tuned = write_run(tmp_path / "tuned", truths, model={"tuned_on": {"cases": [data.cases[3].case_id]}})
    with pytest.raises(RefusedInput, match=f"chosen on 1 of the cases.*{data.cases[3].case_id}"):
        evaluate([good, tuned], data, tmp_path / "m")
    untold = write_run(tmp_path / "untold", truths, model={"tuned_on": {"cases": ["c1"], "key_fingerprint": "abc"}})
    found = evaluate([untold], data, tmp_path / "untold_scores", processes=1, draws=100)
    assert "| **warning:** run untold: its parameters were chosen on 1 cases under another key" in found.text
    with pytest.raises(UsageProblem, match="prompt: expected one of p1"):
        evaluate([good], data, tmp_path / "m", prompt="p7")
    with pytest.raises(UsageProblem, match="names: expected a different one"):
        evaluate([good, good], data, tmp_path / "m", names=["a", "a"])
    assert not (tmp_path / "m").exists()


def test_truths_of_another_size_are_refused_unless_scaled(tmp_path, truths, data):
    folder = tmp_path / "data"
    write_data(folder, truth_scale=2)
    run = write_run(tmp_path / "run", truths)
    with pytest.raises(RefusedInput, match=rf"found {len(truths)} that do not.*--rescale"):
        evaluate([run], open_dataset(folder), tmp_path / "m")
    found = evaluate([run], open_dataset(folder, rescale=True), tmp_path / "m", processes=1)
    assert row_of(found, "dice")["mean"] == 1


def test_a_broken_truth_is_found_before_anything_is_scored(tmp_path, truths, monkeypatch):
    data = write_data(tmp_path / "data")
    for case in data.cases[2:4]:
        content = case.truth.path.read_bytes()
        case.truth.path.write_bytes(content[: len(content) // 2])  # its header is whole
    monkeypatch.setattr("helpers.evaluation.evaluate.score_run", lambda *_: pytest.fail("scored"))
    with pytest.raises(
        RefusedInput, match=f"found 2 that cannot, the first {data.cases[2].case_id}: the mask cannot be"
    ):
        evaluate([write_run(tmp_path / "run", truths)], data, tmp_path / "m", processes=1)
    assert not (tmp_path / "m").exists()


def test_cases_that_are_gone_or_regrouped_are_said(data, truths, tmp_path):
    run = write_run(tmp_path / "run", truths)
    fewer = replace(data, cases=data.cases[1:])
    found = evaluate([run], fewer, tmp_path / "m", processes=1, draws=100)
    first = data.cases[0].case_id
    warning = f"1 predicted cases, the first {first}, are gone from the data set and not scored"
    assert warning in found.summary["warnings"] and f"| **warning:** {escaped(warning)}" in found.text
    facts = found.summary["dataset"]
    assert facts["left_out_cases"] == {"cases of the runs left out, since the data set has them no more": [first]}
    assert facts["listing_sha256"] == listing_sha256(fewer.frames) and facts["splits"] == []
    other = replace(data, cases=tuple(replace(case, frame=replace(case.frame, split="b")) for case in data.cases[1:]))
    found = evaluate([run], other, tmp_path / "m", processes=1, draws=100)
    assert found.summary["dataset"]["left_out_cases"] == {
        "cases of the runs left out, since they are of other splits": [first]
    }
    assert found.summary["dataset"]["splits"] == ["b"] and "gone from the data set" not in found.text


def test_groups_that_changed_since_the_prediction_are_said(data, tmp_path):
    predict(data.frames, PlainPredictor(), tmp_path / "run")
    moved = replace(data.cases[0], frame=replace(data.cases[0].frame, patient=data.cases[-1].frame.patient))
    found = evaluate(
        [tmp_path / "run"], replace(data, cases=(moved, *data.cases[1:])), tmp_path / "m", processes=1, draws=100
    )
    (warning,) = [text for text in found.summary["warnings"] if "another patient or sequence now" in text]
    assert warning.startswith(f"1 cases, the first {moved.case_id}, are")


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


def test_only_an_evaluation_is_replaced(data, truths, good, tmp_path):
    evaluate([good], data, tmp_path / "m", processes=1)
    evaluate([write_run(tmp_path / "b", truths)], data, tmp_path / "m", processes=1)
    assert open_metrics(tmp_path / "m").runs == ("b",) and not list(tmp_path.glob(".*"))
    (tmp_path / "other").mkdir()
    (tmp_path / "other/notes.txt").write_text("mine")
    with pytest.raises(RefusedInput, match="an evaluation to replace"):
        evaluate([good], data, tmp_path / "other")
    (tmp_path / "other/summary.json").write_text('{"foreground_mean": {}}')  # as nnU-Net leaves beside predictions
    with pytest.raises(RefusedInput, match="an evaluation to replace"):
        evaluate([good], data, tmp_path / "other")
    assert (tmp_path / "other/notes.txt").read_text() == "mine"
    with pytest.raises(RefusedInput, match="an evaluation to replace"):  # before any run is looked at
        evaluate([tmp_path / "no run"], data, tmp_path / "other")
    table = tmp_path / "m/metrics.parquet"
    table.write_bytes(table.read_bytes()[:-1])
    with pytest.raises(RefusedInput, match=r"metrics\.parquet: expected as summary\.json has it"):
        open_metrics(tmp_path / "m")


@pytest.mark.parametrize(("name", "value"), [("schema", "vesselkit.run"), ("schema_version", 4)])
def test_another_schema_or_version_is_refused(data, good, tmp_path, name, value):
    evaluate([good], data, tmp_path / "m", processes=1, draws=50)
    summary = json.loads((tmp_path / "m/summary.json").read_text())
    (tmp_path / "m/summary.json").write_text(json.dumps({**summary, name: value}))
    with pytest.raises(RefusedInput, match=rf"expected vesselkit\.metrics version 3, found .*{value}"):
        open_metrics(tmp_path / "m")


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
    assert f"{4 * SIDE} pixels of 1 cases are ignored" in found.text
    metrics = open_metrics(tmp_path / "out")
    assert scores_of(metrics).configuration["truth_rules"] == {"ignore": ["77"]}
    table = metrics.scores("run").set_index("case_id")
    vessel = int((values == 255).sum())
    assert table.loc[case_id, "dice"] == pytest.approx(2 * vessel / (vessel + SIDE * (SIDE - 4)))
    assert table["cldice"].isna().sum() == 1 and np.isnan(table.loc[case_id, "hd95_px"])


def swap(first, second):
    one, other = first.read_bytes(), second.read_bytes()
    first.write_bytes(other)
    second.write_bytes(one)


@pytest.mark.parametrize("name", [mask_name, logits_name])
def test_files_that_are_not_those_of_the_run_are_refused_before_anything_is_scored(
    data, truths, good, tmp_path, monkeypatch, name
):
    run, (first, second, *_) = write_run(tmp_path / "run", truths), list(truths)
    swap(run / name(first, "p1"), run / name(second, "p1"))
    monkeypatch.setattr("helpers.evaluation.evaluate.scorable", lambda *_: pytest.fail("work began"))
    with pytest.raises(RefusedInput, match=f"in 2 of 12 cases: {first}, {second}. Predict these again"):
        evaluate([good, run], data, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_file_that_is_changed_while_the_cases_are_scored_is_refused(data, truths, tmp_path, monkeypatch):
    run, (first, *_) = write_run(tmp_path / "run", truths), truths
    real = evaluating.scorable

    def meanwhile(*arguments):
        (run / mask_name(first, "p1")).write_bytes(png_bytes(~truths[first]))
        return real(*arguments)

    monkeypatch.setattr(evaluating, "scorable", meanwhile)
    with pytest.raises(RefusedInput, match="Predict the case again"):
        evaluate([run], data, tmp_path / "out", processes=1)


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
    assert len(told) == 2 and told[1].startswith("run old: 12 of its 12 cases keep no digests")
    assert "run mixed: computed under different versions" in told[0]
    assert "5 of 12 cases with torch 1.0; 7 of 12 cases with torch 2.0" in told[0] and told[0] in found.text


def commit_again(run, case_id, made_with):
    opened = open_run(run)
    rows, maps = opened.prediction(case_id, "p1"), opened.logits(case_id, "p1")
    result = CaseResult(case_id, rows, {"p1": maps}, {"p1": opened.mask(case_id, "p1")}, {})
    commit_case(run, opened.config.config_sha256, result, made_with)


def twice_spelled(patient, frame):
    return f"P{patient:02d}" if frame == 1 else f"p{patient}"


def test_a_patient_in_two_spellings_is_one_in_every_interval_and_two_in_every_id(tmp_path):
    data = write_data(tmp_path / "data", patients=11, spelled=twice_spelled)
    truths = {case.case_id: case.truth.mask(SIDE, SIDE) for case in data.cases}
    runs = [
        write_run(tmp_path / "a", truths),
        write_run(tmp_path / "b", {case_id: np.roll(mask, 1) for case_id, mask in truths.items()}),
    ]
    found = evaluate(runs, data, tmp_path / "m", processes=1, draws=50)
    assert {row["n_patients"] for row in found.summary["runs"][0]["summary"]} == {11}
    assert {row["n_units"] for row in found.summary["comparisons"][0]["metrics"]} == {11}
    assert found.summary["studies"][0]["threshold"]["dice"]["n_units"] == 11
    assert any("22 patient ids are spellings of 11 patients" in text for text in found.summary["warnings"])
    table = open_metrics(tmp_path / "m").scores("a")
    assert table["patient"].nunique() == 22 and table["united"].nunique() == 11
    assert {case.case_id for case in data.cases} == set(table["case_id"])
    baseline = scores_of(open_metrics(tmp_path / "m"))
    write_baseline(tmp_path / "gate.json", baseline)
    assert "11 patients" in check(read_baseline(tmp_path / "gate.json"), baseline).to_text()
    (tmp_path / "list.txt").write_text("P3_S07_001.png")
    seen = evaluate(runs, data, tmp_path / "m", training=tmp_path / "list.txt", processes=1, draws=50)
    assert seen.summary["standing"]["title"] == "11 patients, 1 of them TRAINING patients"
    assert set(seen.summary["training"]["leaked"]) == {"P03_S01_001", "p3_S01_002"}


def test_a_spelling_on_the_other_side_is_no_other_patient(tmp_path):
    key = tmp_path / "study.key"
    for name, first in (("development", "P0{}"), ("scored", "p{}")):  # P04 is p4
        offset = 0 if name == "development" else 3
        write_data(tmp_path / name, patients=4, spelled=lambda patient, _: first.format(patient + offset))  # noqa: B023
        (tmp_path / name / "dataset.json").unlink()
        data = open_dataset(tmp_path / name, id_key=key)
        truths = {case.case_id: case.truth.mask(SIDE, SIDE) for case in data.cases}
        write_run(tmp_path / f"{name}_run", truths, dataset=data.identity)
        if name == "development":
            evaluate([tmp_path / "development_run"], data, tmp_path / "d", processes=1, draws=50)
    with pytest.raises(RefusedInput, match="expected other patients than the scored ones, found 1 patients in both"):
        evaluate([tmp_path / "scored_run"], data, tmp_path / "m", development=tmp_path / "d", processes=1)


def test_a_metrics_folder_gives_back_the_tables_that_its_summary_came_from(data, truths, good, tmp_path):
    first = data.cases[0].case_id
    other = write_run(tmp_path / "other", {**{name: np.roll(mask, 2, 1) for name, mask in truths.items()}, first: None})
    evaluate([good, other], data, tmp_path / "m", names=["ours", "other"], processes=1, draws=50, seed=3)
    metrics = open_metrics(tmp_path / "m")
    ours, others = metrics.scores("ours"), metrics.scores("other")
    pd.testing.assert_frame_equal(metrics.means("other"), summary(others, draws=50, seed=3))
    assert metrics.means_of_scored("ours") is None
    scored = summary_of_scored(others, draws=50, seed=3)
    pd.testing.assert_frame_equal(metrics.means_of_scored("other"), scored)
    compared = compare(pair(ours, others), draws=50, seed=3)
    pd.testing.assert_frame_equal(metrics.comparison("other"), compared)
