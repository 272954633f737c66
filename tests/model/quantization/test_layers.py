"""Layers in few bits in the place of others."""

import pytest
import torch
from torch import nn

from helpers.core.vocabulary import Quantization
from helpers.model.quantization.layers import QuantizedLinear, replace, stored_bytes, takes


class Model(nn.Module):
    """Names as in a Sa2VA model."""

    def __init__(self):
        super().__init__()
        self.sam2 = nn.Linear(32, 32)
        self.language_model = nn.Module()
        self.language_model.lm_head = nn.Linear(32, 32)
        self.language_model.model = nn.Module()
        self.language_model.model.layers = nn.ModuleList([nn.Linear(64, 32), nn.Linear(10, 32), nn.LayerNorm(32)])


@pytest.mark.parametrize("quantization", list(Quantization))
def test_only_the_blocks_of_the_language_model_change(quantization):
    model = Model().requires_grad_(False)
    kept = {name: module for name, module in model.named_modules() if not name.endswith(".0")}
    for name, module in list(model.named_modules()):
        if takes(name, module, quantization):
            bias = None if module.bias is None else module.bias.data
            replace(model, name, QuantizedLinear(module.weight.data, bias, quantization))
    first, second, norm = model.language_model.model.layers
    assert isinstance(first, QuantizedLinear) and isinstance(norm, nn.LayerNorm)
    # 4-bit weights go in blocks of at least 16 inputs.
    assert isinstance(second, QuantizedLinear) == (quantization is Quantization.INT8)
    assert model.sam2 is kept["sam2"] and model.language_model.lm_head is kept["language_model.lm_head"]
    assert not takes("language_model.model.layers.2", norm, quantization)


@pytest.mark.parametrize("quantization, error", [(Quantization.INT8, 0.01), (Quantization.NF4, 0.13)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_outputs_stay_near(quantization, error, dtype):
    plain = nn.Linear(256, 64).to(dtype).requires_grad_(False)
    values = torch.randn(8, 256).to(dtype)
    found = QuantizedLinear(plain.weight.data, plain.bias.data, quantization)(values).float()
    expected = plain(values).float()
    assert found.shape == expected.shape
    assert (found - expected).norm() < error * expected.norm() + 0.01 * (dtype == torch.bfloat16) * expected.norm()


@pytest.mark.parametrize("quantization", list(Quantization))
def test_bytes_are_those_of_the_buffers(quantization):
    layer = QuantizedLinear(torch.randn(48, 192).bfloat16(), None, quantization)
    held = sum(buffer.nbytes for buffer in layer.buffers())
    assert held == stored_bytes(48, 192, quantization, 2)
    assert held < 48 * 192 * 2 * (0.3 if quantization is Quantization.NF4 else 0.51)
    assert str(quantization) in repr(layer)
