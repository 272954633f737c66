"""What the stages of a model reach while it predicts: largest values, and values that are not finite."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

# Modules whose outputs are looked at, by the stage that they belong to, in the order of the computation.
_STAGES = {
    "vision tower": ("vision_tower.embeddings", "vision_tower.encoder.layer.*"),
    "projector": ("multi_modal_projector",),
    "language model": ("language_model.model.layers.*", "language_model.model.norm", "language_model.lm_head"),
    "projection of [SEG]": ("seg_projection",),
    "SAM2 encoder": ("sam2.vision_encoder.backbone.blocks.*", "sam2.vision_encoder.neck"),
    "mask decoder": ("sam2.mask_decoder",),
}

# Those whose outputs have SAM2's dtype.
SAM2_STAGES = ("projection of [SEG]", "SAM2 encoder", "mask decoder")


@dataclass(frozen=True)
class StageRange:
    """What a stage's modules gave.

    Attributes:
        largest: absolute value among those that are finite.
        not_finite: number of infinite values and NaN.
    """

    stage: str
    largest: float
    not_finite: int


class _Range:
    """Largest finite absolute value, and number of values that are not finite, of all tensors noted."""

    def __init__(self) -> None:
        self.largest = 0.0
        self.not_finite = 0

    def note(self, output: Any) -> None:
        if isinstance(output, torch.Tensor):
            if output.is_floating_point() and output.numel():
                finite = output.isfinite()
                self.not_finite += int((~finite).sum())
                self.largest = max(self.largest, float(output.abs().where(finite, 0).max()))
        elif isinstance(output, dict):
            self.note(tuple(output.values()))
        elif isinstance(output, tuple | list):
            for part in output:
                self.note(part)


@contextmanager
def watched(model: nn.Module) -> Iterator[Callable[[], list[StageRange]]]:
    """Note the outputs of a Sa2VA model's stages within the block; gives a function that says what they reached."""
    ranges = {stage: _Range() for stage in _STAGES}
    handles = []
    for name, module in model.named_modules():
        for stage, patterns in _STAGES.items():
            if any(_matches(name, pattern) for pattern in patterns):
                found = ranges[stage]
                handles.append(module.register_forward_hook(lambda _m, _a, output, found=found: found.note(output)))
    try:
        yield lambda: [StageRange(stage, found.largest, found.not_finite) for stage, found in ranges.items()]
    finally:
        for handle in handles:
            handle.remove()


def _matches(name: str, pattern: str) -> bool:
    """Whether a name is the pattern, or one number behind a pattern that ends with `*`."""
    return name == pattern or (
        pattern.endswith("*") and name.startswith(pattern[:-1]) and name[len(pattern) - 1 :].isdecimal()
    )
