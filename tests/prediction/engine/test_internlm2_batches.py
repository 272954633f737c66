"""InternLM2 in batches, with drafts, in few bits and along sequences: what single calls give."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from PIL import Image

from helpers.checkpoints.convert import convert
from helpers.core.vocabulary import Mode, Quantization
from helpers.data.frames.frame import Frame
from helpers.model.processing_sa2va import upsample_logits
from helpers.model.quantization.layers import QuantizedLinear
from helpers.prediction.engine.model_loading import load_model
from helpers.prediction.sa2va_predictor import Sa2VAPredictor
from helpers.prediction.sequences.sequence_tracking import SequencePredictor
from tests.support.fixture_maker.conversation import QUESTION, SEGMENT, SEGMENT_PARTS
from tests.support.tiny_sources import FIXTURES, internlm2_sources

LIMIT, TOLERANCE = 24, 1e-5
WORDS = (SEGMENT.prompts[0], SEGMENT_PARTS.prompts[0], QUESTION.prompts[0])

pytestmark = pytest.mark.model


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    output = tmp_path_factory.mktemp("internlm2") / "model"
    convert(internlm2_sources().request(output))
    return output


@pytest.fixture(scope="module")
def loaded(folder):
    torch.set_num_threads(1)
    return load_model(folder, "cpu", "float32")


@pytest.fixture(scope="module")
def images():
    return [Image.open(FIXTURES / f"images/image_0{number}.png").convert("RGB") for number in (1, 2)]


@pytest.fixture(scope="module")
def single(loaded, images):
    """The answer to each image and prompt by itself."""
    model, tokenizer = loaded
    with torch.inference_mode():
        return [
            [model.predict(image, words, tokenizer=tokenizer, token_limit=LIMIT) for words in WORDS] for image in images
        ]


def test_a_predictor_says_and_marks_what_single_calls_do(loaded, images, single):
    predictor = Sa2VAPredictor(*loaded, {}, LIMIT)
    found = predictor.predict([predictor.prepare(image) for image in images], WORDS)
    texts = [[answer.text for answer in answers] for answers in found]
    assert texts == [[expected.text for expected in answers] for answers in single]
    assert texts[0][0] == "Sure, it is  [SEG] .<|im_end|>"  # with the blanks of the official tokenizer
    for answers, expected in zip(found, single, strict=True):
        for answer, one in zip(answers, expected, strict=True):
            theirs = np.zeros((0, 128, 128)) if one.masks is None else one.masks.low_resolution.numpy()
            assert answer.logits.shape == theirs.shape
            assert np.allclose(answer.logits, theirs, atol=1e-4)


@pytest.mark.parametrize("kind", ["right", "spoilt", "none"])
def test_drafts_change_neither_tokens_nor_states(loaded, images, single, kind):
    model, tokenizer = loaded
    expected = [answer.answer for answer in single[0]]
    drafts = []
    for answer in expected:
        ids, middle = answer.token_ids, len(answer.token_ids) // 2
        spoilt = [*ids[:middle], (ids[middle] + 1) % 300, *ids[middle + 1 :]]
        drafts.append({"right": ids, "spoilt": spoilt, "none": []}[kind])
    pixels = model.bridge.image_bytes(images[0])
    pictures = model.bridge.image_tokens(pixels)
    with torch.inference_mode():
        prompts = [model.bridge.question(model, tokenizer, words, "", pixels, pictures) for words in WORDS]
        found = model.answers(prompts, tokenizer, LIMIT, drafts)
    for answer, one in zip(found, expected, strict=True):
        assert (answer.token_ids, answer.truncated) == (one.token_ids, one.truncated)
        assert torch.allclose(answer.seg_states, one.seg_states, atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize("quantization", list(Quantization))
def test_few_bits_are_within_the_language_model_alone(folder, images, quantization):
    model, tokenizer = load_model(folder, "cpu", "float32", quantization)
    names = [name for name, module in model.named_modules() if isinstance(module, QuantizedLinear)]
    assert len(names) == 2 * 7 and all(name.startswith("language_model.model.layers.") for name in names)
    found = model.predict(images[0], WORDS[0], tokenizer=tokenizer, token_limit=LIMIT)
    assert "[SEG]" in found.text


def test_a_followed_sequence_is_the_official_call(loaded, images, tmp_path):
    (model, tokenizer), words = loaded, WORDS[0]
    frames = []
    for number in range(3):  # of more it says nothing: it was taught single images
        path = tmp_path / f"Doe_Jane_{number}.png"
        Image.fromarray(np.roll(np.asarray(images[0]), 4 * number, axis=1)).save(path)
        frames.append(Frame(f"c{number}", path, None, "P1", "P1-S1", number, "test"))
    video = [Image.open(frame.path) for frame in frames]
    official = model.predict_forward(video=video, text=words, tokenizer=tokenizer, max_new_tokens=LIMIT)
    assert official["prediction_masks"]
    predictor = SequencePredictor(model, tokenizer, {}, LIMIT, mode=Mode.TRACK)
    with ThreadPoolExecutor(2) as readers:
        outcomes = {one.frame.case_id: one for one in predictor.outcomes(frames, [words], readers)}
    for position, frame in enumerate(frames):
        (answer,) = outcomes[frame.case_id].found
        assert answer.text == official["prediction"]
        for logits, expected in zip(answer.logits, official["prediction_logits"], strict=True):
            full = upsample_logits(torch.from_numpy(logits)[None], answer.network_size, 256, 256)[0].numpy()
            assert np.array_equal(full, expected[position])
