"""SAM2's encoder without what transformers computes there and drops: the same outputs, to the last bit, sooner."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import MethodType
from typing import Any, Protocol

import torch
from torch import nn
from transformers.models.sam2.modeling_sam2 import do_pool

_ATTENTION, _POSITIONS = "Sam2MultiScaleAttention", "Sam2SinePositionEmbedding"


def skip_unused_sam2_ops(model: nn.Module) -> None:
    """Spare a Sa2VA model's image encoder the second, unused product of queries and keys, and all but one copy of
    position encodings, which are the same for every image of a batch.

    Only attention by PyTorch's own function is changed; other implementations stay as they are.
    """
    for module, forward in _lean(model.get_submodule("sam2.vision_encoder")):
        module.forward = forward


@contextmanager
def unused_ops_skipped(encoder: nn.Module) -> Iterator[None]:
    """As `skip_unused_sam2_ops` within the block, of a SAM2 image encoder; behind it, the encoder is as it was."""
    changed = list(_lean(encoder))
    for module, forward in changed:
        module.forward = forward
    try:
        yield
    finally:
        for module, _ in changed:
            vars(module).pop("forward", None)  # another thread's block may have ended sooner


def _lean(encoder: nn.Module) -> Iterator[tuple[Any, Callable[..., torch.Tensor]]]:
    """The modules that compute in vain, and what takes the place of their `forward`, where it is the class's own."""
    for module in encoder.modules():
        if "forward" in vars(module):
            continue
        if type(module).__name__ == _ATTENTION and getattr(module.config, "_attn_implementation", None) == "sdpa":
            yield module, MethodType(_attend, module)
        elif type(module).__name__ == _POSITIONS:
            yield module, MethodType(_encode_positions, module)


class _Attention(Protocol):
    """What is used of transformers' attention within SAM2's encoder."""

    num_attention_heads: int
    query_stride: int | None  # as `do_pool` takes it
    scale: float
    qkv: Callable[[torch.Tensor], torch.Tensor]
    proj: Callable[[torch.Tensor], torch.Tensor]


def _attend(self: _Attention, hidden_states: torch.Tensor, **_options: object) -> torch.Tensor:
    """Attention within windows (B, H, W, C), with pooled queries where the stage changes."""
    batch, height, width, _ = hidden_states.shape
    packed = self.qkv(hidden_states).reshape(batch, height * width, 3, self.num_attention_heads, -1)
    query, key, value = packed.unbind(2)
    if self.query_stride:
        query = do_pool(query.reshape(batch, height, width, -1), self.query_stride)
        height, width = query.shape[1:3]
        query = query.reshape(batch, height * width, self.num_attention_heads, -1)
    attended = nn.functional.scaled_dot_product_attention(
        query.transpose(1, 2), key.transpose(1, 2), value.transpose(1, 2), scale=self.scale
    )
    return self.proj(attended.transpose(1, 2).reshape(batch, height, width, -1))


def _encode_positions(self: nn.Module, shape: torch.Size, *options: object) -> torch.Tensor:
    """Position encodings (B, C, H, W) of a shape, held once."""
    return type(self).forward(self, torch.Size((1, *shape[1:])), *options).expand(shape[0], -1, -1, -1)
