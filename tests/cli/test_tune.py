"""`tune frangi` and `predict --model frangi` on drawn lines, through the command line."""

import json

import numpy as np
import pytest

from helpers.data.frames.frame_source import read_frame
from helpers.prediction.frangi import grey_values, read_settings, vesselness
from helpers.runs.run_folder import open_run
from tests.support.drawn_angiograms import drawn_truth, save_grey, save_pairs
from tests.support.run_files import run_files
from tests.support.stored_masks import check_mask

APPLY = ("predict", "--model", "frangi", "--data", "data", "--output")


@pytest.fixture
def drawn(tmp_path):
    save_pairs(tmp_path / "data", [drawn_truth(4, 96, 30), drawn_truth(4, 96, 50)])
    return tmp_path


@pytest.mark.slow
def test_tuned_and_applied(call, drawn):
    ended = call("tune", "frangi", "--data", "data", "--output", "frangi.json", "--processes", "1")
    assert ended.code == 0 and "Doe" not in ended.out + ended.err + (drawn / "frangi.json").read_text()
    record = json.loads((drawn / "frangi.json").read_text())
    assert len(record["tuned_on"]["cases"]) == 2 and record["tuned_on"]["key_fingerprint"]
    ended = call(*APPLY, "run", "--model-config", "frangi.json")
    assert ended.code == 0 and ended.out.startswith("2 cases: 2 ok"), ended.err
    run, tuned = open_run(drawn / "run"), read_settings(drawn / "frangi.json")
    assert run.config.values["model"] == {
        "kind": "vesselness",
        **record["settings"],
        "tuned_on": {name: record["tuned_on"][name] for name in ("cases", "key_fingerprint")},
    }
    table = run.table()
    assert table["text"].isna().all() and table["token_count"].isna().all() and (table["seg_count"] == 1).all()
    for case_id in run.cases():
        assert check_mask(run, case_id, "p1") == 0
    masks = sorted(run.mask(case_id, "p1").tobytes() for case_id in run.cases())
    frames = [read_frame(path, None) for path in (drawn / "data/images").iterdir()]
    expected = [vesselness(grey_values(frame), tuned.settings) > tuned.settings.threshold for frame in frames]
    assert masks == sorted(mask.tobytes() for mask in expected)


def test_defaults_resume_and_equal_runs(call, drawn):
    assert call(*APPLY, "run").code == 0 and call(*APPLY, "run").code == 0
    assert open_run(drawn / "run").config.values["model"]["tuned_on"] is None
    assert call(*APPLY, "again").code == 0
    assert run_files(drawn / "run") == run_files(drawn / "again")


def test_a_killed_run_goes_on(call, drawn):
    call(*APPLY, "whole")
    call(*APPLY, "run")
    (drawn / "run/manifest.json").unlink()
    next((drawn / "run/parts").iterdir()).unlink()
    assert call(*APPLY, "run").code == 0
    assert run_files(drawn / "run") == run_files(drawn / "whole")


def test_a_frame_without_vessels_is_an_empty_mask(call, tmp_path):
    save_grey(np.full((40, 40), 0.5), tmp_path / "data/images/a.png")
    ended = call(*APPLY, "run")
    assert ended.code == 0 and "1 empty_mask" in ended.out, ended.err


def test_what_does_not_fit_is_refused_first(call, drawn):
    for arguments, said in (
        (("--prompt", "a", "--prompt", "b"), "--model frangi understands no prompt"),
        (("--lora-alpha", "1"), "--lora-alpha: goes with --checkpoint"),
        (("--model-config", "nowhere.json"), "--model-config nowhere.json: expected an existing file"),
    ):
        ended = call(*APPLY, "run", *arguments)
        assert ended.code == 2 and said in ended.err and not (drawn / "run").exists()
    (drawn / "bad.json").write_text("{}")
    assert call(*APPLY, "run", "--model-config", "bad.json").code == 3
    ended = call("predict", "--model", "./frangi", "--data", "data", "--output", "run")
    assert "--model frangi: expected an existing file or folder" in ended.err
    ended = call("predict", "--model", "data", "--model-config", "bad.json", "--data", "data", "--output", "run")
    assert "--model-config: goes with --model frangi" in ended.err


def test_tuning_needs_ground_truth(call, tmp_path):
    save_grey(np.full((40, 40), 0.5), tmp_path / "data/images/a.png")
    ended = call("tune", "frangi", "--data", "data", "--output", "f.json")
    assert ended.code == 2 and "expected cases with ground truth to tune on" in ended.err
    assert not (tmp_path / "f.json").exists()
