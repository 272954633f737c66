"""Weights as codes of 8 or 4 bits with scales, and back. Shapes: O outputs, I inputs of a linear layer."""

from functools import cache
from math import gcd

import torch

NF4_BLOCK = 64
_LARGEST_INT8 = 127


def encode_int8(weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Round each row of a floating (O, I) weight to 255 equal steps: int8 (O, I), and steps (O, 1) of its dtype."""
    steps = (weight.abs().amax(1, keepdim=True) / _LARGEST_INT8).to(weight.dtype)
    divisor = steps.float().masked_fill(steps == 0, 1)
    codes = (weight.float() / divisor).round().clamp(-_LARGEST_INT8, _LARGEST_INT8)
    return codes.to(torch.int8), steps


def decode_int8(codes: torch.Tensor, steps: torch.Tensor) -> torch.Tensor:
    """The weight (O, I) of `encode_int8`, in the dtype of the steps."""
    return codes.to(steps.dtype).mul_(steps)


def nf4_block(inputs: int) -> int | None:
    """Weights that share a scale: 64, or the largest power of two that divides the inputs; None below 16."""
    block = gcd(inputs, NF4_BLOCK)
    return block if block >= 16 else None


@cache
def nf4_levels() -> tuple[float, ...]:
    """The 16 values of a 4-bit normal float in order, -1, 0 and 1 among them.

    They are quantiles of the normal distribution, so that normally distributed weights use all levels alike: 8 for
    the negative half, 9 for the positive one, zero in both.
    """
    outermost = (1 - 1 / 32 + 1 - 1 / 30) / 2
    negative = -torch.special.ndtri(torch.linspace(outermost, 0.5, 8, dtype=torch.float64))
    positive = torch.special.ndtri(torch.linspace(0.5, outermost, 9, dtype=torch.float64))
    levels = torch.cat([negative, positive[1:]]) / positive[-1]
    return tuple(levels.tolist())


def encode_nf4(weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Give each weight of a floating (O, I) the nearest level of its block.

    Returns:
        uint8 (O, I / 2), two codes a byte, the first in the lower half; the largest absolute values (O, I / block, 1)
        of the blocks, in the weight's dtype.
    Raises:
        ValueError: where the inputs are no multiple of 16.
    """
    block = nf4_block(weight.shape[1])
    if block is None:
        raise ValueError(f"expected a multiple of 16 inputs, got {weight.shape[1]}")
    blocks = weight.unflatten(1, (-1, block))
    scales = blocks.abs().amax(2, keepdim=True)
    levels = torch.tensor(nf4_levels(), device=weight.device)
    middles = (levels[1:] + levels[:-1]) / 2
    normalised = blocks.float() / scales.float().masked_fill(scales == 0, 1)
    codes = torch.bucketize(normalised, middles, out_int32=True).to(torch.uint8).flatten(1)
    return codes[:, ::2] | (codes[:, 1::2] << 4), scales


@cache
def nf4_pairs(dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """Both values of every byte, as one number of twice the dtype's width: integers (256,)."""
    levels = torch.tensor(nf4_levels()).to(dtype)
    byte = torch.arange(256)
    pairs = torch.stack([levels[byte & 15], levels[byte >> 4]], 1)
    return pairs.view(torch.int32 if dtype.itemsize == 2 else torch.int64)[:, 0].to(device)


def decode_nf4(codes: torch.Tensor, scales: torch.Tensor) -> torch.Tensor:
    """The weight (O, I) of `encode_nf4`, in the dtype of the scales."""
    pairs = nf4_pairs(scales.dtype, codes.device)
    # One look-up gives two weights, which halves the indices: they take most of the memory here.
    values = pairs.index_select(0, codes.flatten().int()).view(scales.dtype)
    return values.view(*scales.shape[:2], -1).mul_(scales).flatten(1)
