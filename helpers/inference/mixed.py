"""A model whose SAM2 computes in another number type than the rest: what goes to SAM2 is brought to it."""

import logging
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from helpers.inference.dtypes import ModelDtype

logger = logging.getLogger(__name__)


def bearable(dtype: ModelDtype, sam2: Mapping[str, torch.Tensor]) -> ModelDtype:
    """`dtype`, or its main one for SAM2 too where SAM2's weights reach beyond the range of the one that it names.

    Args:
        sam2: SAM2's floating tensors by name, as they are stored.
    """
    limit = torch.finfo(dtype.sam2).max
    # A weight that is not finite is the model's own fault, and no dtype mends it.
    largest = {name: float(tensor.nan_to_num(posinf=0, neginf=0).abs().max()) for name, tensor in sam2.items()}
    beyond = max(largest, key=largest.get, default=None)
    if beyond is None or largest[beyond] <= limit:
        return dtype
    logger.warning(
        "SAM2 stays in %s: its weights reach %.3g (%s), and %s ends at %.3g",
        *(str(dtype.main).removeprefix("torch."), largest[beyond], beyond),
        *(str(dtype.sam2).removeprefix("torch."), limit),
    )
    return ModelDtype(dtype.main, dtype.main)


def make_mixed(model: nn.Module, dtype: ModelDtype) -> None:
    """Let a Sa2VA model hand pixels and the states of `[SEG]` to SAM2 in SAM2's dtype; a plain model stays as it is."""
    if dtype.main == dtype.sam2:
        return

    def brought(_module: nn.Module, arguments: tuple, named: dict[str, Any]) -> tuple[tuple, dict[str, Any]]:
        return tuple(map(cast, arguments)), {name: cast(value) for name, value in named.items()}

    def cast(value: Any) -> Any:
        return value.to(dtype.sam2) if isinstance(value, torch.Tensor) and value.is_floating_point() else value

    model.sam2.vision_encoder.register_forward_pre_hook(brought, with_kwargs=True)
    model.seg_projection.register_forward_hook(lambda _module, _arguments, prompts: cast(prompts))
