"""The native model against the official implementation, stage by stage, in float32 on the CPU."""

import json
import re
import warnings
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from transformers import AutoModel, AutoTokenizer

from helpers.model.components import pixel_shuffle
from helpers.model.processing_sa2va import (
    build_prompt,
    cut_tiles,
    image_text,
    sam2_pixels,
    tile_pixels,
    upsample_logits,
)
from tests.support.golden_cases import CASES_WITH_MASKS, IMAGE_CASES, load_case
from tests.support.tiny_sources import FIXTURES

ROOT = Path(__file__).resolve().parents[2]
golden = pytest.mark.golden
LOGIT_TOLERANCE = 1e-4


def test_pixel_shuffle_gathers_neighbours_into_channels():
    features = torch.arange(16.0).reshape(1, 4, 4, 1)
    shuffled = pixel_shuffle(features, 0.5)
    assert shuffled.shape == (1, 2, 2, 4)
    assert shuffled[0, 0, 0].tolist() == [0, 1, 4, 5]
    assert shuffled[0, 1, 0].tolist() == [8, 9, 12, 13]


def test_upsampling_goes_through_the_square():
    logits = torch.tensor([[[0.0, 4.0], [0.0, 4.0]]])
    assert upsample_logits(logits, 4, 2, 4)[0, 0].tolist() == [0.0, 1.0, 3.0, 4.0]


@pytest.fixture(scope="module")
def predicted(shared, converted):
    """What the model that was merged from LoRA answers to a case, computed once; to be read only."""

    @cache
    def found(name: str):
        model, tokenizer = converted("ckpt_lora")
        with torch.inference_mode():
            return model.predict(**load_case(shared, name).call(), tokenizer=tokenizer)

    return found


# All cases of one source: `test_the_three_conversions_agree` has the same weights and settings in the others.
OTHERS = [(source, name) for source in ("ckpt_plain", "hf_export") for name in ("img_b_seg2", "img_b_vp", "text_only")]


@golden
@pytest.mark.parametrize(("source", "name"), [*(("ckpt_lora", name) for name in IMAGE_CASES), *OTHERS])
def test_predict_forward_equals_the_official_one(shared, converted, source, name):
    model, tokenizer = converted(source)
    case = load_case(shared, name)
    result = model.predict_forward(**case.call(), tokenizer=tokenizer)

    assert result["prediction"] == case.facts["prediction"]
    assert len(result["prediction_masks"]) == len(result["prediction_logits"]) == case.facts["n_masks"]
    for index in range(case.facts["n_masks"]):
        logits, mask = result["prediction_logits"][index], result["prediction_masks"][index]
        assert logits.dtype == np.float32 and mask.dtype == np.bool_
        assert np.abs(logits - case.arrays[f"logits_final_seg{index}"]).max() < LOGIT_TOLERANCE
        assert np.array_equal(mask, case.mask(index))
        assert mask.any()


@golden
@pytest.mark.parametrize("name", IMAGE_CASES)
def test_greedy_ids_equal(shared, predicted, name):
    case, found = load_case(shared, name), predicted(name)
    assert found.answer.token_ids == case.arrays["generated_ids"].tolist()
    assert not found.answer.truncated


