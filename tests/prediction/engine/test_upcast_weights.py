"""A mask decoder that overflows float16 keeps its masks."""

import pytest
import torch

from helpers.core.vocabulary import Preset
from helpers.dev.bench.model_presets import preset_config
from helpers.model.components import Sam2Features
from helpers.model.modeling_sa2va import Sa2VAModel
from helpers.prediction.engine.dtypes import upcast_mask_decoder

S, SIDE = 2, 256 // 16


@pytest.fixture
def model():
    """A model whose first attention from the prompt to the image gives values beyond 65504."""
    torch.manual_seed(0)
    model = Sa2VAModel._from_config(preset_config(Preset.TINY), dtype=torch.float32).eval().requires_grad_(False)
    for parameter in (*model.sam2.mask_decoder.parameters(), *model.seg_projection.parameters()):
        parameter.normal_(0, 0.1)
    attention = model.sam2.mask_decoder.transformer.layers[0].cross_attn_token_to_image
    attention.v_proj.weight.normal_(0, 10)
    attention.o_proj.weight.uniform_(-5e4, 5e4)
    return model


def masks(model, dtype):
    random = torch.Generator().manual_seed(1)
    width = model.config.sam2_sizes.d_model
    maps = [(width, 1), (width // 8, 4), (width // 4, 2)]
    first, *others = (torch.randn(1, depth, SIDE * n, SIDE * n, generator=random).to(dtype) for depth, n in maps)
    states = torch.randn(S, model.config.hidden_size, generator=random).to(dtype)
    with torch.inference_mode():
        return model.decode_masks(Sam2Features(first, tuple(others)), states).low_resolution


def test_a_decoder_in_float16_does_not_overflow(model):
    expected = masks(model, torch.float32)
    model.half()
    found = masks(model, torch.float16)
    weights = list(model.sam2.mask_decoder.transformer.parameters())
    assert {weight.dtype for weight in weights} == {torch.float16}
    upcast_mask_decoder(model)
    assert {weight.dtype for weight in weights} == {torch.float32}
    assert torch.equal(masks(model, torch.float16), found) and found.isfinite().all()
    assert ((found > 0) == (expected > 0)).float().mean() > 0.99


def test_a_model_that_is_widened_again_computes_as_before(model):
    expected = masks(model, torch.float32)
    masks(model.half(), torch.float16)
    wide = masks(model.float(), torch.float32)
    assert ((wide > 0) == (expected > 0)).float().mean() > 0.99


def test_without_float32_the_decoder_would_overflow(model, monkeypatch):
    monkeypatch.setattr("helpers.model.mask_decoding.compute_wide", lambda transformer: None)
    assert not masks(model.half(), torch.float16).isfinite().all()


def test_other_dtypes_stay(model):
    model.bfloat16()
    upcast_mask_decoder(model)
    assert model.sam2.mask_decoder.transformer.layers[0].self_attn.q_proj.weight.dtype is torch.bfloat16
    assert "forward" not in vars(model.sam2.mask_decoder.transformer)
