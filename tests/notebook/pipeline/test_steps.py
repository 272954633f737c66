"""From the fixture's checkpoint to a report, and again: what is done is used again."""

import dataclasses
import json
import os
import shutil
from itertools import islice
from pathlib import Path

import pytest
from PIL import Image

from helpers.checkpoints.convert import ConversionRequest, convert
from helpers.core.errors import RefusedInput, UsageProblem, VesselkitError
from helpers.core.processes import only_process
from helpers.core.watermark import VARIABLE
from helpers.data.opening import Opening
from helpers.notebook.pipeline import PipelineRequest, run_pipeline
from helpers.notebook.pipeline.pipeline_report import beginning_text, closing_text, headline_text, step_text
from helpers.notebook.pipeline.steps import verified_conversion
from helpers.notebook.settings import ConvertSettings
from tests.support.fixture_model import convert_fixture
from tests.support.tiny_sources import FIXTURES, copy_sources, fixture_sources

ODD = "Gefäße 血管 {x} 'y' & z"


def request(output, data=FIXTURES, sources=None, **changes):
    sources = sources or fixture_sources()
    given = {
        "checkpoint": sources.checkpoint,
        "base": sources.base,
        "sam2": sources.sam2,
        "sam2_config": str(sources.sizes),
        "opening": Opening(data, ids=changes.pop("ids", None)),
        "output": output,
        "device": "cpu",
        "dtype": "float32",
        "limit": 2,
        **changes,
    }
    return PipelineRequest(**given)


@pytest.mark.slow
@pytest.mark.longest
@pytest.mark.endurance  # `make demo` runs the same steps in CI
def test_a_checkpoint_becomes_a_report_and_nothing_is_done_twice(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, "a stamp for all to see")
    place = tmp_path / ODD  # names of any kind are taken from end to end
    place.mkdir()
    data, sources = place / "data set", copy_sources(place / "sources")
    for name in ("images", "masks"):
        shutil.copytree(FIXTURES / name, data / name)
    told = []
    steps = []
    for step in run_pipeline(request(place / "o", data, sources), lambda one: told.append(beginning_text(one))):
        steps.append(step)
        assert told[-1].startswith(f"{len(steps)}/5 {step.name}: ") and len(told) == len(steps)
    assert [step.name for step in steps] == ["01_convert", "02_infer", "frangi", "03_evaluate", "04_review"]
    assert not steps[0].reused
    scores, review = steps[3].result, steps[4].result
    summary = json.loads((scores / "summary.json").read_text())
    assert [run["name"] for run in summary["runs"]] == ["model", "frangi"]
    assert summary["dataset"]["scored"] == 2
    assert summary["dataset"]["key_fingerprint"], "ids are drawn under a key, the same for both runs"
    text = closing_text(steps)
    dice = next(row["mean"] for row in summary["runs"][0]["summary"] if row["metric"] == "dice")
    assert f"{dice:.3f}" in text and "evaluation.html" in text
    report = (scores / "evaluation.html").read_text()
    assert report.count("a stamp for all to see") > 3
    assert str(review / "review.html") in text and (review / "review.html").is_file()
    assert (review / "contact_sheet.png").is_file()

    masks = steps[1].result / "masks"
    before = {path: path.stat().st_mtime_ns for path in masks.rglob("*.png")}
    os.utime(scores / "summary.json", (4e9, 4e9))  # as after a clock that was set back
    again = list(islice(run_pipeline(request(place / "o", data, sources)), 4))  # the review would be drawn as before
    assert again[0].reused and again[0].result == steps[0].result
    assert "verified and imported in" in step_text(again[0])
    assert {path: path.stat().st_mtime_ns for path in masks.rglob("*.png")} == before
    assert again[3].result != scores and headline_text(again[3].result) == headline_text(scores)


