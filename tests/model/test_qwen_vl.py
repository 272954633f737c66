"""The Qwen families within Sa2VA against the official implementation, in float32 with eager attention."""

from functools import cache

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from helpers.checkpoints.convert import convert
from helpers.model.bridge_qwen_vl import pixel_settings
from helpers.model.qwen_pixels import patch_grid, picture_patches, resized_picture
from scripts.golden_parity import GOLDEN_FAMILIES, SOURCES, compare_call, load_eager

IMAGE, VIDEO = "img_c_segprompt", "video3"  # all of them: python -m scripts.golden_parity
FAMILIES = ["qwen25vl", "qwen3vl"]

pytestmark = [pytest.mark.golden, pytest.mark.model]


@pytest.fixture(scope="module", params=FAMILIES)
def family(request):
    return GOLDEN_FAMILIES[request.param]


@pytest.fixture(scope="module")
def folder(family, shared, tmp_path_factory):
    """Folder of a converted golden source, by its name."""

    @cache
    def converted(source):
        output = tmp_path_factory.mktemp(source) / "model"
        convert(family.request(shared, source, output))
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


def test_an_image_with_a_seg_in_its_prompt_has_the_official_masks(family, shared, loaded):
    found = compare_call(*loaded, family.case(shared, IMAGE))
    assert found.differences == () and found.masks
    assert None not in (found.positions, found.pixels, found.seg, found.logits, found.mask_pixels)


@pytest.mark.slow
@pytest.mark.parametrize("family", [pytest.param(FAMILIES[0], marks=pytest.mark.endurance), FAMILIES[1]], indirect=True)
def test_a_sequence_has_the_official_masks(family, shared, loaded):
    assert compare_call(*loaded, family.case(shared, VIDEO)).differences == ()


@pytest.mark.parametrize("name", ["text_only", "text_past"])
def test_words_alone_have_the_official_answer_and_no_mask(family, shared, loaded, name):
    found = compare_call(*loaded, family.case(shared, name))
    assert found.differences == () and found.mask_pixels is None


def test_the_state_of_the_other_family_leaves_the_words_and_spoils_the_mask(family, shared, loaded, monkeypatch):
    model, tokenizer = loaded
    (other,) = (state for state in type(model.bridge.seg_state) if state is not model.bridge.seg_state)
    monkeypatch.setattr(model.bridge, "seg_state", other)
    found = compare_call(model, tokenizer, family.case(shared, IMAGE))
    assert found.prompt and found.ids and found.text and found.positions and found.pixels == 0
    assert found.differences == ("seg", "logits", "mask_pixels")


def test_pixels_of_all_recorded_sizes_are_bit_equal(family, shared, loaded):
    settings = pixel_settings(loaded[0].config)
    recorded = family.preparations(shared)
    assert len(recorded) == 6
    for facts, expected in recorded:
        name = facts["image"].split(",")[0]
        image = Image.open(family.root(shared) / name).resize(facts["size_wh"], Image.Resampling.BICUBIC)
        pixels = resized_picture(image, settings)
        rows, columns = facts["strided"]
        patches = picture_patches(pixels[None], settings)
        assert [[1, *patch_grid(pixels, settings)]] == facts["image_grid_thw"]
        assert list(patches.shape) == facts["pixel_values_shape"]
        assert np.array_equal(patches[::rows, ::columns].numpy(), expected)
