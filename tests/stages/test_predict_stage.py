"""The driver of predict, by the words of Python: what is refused, and what a run becomes."""

import logging

import numpy as np
import pytest
from PIL import Image

from helpers.core.errors import RefusedInput, UsageProblem, VesselkitError
from helpers.prediction.engine import model_loading
from helpers.runs.run_folder import Run, open_run
from helpers.stages.predict_stage import predict
from tests.support.public_material import link_sources


@pytest.fixture
def at_material(material, monkeypatch):
    """The working directory, where a model must not be loaded."""
    monkeypatch.chdir(material)
    return material


@pytest.mark.parametrize(
    "model, parameters, said",
    [
        (None, {}, "model: expected model DIR .* or checkpoint CKPT, got neither; there is no default model"),
        ("my-model", {"checkpoint": "iter_1.pth"}, "got both"),
        ("my-model", {"sam2": "sam2.pt"}, "sam2: goes with checkpoint, and model was given. Leave it out"),
        ("my-model", {"model_config": "f.json"}, "model_config: goes with model frangi"),
        ("my-model", {"mode": "follow"}, "mode: expected frame, track, track-both, fused, got 'follow'"),
        ("my-model", {"mode": "track", "batch_size": 2}, "mode track: follows sequences .* Leave batch_size out"),
        ("my-model", {"mode": "track", "cuda_graphs": True}, "cuda_graphs: goes with mode frame, got track"),
        ("my-model", {"cuda_graphs": True, "device": "cpu"}, "cuda_graphs: expected a CUDA device, got cpu"),
        ("my-model", {"max_new_tokens": 0}, "max_new_tokens: expected at least 1, got 0"),
        ("my-model", {"quantize": "int3"}, "quantize: expected int8, nf4, got 'int3'"),
        ("my-model", {"shard": "5/4"}, "shard: expected I/N"),
        ("my-model", {"launcher": "slurm"}, "launcher slurm: expected the variables SLURM_PROCID"),
        ("my-model", {"rescale_to": "8x8"}, "rescale_to: no such parameter; those of the data set are layout, ids"),
        ("my-model", {"ids": "hide"}, "ids: expected keep or pseudonym, got 'hide'"),
        ("my-model", {"prompts": []}, "prompt: expected a text"),
        ("no-model", {}, "model no-model: expected an existing file or folder, found none"),
        ("frangi", {"mode": "track"}, "Leave model frangi out"),
        ("frangi", {"quantize": "nf4"}, "quantize: model frangi is not a network"),
        ("frangi", {"prompts": ["vessels", "veins"]}, "prompt: model frangi understands no prompt, got 2"),
        ("frangi", {"case_list": "lost.txt"}, "case_list lost.txt: expected an existing file"),
        ("frangi", {"limit": 0}, "limit: expected at least 1"),
    ],
)
def test_what_cannot_work_is_refused_first(at_material, tmp_path, monkeypatch, model, parameters, said):
    monkeypatch.setattr(model_loading, "load_model", None)
    with pytest.raises(UsageProblem, match=said):
        predict(model, "frames", tmp_path / "run", **parameters)
    assert not (tmp_path / "run").exists()


def test_a_data_set_that_is_not_there_and_an_output_inside_it(at_material):
    with pytest.raises(UsageProblem, match="data lost: expected an existing file or folder"):
        predict("frangi", "lost", "new-run")
    with pytest.raises(UsageProblem, match="output frames/run: expected a place outside the data set frames"):
        predict("frangi", "frames", "frames/run")
    with pytest.raises(RefusedInput, match="this folder is neither empty nor a run that can be resumed"):
        predict("frangi", "frames", "demo-data")


def test_a_run_of_a_part_goes_on_with_the_rest(at_material, tmp_path):
    first = predict("frangi", "demo-data", tmp_path / "run", limit=1)
    assert isinstance(first, Run) and len(first.rows) == 1 and first.mask(first.cases()[0], "p1").shape == (512, 512)
    whole = predict("frangi", "demo-data", tmp_path / "run", prompts="Please segment the blood vessels.")
    assert whole.cases() == open_run(at_material / "demo-run").cases()
    for case_id in whole.cases():
        assert np.array_equal(whole.mask(case_id, "p1"), open_run(at_material / "demo-run").mask(case_id, "p1"))


def test_a_list_of_cases_is_a_limited_run(at_material, tmp_path):
    wanted = open_run("demo-run").cases()[2]
    (tmp_path / "cases.txt").write_text(f"{wanted}\n")
    run = predict("frangi", "demo-data", tmp_path / "run", case_list=tmp_path / "cases.txt")
    assert run.cases() == (wanted,) and run.config.values["limit"] == 1


def test_shards_make_one_run_and_the_last_one_has_it(at_material, tmp_path):
    assert predict("frangi", "demo-data", tmp_path / "run", shard="1/2", batch_size=1) is None
    run = predict("frangi", "demo-data", tmp_path / "run", shard="2/2", batch_size=1)
    assert run.cases() == open_run("demo-run").cases()


def test_a_run_of_errors_alone_is_an_error_and_is_kept(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "Doe_Jane.png").write_bytes(b"broken")
    with pytest.raises(VesselkitError, match=r"1 read_error[\s\S]*nothing was predicted; the first: ") as caught:
        predict("frangi", tmp_path / "data", tmp_path / "run")
    assert "Doe" not in str(caught.value).replace(str(tmp_path), "")
    assert open_run(tmp_path / "run").rows[0].status == "read_error"


def test_a_checkpoint_is_composed_as_it_would_be_converted(material, tmp_path, monkeypatch, caplog):
    link_sources(tmp_path)
    monkeypatch.chdir(tmp_path)
    given = {"base": "internvl_base", "sam2": "sam2_base.pt", "sam2_config": "sam2_sizes.json", "dtype": "float32"}
    with caplog.at_level(logging.INFO, logger="helpers.stages"):
        run = predict(None, material / "frames", "run", checkpoint="iter_250.pth", limit=1, device="cpu", **given)
    assert "names of training images were not kept" in caplog.text or "were kept on this machine" in caplog.text
    other = predict(material / "my-model", material / "frames", "other", limit=1, device="cpu", dtype="float32")
    first, second = (one.config.values["model"]["tensors_sha256"] for one in (run, other))
    assert first == second
    (case_id,) = run.cases()
    assert np.array_equal(run.mask(case_id, "p1"), other.mask(case_id, "p1"))
    assert Image.open(run.folder / "masks" / case_id / "p1.png").size == (64, 64)