@golden
@pytest.mark.parametrize("name", CASES_WITH_MASKS)
def test_stages_equal_the_official_ones(shared, converted, predicted, name):
    model, tokenizer = converted("ckpt_lora")
    case, arrays = load_case(shared, name), load_case(shared, name).arrays
    image, config = case.image.convert("RGB"), model.config
    with torch.inference_mode():
        tiles = cut_tiles(image, config.min_tiles, config.max_tiles, config.tile_size, config.use_thumbnail)
        pixels = tile_pixels(tiles)
        embeds = model.encode_tiles(pixels)
        tokens = image_text(len(tiles), config.tokens_per_tile)
        prompt = build_prompt(case.facts["text"], case.facts["past_text"], config.instruction, tokens)
        input_ids = tokenizer.encode(prompt)
        square = sam2_pixels(image, 1024, config.sam2_pixel_constants, torch.float32)
        features = model.encode_sam2(square)
        found = predicted(name)
        projected = model.seg_projection(found.answer.seg_states)
        points, labels = torch.zeros((1, 1, 1, 2)), torch.full((1, 1, 1), -1)
        sparse, dense = model.sam2.prompt_encoder(points, labels, None, None)

    assert input_ids == arrays["input_ids"].tolist()
    close(pixels[:, :, ::28, ::28], arrays["pixel_values_sub"], 0)
    if len(arrays["vit_embeds"]) == len(embeds):
        close(embeds, arrays["vit_embeds"])
    close(square[:, :, ::64, ::64], arrays["g_pixel_sub"], 0)
    no_memory = model.sam2.no_memory_embedding.detach().reshape(1, -1, 1, 1)
    close(sampled(features.embedding - no_memory, arrays["sam_feat_s2"]), arrays["sam_feat_s2"])
    close(sampled(features.high_resolution[1], arrays["sam_feat_s1"]), arrays["sam_feat_s1"])
    close(sampled(features.high_resolution[0], arrays["sam_feat_s0"]), arrays["sam_feat_s0"])
    close(sparse[0], arrays["sparse_prompt_base"], 0)
    close(dense[:, :, :1, :1], arrays["dense_prompt_pixel"], 0)
    close(found.answer.seg_states, arrays["seg_hidden_in"])
    close(projected, arrays["seg_hidden_out"])
    close(found.masks.predicted_iou, arrays["head_ious"])
    close(found.masks.object_score[:, None], arrays["head_obj_logits"])
    best = found.masks.predicted_iou.argmax(-1)
    step = case.facts["strided"]["low_res_multimasks"]
    official = np.stack([masks[index] for masks, index in zip(arrays["low_res_multimasks"], best, strict=True)])
    close(found.masks.low_resolution[:, ::step, ::step], official)


@golden
def test_forced_answer_has_the_official_logits_and_mask(shared, converted):
    model, tokenizer = converted("ckpt_lora")
    case, arrays = load_case(shared, "forced_img_b"), load_case(shared, "forced_img_b").arrays
    image, config = case.image.convert("RGB"), model.config
    answer = arrays["answer_ids"].tolist()
    with torch.inference_mode():
        tiles = cut_tiles(image, config.min_tiles, config.max_tiles, config.tile_size, config.use_thumbnail)
        tokens = image_text(len(tiles), config.tokens_per_tile)
        prompt = tokenizer.encode(build_prompt(case.facts["text"], "", config.instruction, tokens))
        visual = model.encode_tiles(tile_pixels(tiles)).flatten(0, 1)
        embeddings = model.embed_prompt(torch.tensor(prompt + answer), visual)
        states = model.language_model.model(inputs_embeds=embeddings).last_hidden_state
        logits = model.language_model.lm_head(states[0, len(prompt) - 1 : -1])
        seg_rows = states[0, len(prompt) :][torch.tensor(answer) == config.token_ids["[SEG]"]]
        square = sam2_pixels(image, 1024, config.sam2_pixel_constants, torch.float32)
        masks = model.decode_masks(model.encode_sam2(square), seg_rows)
        final = upsample_logits(masks.low_resolution, 1024, image.height, image.width)
    assert prompt == arrays["prompt_ids"].tolist()
    close(logits, arrays["answer_logits"])
    close(states[0, -64:], arrays["last_hidden_tail"])
    close(seg_rows, arrays["seg_hidden_in"])
    close(masks.predicted_iou, arrays["ious"])
    close(final, arrays["logits_final"])


def close(actual, expected, tolerance=LOGIT_TOLERANCE):
    """Equal in shape, and in value within the tolerance."""
    actual = actual.detach().numpy()
    assert actual.shape == expected.shape
    assert np.abs(actual - expected).max() <= tolerance


