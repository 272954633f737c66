"""Round trips of small weights."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from helpers.model.quantization.codes import (
    decode_int8,
    decode_nf4,
    encode_int8,
    encode_nf4,
    nf4_block,
    nf4_levels,
)

DTYPES = [torch.float32, torch.bfloat16, torch.float16]


def test_int8_has_127_steps_to_each_side_of_a_row():
    weight = torch.tensor([[127.0, -127.0, 1.0, 0.4], [0.0, 0.0, 0.0, 0.0], [2.54, -0.02, 0.011, 0.0]])
    codes, steps = encode_int8(weight)
    assert codes.tolist() == [[127, -127, 1, 0], [0, 0, 0, 0], [127, -1, 1, 0]]
    assert steps.flatten().tolist() == pytest.approx([1, 0, 0.02])
    assert decode_int8(codes, steps)[0].tolist() == [127, -127, 1, 0]


@pytest.mark.parametrize("dtype", DTYPES)
@given(seed=st.integers(0, 1000), scale=st.sampled_from([1e-3, 0.02, 30.0]))
def test_int8_is_within_half_a_step(dtype, seed, scale):
    weight = (scale * torch.randn(3, 32, generator=torch.Generator().manual_seed(seed))).to(dtype)
    codes, steps = encode_int8(weight)
    assert codes.dtype == torch.int8 and steps.dtype == dtype and steps.shape == (3, 1)
    found = decode_int8(codes, steps)
    # Half a step, and what the product loses in the dtype.
    allowed = 0.5 * steps.float() + 2 * torch.finfo(dtype).eps * weight.float().abs() + 1e-7
    limit = 127 * steps.float()  # a step that was rounded down may not reach the largest value
    assert ((found.float() - weight.float().clamp(-limit, limit)).abs() <= allowed).all()


def test_nf4_has_sixteen_levels_with_the_ends_and_zero():
    levels = nf4_levels()
    assert len(levels) == 16 and levels == tuple(sorted(levels))
    assert (levels[0], levels[7], levels[15]) == pytest.approx((-1, 0, 1), abs=1e-12)
    assert levels[1] == pytest.approx(-0.6962, abs=1e-4) and levels[8] == pytest.approx(0.0796, abs=1e-4)


@pytest.mark.parametrize("dtype", DTYPES)
def test_nf4_gives_levels_back(dtype):
    levels = torch.tensor(nf4_levels()).to(dtype)
    weight = torch.stack([levels, 4 * levels, levels.flip(0), torch.zeros(16, dtype=dtype)]).to(dtype)
    codes, scales = encode_nf4(weight)
    assert codes.shape == (4, 8) and codes[0].tolist() == [
        1 << 4 | 0,
        *(high << 4 | high - 1 for high in range(3, 16, 2)),
    ]
    assert scales.shape == (4, 1, 1) and scales.flatten().tolist() == [1, 4, 1, 0]
    assert torch.equal(decode_nf4(codes, scales), weight)


@given(st.integers(0, 1000))
def test_nf4_takes_the_nearest_level_of_each_block(seed):
    weight = torch.randn(2, 128, generator=torch.Generator().manual_seed(seed))
    codes, scales = encode_nf4(weight)
    assert codes.shape == (2, 64) and scales.shape == (2, 2, 1)
    levels = torch.tensor(nf4_levels())
    normalised = weight.unflatten(1, (2, 64)) / scales
    nearest = levels[(normalised[..., None] - levels).abs().argmin(-1)]
    assert torch.allclose(decode_nf4(codes, scales), (nearest * scales).flatten(1), atol=1e-6)


def test_blocks_divide_the_inputs():
    assert [nf4_block(inputs) for inputs in (896, 96, 16, 8, 100)] == [64, 32, 16, None, None]
    with pytest.raises(ValueError, match="multiple of 16 inputs, got 8"):
        encode_nf4(torch.zeros(2, 8))
