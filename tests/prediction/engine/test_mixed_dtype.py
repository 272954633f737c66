"""A model of two number types: SAM2 is the finer for it, and answers stay those of bfloat16."""

import logging

import numpy as np
import pytest
import torch

from helpers.checkpoints.convert import ConversionRequest, convert
from helpers.core.errors import RefusedInput
from helpers.data.dataset import open_dataset
from helpers.data.frames.frame import Frame
from helpers.data.frames.frame_source import read_frame
from helpers.dev.demo.demo_pipeline import DATA, MODEL
from helpers.model.processing_sa2va import sam2_bytes
from helpers.model.video import encode_frames
from helpers.prediction.engine.composition import compose
from helpers.prediction.engine.dtypes import MIXED, one_dtype, supported_dtype
from helpers.prediction.engine.model_loading import load_model
from helpers.prediction.run import DEFAULT_PROMPT, predict
from helpers.prediction.sa2va_predictor import Sa2VAPredictor
from helpers.prediction.sequences.sequence_answers import SequenceAnswer, SequenceTracker
from tests.support.drawn_frames import draw_frames
from tests.support.fixture_model import draw_angiograms
from tests.support.tiny_sources import fixture_sources

SAM2 = {"sam2.a": torch.tensor([1.0, -65504.0]), "sam2.b": torch.tensor([0.0, float("inf")])}


@pytest.fixture(scope="module")
def images(drawn_images):
    return drawn_images[:2]


@pytest.fixture
def loaded(fixture_folder):
    return load_model(fixture_folder, "cpu", "mixed")


def answers(loaded, images):
    predictor = Sa2VAPredictor(*loaded, {})
    found = predictor.predict([predictor.prepare(image) for image in images], [DEFAULT_PROMPT])
    return [answer for (answer,) in found]


def error(found, expected):
    """Root mean square of the differences of logits."""
    pairs = zip(found, expected, strict=True)
    return float(np.mean([np.sqrt(((one.logits - other.logits) ** 2).mean()) for one, other in pairs]))


def test_weights_are_stored_values_rounded_once(fixture_folder, loaded):
    exact = dict(load_model(fixture_folder, "cpu", "float32")[0].named_parameters())
    wide = "sam2.mask_decoder.transformer."
    for name, tensor in loaded[0].named_parameters():
        dtype = torch.float16 if name.startswith("sam2.") else torch.bfloat16
        rounded = exact[name].to(dtype)
        assert torch.equal(tensor, rounded.float() if name.startswith(wide) else rounded), name
    assert Sa2VAPredictor(*loaded, {}).settings["dtype"] == "mixed"


def test_logits_are_nearer_to_those_of_float32(fixture_folder, loaded, images):
    exact = answers(load_model(fixture_folder, "cpu", "float32"), images)
    mixed, coarse = answers(loaded, images), answers(load_model(fixture_folder, "cpu", "bfloat16"), images)
    assert [answer.text for answer in mixed] == [answer.text for answer in coarse]
    assert all(np.isfinite(answer.logits).all() for answer in mixed)
    assert error(mixed, exact) < 0.5 * error(coarse, exact)


def test_masks_alone_are_those_of_the_batch(loaded, images):
    together = answers(loaded, images)
    alone = [answers(loaded, [image])[0] for image in images]
    for one, other in zip(together, alone, strict=True):
        inside, same = one.logits > 0, other.logits > 0
        assert (inside & same).sum() >= 0.999 * (inside | same).sum()


def test_the_model_s_own_call_works(loaded, images):
    model, tokenizer = loaded
    found = model.predict_forward(image=images[0], text=DEFAULT_PROMPT, tokenizer=tokenizer)
    assert len(found["prediction_logits"]) and all(np.isfinite(maps).all() for maps in found["prediction_logits"])


