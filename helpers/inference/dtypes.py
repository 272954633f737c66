"""The number types that a model computes in: one for all of it, or another one for SAM2."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import torch


@dataclass(frozen=True)
class ModelDtype:
    """The number types of a model.

    Attributes:
        main: of the vision tower, the language model and the projections.
        sam2: of SAM2, but for what `make_wide` widens.
    """

    main: torch.dtype
    sam2: torch.dtype

    def __str__(self) -> str:
        """What `--dtype` calls it."""
        return "mixed" if self.main != self.sam2 else str(self.main).removeprefix("torch.")

    @property
    def described(self) -> str:
        """For people who do not know the name."""
        names = [str(dtype).removeprefix("torch.") for dtype in (self.main, self.sam2)]
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
