"""The Qwen families in batches, with drafts, in few bits, replayed, and along sequences: what single calls give."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from PIL import Image

from helpers.checkpoints.convert import convert
from helpers.core.vocabulary import Mode, Quantization
from helpers.data.frames.frame import Frame
from helpers.model.graphed_model import GraphedModel
from helpers.model.processing_sa2va import upsample_logits
from helpers.model.quantization.layers import QuantizedLinear
from helpers.prediction.engine.device_inputs import PreparedImage, RawImage
from helpers.prediction.engine.model_loading import load_model
from helpers.prediction.precision import watched
from helpers.prediction.predictor import with_image_named
from helpers.prediction.sa2va_predictor import Sa2VAPredictor
from helpers.prediction.sequences.sequence_tracking import SequencePredictor
from tests.support.fixture_maker.conversation import QUESTION, SEGMENT, SEGMENT_PARTS, TEXT_ONLY
from tests.support.tiny_sources import FIXTURES, qwen_vl_sources

LIMIT, TOLERANCE = 24, 1e-5
ASKED = (
    ("image_01.png", SEGMENT.prompts[0]),
    ("image_02.png", SEGMENT_PARTS.prompts[0]),
    ("image_03.png", QUESTION.prompts[0]),
    ("image_03.png", f"Here is [SEG]. {SEGMENT.prompts[0]}"),
    (None, TEXT_ONLY.prompts[0]),
)

pytestmark = pytest.mark.model


@pytest.fixture(scope="module", params=["qwen25vl", "qwen3vl"])
def folder(request, tmp_path_factory):
    output = tmp_path_factory.mktemp(request.param) / "model"
    convert(qwen_vl_sources(request.param).request(output))
    return output


@pytest.fixture(scope="module")
def loaded(folder):
    torch.set_num_threads(1)
    return load_model(folder, "cpu", "float32")


@pytest.fixture(scope="module")
def images():
    return {name: Image.open(FIXTURES / "images" / name).convert("RGB") for name, _ in ASKED if name}


def prompt_of(loaded, image, words):
    model, tokenizer = loaded
    if image is None:
        return model.bridge.question(model, tokenizer, words, "")
    pixels = model.bridge.image_bytes(image)
    return model.bridge.question(model, tokenizer, words, "", pixels, model.bridge.image_tokens(pixels))


@pytest.fixture(scope="module")
def prompts(loaded, images):
    """Prompts of different lengths and grids."""
    with torch.inference_mode():
        found = [prompt_of(loaded, images.get(name), words) for name, words in ASKED]
    assert len({len(prompt) for prompt in found}) >= 3 and len({prompt.shift for prompt in found[:4]}) >= 2
    return found


@pytest.fixture(scope="module")
def alone(loaded, prompts):
    """Each prompt's answer by itself, token after token."""
    model, tokenizer = loaded
    with torch.inference_mode():
        found = [model.answers([prompt], tokenizer, LIMIT)[0] for prompt in prompts]
    states = [len(answer.seg_states) for answer in found]
    said = [answer.token_ids.count(model.config.token_ids["[SEG]"]) for answer in found]
    assert states[:3] == said[:3] == [1, 2, 0] and states[3] == said[3] + 1  # that of the prompt
    return found


def same(answers, expected):
    for answer, other in zip(answers, expected, strict=True):
        assert (answer.token_ids, answer.truncated) == (other.token_ids, other.truncated)
        assert answer.seg_states.shape == other.seg_states.shape
        assert torch.allclose(answer.seg_states, other.seg_states, atol=TOLERANCE, rtol=0)


def test_a_batch_of_padded_prompts_answers_as_single_calls(loaded, prompts, alone):
    with torch.inference_mode():
        same(loaded[0].answers(prompts, loaded[1], LIMIT), alone)


@pytest.mark.parametrize("kind", ["right", "spoilt", "short", "none"])
def test_drafts_change_neither_tokens_nor_states(loaded, prompts, alone, kind):
    model, tokenizer = loaded
    drafts = []
    for answer in alone:
        ids, middle = answer.token_ids, len(answer.token_ids) // 2
        spoilt = [*ids[:middle], (ids[middle] + 1) % 200, *ids[middle + 1 :]]
        drafts.append({"right": ids, "spoilt": spoilt, "short": ids[:-2], "none": []}[kind])
    with torch.inference_mode():
        together = model.answers(prompts, tokenizer, LIMIT, drafts)
        single = [model.answers([p], tokenizer, LIMIT, [d])[0] for p, d in zip(prompts, drafts, strict=True)]
    assert [answer.drafted for answer in together] == [kind == "right"] * len(drafts)
    same(together, alone)
    same(single, alone)


