"""Images in a script: the pixels of a run, whatever they are given as, and failures that are statuses."""

import numpy as np
import pytest
from PIL import Image

from helpers.core.errors import RefusedInput, UsageProblem
from helpers.data.opening import Opening
from helpers.prediction.image_predictor import load_model
from helpers.prediction.model_choice import ModelChoice
from helpers.stages.predict_stage import PredictRequest
from tests.support.fixture_model import draw_angiograms


@pytest.fixture(scope="module")
def model(fixture_folder):
    return load_model(fixture_folder, device="cpu")


@pytest.fixture(scope="module")
def frames(tmp_path_factory):
    """Three frames in 8 bits, and three of one detector in 16: the last is darker than the others."""
    folder = draw_angiograms(tmp_path_factory.mktemp("given") / "frames", 3)
    deep = folder.parent / "deep"
    deep.mkdir()
    for path, white in zip(sorted(folder.iterdir()), (4000, 3000, 900), strict=True):
        grey = np.asarray(Image.open(path)).astype(float) / 255
        Image.fromarray((grey / grey.max() * white).astype(np.uint16)).save(deep / path.name)
    return folder


def run_of(model_folder, data, output, **settings):
    choice = ModelChoice(model_folder, device="cpu")
    found = PredictRequest(Opening(data, ids="keep"), output, choice, **settings).run()
    return found.finished_run(), [case.frame for case in found.dataset.cases]


@pytest.mark.parametrize("folder, threshold", [("frames", 0.5), ("deep", 0.3)])
def test_the_pixels_are_those_of_a_run(model, fixture_folder, frames, tmp_path, folder, threshold):
    run, cases = run_of(fixture_folder, frames.parent / folder, tmp_path / "run", threshold=threshold)
    found = model.predict([frame.path for frame in cases], threshold=threshold)
    assert len(found) == 3 and len({run.prediction(frame.case_id, "p1")[0].mask_pixels for frame in cases}) > 1
    for frame, one in zip(cases, found, strict=True):
        row = run.prediction(frame.case_id, "p1")[0]
        assert (one.status, one.text, one.message) == (row.status, row.text, row.message)
        assert np.array_equal(one.mask, run.mask(frame.case_id, "p1"))
        assert np.array_equal(one.logits, run.full_map(frame.case_id, "p1"))


def test_a_path_an_image_and_an_array_are_the_same(model, frames):
    path = sorted(frames.iterdir())[0]
    with Image.open(path) as image:
        grey = np.asarray(image)
        given = [str(path), image, grey, np.stack([grey] * 3, axis=-1), (path, 0)]
        found = model.predict(given, batch_size=1)
    assert all(np.array_equal(found[0].logits, one.logits) for one in found[1:])
    alone = model.predict(path)
    assert np.array_equal(alone.mask, found[0].mask) and alone.mask.dtype == bool and alone.logits.dtype == np.float32


def test_deep_grey_in_memory_needs_its_depth(model, frames):
    path = sorted((frames.parent / "deep").iterdir())[0]
    with Image.open(path) as image:
        values = np.asarray(image)
    unknown, known = model.predict(values), model.predict(values, bits=12)
    assert unknown.status == "read_error" and "Name its depth with bits" in unknown.message and unknown.mask is None
    assert np.array_equal(known.logits, model.predict(path, bits=12).logits)
    assert "8 bits end at 255" in model.predict(values, bits=8).message


def test_a_failure_is_a_status(model, frames, tmp_path):
    broken = tmp_path / "Doe_Jane.png"
    broken.write_bytes(b"broken")
    good = sorted(frames.iterdir())[0]
    given = [broken, good, tmp_path / "lost.png", 5, np.zeros((4, 4)), np.zeros((4, 4, 2), np.uint8), None]
    found = model.predict(given)
    assert [str(one.status) for one in found] == ["read_error", str(found[1].status), *["read_error"] * 5]
    assert found[1].mask is not None and all(one.mask is None and one.logits is None for one in found[2:])
    assert not any("Doe" in one.message for one in found if one.message)
    assert "got float64 of shape" in found[4].message.replace("an array ", "")
    assert model.predict(Image.new("L", (0, 4))).status == "bad_size"
    assert model.predict([]) == []


def test_files_whose_depths_contradict_each_other_fail_and_the_others_do_not(model, frames, tmp_path):
    floats = tmp_path / "floats.tif"
    Image.fromarray(np.full((8, 8), 1.5, np.float32)).save(floats)
    bad, good = model.predict([floats, sorted(frames.iterdir())[0]])
    assert (
        bad.status == "read_error" and "expected 0 to 1 or a detector's grey" in bad.message and good.mask is not None
    )


@pytest.mark.parametrize(
    "parameters, said",
    [
        ({"text": " "}, "prompt: expected words"),
        ({"threshold": 1}, "threshold: expected a probability"),
        ({"combine": "all"}, "combine: expected union, first, best, got 'all'"),
        ({"batch_size": 0}, "batch size: expected at least 1"),
        ({"bits": 3}, "bits: expected 8 to 16, got 3"),
    ],
)
def test_parameters_that_cannot_work_are_refused(model, parameters, said):
    with pytest.raises(UsageProblem, match=said):
        model.predict([], **parameters)


def test_folders_and_devices_that_cannot_work_are_refused(fixture_folder, tmp_path):
    with pytest.raises(UsageProblem, match="model lost: expected an existing file or folder"):
        load_model("lost")
    with pytest.raises(RefusedInput, match=r"config\.json"):
        load_model(tmp_path)
    with pytest.raises(UsageProblem, match="quantize: expected int8, nf4, got 'int3'"):
        load_model(fixture_folder, quantize="int3")


def test_the_baseline_predicts_images_too(frames):
    found = load_model("frangi").predict(sorted(frames.iterdir()))
    assert len(found) == 3 and all(one.mask.shape == (64, 64) and one.text is None for one in found)