def sampled(features, recorded):
    """The spatial sample of (1, C, H, W) features that a recorded array of the same channels holds."""
    step = features.shape[-1] // recorded.shape[-1]
    return features[:, :, ::step, ::step]


@golden
def test_sdpa_and_eager_agree(shared, converted_folder):
    case = load_case(shared, "img_b_seg1")
    tokenizer = AutoTokenizer.from_pretrained(converted_folder("ckpt_lora"), trust_remote_code=True)
    logits = []
    for attention in ("eager", "sdpa"):
        model = AutoModel.from_pretrained(
            converted_folder("ckpt_lora"), trust_remote_code=True, dtype=torch.float32, attn_implementation=attention
        )
        assert model.language_model.config._attn_implementation == attention
        assert model.vision_tower.config._attn_implementation == attention
        logits.append(model.predict_forward(**case.call(), tokenizer=tokenizer)["prediction_logits"][0])
    assert np.abs(logits[0] - logits[1]).max() < LOGIT_TOLERANCE


@golden
def test_the_three_conversions_agree(converted_folder):
    lora, plain, export = (
        load_file(converted_folder(source) / "model.safetensors") for source in ("ckpt_lora", "ckpt_plain", "hf_export")
    )
    assert set(lora) == set(plain) == set(export)
    for name, tensor in lora.items():
        assert torch.allclose(tensor, export[name], atol=1e-6), name
        assert torch.allclose(tensor, plain[name], atol=1e-6), name
    same_text = [
        json.loads((converted_folder(source) / "config.json").read_text())
        for source in ("ckpt_lora", "ckpt_plain", "hf_export")
    ]
    assert same_text[0] == same_text[1] == same_text[2]


@pytest.fixture(scope="module")
def grey(shared):
    """A frame whose brightest value is in the corner."""
    found = load_case(shared, "img_a_seg1").image.convert("L")
    found.putpixel((0, 0), 255)
    return found


@pytest.fixture(scope="module")
def rgb_mask(shared, converted, grey):
    model, tokenizer = converted("ckpt_lora")
    call = load_case(shared, "img_a_seg1").call() | {"image": grey.convert("RGB")}
    return model.predict_forward(**call, tokenizer=tokenizer)["prediction_masks"][0]


@golden
@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "I;16", "LA"])
def test_every_image_mode_gives_the_masks_of_rgb(shared, converted, grey, rgb_mask, mode):
    model, tokenizer = converted("ckpt_lora")
    case = load_case(shared, "img_a_seg1")
    # 257 = 65535 / 255: the same picture from a 16-bit detector.
    image = Image.fromarray(np.asarray(grey, dtype=np.uint16) * 257) if mode == "I;16" else grey.convert(mode)
    assert image.mode == mode
    found = model.predict_forward(**(case.call() | {"image": image}), tokenizer=tokenizer)
    assert np.array_equal(found["prediction_masks"][0], rgb_mask)
    assert found["prediction_masks"][0].any()


@pytest.mark.parametrize("page", ["docs/converting.md", "docs/zh/converting.md", "docs/export-format.md"])
def test_the_documented_call_takes_what_users_open(fixture_folder, tmp_path, monkeypatch, page):
    """A 16-bit PNG gives the mask of the same picture in 8 bits, which .convert("RGB") would turn white."""
    snippets = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL)
    (snippet,) = [one for one in snippets if "predict_forward" in one]
    snippet = re.sub(r'"my-model"|\bDIR\b', repr(str(fixture_folder)), snippet).replace("bfloat16", "float32")
    monkeypatch.chdir(tmp_path)
    grey = np.array(Image.open(FIXTURES / "images/image_01.png").convert("L"))
    grey[0, 0] = 255
    found = []
    for depth in (1, 257):
        Image.fromarray(grey.astype(np.uint8) if depth == 1 else grey.astype(np.uint16) * depth).save("frame.png")
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            names = {}
            exec(snippet, names)  # as a user does who copies it
        told = [str(one.message) for one in caught if "image: " in str(one.message)]
        assert len(told) == (depth > 1) and all("the largest of what was given" in text for text in told)
        found.append(names["result"]["prediction_masks"][0])
    assert np.array_equal(*found) and found[0].any()


