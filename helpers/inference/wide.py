"""SAM2's mask decoder where float16 is too narrow: its transformer computes in float32."""

from types import MethodType
from typing import Any

import torch
from torch import nn


def make_wide(model: nn.Module) -> None:
    """Let the mask decoder's transformer of a Sa2VA model in float16 compute in float32; others stay as they are.

    In trained models attention from the prompt to the image reaches beyond 65504, where float16 ends, before a norm
    brings it back. The transformer is less than a hundredth of the operations of a frame.
    """
    transformer = model.sam2.mask_decoder.transformer
    if next(transformer.parameters()).dtype is torch.float16:
        transformer.float()
        transformer.forward = MethodType(_in_float32, transformer)


def _in_float32(self: nn.Module, image_embeddings: torch.Tensor, **others: Any) -> tuple[torch.Tensor, ...]:
    """States of the prompt and of the image, in the dtype of `image_embeddings`."""
    wide = {name: value.float() if isinstance(value, torch.Tensor) else value for name, value in others.items()}
    found = type(self).forward(self, image_embeddings=image_embeddings.float(), **wide)
    return tuple(states.to(image_embeddings.dtype) for states in found)
