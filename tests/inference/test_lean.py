"""The lean encoder against that of transformers."""

import torch

from helpers.bench.presets import Preset, preset_config
from helpers.inference.filling import without_values
from helpers.inference.lean import make_lean
from helpers.sa2va.modeling_sa2va import Sa2VAModel


def test_outputs_are_the_same_to_the_last_bit():
    config = preset_config(Preset.TINY)
    model = Sa2VAModel._from_config(config, dtype=torch.float32).eval().requires_grad_(False)
    for parameter in model.sam2.parameters():
        parameter.normal_(0, 0.1)
    side = config.sam2_sizes.image_size
    pixels = torch.randn(2, 3, side, side)
    with torch.inference_mode():
        expected, whole = model.encode_sam2(pixels), model.sam2.vision_encoder(pixels)
        make_lean(model)
        changed = [module for module in model.modules() if "forward" in vars(module)]
        found, other = model.encode_sam2(pixels), model.sam2.vision_encoder(pixels)
    assert len(changed) == sum(config.sam2_sizes.stages) + 1
    assert expected.embedding.std() > 0
    assert torch.equal(found.embedding, expected.embedding)
    assert all(map(torch.equal, found.high_resolution, expected.high_resolution))
    assert all(map(torch.equal, other.fpn_position_encoding, whole.fpn_position_encoding))


def test_other_attention_stays():
    config = preset_config(Preset.TINY)
    model = without_values(lambda: Sa2VAModel._from_config(config, attn_implementation="eager"))
    make_lean(model)
    changed = [type(module).__name__ for module in model.modules() if "forward" in vars(module)]
    assert changed == ["Sam2SinePositionEmbedding"]
