"""SAM2's memory on a GPU, in fewer and faster kernels than transformers launches.

Shapes: B objects, H heads, N places of the frame, L keys, C channels.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import MethodType
from typing import Any

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

_ATTENTION, _NORM = "Sam2VideoRoPEAttention", "Sam2VideoLayerNorm"
# Not cuDNN's: over 28,736 keys it takes 0.65 ms on an H200, since it occupies half of the multiprocessors. PyTorch's
# own cuts the keys in parts, and takes 0.38.
_KERNELS = [SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH]
# PyTorch normalises each place by a block of threads: 0.3 ms for 512 x 512 places of 4 channels.
_FEW_CHANNELS = 16


@contextmanager
def faster_memory(part: nn.Module, features: torch.Tensor) -> Iterator[None]:
    """Let SAM2's memory attention or memory encoder compute faster within the block; behind it, it is as it was.

    It is for narrower dtypes than float32 on a GPU. There last bits differ from those of transformers' own way, alike
    in every call.

    Args:
        features: of the frame, on the device and in the dtype that the part computes in.
    """
    if not features.is_cuda or features.dtype == torch.float32:
        yield
        return
    changed = list(faster_forwards(part))
    for module, forward in changed:
        module.forward = forward
    try:
        with sdpa_kernel(_KERNELS):
            yield
    finally:
        for module, _ in changed:
            vars(module).pop("forward", None)  # another thread's block may have ended sooner


def faster_forwards(part: nn.Module) -> Iterator[tuple[Any, Callable[..., Any]]]:
    """The modules that compute slowly, and what takes the place of their `forward`, where it is the class's own."""
    modules: Iterator[Any] = part.modules()
    for module in modules:
        if "forward" in vars(module):
            continue
        name = type(module).__name__
        if name == _ATTENTION and getattr(module.config, "_attn_implementation", None) == "sdpa":
            yield module, MethodType(_attend, module)
        elif name == _NORM and module.data_format == "channels_first" and module.weight.numel() <= _FEW_CHANNELS:
            yield module, MethodType(_normalise, module)


def _attend(
    self: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    position_embeddings: tuple[torch.Tensor, torch.Tensor],
    num_k_exclude_rope: int = 0,
    **_options: object,
) -> tuple[torch.Tensor, None]:
    """As the module's `forward`, of (B, 1, N, D) queries and (B, 1, L, D) keys and values."""
    outer = query.shape[:2]

    def heads(projected: torch.Tensor) -> torch.Tensor:
        return projected.flatten(0, 1).unflatten(-1, (self.num_attention_heads, -1)).transpose(1, 2)

    cos, sin = position_embeddings
    rotation = torch.complex(cos, sin).flatten(0, -2)[:, ::2]  # (N, C / 2): channels rotate in pairs
    attended = nn.functional.scaled_dot_product_attention(
        rotated(heads(self.q_proj(query)), rotation),
        rotated(heads(self.k_proj(key)), rotation, num_k_exclude_rope),
        heads(self.v_proj(value)),
        scale=self.scaling,
    )
    return self.o_proj(attended.transpose(1, 2).flatten(2).unflatten(0, outer)), None


def rotated(states: torch.Tensor, rotation: torch.Tensor, unrotated: int = 0) -> torch.Tensor:
    """States (B, H, L, C) with rotary positions, computed in float32, in their own dtype.

    Args:
        rotation: complex64 (N, C / 2), the factor of each pair of channels at each place. L is a multiple of N but
            for the states at the end that keep as they are.
        unrotated: how many these are.
    """
    found = torch.empty_like(states, memory_format=torch.contiguous_format)
    placed = states.shape[2] - unrotated
    pairs = states[:, :, :placed].float().unflatten(-1, (-1, 2)).unflatten(2, (-1, len(rotation)))
    product = torch.view_as_real(torch.view_as_complex(pairs) * rotation)
    found[:, :, :placed] = product.flatten(2, 3).flatten(-2)
    found[:, :, placed:] = states[:, :, placed:]
    return found


def _normalise(self: nn.LayerNorm, features: torch.Tensor) -> torch.Tensor:
    """Features (B, C, h, w), each place normalised over its channels, computed in float32."""
    wide = features.float()
    variance, mean = torch.var_mean(wide, 1, correction=0, keepdim=True)
    scale, shift = (one.float()[:, None, None] for one in (self.weight, self.bias))
    return torch.addcmul(shift, (wide - mean) * (variance + self.eps).rsqrt(), scale).to(features.dtype)