@torch.inference_mode()
def test_sequences_are_followed(loaded, images):
    model, _ = loaded
    states = torch.randn(1, model.config.hidden_size, dtype=torch.bfloat16)
    followed = SequenceTracker(model, [SequenceAnswer("[SEG]", False, 1, 1, states)])
    side = model.config.sam2_sizes.image_size
    for number, image in enumerate(images):  # the second by what is remembered of the first
        (features,) = encode_frames(model, model.tracking.features, sam2_bytes(image, side))
        (answer,) = followed.answers(followed.draw(number, features, prompted=number == 0), side)
        assert len(answer.logits) == 1 and np.isfinite(answer.logits).all()


@pytest.mark.model
def test_a_composed_model_is_the_loaded_one(tmp_path):
    request = fixture_sources().request(tmp_path / "model", dtype="bfloat16")
    convert(request)
    ours = compose(
        request.checkpoint, request.base, request.sam2, sam2_config=request.sam2_config, device="cpu", dtype="mixed"
    ).model
    theirs, _ = load_model(tmp_path / "model", "cpu", "mixed")
    for (name, one), other in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        assert one.dtype == other.dtype and torch.equal(one, other), name


def test_sam2_stays_in_bfloat16_where_float16_is_too_narrow(caplog):
    with caplog.at_level(logging.WARNING):
        assert supported_dtype(MIXED, SAM2) == MIXED and not caplog.records  # infinity fits nowhere
        beyond = SAM2 | {"sam2.c": torch.tensor(-70000.0)}
        assert supported_dtype(MIXED, beyond) == one_dtype(torch.bfloat16)
    assert caplog.messages == ["SAM2 stays in bfloat16: its weights reach 7e+04 (sam2.c), and float16 ends at 6.55e+04"]
    assert supported_dtype(one_dtype(torch.float32), {}) == one_dtype(torch.float32)


def test_logits_that_are_not_finite_are_told_with_what_to_do(loaded, tmp_path):
    loaded[0].seg_projection.linear_2.bias.fill_(1e5)  # beyond float16 where SAM2 takes it
    drawn = draw_angiograms(tmp_path / "images", 2)
    frames = [Frame(f"case-{number}", path) for number, path in enumerate(sorted(drawn.iterdir()))]
    said = predict(frames, Sa2VAPredictor(*loaded, {}), tmp_path / "run").to_text()
    assert "2 cases: 2 nan_logits" in said and "nan_logits: float16 may be too narrow for this model" in said
    assert "--dtype bfloat16 with another folder" in said


def test_a_run_in_bfloat16_is_not_gone_on_with(fixture_folder, loaded, tmp_path):
    frames = draw_frames(tmp_path, [10], (64, 48))
    predict(frames, Sa2VAPredictor(*load_model(fixture_folder, "cpu", "bfloat16"), {}), tmp_path / "run")
    with pytest.raises(RefusedInput, match='predictor.dtype: the run has "bfloat16", asked for was "mixed"'):
        predict(frames, Sa2VAPredictor(*loaded, {}), tmp_path / "run")


@pytest.mark.slow
@pytest.mark.endurance
def test_the_demo_s_masks_are_those_of_float32(tmp_path):
    convert(ConversionRequest(MODEL.checkpoint, tmp_path / "m", MODEL.base, MODEL.sam2, str(MODEL.sam2_sizes)))
    frame = next(case.frame for case in open_dataset(DATA).cases if case.case_id == "P906-S01-F004")
    image = read_frame(frame.path, frame.index)
    exact, mixed, coarse = (
        answers(load_model(tmp_path / "m", "cpu", dtype), [image]) for dtype in ("float32", "mixed", "bfloat16")
    )
    assert exact[0].text == mixed[0].text == coarse[0].text and np.isfinite(mixed[0].logits).all()
    assert error(mixed, exact) < 0.25 * error(coarse, exact)
    inside, same = mixed[0].logits > 0, exact[0].logits > 0
    assert (inside & same).sum() >= 0.995 * (inside | same).sum()