def test_places_in_time_rows_and_columns_are_those_of_single_calls(loaded, prompts):
    """Told to the layers in a batch: in front of each row its padding, then its own positions."""
    model, tokenizer = loaded
    told = []
    decoder = model.language_model.model
    handle = decoder.register_forward_hook(
        lambda _module, _arguments, options, _output: told.append(options["position_ids"]), with_kwargs=True
    )
    with torch.inference_mode():
        model.answers(prompts, tokenizer, 2)
    handle.remove()
    first, second = told[:2]
    for row, prompt in enumerate(prompts):
        length = len(prompt)
        counted = torch.arange(length)
        expected = prompt.positions if row < 4 else counted.expand(3, -1)
        assert torch.equal(first[1:, row, -length:], expected)
        assert torch.equal(first[0, row, -length:], counted)
        assert second[:, row, 0].tolist() == [length, *[int(expected.max()) + 1] * 3]


@pytest.mark.parametrize("dtype", ["float32", pytest.param("bfloat16", marks=pytest.mark.endurance)])
def test_a_predictor_gives_the_masks_of_the_official_call(folder, images, dtype):
    model, tokenizer = load_model(folder, "cpu", dtype)
    predictor = Sa2VAPredictor(model, tokenizer, {}, LIMIT)
    words = [SEGMENT.prompts[0], SEGMENT_PARTS.prompts[0]]
    for _ in range(2):  # the second time with drafts, where the dtype is narrow
        found = predictor.predict([predictor.prepare(image) for image in images.values()], words)
    for image, answers in zip(images.values(), found, strict=True):
        for prompt, answer in zip(words, answers, strict=True):
            expected = model.predict(image, with_image_named(prompt), tokenizer=tokenizer, token_limit=LIMIT)
            assert (answer.text, answer.tiles) == (expected.text, 1)
            ours, theirs = answer.logits > 0, expected.masks.low_resolution.numpy() > 0
            overlap = (ours & theirs).sum() / max((ours | theirs).sum(), 1)
            assert np.array_equal(ours, theirs) if dtype == "float32" else overlap > 0.95


def test_bare_words_are_asked_as_in_training(folder, images):
    model, tokenizer = load_model(folder, "cpu", "float32")
    predictor = Sa2VAPredictor(model, tokenizer, {}, LIMIT)
    image = predictor.prepare(images["image_01.png"])
    named = predictor.prompt_tokens(image, f"<image>\n{SEGMENT.prompts[0]}")
    assert predictor.prompt_tokens(image, SEGMENT.prompts[0]) == named
    bare = model.bridge.prompt_ids(tokenizer, SEGMENT.prompts[0], "", model.bridge.image_tokens(image.tiles))
    assert bare != named  # what the official call makes of bare words
    assert predictor.settings["prompt_prefix"] == "<image>\n"  # a run that asked the bare words does not go on


def test_replayed_answers_are_those_of_the_model(loaded, prompts, alone):
    model, tokenizer = loaded
    seen = []

    def replayed(function):
        return lambda *tensors: seen.append(function.__name__) or function(*tensors)

    graphed = GraphedModel(model, replayed)
    alike = [prompts[0], prompts[0]]
    drafts = [alone[0].token_ids] * 2
    with torch.inference_mode():
        same(graphed.answers(alike, tokenizer, LIMIT, drafts), [alone[0]] * 2)
        assert seen == ["read"]
        same(graphed.answers([prompts[3]], tokenizer, LIMIT, [alone[3].token_ids]), [alone[3]])
    assert seen == ["read"]  # a [SEG] in the prompt is read by the model's own pass


def test_pictures_of_each_size_are_replayed_together(loaded, images):
    model, tokenizer = loaded
    seen = []

    def replayed(function):
        return lambda *tensors: seen.append((function.__name__, tuple(tensors[0].shape))) or function(*tensors)

    plain, ours = (Sa2VAPredictor(one, tokenizer, {}, LIMIT) for one in (model, GraphedModel(model, replayed)))
    first, other, _ = (plain.prepare(image).tiles for image in images.values())
    pictures = [first, other, first.flip(-1)]
    assert first.shape != other.shape
    with torch.inference_mode():
        together = model.bridge.encode(GraphedModel(model, replayed), pictures)
        alone = [model.bridge.encode(model, [one])[0] for one in pictures]
    assert seen == [("encode_pictures", (2, *first.shape[1:])), ("encode_pictures", tuple(other.shape))]
    for one, other in zip(together, alone, strict=True):
        assert one.grids == other.grids and len(one.levels) == len(other.levels)
        for mine, its in zip((one.rows, *one.levels), (other.rows, *other.levels), strict=True):
            assert torch.allclose(mine, its, atol=TOLERANCE, rtol=0)
    batch = [plain.prepare(image) for image in images.values()]
    for (answer,), (other,) in zip(*(one.predict(batch, [SEGMENT.prompts[0]]) for one in (ours, plain)), strict=True):
        assert answer.text == other.text and np.array_equal(answer.logits, other.logits)


