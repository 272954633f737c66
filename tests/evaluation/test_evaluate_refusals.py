"""What an evaluation refuses, before anything is scored or while it is."""

import json

import pytest

from helpers.core.errors import RefusedInput, UsageProblem
from helpers.data.dataset import open_dataset
from helpers.evaluation import evaluate as evaluating
from helpers.evaluation.evaluate import evaluate
from helpers.evaluation.metrics_folder import open_metrics
from helpers.runs.case_parts import logits_name, mask_name
from helpers.runs.stored_maps import png_bytes
from tests.support.score_tables import row_of
from tests.support.vessel_runs import write_data, write_run


def test_a_config_without_its_data_is_refused(data, good, tmp_path):
    (tmp_path / "config.py").write_text("data_path = 'elsewhere.json'\n")
    with pytest.raises(RefusedInput, match=r"expected annotation files.*elsewhere\.json"):
        evaluate([good], data, tmp_path / "m", training=tmp_path / "config.py")


@pytest.mark.slow
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
    assert "| **warning:** run untold: its parameters were chosen on 1 case under another key" in found.text
    with pytest.raises(UsageProblem, match="prompt: expected one of p1"):
        evaluate([good], data, tmp_path / "m", prompt="p7")
    with pytest.raises(UsageProblem, match="names: expected a different one"):
        evaluate([good, good], data, tmp_path / "m", names=["a", "a"])
    assert not (tmp_path / "m").exists()


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.parametrize(("name", "value"), [("schema", "vesselkit.run"), ("schema_version", 5)])
def test_another_schema_or_version_is_refused(data, good, tmp_path, name, value):
    evaluate([good], data, tmp_path / "m", processes=1, draws=50)
    summary = json.loads((tmp_path / "m/summary.json").read_text())
    (tmp_path / "m/summary.json").write_text(json.dumps({**summary, name: value}))
    with pytest.raises(RefusedInput, match=rf"expected vesselkit\.metrics version 4, found .*{value}"):
        open_metrics(tmp_path / "m")


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
