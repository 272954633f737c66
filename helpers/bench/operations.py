"""Operations of one image, counted from shapes alone."""

import torch
from torch.utils.flop_counter import FlopCounterMode

from helpers.bench.presets import Preset, preset_config
from helpers.inference.graphs import stages
from helpers.sa2va.modeling_sa2va import Sa2VAModel


def count_operations(preset: Preset, tiles: int, prompt: int, read: int) -> dict[str, int]:
    """Operations (two for a multiplication and an addition) of each stage, for one image, one prompt and one mask.

    Args:
        tiles: that the vision tower sees.
        prompt: tokens of the prompt.
        read: tokens of the answer that the pass over the prompt reads.
    """
    with torch.device("meta"):
        model = Sa2VAModel._from_config(preset_config(preset), dtype=torch.bfloat16).eval()
    config, width = model.config, model.config.hidden_size
    side = config.sam2_sizes.image_size

    def empty(*shape: int, dtype: torch.dtype = torch.bfloat16) -> torch.Tensor:
        return torch.empty(shape, dtype=dtype, device="meta")

    # Some versions of transformers cannot make rotary embeddings without values; they are no matter here.
    head = width // config.text_config.num_attention_heads
    model.language_model.model.rotary_emb.forward = lambda states, position_ids: (
        empty(1, states.shape[1], head),
        empty(1, states.shape[1], head),
    )
    vision, sam2, decoder, language = stages(model)
    counts = {}
    with torch.inference_mode():
        features = sam2(empty(1, 3, side, side))
        for name, stage, arguments in (
            ("vision tower", vision, (empty(tiles, 3, config.tile_size, config.tile_size),)),
            ("language model", language, (empty(1, prompt, width), empty(1, read, dtype=torch.long))),
            ("SAM2 encoder", sam2, (empty(1, 3, side, side),)),
            ("mask decoder", decoder, (*features, empty(1, width), empty(1, dtype=torch.long))),
        ):
            with FlopCounterMode(display=False) as counter:
                stage(*arguments)
            counts[name] = counter.get_total_flops()
    return counts
