"""The number types that a model computes in: one for all of it, or another one for SAM2 or its mask decoder."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import torch
from torch import nn

from helpers.model.mask_decoding import compute_wide

logger = logging.getLogger(__name__)


def dtype_name(dtype: torch.dtype) -> str:
    """Such as `float16`."""
    return str(dtype).removeprefix("torch.")


@dataclass(frozen=True)
class ModelDtype:
    """The number types of a model.

    Attributes:
        main: of the vision tower, the language model and the projections.
        sam2: of SAM2, but for what `upcast_mask_decoder` widens.
    """

    main: torch.dtype
    sam2: torch.dtype

    def __str__(self) -> str:
        """What `--dtype` calls it."""
        return "mixed" if self.main != self.sam2 else dtype_name(self.main)

    @property
    def described(self) -> str:
        """For people who do not know the name."""
        names = [dtype_name(dtype) for dtype in (self.main, self.sam2)]
        return f"{self} ({names[0]}, SAM2 in {names[1]})" if self.main != self.sam2 else names[0]


def one_dtype(dtype: torch.dtype) -> ModelDtype:
    """One number type for the whole model."""
    return ModelDtype(dtype, dtype)


# float16 is eight times finer than bfloat16 and narrower, which SAM2 bears and large language models may not.
MIXED = ModelDtype(torch.bfloat16, torch.float16)
DTYPES: Mapping[str, ModelDtype] = MappingProxyType(
    {str(dtype): dtype for dtype in (MIXED, *map(one_dtype, (torch.bfloat16, torch.float16, torch.float32)))}
)


def dtype_of(model: Any) -> ModelDtype:
    """What a loaded Sa2VA model computes in."""
    return ModelDtype(model.dtype, model.sam2.no_memory_embedding.dtype)


def supported_dtype(dtype: ModelDtype, sam2: Mapping[str, torch.Tensor]) -> ModelDtype:
    """`dtype`, or its main one for SAM2 too where SAM2's weights reach beyond the range of the one that it names.

    Args:
        sam2: SAM2's floating tensors by name, as they are stored.
    """
    limit = torch.finfo(dtype.sam2).max
    # A weight that is not finite is the model's own fault, and no dtype mends it.
    largest = {name: float(tensor.nan_to_num(posinf=0, neginf=0).abs().max()) for name, tensor in sam2.items()}
    beyond = max(largest, key=lambda name: largest[name], default=None)
    if beyond is None or largest[beyond] <= limit:
        return dtype
    logger.warning(
        "SAM2 stays in %s: its weights reach %.3g (%s), and %s ends at %.3g",
        *(dtype_name(dtype.main), largest[beyond], beyond),
        *(dtype_name(dtype.sam2), limit),
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

    model.get_submodule("sam2.vision_encoder").register_forward_pre_hook(brought, with_kwargs=True)
    model.get_submodule("seg_projection").register_forward_hook(lambda _module, _arguments, prompts: cast(prompts))


def upcast_mask_decoder(model: nn.Module) -> None:
    """Let the mask decoder's transformer of a Sa2VA model in float16 hold its weights in float32; others stay.

    It computes in float32 anyway, see `model.upcast_decoder`; here its weights are widened once, not at every frame.
    """
    transformer = model.get_submodule("sam2.mask_decoder.transformer")
    if next(transformer.parameters()).dtype is torch.float16:
        transformer.float()
        compute_wide(transformer)
