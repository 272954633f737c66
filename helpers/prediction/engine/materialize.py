"""A model without weights, and tensors put into it one after the other, on their device and in few bits if asked.

Nothing is held twice: what a model needs to load is its own size and one tensor. SAM2's tensors of a mixed model wait
as they are stored until all were seen, since their range decides on their dtype.
"""

from collections.abc import Callable, Iterable
from typing import TypeVar

import torch
from torch import nn
from transformers import PreTrainedModel

from helpers.core.errors import RefusedInput
from helpers.core.vocabulary import Quantization
from helpers.model.quantization.layers import QuantizedLinear, replace, takes
from helpers.model.sam2_fast_path import skip_unused_sam2_ops
from helpers.prediction.engine.dtypes import ModelDtype, make_mixed, supported_dtype, upcast_mask_decoder

try:
    from transformers.initialization import no_init_weights
except ImportError:  # transformers 4
    from transformers.modeling_utils import no_init_weights  # type: ignore[attr-defined, no-redef]  # of 4 alone

Model = TypeVar("Model", bound=PreTrainedModel)


def without_values(build: Callable[[], Model]) -> Model:
    """The model that `build` makes on the CPU, its parameters unset; buffers that are computed have their values.

    Memory that was never written takes no room, so that this costs little however large the model is.
    """
    with no_init_weights():
        return build().eval().requires_grad_(False)


@torch.no_grad()
def fill(
    model: PreTrainedModel,
    tensors: Iterable[tuple[str, torch.Tensor]],
    device: torch.device,
    dtype: ModelDtype,
    quantization: Quantization | None = None,
) -> None:
    """Give a Sa2VA model from `without_values` its tensors, put it on a device, and make it lean, mixed and wide.

    Args:
        tensors: by their names in the state dict, in any order, on any device. Tied ones may be left out.
        dtype: of all that is floating, but for what `upcast_mask_decoder` widens. SAM2 gets the main one where its
            weights are beyond the other; the log says so.
        quantization: of what `takes` names; None for none.
    Raises:
        RefusedInput: for names or shapes that are not the model's, and where one is missing.
    """
    expected = model.state_dict()
    missing = set(expected) - _tied(model)
    waiting: dict[str, torch.Tensor] = {}  # what has its dtype only once all of it was seen
    for name, tensor in tensors:
        if name not in expected or tensor.shape != expected[name].shape:
            wanted = tuple(expected[name].shape) if name in expected else "no tensor of this name"
            raise RefusedInput(f"weights: {name}: expected {wanted}, found {tuple(tensor.shape)}. Convert again")
        missing.discard(name)
        if not tensor.is_floating_point():
            _place(model, name, tensor.to(device), quantization)
        elif dtype.main != dtype.sam2 and name.startswith("sam2."):
            waiting[name] = tensor.to(device)
        else:
            _place(model, name, tensor.to(device, dtype.main), quantization)
    if missing:
        raise RefusedInput(f"weights: {len(missing)} tensors are missing, such as {min(missing)}. Convert again")
    dtype = supported_dtype(dtype, waiting)
    for name in list(waiting):
        _place(model, name, waiting.pop(name).to(dtype.sam2), quantization)
    model.tie_weights()
    model.to(device)  # type: ignore[arg-type]  # a decorator of transformers hides its parameters
    skip_unused_sam2_ops(model)
    make_mixed(model, dtype)
    upcast_mask_decoder(model)


def _place(model: nn.Module, name: str, tensor: torch.Tensor, quantization: Quantization | None) -> None:
    path, _, last = name.rpartition(".")
    module = model.get_submodule(path)
    if quantization is not None and last == "weight" and takes(path, module, quantization):
        bias = module.bias
        replace(model, path, QuantizedLinear(tensor, bias if isinstance(bias, torch.Tensor) else None, quantization))
    elif last in module._parameters:
        module._parameters[last] = nn.Parameter(tensor, requires_grad=False)
    else:
        module._buffers[last] = tensor


def _tied(model: PreTrainedModel) -> set[str]:
    """Names that share another's tensor and need not be given."""
    return {"language_model.lm_head.weight"} if model.config.tie_word_embeddings else set()
