"""SAM2's mask decoder where float16 is too narrow: its transformer computes in float32.

In trained models attention from the prompt to the image reaches beyond 65504, where float16 ends, before a norm brings
it back. The transformer is less than a hundredth of the operations of a frame.
"""

from types import MethodType
from typing import Any

import torch
from torch import nn
from torch.func import functional_call


def compute_wide(transformer: nn.Module) -> None:
    """Let a mask decoder's transformer compute in float32 wherever it is given float16. Its weights stay."""
    if "forward" not in vars(transformer):
        transformer.forward = MethodType(_in_float32, transformer)


def _in_float32(self: nn.Module, image_embeddings: torch.Tensor, **others: Any) -> tuple[torch.Tensor, ...]:
    """States of the prompt and of the image, in the dtype of `image_embeddings`."""
    if image_embeddings.dtype is not torch.float16:
        return type(self).forward(self, image_embeddings=image_embeddings, **others)
    wide = {name: value.float() if isinstance(value, torch.Tensor) else value for name, value in others.items()}
    weights = {name: weight.float() for name, weight in self.named_parameters() if weight.dtype is torch.float16}
    given = {"image_embeddings": image_embeddings.float(), **wide}
    found = functional_call(self, weights, (), given) if weights else type(self).forward(self, **given)
    return tuple(states.to(image_embeddings.dtype) for states in found)