def test_a_constant_image_is_warned_of(fixture_folder):
    model = AutoModel.from_pretrained(fixture_folder, trust_remote_code=True, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(fixture_folder, trust_remote_code=True)
    with pytest.warns(UserWarning, match="nothing to segment"):
        model.predict_forward(image=Image.new("L", (32, 32), 255), text="vessels", tokenizer=tokenizer)


@golden
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_narrow_dtypes_run_and_nearly_agree(shared, converted, converted_folder, dtype):
    _, tokenizer = converted("ckpt_lora")
    case = load_case(shared, "img_b_seg2")
    model = AutoModel.from_pretrained(converted_folder("ckpt_lora"), trust_remote_code=True, dtype=dtype).eval()
    result = model.predict_forward(**case.call(), tokenizer=tokenizer)
    assert result["prediction"] == case.facts["prediction"]
    for index, (logits, mask) in enumerate(zip(result["prediction_logits"], result["prediction_masks"], strict=True)):
        expected = case.mask(index)
        overlap = (mask & expected).sum() / (mask | expected).sum()
        assert logits.dtype == np.float32
        assert overlap > 0.9


@golden
def test_image_is_encoded_once_for_several_seg(shared, converted, monkeypatch):
    model, tokenizer = converted("ckpt_lora")
    calls = []
    encode = model.encode_sam2
    monkeypatch.setattr(model, "encode_sam2", lambda pixels: calls.append(1) or encode(pixels))
    result = model.predict_forward(**load_case(shared, "img_b_seg2").call(), tokenizer=tokenizer)
    assert (len(result["prediction_masks"]), len(calls)) == (2, 1)


@golden
def test_seg_cut_off_by_the_limit_gives_no_mask(shared, converted):
    model, tokenizer = converted("ckpt_lora")
    case = load_case(shared, "img_a_seg1")
    ids = case.arrays["generated_ids"].tolist()
    limit = ids.index(model.config.token_ids["[SEG]"]) + 1
    with torch.inference_mode():
        cut = model.predict(**case.call(), tokenizer=tokenizer, token_limit=limit)
        whole = model.predict(**case.call(), tokenizer=tokenizer, token_limit=limit + 1)
    assert cut.answer.truncated and cut.answer.token_ids[-1] == ids[limit - 1]
    assert (len(cut.logits), len(whole.logits)) == (0, 1)


@golden
def test_exact_constants_are_a_switch(shared, converted):
    model, tokenizer = converted("ckpt_lora")
    call = load_case(shared, "img_a_seg1").call()
    rounded = model.predict_forward(**call, tokenizer=tokenizer)["prediction_logits"][0]
    model.config.sam2_pixel_constants = "exact"
    try:
        exact = model.predict_forward(**call, tokenizer=tokenizer)["prediction_logits"][0]
    finally:
        model.config.sam2_pixel_constants = "bf16_rounded"
    assert 0 < np.abs(exact - rounded).max() < 0.2


@golden
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tokenizer": None}, "tokenizer: expected AutoTokenizer"),
        ({"text": "<image><image>"}, "at most one <image>"),
        ({"image": None, "mask_prompts": [np.ones((1, 4, 4))]}, "expected an image that the regions lie in"),
        ({"past_text": "no image tokens here"}, "Give the image that past_text holds"),
    ],
)
def test_calls_that_cannot_work_say_what_to_do(shared, converted, changes, message):
    model, tokenizer = converted("ckpt_lora")
    call = load_case(shared, "img_a_seg1").call() | {"text": "Hello", "tokenizer": tokenizer} | changes
    with pytest.raises(ValueError, match=message):
        model.predict_forward(**call)