@pytest.mark.parametrize("quantization", list(Quantization))
def test_few_bits_are_within_the_language_model_alone(folder, images, quantization):
    model, tokenizer = load_model(folder, "cpu", "float32", quantization)
    names = [name for name, module in model.named_modules() if isinstance(module, QuantizedLinear)]
    assert len(names) == 2 * 7 and all(name.startswith("language_model.model.layers.") for name in names)
    found = model.predict(images["image_01.png"], SEGMENT.prompts[0], tokenizer=tokenizer, token_limit=LIMIT)
    assert "[SEG]" in found.text


def test_every_stage_is_watched(loaded, images):
    model, tokenizer = loaded
    with watched(model) as reached, torch.inference_mode():
        model.predict(images["image_01.png"], SEGMENT.prompts[0], tokenizer=tokenizer, token_limit=LIMIT)
        assert all(stage.largest > 0 and not stage.not_finite for stage in reached())


def test_a_followed_sequence_is_the_official_call(loaded, images, tmp_path):
    (model, tokenizer), words = loaded, SEGMENT.prompts[2]
    frames = []
    for number in range(6):
        path = tmp_path / f"Doe_Jane_{number}.png"
        Image.fromarray(np.roll(np.asarray(images["image_01.png"]), 4 * number, axis=1)).save(path)
        frames.append(Frame(f"c{number}", path, None, "P1", "P1-S1", number, "test"))
    video = [Image.open(frame.path) for frame in frames]
    official = model.predict_forward(
        video=video, text=with_image_named(words), tokenizer=tokenizer, max_new_tokens=LIMIT
    )
    assert len(official["prediction_masks"]) == 1
    predictor = SequencePredictor(model, tokenizer, {}, LIMIT, mode=Mode.TRACK)
    with ThreadPoolExecutor(2) as readers:
        outcomes = {one.frame.case_id: one for one in predictor.outcomes(frames, [words], readers)}
    for position, frame in enumerate(frames):
        (answer,) = outcomes[frame.case_id].found
        full = upsample_logits(torch.from_numpy(answer.logits), answer.network_size, 256, 256)[0].numpy()
        assert (answer.text, answer.tiles) == (official["prediction"], 5)
        assert np.array_equal(full, official["prediction_logits"][0][position])


@pytest.mark.slow
@pytest.mark.endurance
def test_both_ways_and_fused_are_followed_from_the_fullest_frames(loaded, images, tmp_path):
    """A fused answer is the mean of what a frame gives by itself and of what is followed from both sides."""
    model, tokenizer = loaded
    words, frames = SEGMENT.prompts[0], []
    for number in range(6):  # the pictures of the family are made of frames of any size
        path = tmp_path / f"Doe_Jane_{number}.png"
        Image.fromarray(np.roll(np.asarray(images["image_02.png"]), 4 * number, axis=1)).save(path)
        frames.append(Frame(f"c{number}", path, None, "P1", "P1-S1", number, "test"))

    def outcomes(mode):
        predictor = SequencePredictor(model, tokenizer, {}, LIMIT, mode=mode)
        with ThreadPoolExecutor(2) as readers:
            return {one.frame.case_id: one.found[0] for one in predictor.outcomes(frames, [words], readers)}

    fused, followed = outcomes(Mode.FUSED), outcomes(Mode.TRACK_BOTH)
    alone = Sa2VAPredictor(model, tokenizer, {}, LIMIT)
    for frame in frames:
        ((one,),) = alone.predict([alone.prepare(Image.open(frame.path))], [words])
        other, found = followed[frame.case_id], fused[frame.case_id]
        assert other.tiles == 5 and "[SEG]" in other.text and found.text == one.text
        assert np.allclose(found.logits[0], (one.logits.max(0) + other.logits.max(0)) / 2, atol=1e-4)
        assert (other.logits > 0).any()


@pytest.mark.parametrize("knows", [True, False])
def test_a_device_that_resizes_itself_makes_the_bytes_of_a_processor(loaded, images, knows, monkeypatch):
    """Both pictures of an image, or SAM2's alone where the folder's code does not say how the other is made."""
    model, tokenizer = loaded
    if not knows:
        monkeypatch.delattr(type(model.bridge).__mro__[1], "picture_sizes")
    made = [Sa2VAPredictor(model, tokenizer, {}, LIMIT, resizes=resizes) for resizes in (True, False)]
    for image in images.values():
        raw, expected = (predictor.prepare(image) for predictor in made)
        assert isinstance(raw, RawImage) and isinstance(expected, PreparedImage)
        assert (raw.tiles is None) == knows
        (ready,) = made[0].to_device([raw])
        assert torch.equal(ready.tiles, expected.tiles) and torch.equal(ready.square, expected.square)
        assert ready.square.stride() == expected.square.stride()
    found, official = (
        one.predict([one.prepare(image) for image in images.values()], [SEGMENT.prompts[0]]) for one in made
    )
    for (answer,), (other,) in zip(found, official, strict=True):
        assert np.array_equal(answer.logits, other.logits) and answer.text == other.text
