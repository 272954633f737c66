"""Qwen3-VL within Sa2VA against the official implementation, in float32 with eager attention."""

from functools import cache

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from helpers.checkpoints.convert import convert
from helpers.model.language_pass import SegState
from helpers.model.qwen_pixels import PixelSettings, patch_grid, picture_patches, resized_picture
from scripts.golden_parity import GOLDEN_FAMILIES, SOURCES, compare_call, load_eager

FAMILY = GOLDEN_FAMILIES["qwen3vl"]
IMAGE, VIDEO = "img_c_segprompt", "video3"  # all of them: python -m scripts.golden_parity

pytestmark = [pytest.mark.golden, pytest.mark.model]


@pytest.fixture(scope="module")
def folder(shared, tmp_path_factory):
    """Folder of a converted golden source, by its name."""

    @cache
    def converted(source):
        output = tmp_path_factory.mktemp(source) / "model"
        convert(FAMILY.request(shared, source, output))
        return output

    return converted


@pytest.fixture(scope="module")
def loaded(folder):
    return load_eager(folder("ckpt_lora"))


def test_the_conversions_agree(folder):
    first, second = (load_file(folder(source) / "model.safetensors") for source in SOURCES)
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert (folder("ckpt_lora") / "config.json").read_text() == (folder("hf_export") / "config.json").read_text()


def test_an_image_with_a_seg_in_its_prompt_has_the_official_masks(shared, loaded):
    found = compare_call(*loaded, FAMILY.case(shared, IMAGE))
    assert found.differences == () and found.masks
    assert None not in (found.positions, found.pixels, found.seg, found.logits, found.mask_pixels)


@pytest.mark.slow
def test_a_sequence_has_the_official_masks(shared, loaded):
    assert compare_call(*loaded, FAMILY.case(shared, VIDEO)).differences == ()


@pytest.mark.parametrize("name", ["text_only", "text_past"])
def test_words_alone_have_the_official_answer_and_no_mask(shared, loaded, name):
    found = compare_call(*loaded, FAMILY.case(shared, name))
    assert found.differences == () and found.mask_pixels is None


def test_the_normalised_state_leaves_the_words_and_spoils_every_mask(shared, loaded, monkeypatch):
    model, tokenizer = loaded
    monkeypatch.setattr(model.bridge, "seg_state", SegState.AFTER_NORM)
    found = compare_call(model, tokenizer, FAMILY.case(shared, IMAGE))
    assert found.prompt and found.ids and found.text and found.positions and found.pixels == 0
    assert found.differences[:1] == ("seg",) and found.mask_pixels > 100


def test_pixels_of_all_recorded_sizes_are_bit_equal(shared, loaded):
    config = loaded[0].config
    settings = PixelSettings(
        16, 2, 2, config.least_pixels, config.most_pixels, tuple(config.pixel_mean), tuple(config.pixel_std)
    )
    recorded = FAMILY.preparations(shared)
    assert len(recorded) == 6
    for facts, expected in recorded:
        name = facts["image"].split(",")[0]
        image = Image.open(FAMILY.root(shared) / name).resize(facts["size_wh"], Image.Resampling.BICUBIC)
        pixels = resized_picture(image, settings)
        rows, columns = facts["strided"]
        patches = picture_patches(pixels[None], settings)
        assert [[1, *patch_grid(pixels, settings)]] == facts["image_grid_thw"]
        assert list(patches.shape) == facts["pixel_values_shape"]
        assert np.array_equal(patches[::rows, ::columns].numpy(), expected)
