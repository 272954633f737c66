"""Low-rank adapters around the language model's linear layers."""

import math

import torch
from torch import nn

ADAPTED = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


class LoraLinear(nn.Module):
    """A frozen linear layer plus `scale` B A, the change computed in float32 unless autocast says otherwise.

    Attributes:
        down: A, (rank, in). up: B, (out, rank), zero at first.
    """

    def __init__(self, linear: nn.Linear, rank: int, alpha: float, random: torch.Generator, dropout: float = 0.0):
        super().__init__()
        self.linear = linear
        self.scale = alpha / rank
        width = linear.in_features
        self.down = nn.Parameter(torch.randn((rank, width), generator=random) / math.sqrt(width))
        self.up = nn.Parameter(torch.zeros(linear.out_features, rank))
        self.dropout = nn.Dropout(dropout)

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        change = nn.functional.linear(nn.functional.linear(self.dropout(states), self.down), self.up)
        return self.linear(states) + self.scale * change


def add_adapters(
    language_model: nn.Module, rank: int, alpha: float, random: torch.Generator, dropout: float = 0.0
) -> dict[str, LoraLinear]:
    """Put an adapter around each layer named in `ADAPTED`; the adapters by the name of their layer."""
    linears = {name: module for name, module in language_model.named_modules() if name.rpartition(".")[2] in ADAPTED}
    adapters = {}
    for name, linear in linears.items():
        parent, _, child = name.rpartition(".")
        adapters[name] = LoraLinear(linear, rank, alpha, random, dropout)
        setattr(language_model.get_submodule(parent), child, adapters[name])
    return adapters
