"""Linear layers with weights in 8 or 4 bits, and how they take the place of others."""

from collections.abc import Sequence

import torch
from torch import nn

from helpers.core.vocabulary import Quantization
from helpers.model.quantization.codes import decode_int8, decode_nf4, encode_int8, encode_nf4, nf4_block

# The beginning of the names of all layers in few bits.
_IN_FEW_BITS = "language_model.model.layers."


class QuantizedLinear(nn.Module):
    """A linear layer that holds codes, and computes with the weight that they stand for.

    The weight is made anew in each call, in the dtype of the scales, and dropped again: that costs time, and keeps
    the memory of one layer's weight beside that of all codes.
    """

    bias: nn.Parameter | None

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor | None, quantization: Quantization):
        """Take over a floating weight (O, I), on its device and in its dtype, and a bias (O,).

        Raises:
            ValueError: see `encode_nf4`.
        """
        super().__init__()
        self.quantization = quantization
        self.out_features, self.in_features = weight.shape
        codes, scales = (encode_int8 if quantization is Quantization.INT8 else encode_nf4)(weight)
        self.codes, self.scales = nn.Buffer(codes), nn.Buffer(scales)
        self.register_parameter("bias", None if bias is None else nn.Parameter(bias, requires_grad=False))

    def weight_values(self) -> torch.Tensor:
        """The weight (O, I) that is computed with."""
        decode = decode_int8 if self.quantization is Quantization.INT8 else decode_nf4
        return decode(self.codes, self.scales)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return nn.functional.linear(values, self.weight_values(), self.bias)

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, out_features={self.out_features}, {self.quantization}"


def takes(name: str, module: nn.Module, quantization: Quantization) -> bool:
    """Whether the module of that name in a Sa2VA model is stored in few bits: a linear layer of `is_stored_in`."""
    return isinstance(module, nn.Linear) and is_stored_in(quantization, name, (module.out_features, module.in_features))


def is_stored_in(quantization: Quantization, name: str, shape: Sequence[int]) -> bool:
    """Whether a weight of that name and shape in a Sa2VA model is stored in few bits.

    These are the matrices within the language model's blocks, nine tenths of an 8B model. Embeddings and output head
    decide on words, vision tower and SAM2 on outlines: they stay as they are.
    """
    if not name.startswith(_IN_FEW_BITS) or len(shape) != 2:
        return False
    return quantization is not Quantization.NF4 or nf4_block(shape[1]) is not None


def stored_bytes(outputs: int, inputs: int, quantization: Quantization, itemsize: int) -> int:
    """Bytes of a quantised weight (outputs, inputs), its scales of `itemsize` bytes included."""
    if quantization is Quantization.INT8:
        return outputs * inputs + outputs * itemsize
    return outputs * inputs // 2 + outputs * inputs // (nf4_block(inputs) or inputs) * itemsize


def replace(model: nn.Module, name: str, module: nn.Module) -> None:
    """Put a module in the place of that of a dotted name."""
    parent, _, last = name.rpartition(".")
    setattr(model.get_submodule(parent), last, module)


def quantization_of(model: nn.Module) -> Quantization | None:
    """How a model's weights are stored in few bits; None where none are."""
    return next((found.quantization for found in model.modules() if isinstance(found, QuantizedLinear)), None)
