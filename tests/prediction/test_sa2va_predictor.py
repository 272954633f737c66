"""Batches against single images, and both against the official implementation's recordings."""

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import AutoModel, AutoTokenizer

from helpers.checkpoints.convert import convert
from helpers.core.errors import UsageProblem
from helpers.model.processing_sa2va import upsample_logits
from helpers.prediction import sa2va_predictor
from helpers.prediction.engine.device_inputs import RawImage, resized
from helpers.prediction.predictor import AsksEach
from helpers.prediction.sa2va_predictor import Sa2VAPredictor
from helpers.runs.stored_maps import Upsampling
from tests.support.fixture_maker.conversation import QUESTION, SEGMENT, SEGMENT_PARTS
from tests.support.golden_cases import CASES_WITH_MASKS, convert_golden, load_case
from tests.support.tiny_sources import FIXTURES, fixture_sources

PROMPTS = (SEGMENT.prompts[0], SEGMENT_PARTS.prompts[0], "<image>\n" + QUESTION.prompts[0])
TOLERANCE = 1e-4


def load(folder):
    model = AutoModel.from_pretrained(folder, trust_remote_code=True, dtype=torch.float32).eval()
    return model, AutoTokenizer.from_pretrained(folder, trust_remote_code=True)


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fixture") / "model"
    convert(fixture_sources().request(folder))
    return load(folder)


@pytest.fixture(scope="module")
def images():
    """Images of the sizes that make 1, 3, 7, 13 and again 3 tiles."""
    first, second = (Image.open(FIXTURES / f"images/image_0{index}.png").convert("RGB") for index in (1, 3))
    sizes = ((128, 128), (640, 320), (630, 420), (300, 420))
    return [*(first.resize(size) for size in sizes), second.resize((640, 320))]


@pytest.fixture(scope="module")
def predictor(loaded):
    return Sa2VAPredictor(*loaded, {"name": "fixture"}, token_limit=24)


@pytest.fixture(scope="module")
def batch(predictor, images):
    """The answers of all images and prompts, computed as one batch."""
    return predictor.predict([predictor.prepare(image) for image in images], PROMPTS)


def full_size(answer, image):
    return upsample_logits(torch.from_numpy(answer.logits), answer.network_size, image.height, image.width).numpy()


def agree(answer, image, text, logits):
    assert answer.text == text
    assert len(answer.logits) == len(logits)
    if len(logits):
        found = full_size(answer, image)
        # A few pixels differ more where the last digit decides a largest value that SAM2 pools by.
        assert np.abs(found - logits).max() < 5e-4 and (np.abs(found - logits) > TOLERANCE).mean() < 1e-3
        assert ((found > 0) != (logits > 0)).any(0).sum() <= 2


def test_a_batch_equals_the_official_call_on_single_images(loaded, images, batch):
    model, tokenizer = loaded
    seen = set()
    for image, answers in zip(images, batch, strict=True):
        for prompt, answer in zip(PROMPTS, answers, strict=True):
            single = model.predict_forward(image=image, text=prompt, tokenizer=tokenizer, max_new_tokens=24)
            masks = single["prediction_logits"]
            agree(answer, image, single["prediction"], np.concatenate(masks) if masks else [])
            seen.add((answer.tiles, len(masks)))
    assert {tiles for tiles, _ in seen} == {1, 3, 7, 13}
    assert {0, 1, 2} <= {count for _, count in seen}


