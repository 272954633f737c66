"""The Qwen families' vision towers on pictures of one size, whose windows of one shape attend together.

Modules and weights are those of transformers. Its own passes take pictures of all sizes in one row, read their sizes
back from the device and attend window after window; these read nothing back, and launch as much for many windows as for
one.

Shapes: n pictures of P patches and T tokens each, W tower width, H language width, D width of a head.
"""

from typing import Any, NamedTuple

import torch
from torch import nn
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS
from transformers.models.qwen2_5_vl.modeling_qwen2_5_vl import (
    Qwen2_5_VisionTransformerPretrainedModel,
    Qwen2_5_VLVisionBlock,
    eager_attention_forward,
)
from transformers.models.qwen3_vl.modeling_qwen3_vl import Qwen3VLVisionBlock, Qwen3VLVisionModel


class Windows(NamedTuple):
    """Windows of one shape that follow each other, the same in every picture.

    Attributes:
        number: how many.
        length: patches or tokens of each.
    """

    number: int
    length: int


def token_by_token(grid: torch.Tensor, merge: int) -> torch.Tensor:
    """Values (rows, columns) of a picture's patches as (P,), the patches of one token together."""
    return grid.unflatten(0, (-1, merge)).unflatten(2, (-1, merge)).transpose(1, 2).flatten()


