"""Estimates a model's memory before any of its weights are loaded, and recognises out-of-memory errors."""

import json
import logging
import math
from collections.abc import Mapping
from pathlib import Path

import psutil
import torch

from helpers.core.errors import UsageProblem
from helpers.core.vocabulary import Quantization
from helpers.model.quantization.layers import is_stored_in, stored_bytes

logger = logging.getLogger(__name__)

# Of one image and one prompt beside the weights: most is SAM2's encoder at 1024 x 1024.
WORKING_BYTES = 3 << 29

_GB = 1e9
_CPU_OUT_OF_MEMORY = "can't allocate memory"


def weight_bytes(
    shapes: Mapping[str, tuple[int, ...]], dtype: torch.dtype, quantization: Quantization | None = None
) -> int:
    """Bytes of a model's tensors once loaded.

    Args:
        shapes: by name.
        dtype: of all that is not quantised.
    """
    total = 0
    for name, shape in shapes.items():
        if quantization is not None and is_stored_in(quantization, name, shape):
            total += stored_bytes(shape[0], shape[1], quantization, dtype.itemsize)
        else:
            total += math.prod(shape) * dtype.itemsize
    return total


def stored_shapes(model_dir: Path) -> dict[str, tuple[int, ...]]:
    """Shape by name of all tensors in a folder's safetensors files, from their headers alone."""
    shapes: dict[str, tuple[int, ...]] = {}
    for path in sorted(model_dir.glob("*.safetensors")):
        with path.open("rb") as file:
            header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        shapes |= {name: tuple(entry["shape"]) for name, entry in header.items() if name != "__metadata__"}
    return shapes


def free_bytes(device: torch.device) -> int | None:
    """Bytes that this process can still take on a device, its own limit and unused cache counted; None if unknown."""
    if device.type == "cpu":
        return psutil.virtual_memory().available
    if device.type != "cuda":
        return None
    index = cuda_index(device)
    free, total = torch.cuda.mem_get_info(index)
    reserved = torch.cuda.memory_reserved(index)
    allowed = int(torch.cuda.get_per_process_memory_fraction(index) * total) - reserved
    return max(0, min(free, allowed)) + reserved - torch.cuda.memory_allocated(index)


def is_out_of_memory(error: Exception) -> bool:
    """Whether a model raised this for want of memory."""
    return isinstance(error, (torch.OutOfMemoryError, MemoryError)) or _CPU_OUT_OF_MEMORY in str(error)


def empty_cache() -> None:
    """Give the memory of a failed batch back, else its blocks may starve the next try."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def limit_memory(device: torch.device, limit: int) -> None:
    """Let this process take no more than so many bytes of a GPU's memory, as on a smaller card."""
    index = cuda_index(device)
    total = torch.cuda.get_device_properties(index).total_memory
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(min(1.0, limit / total), index)


def cuda_index(device: torch.device) -> int:
    """Number of a CUDA device: some calls of PyTorch take none without it."""
    return torch.cuda.current_device() if device.index is None else device.index


def require_memory(
    shapes: Mapping[str, tuple[int, ...]],
    device: torch.device,
    dtype: torch.dtype,
    quantization: Quantization | None = None,
) -> None:
    """Stop where a model and one image will not fit on a GPU; on a processor, say so.

    Raises:
        UsageProblem: with the way of loading that fits, if there is one.
    """
    free = free_bytes(device)
    needed = weight_bytes(shapes, dtype, quantization) + WORKING_BYTES
    if free is None or needed <= free:
        return
    found = f"the model needs about {needed / _GB:.0f} GB on {device}, but {free / _GB:.0f} GB are free"
    if device.type == "cpu":
        logger.warning("%s. It may be slow, or the system may stop it", found)
        return
    for option, wide, bits in (
        ("--dtype bfloat16", torch.bfloat16, quantization),
        ("--quantize int8", torch.bfloat16, Quantization.INT8),
        ("--quantize nf4", torch.bfloat16, Quantization.NF4),
    ):
        other = weight_bytes(shapes, wide, bits) + WORKING_BYTES
        if other <= free:
            raise UsageProblem(f"memory: {found}. Use {option} (about {other / _GB:.0f} GB)")
    raise UsageProblem(f"memory: {found}, too little even for --quantize nf4. Free some, or use --device cpu")
