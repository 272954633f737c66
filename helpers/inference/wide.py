"""SAM2's mask decoder where float16 is too narrow: its transformer keeps its weights in float32."""

import torch
from torch import nn

from helpers.sa2va.wide import compute_wide


def make_wide(model: nn.Module) -> None:
    """Let the mask decoder's transformer of a Sa2VA model in float16 hold its weights in float32; others stay.

    It computes in float32 in any case, see `helpers.sa2va.wide`; here its weights are widened once, not at every frame.
    """
    transformer = model.sam2.mask_decoder.transformer
    if next(transformer.parameters()).dtype is torch.float16:
        transformer.float()
        compute_wide(transformer)