def test_answers_carry_what_a_run_stores(predictor, batch):
    for answer in (answer for answers in batch for answer in answers):
        count = len(answer.logits)
        assert answer.upsampling is Upsampling.SAM2_TWO_STEP
        assert answer.logits.dtype == np.float32 and answer.logits.ndim == 3
        assert answer.logits.shape[1:] == (answer.network_size // 4,) * 2
        assert answer.predicted_iou.shape == answer.object_score.shape == (count,)
        assert answer.text.count("[SEG]") == count and not answer.truncated and answer.token_count <= 24


def test_a_batch_is_computed_the_same_again_and_in_any_company(predictor, images, batch):
    prepared = [predictor.prepare(image) for image in images]
    again = predictor.predict(prepared, PROMPTS)
    turned = predictor.predict(prepared[::-1], PROMPTS[:1])[::-1]
    for index, answers in enumerate(batch):
        for answer, other in zip(answers, again[index], strict=True):
            assert np.array_equal(answer.logits, other.logits) and answer.text == other.text
        assert np.allclose(answers[0].logits, turned[index][0].logits, rtol=1e-5, atol=TOLERANCE)


def test_padded_prompts_answer_as_alone(loaded):
    model, tokenizer = loaded
    prompts = [torch.randn(length, model.config.hidden_size) * 0.02 for length in (9, 4, 1)]
    with torch.inference_mode():
        together = model.answers(prompts, tokenizer, 12)
        for prompt, answer in zip(prompts, together, strict=True):
            alone = model.answers([prompt], tokenizer, 12)[0]
            assert answer.token_ids == alone.token_ids and answer.truncated == alone.truncated
            assert torch.allclose(answer.seg_states, alone.seg_states, atol=TOLERANCE)


def test_padding_moves_no_mask(predictor, images, batch, monkeypatch):
    monkeypatch.setattr(sa2va_predictor, "length_groups", lambda lengths, allowed: [list(range(len(lengths)))])
    padded = predictor.predict([predictor.prepare(image) for image in images[:3]], PROMPTS)
    for image, answers, others in zip(images, padded, batch[:3], strict=False):
        for answer, other in zip(answers, others, strict=True):
            assert answer.text == other.text
            assert ((full_size(answer, image) > 0) != (full_size(other, image) > 0)).any(0).sum() <= 2


def test_seg_cut_off_by_the_limit_gives_no_mask(loaded, images):
    model, tokenizer = loaded
    with torch.inference_mode():
        ids = model.predict(images[0], PROMPTS[0], tokenizer=tokenizer).answer.token_ids
    limit = ids.index(model.config.token_ids["[SEG]"]) + 1
    counts = []
    for most in (limit, limit + 1):
        predictor = Sa2VAPredictor(model, tokenizer, {}, token_limit=most)
        answer = predictor.predict([predictor.prepare(images[0])], PROMPTS[:1])[0][0]
        assert answer.truncated and answer.token_count == most
        counts.append(len(answer.logits))
    assert counts == [0, 1]


def test_each_image_is_encoded_once_and_only_where_a_seg_asks(predictor, loaded, images, monkeypatch):
    model, _ = loaded
    tiles, squares = [], []
    encode_tiles, encode_sam2 = model.encode_tiles, model.encode_sam2
    monkeypatch.setattr(model, "encode_tiles", lambda pixels: tiles.append(len(pixels)) or encode_tiles(pixels))
    monkeypatch.setattr(model, "encode_sam2", lambda pixels: squares.append(len(pixels)) or encode_sam2(pixels))
    prepared = [predictor.prepare(image) for image in images[:2]]
    predictor.predict(prepared, PROMPTS)
    assert (sum(tiles), sum(squares)) == (4, 2)
    predictor.predict(prepared, PROMPTS[2:])
    assert sum(squares) == 2


def test_images_with_prompts_of_their_own_are_one_pass_and_answer_as_apart(
    predictor, loaded, images, batch, monkeypatch
):
    model, _ = loaded
    tiles, encode_tiles = [], model.encode_tiles
    monkeypatch.setattr(model, "encode_tiles", lambda pixels: tiles.append(len(pixels)) or encode_tiles(pixels))
    prepared = [predictor.prepare(image) for image in images[:3]]
    own = [PROMPTS[1:], PROMPTS[:1], (PROMPTS[2], PROMPTS[0])]
    found = predictor.predict_each(prepared, own)
    assert sum(tiles) == 1 + 3 + 7, "each image is encoded once"
    assert [len(answers) for answers in found] == [2, 1, 2]
    for index, (answers, asked) in enumerate(zip(found, own, strict=True)):
        for answer, prompt in zip(answers, asked, strict=True):
            alone = batch[index][PROMPTS.index(prompt)]
            assert answer.text == alone.text and answer.logits.shape == alone.logits.shape
            assert np.allclose(answer.logits, alone.logits, atol=TOLERANCE)
    assert isinstance(predictor, AsksEach) and predictor.predict_each([], []) == []


def test_empty_batches_and_bad_limits(loaded, predictor):
    assert predictor.predict([], PROMPTS) == []
    with pytest.raises(UsageProblem, match="token limit: expected at least 1, got 0"):
        Sa2VAPredictor(*loaded, {}, token_limit=0)


def test_settings_name_what_decides(predictor):
    assert predictor.identity == {"name": "fixture"}
    settings = predictor.settings
    assert (settings["device"], settings["dtype"], settings["token_limit"]) == ("cpu", "float32", 24)


@pytest.mark.model
@pytest.mark.golden
@pytest.mark.endurance
def test_one_batch_of_all_recorded_images(shared, tmp_path_factory):
    folder = convert_golden(shared, tmp_path_factory.mktemp("golden") / "model")
    predictor = Sa2VAPredictor(*load(folder), {})
    cases = [case for case in (load_case(shared, name) for name in CASES_WITH_MASKS) if not case.facts.get("past_text")]
    prompts = list(dict.fromkeys(case.facts["text"] for case in cases))
    answers = predictor.predict([predictor.prepare(case.image.convert("RGB")) for case in cases], prompts)
    assert len(cases) >= 4
    for case, row in zip(cases, answers, strict=True):
        answer = row[prompts.index(case.facts["text"])]
        recorded = [case.arrays[f"logits_final_seg{index}"][0] for index in range(case.facts["n_masks"])]
        agree(answer, case.image, case.facts["prediction"], np.stack(recorded))


def test_a_device_that_resizes_gives_the_same(loaded):
    model, tokenizer = loaded
    plain = Sa2VAPredictor(model, tokenizer, {}, resizes=False)
    itself = Sa2VAPredictor(model, tokenizer, {}, resizes=True)
    images = [Image.open(FIXTURES / f"images/image_0{index}.png") for index in (1, 2, 3, 4)]
    images.append(images[0].transpose(Image.Transpose.FLIP_LEFT_RIGHT))
    raw = [itself.prepare(image) for image in images]
    assert itself.gather(raw) is raw  # beside a processor's own work nothing is gained
    for image, inputs in zip(images, resized(raw, torch.device("cpu")), strict=True):
        expected = plain.prepare(image)
        assert torch.equal(inputs.tiles, expected.tiles) and torch.equal(inputs.square, expected.square)
        assert (inputs.width, inputs.height) == (expected.width, expected.height) == image.size
    one, other = itself.predict(raw[:1], ["Segment."]), plain.predict([plain.prepare(images[0])], ["Segment."])
    assert one[0][0].logits.tobytes() == other[0][0].logits.tobytes() and one[0][0].tiles == other[0][0].tiles


def test_images_of_ever_new_sizes_go_to_pillow(loaded, monkeypatch):
    monkeypatch.setattr("helpers.prediction.engine.device_inputs.RESIZED_SIZES", 1)
    monkeypatch.setattr("helpers.prediction.engine.device_inputs.RESIZED_PIXELS", 900)
    predictor = Sa2VAPredictor(*loaded, {}, resizes=True)
    sizes = [(30, 30), (20, 30), (30, 30), (31, 30)]
    found = [predictor.prepare(Image.new("RGB", size)) for size in sizes]
    assert [isinstance(item, RawImage) for item in found] == [True, False, True, False]
