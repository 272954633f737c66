"""Sequences against the official implementation, in float32 on the CPU."""

from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import AutoModel

from helpers.model.tracking import FrameFeatures
from helpers.model.video import SequenceFeatures, answer_frames, checked_frames, frame_masks
from tests.support.golden_cases import VIDEO_CASES, load_frames, load_video

LOGIT_TOLERANCE = 1e-3
PIXELS_ALLOWED = 2
OTHERS = ("ckpt_plain", "hf_export")  # the same tensors, as other tests see
# The longer one goes beyond the five frames that the words are answered from, and is all that the shorter one is.
SHORTER, LONGER = VIDEO_CASES


@pytest.mark.golden
@pytest.mark.parametrize("source", ["ckpt_lora", *(pytest.param(one, marks=pytest.mark.endurance) for one in OTHERS)])
@pytest.mark.parametrize("name", [pytest.param(SHORTER, marks=pytest.mark.endurance), LONGER])
def test_predict_forward_equals_the_official_one_on_sequences(shared, converted, source, name):
    model, tokenizer = converted(source)
    case = load_video(shared, name)
    result = model.predict_forward(video=case.frames, text=case.facts["text"], tokenizer=tokenizer)

    assert result["prediction"] == case.facts["prediction"]
    (logits,), (mask,) = result["prediction_logits"], result["prediction_masks"]
    assert logits.dtype == np.float32 and mask.dtype == np.bool_
    assert logits.shape == mask.shape == case.mask().shape
    assert np.abs(logits[:, ::2, ::2] - case.arrays["logits_final_seg0"]).max() < LOGIT_TOLERANCE
    assert (mask != case.mask()).sum((1, 2)).max() <= PIXELS_ALLOWED
    assert mask.any((1, 2)).all()


@pytest.mark.golden
@pytest.mark.parametrize("name", VIDEO_CASES)
def test_the_language_model_sees_five_frames_and_its_ids_equal(shared, converted, name):
    model, tokenizer = converted("ckpt_lora")
    case = load_video(shared, name)
    asked = []
    encode = tokenizer.encode
    tiles = model.bridge.frame_bytes(checked_frames(case.frames[:5]))
    with torch.inference_mode(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(tokenizer, "encode", lambda text: asked.append(encode(text)) or asked[-1])
        answer = answer_frames(model, tiles, case.facts["text"], "", tokenizer, 32)
    assert asked == [case.arrays["input_ids"].tolist()]
    assert answer.token_ids == case.arrays["generated_ids"].tolist()
    assert np.abs(answer.seg_states.numpy() - case.arrays["seg_hidden_in"]).max() < 1e-4


class SecondStream:
    """Notes in which order features are begun and joined, and whether the first stream was waited for."""

    def __init__(self):
        self.steps = []

    @contextmanager
    def launching(self, *inputs, waits=True):
        self.steps.append("begun, having waited" if waits else "begun")
        yield

    def end(self):
        return len(self.steps)

    def join(self, end, found):
        self.steps.append(f"joined {len(list(found))}")


def test_features_are_begun_one_group_ahead_and_wait_for_weights_at_first():
    aside = SecondStream()
    blank = torch.zeros(1, 1, 1, 1)
    model = SimpleNamespace(
        aside=aside,
        config=SimpleNamespace(sam2_pixel_constants="exact"),
        device=torch.device("cpu"),
        pixels=SimpleNamespace(squares=lambda model, frames: torch.zeros(len(frames), 3, 1, 1, dtype=torch.uint8)),
        sam2=SimpleNamespace(dtype=torch.float32),
        tracking=SimpleNamespace(features=lambda pixels: [FrameFeatures(blank, (blank, blank), blank)] * len(pixels)),
    )
    seen = [aside.steps.append("used") or frame for frame in SequenceFeatures(model, [None] * 3)]
    assert len(seen) == 3 and aside.steps == [
        "begun, having waited", "joined 4", "begun", "used", "joined 4", "begun", "used", "joined 4", "used",
    ]  # fmt: skip


@pytest.mark.golden
@pytest.mark.endurance
def test_two_objects_are_followed_as_if_alone(shared, converted):
    model, _ = converted("ckpt_lora")
    frames = checked_frames(load_frames(shared, 4))
    first = torch.from_numpy(load_video(shared, "video8").arrays["seg_hidden_in"])
    states = torch.cat([first, -20 * first])
    with torch.inference_mode():

        def followed(objects):
            found = frame_masks(model.tracker(objects), SequenceFeatures(model, frames), 2)
            return [masks.low_resolution for masks in found]

        both, alone = followed(states), [followed(state[None]) for state in states]
    for number, found in enumerate(both):
        expected = torch.cat([alone[0][number], alone[1][number]])
        assert (found - expected).abs().max() < LOGIT_TOLERANCE
        assert (expected[0] - expected[1]).abs().max() > 10 * LOGIT_TOLERANCE


@pytest.mark.golden
def test_without_seg_there_are_no_masks_and_sam2_is_not_asked(shared, converted, monkeypatch):
    model, tokenizer = converted("ckpt_lora")
    monkeypatch.setattr(model.sam2.vision_encoder, "forward", None)
    result = model.predict_forward(
        video=load_frames(shared, 2), text="Describe.", tokenizer=tokenizer, max_new_tokens=1
    )
    assert result["prediction_masks"] == result["prediction_logits"] == []


@pytest.mark.golden
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"video": []}, "expected a list of images, one a frame, got an empty list"),
        ({"video": [np.zeros((4, 4))]}, r"frame 1 of 1: .*got an array float64 of shape \(4, 4\)"),
        ({"video": [Image.new("L", (4, 4)), Image.new("L", (4, 5))]}, "frames of one size"),
        ({"image": Image.new("RGB", (4, 4))}, "expected neither image"),
        ({"mask_prompts": [np.ones((1, 4, 4))]}, "expected neither image nor mask_prompts"),
        ({"tokenizer": None}, "tokenizer: expected AutoTokenizer"),
    ],
)
def test_calls_that_cannot_work_say_what_to_do(shared, converted, changes, message):
    model, tokenizer = converted("ckpt_lora")
    call = {"video": [Image.new("L", (4, 4))], "text": "Hello", "tokenizer": tokenizer} | changes
    with pytest.raises(ValueError, match=message):
        model.predict_forward(**call)


def test_frames_of_any_mode_become_rgb():
    frames = checked_frames([Image.new("L", (2, 3), 7), Image.new("RGBA", (2, 3), (7, 7, 7, 255))])
    assert [frame.mode for frame in frames] == ["RGB", "RGB"]
    assert frames[0].getpixel((0, 0)) == frames[1].getpixel((0, 0)) == (7, 7, 7)


@pytest.mark.slow
@pytest.mark.endurance
@pytest.mark.golden
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_narrow_dtypes_follow_and_nearly_agree(shared, converted, converted_folder, dtype):
    _, tokenizer = converted("ckpt_lora")
    case = load_video(shared, "video8")
    model = AutoModel.from_pretrained(converted_folder("ckpt_lora"), trust_remote_code=True, dtype=dtype).eval()
    frames = case.frames[:6]  # the text is answered from five, and one is followed
    result = model.predict_forward(video=frames, text=case.facts["text"], tokenizer=tokenizer)
    (mask,), expected = result["prediction_masks"], case.mask()[:6]
    overlap = (mask & expected).sum((1, 2)) / (mask | expected).sum((1, 2))
    assert result["prediction"] == case.facts["prediction"] and result["prediction_logits"][0].dtype == np.float32
    assert overlap.min() > 0.8 and overlap.mean() > 0.9