def test_a_wrong_data_set_is_refused_before_any_conversion(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises((UsageProblem, RefusedInput)):
        next(run_pipeline(request(tmp_path / "o", data=tmp_path / "empty")))
    assert not (tmp_path / "o").exists()
    with pytest.raises(UsageProblem, match="expected an absolute path"):
        next(run_pipeline(request(tmp_path.relative_to(tmp_path.anchor))))


def test_a_second_process_is_refused_before_any_work(tmp_path):
    with only_process(tmp_path / "o", "runs a pipeline"), pytest.raises(VesselkitError) as raised:
        next(run_pipeline(request(tmp_path / "o")))
    assert str(raised.value).endswith("another process runs a pipeline here; wait for it, or name another folder")
    assert [path.name for path in (tmp_path / "o").iterdir()] == [".lock"]


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="no /proc, which nobody can write to")
def test_a_read_only_place_is_refused_before_any_work():
    with pytest.raises(RefusedInput, match="/proc: cannot be written"):
        next(run_pipeline(request(Path("/proc/o"))))


@pytest.mark.slow
@pytest.mark.endurance
def test_frames_without_truth_are_predicted_and_not_scored(tmp_path):
    (tmp_path / "frames").mkdir()
    Image.open(FIXTURES / "images/image_01.png").save(tmp_path / "frames/a.png")
    convert_fixture(tmp_path / "o/convert/model")
    steps = list(run_pipeline(request(tmp_path / "o", data=tmp_path / "frames", ids="keep")))
    assert [step.name for step in steps] == ["01_convert", "02_infer", "frangi", "04_review"]
    assert "nothing to score" in closing_text(steps) and (steps[3].result / "review.html").is_file()


@pytest.mark.slow
def test_only_a_whole_conversion_of_these_sources_is_used_again(tmp_path):
    sources = copy_sources(tmp_path / "sources")
    given = (sources.checkpoint, sources.base, sources.sam2)
    assert verified_conversion(tmp_path / "convert", *given) is None
    folder = convert_fixture(tmp_path / "convert/one")
    assert verified_conversion(tmp_path / "convert", *given) == folder
    shutil.copytree(folder, tmp_path / "convert/two")
    weights = next((tmp_path / "convert/two").glob("*.safetensors"))
    damaged = bytearray(weights.read_bytes())
    damaged[-1] ^= 1
    weights.write_bytes(damaged)
    assert verified_conversion(tmp_path / "convert", *given) == folder
    sources.edit_checkpoint(lambda content: content["state_dict"]["text_hidden_fcs.0.bias"].add_(1))
    assert verified_conversion(tmp_path / "convert", *given) is None


def test_the_pipeline_takes_what_the_conversion_takes(tmp_path, monkeypatch):
    asked = []

    def stop(name, project, parameters):
        asked.append((name, parameters))
        raise VesselkitError("enough")

    monkeypatch.setattr("helpers.notebook.pipeline.steps._run_notebook", stop)
    given = {"lora_alpha": 4.0, "template": "phi3_chat", "pretrained": "none"}
    with pytest.raises(VesselkitError, match="enough"):
        next(run_pipeline(request(tmp_path / "o", **given)))
    ((name, parameters),) = asked
    assert name == "01_convert" and {key: parameters[key] for key in given} == given
    accepted = ConvertSettings(project="x", **{key: value for key, value in parameters.items() if value is not None})
    assert {key: accepted.sources[key] for key in given} == given
    fields = {one.name for one in dataclasses.fields(ConversionRequest)} - {"output", "dtype", "shard_bytes"}
    assert fields <= {one.name for one in dataclasses.fields(PipelineRequest)} | {"id_key"}


@pytest.mark.slow
def test_a_conversion_with_other_options_is_not_used_again(tmp_path):
    sources = copy_sources(tmp_path / "sources")
    given = (tmp_path / "convert", sources.checkpoint, sources.base, sources.sam2)
    plain = tmp_path / "convert/plain"
    convert(sources.request(plain))
    assert verified_conversion(*given) == plain
    assert verified_conversion(*given, lora_alpha=4.0) is None
    assert verified_conversion(*given, template="phi3_chat") is None
    other = tmp_path / "convert/other"
    convert(sources.request(other, lora_alpha=4.0))
    assert verified_conversion(*given, lora_alpha=4.0) == other
    assert verified_conversion(*given) == plain