def window_order(rows: int, columns: int, side: int, device: torch.device) -> tuple[torch.Tensor, list[Windows]]:
    """The order of a picture's tokens in which windows lie together: first whole ones, then those cut at its edges.

    Args:
        rows, columns: of its tokens.
        side: of a window in tokens.
    Returns:
        int64 (T,), the place in the picture of each token in that order, and the windows.
    """
    grid = torch.arange(rows * columns, device=device).view(rows, columns)
    order, windows = [], []
    for band in (grid[: rows // side * side], grid[rows // side * side :]):
        for part in (band[:, : columns // side * side], band[:, columns // side * side :]):
            if not part.numel():
                continue
            height, width = min(side, part.shape[0]), min(side, part.shape[1])
            order.append(part.unflatten(0, (-1, height)).unflatten(2, (-1, width)).transpose(1, 2).flatten())
            windows.append(Windows(part.numel() // (height * width), height * width))
    return torch.cat(order), windows


def turns(rows: int, columns: int, merge: int, frequencies: torch.Tensor) -> torch.Tensor:
    """Angles float32 (P, D) by which the rotary embedding turns a picture's patches, token by token.

    Args:
        frequencies: (D / 4,), the same for rows and for columns.
    """
    down, across = (torch.arange(length, dtype=torch.float32, device=frequencies.device) for length in (rows, columns))
    places = (down[:, None].expand(rows, columns), across[None].expand(rows, columns))
    half = [token_by_token(place, merge)[:, None] * frequencies.float() for place in places]
    return torch.cat([*half, *half], -1)


def turned(values: torch.Tensor, cosines: torch.Tensor, sines: torch.Tensor) -> torch.Tensor:
    """Values (n, P, heads, D), whose first half is turned against the second; cosines and sines are (P, 1, D)."""
    wide = values.float()
    first, second = wide.chunk(2, -1)
    return (wide * cosines + torch.cat([-second, first], -1) * sines).to(values)


def resampled(table: torch.Tensor, rows: int, columns: int, merge: int) -> torch.Tensor:
    """A square table (S * S, W) stretched bilinearly over a picture's patches, corner on corner: float32 (P, W).

    Patches go token by token.
    """
    side = int(len(table) ** 0.5)
    taps: list[tuple[torch.Tensor, torch.Tensor]] = []
    for length, shape in ((rows, (rows, 1)), (columns, (1, columns))):
        places = torch.arange(length, dtype=torch.float32, device=table.device) * (side - 1) / max(length - 1, 1)
        low = places.floor()
        both = torch.stack([low, (low + 1).clamp(max=side - 1)]).long()
        shares = torch.stack([1 - (places - low), places - low])
        taps.append(tuple(one.view(2, *shape).expand(2, rows, columns) for one in (both, shares)))  # type: ignore[arg-type]
    (down, high), (across, wide) = taps
    parts = [
        table[token_by_token(down[row] * side + across[column], merge)]
        * token_by_token(high[row] * wide[column], merge)[:, None]
        for row in range(2)
        for column in range(2)
    ]
    return torch.stack(parts).sum(0)


class PatchEmbedding(nn.Module):
    """Patches by one matrix product: as a convolution in three dimensions some devices take far longer."""

    def __init__(self, projection: nn.Module):
        """Take over the convolution of a tower's own module, whose kernel is one patch."""
        super().__init__()
        self.proj = projection

    def forward(self, patches: torch.Tensor) -> torch.Tensor:
        """(N, values of a patch) -> (N, W)."""
        weight: Any = self.proj.weight
        bias: Any = self.proj.bias
        return nn.functional.linear(patches.to(weight.dtype), weight.flatten(1), bias)


class _OnPictures(nn.Module):
    """The pass of a block over pictures of one size."""

    norm1: Any
    norm2: Any
    attn: Any
    mlp: Any

    def forward(self, states: torch.Tensor, turn: tuple[torch.Tensor, torch.Tensor], windows: list[Windows]) -> Any:
        """States (n, P, W), attending within the windows that each picture consists of.

        Args:
            turn: cosines and sines (P, 1, D).
        """
        states = states + self._attended(self.norm1(states), turn, windows)
        return states + self.mlp(self.norm2(states))

    def _attended(
        self, states: torch.Tensor, turn: tuple[torch.Tensor, torch.Tensor], windows: list[Windows]
    ) -> torch.Tensor:
        attention = self.attn
        query, key, value = attention.qkv(states).unflatten(-1, (3, attention.num_heads, -1)).unbind(2)
        query, key = turned(query, *turn), turned(key, *turn)
        kind = attention.config._attn_implementation
        attend: Any = eager_attention_forward if kind == "eager" else ALL_ATTENTION_FUNCTIONS[kind]
        lengths = [number * length for number, length in windows]
        pieces = zip(*(one.split(lengths, 1) for one in (query, key, value)), strict=True)
        found = []
        for (number, length), piece in zip(windows, pieces, strict=True):
            # One row of the batch for each window of each picture, (n * number, heads, length, D).
            cut = [one.unflatten(1, (number, length)).flatten(0, 1).transpose(1, 2) for one in piece]
            mixed, _ = attend(attention, *cut, None, dropout=0.0, scaling=attention.scaling, is_causal=False)
            found.append(mixed.reshape(len(states), number * length, -1))
        return attention.proj(torch.cat(found, 1))


class Qwen2_5VLBlock(_OnPictures, Qwen2_5_VLVisionBlock):
    """A block of Qwen2.5-VL's tower."""


class Qwen3VLBlock(_OnPictures, Qwen3VLVisionBlock):
    """A block of Qwen3-VL's tower."""


class Qwen2_5VLTower(Qwen2_5_VisionTransformerPretrainedModel):
    """The tower of Qwen2.5-VL, most of whose blocks attend within windows."""

    def __init__(self, config: Any):
        super().__init__(config)
        self.patch_embed: Any = PatchEmbedding(self.patch_embed.proj)
        self.blocks = nn.ModuleList(Qwen2_5VLBlock(config) for _ in range(config.depth))

    def forward(self, patches: torch.Tensor, rows: int, columns: int) -> tuple[torch.Tensor, ...]:
        """Visual tokens of pictures of one size.

        Args:
            patches: (n * P, values of a patch), token by token.
            rows, columns: of a picture's patches.
        Returns:
            (n * T, H), alone.
        """
        config: Any = self.config
        merge, group = config.spatial_merge_size, config.spatial_merge_size**2
        side = config.window_size // config.patch_size // merge
        order, windows = window_order(rows // merge, columns // merge, side, patches.device)
        in_windows = [Windows(number, length * group) for number, length in windows]
        angles = turns(rows, columns, merge, self.rotary_pos_emb.inv_freq).unflatten(0, (-1, group))[order]
        turn = _cosines_and_sines(angles.flatten(0, 1))
        tokens = self.patch_embed(patches).view(-1, len(order), group, config.hidden_size)
        states = tokens[:, order].flatten(1, 2)
        for number, block in enumerate(self.blocks):
            everywhere = number in config.fullatt_block_indexes
            states = block(states, turn, [Windows(1, rows * columns)] if everywhere else in_windows)
        merged = self.merger(states.flatten(0, 1)).unflatten(0, (-1, len(order)))
        return (merged[:, order.argsort()].flatten(0, 1),)


class Qwen3VLTower(Qwen3VLVisionModel):
    """The tower of Qwen3-VL, some of whose blocks give levels beside the tokens."""

    def __init__(self, config: Any):
        super().__init__(config)
        self.patch_embed: Any = PatchEmbedding(self.patch_embed.proj)
        self.blocks = nn.ModuleList(Qwen3VLBlock(config) for _ in range(config.depth))

    def forward(self, patches: torch.Tensor, rows: int, columns: int) -> tuple[torch.Tensor, ...]:
        """Visual tokens of pictures of one size, and their levels.

        Args:
            patches: (n * P, values of a patch), token by token.
            rows, columns: of a picture's patches.
        Returns:
            (n * T, H) each.
        """
        config: Any = self.config
        merge, giving = config.spatial_merge_size, list(config.deepstack_visual_indexes)
        turn = _cosines_and_sines(turns(rows, columns, merge, self.rotary_pos_emb.inv_freq))
        embedded = self.patch_embed(patches).unflatten(0, (-1, rows * columns))
        states = embedded + resampled(self.pos_embed.weight, rows, columns, merge).to(embedded)
        levels = []
        for number, block in enumerate(self.blocks):
            states = block(states, turn, [Windows(1, rows * columns)])
            if number in giving:
                levels.append(self.deepstack_merger_list[giving.index(number)](states.flatten(0, 1)))
        return (self.merger(states.flatten(0, 1)), *levels)


def _cosines_and_sines(angles: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    return angles.cos()[:, None], angles.sin()[:, None]
