"""The lean encoder against that of transformers."""

import torch

from helpers.core.vocabulary import Preset
from helpers.dev.bench.model_presets import preset_config
from helpers.model.modeling_sa2va import Sa2VAModel
from helpers.model.sam2_fast_path import skip_unused_sam2_ops
from helpers.prediction.engine.materialize import without_values


def test_outputs_are_the_same_to_the_last_bit():
    config = preset_config(Preset.TINY)
    model = Sa2VAModel._from_config(config, dtype=torch.float32).eval().requires_grad_(False)
    for parameter in model.sam2.parameters():
        parameter.normal_(0, 0.1)
    side = config.sam2_sizes.image_size
    pixels = torch.randn(2, 3, side, side)
    with torch.inference_mode():
        expected, whole = model.sam2.get_image_embeddings(pixels), model.sam2.vision_encoder(pixels)
        within = model.encode_sam2(pixels)
        assert not [module for module in model.modules() if "forward" in vars(module)]
        skip_unused_sam2_ops(model)
        changed = [module for module in model.modules() if "forward" in vars(module)]
        found, other = model.encode_sam2(pixels), model.sam2.vision_encoder(pixels)
    assert len(changed) == sum(config.sam2_sizes.stages) + 1
    assert expected[-1].std() > 0
    for one in (within, found):
        assert all(map(torch.equal, (*one.high_resolution, one.embedding), expected))
    assert all(map(torch.equal, other.fpn_position_encoding, whole.fpn_position_encoding))


def test_other_attention_stays():
    config = preset_config(Preset.TINY)
    model = without_values(lambda: Sa2VAModel._from_config(config, attn_implementation="eager"))
    skip_unused_sam2_ops(model)
    changed = [type(module).__name__ for module in model.modules() if "forward" in vars(module)]
    assert changed == ["Sam2SinePositionEmbedding"]
