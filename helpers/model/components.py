"""Modules of a Sa2VA model beside transformers' own, and the values that its stages pass on.

Shapes: T tiles, S number of `[SEG]`, D SAM2 width.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from transformers import Sam2VideoModel

from .generation import GeneratedText


@dataclass
class Sam2Features:
    """What SAM2's encoder gives for a batch of B images; computed once however many `[SEG]` follow.

    Attributes:
        embedding: (B, D, 64, 64), no-memory embedding added.
        high_resolution: (B, D / 8, 256, 256) and (B, D / 4, 128, 128), after the decoder's `conv_s0` and `conv_s1`.
    """

    embedding: torch.Tensor
    high_resolution: tuple[torch.Tensor, torch.Tensor]

    def tensors(self) -> tuple[torch.Tensor, ...]:
        """All of them, in the order of the attributes."""
        return (self.embedding, *self.high_resolution)


@dataclass
class MaskLogits:
    """Masks of S `[SEG]` tokens.

    Attributes:
        low_resolution: (S, 256, 256) float32, the candidate of highest predicted IoU.
        predicted_iou: (S, 3), SAM2's own estimates for its three candidates, in [0, 1].
        object_score: (S,) logits that an object is there at all. Sa2VA never gates masks by it.
    """

    low_resolution: torch.Tensor
    predicted_iou: torch.Tensor
    object_score: torch.Tensor


@dataclass
class CallOutput:
    """Everything one call computed.

    Attributes:
        text: the decoded answer, special tokens included.
        answer: its tokens and `[SEG]` states.
        masks: None where the answer holds no `[SEG]` or no image was given.
        logits: (S, H, W) float32 on the image's own grid; S may be 0.
    """

    text: str
    answer: GeneratedText
    masks: MaskLogits | None
    logits: torch.Tensor


class SegProjection(nn.Module):
    """From the language model's hidden state at `[SEG]` to a prompt token of SAM2."""

    def __init__(self, language_width: int, sam2_width: int):
        super().__init__()
        self.linear_1 = nn.Linear(language_width, language_width)
        self.linear_2 = nn.Linear(language_width, sam2_width)

    def forward(self, hidden_states: torch.Tensor) -> torch.Tensor:
        return self.linear_2(nn.functional.relu(self.linear_1(hidden_states)))


def pixel_shuffle(features: torch.Tensor, factor: float) -> torch.Tensor:
    """Trade vision tokens for channels, InternVL's 'v2' order.

    Args:
        features: (T, side, side, C).
        factor: 0.5 makes (T, side / 2, side / 2, 4 C).
    """
    tiles, side, _, channels = features.shape
    small = int(side * factor)
    features = features.view(tiles, side, small, int(channels / factor)).permute(0, 2, 1, 3).contiguous()
    features = features.view(tiles, small, small, int(channels / factor**2))
    return features.permute(0, 2, 1, 3).contiguous()


def set_query_key_epsilon(vision_tower: Any, epsilon: float) -> None:
    """Give query and key norms the tower's epsilon, as InternVL does: transformers fixes theirs at 1e-6."""
    for layer in vision_tower.encoder.layer:
        for norm in (layer.attention.q_norm, layer.attention.k_norm):
            if hasattr(norm, "variance_epsilon"):
                norm.variance_epsilon = epsilon


def fit_memory_width(sam2: Sam2VideoModel, memory_width: int) -> None:
    """Give the memory's keys and values their width: transformers fixes it at 64, that of the published models."""
    for layer in sam2.memory_attention.layers:
        attention = layer.cross_attn_image
        for name in ("k_proj", "v_proj"):
            fixed = getattr(attention, name)
            if fixed.in_features != memory_width:
                setattr(attention, name, nn.Linear(memory_width, fixed.out_features, bias=fixed.bias is not None))
