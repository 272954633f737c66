"""Values of targets: copied, split, joined, merged, cast."""

import json

import pytest
import torch

from helpers.checkpoints.convert import weights as weights_module
from helpers.checkpoints.convert.plan import Lora, Rows, SourceRole, Target, TensorOrigin
from helpers.checkpoints.convert.weights import TensorChange, Weights, header, row_blocks
from helpers.core.errors import RefusedInput


class Memory(dict):
    """Tensors by name."""

    def read(self, name):
        return self[name]


def target(shape, rows, **more):
    return Target("t", shape, TensorOrigin.BASE, tuple(Rows(*row) for row in rows), **more)


def test_rows_are_joined_in_order():
    source = Memory(a=torch.tensor([[1.0], [2.0], [3.0]]), b=torch.tensor([[9.0]]))
    joined = target((2, 1), [(SourceRole.BASE, "b", 0, 1), (SourceRole.BASE, "a", 1, 2)])
    assert Weights({SourceRole.BASE: source}, torch.float32).tensor(joined).tolist() == [[9.0], [2.0]]


def test_lora_is_merged_in_float32_before_the_cast():
    base = Memory(w=torch.tensor([[1.0, 0.0], [0.0, 1.0]], dtype=torch.bfloat16))
    factors = Memory(a=torch.tensor([[1.0, 2.0]]), b=torch.tensor([[0.001], [3.0]]))
    merged = target((2, 2), [(SourceRole.BASE, "w", 0, 2)], lora=Lora("a", "b", ((0, 2),), 2.0),
                    base_rows=(Rows(SourceRole.BASE, "w", 0, 2),))  # fmt: skip
    change = TensorChange()
    found = torch.cat(
        list(Weights({SourceRole.BASE: base, SourceRole.CHECKPOINT: factors}, torch.float32).blocks(merged, change))
    )
    assert torch.allclose(found, torch.tensor([[1.002, 0.004], [6.0, 13.0]]))
    assert change.base_norm == pytest.approx(2**0.5)
    assert change.change_norm == pytest.approx((0.002**2 + 0.004**2 + 6**2 + 12**2) ** 0.5, rel=1e-6)


def test_rows_of_the_second_factor_are_those_of_the_target():
    """LoRA on a fused weight: the target takes rows 0 and 2 of it, and of the change."""
    source = Memory(w=torch.zeros(3, 1), a=torch.tensor([[1.0]]), b=torch.tensor([[1.0], [2.0], [3.0]]))
    readers = {SourceRole.BASE: source, SourceRole.CHECKPOINT: source}
    rows = [(SourceRole.BASE, "w", 0, 1), (SourceRole.BASE, "w", 2, 3)]
    merged = target((2, 1), rows, lora=Lora("a", "b", ((0, 1), (2, 3)), 10.0))
    assert Weights(readers, torch.float32).tensor(merged).tolist() == [[10.0], [30.0]]


def test_blocks_do_not_change_the_result(monkeypatch):
    source = Memory(w=torch.randn(7, 3), a=torch.randn(2, 3), b=torch.randn(7, 2))
    readers = {SourceRole.BASE: source, SourceRole.CHECKPOINT: source}
    merged = target((7, 3), [(SourceRole.BASE, "w", 0, 7)], lora=Lora("a", "b", ((0, 7),), 0.5))
    whole = Weights(readers, torch.float32).tensor(merged)
    monkeypatch.setattr(weights_module, "BLOCK_VALUES", 6)
    assert len(list(row_blocks((7, 3)))) == 4
    assert list(row_blocks((2, 7))) == [(0, 1), (1, 2)]  # a row alone, where even one holds more
    assert torch.allclose(Weights(readers, torch.float32).tensor(merged), whole, atol=1e-6)


def test_change_counts_the_rows_that_both_have():
    readers = {SourceRole.CHECKPOINT: Memory(e=torch.ones(3, 1)), SourceRole.BASE: Memory(e=torch.zeros(2, 1))}
    grown = target((3, 1), [(SourceRole.CHECKPOINT, "e", 0, 3)], base_rows=(Rows(SourceRole.BASE, "e", 0, 2),))
    change = TensorChange()
    list(Weights(readers, torch.float32).blocks(grown, change))
    assert (change.base_norm, change.change_norm) == (0.0, 2**0.5)


@pytest.mark.parametrize(
    ("value", "dtype"), [(float("nan"), torch.float32), (float("inf"), torch.bfloat16), (1e6, torch.float16)]
)
def test_values_that_the_dtype_cannot_hold_are_refused(value, dtype):
    source = Memory(w=torch.tensor([1.0, value]))
    with pytest.raises(RefusedInput, match="t: rows 0:2 hold values that are not finite"):
        Weights({SourceRole.BASE: source}, dtype).tensor(target((2,), [(SourceRole.BASE, "w", 0, 2)]))


def test_equal_compares_values_not_dtypes():
    source = Memory(a=torch.tensor([1.0, 2.0]), b=torch.tensor([1.0, 2.0]).bfloat16(), c=torch.tensor([1.0, 2.1]))
    found = Weights({SourceRole.BASE: source}, torch.float32)
    assert found.equal((SourceRole.BASE, "a"), (SourceRole.BASE, "b"))
    assert not found.equal((SourceRole.BASE, "a"), (SourceRole.BASE, "c"))


@pytest.mark.parametrize("length", range(8))
def test_values_of_a_shard_begin_at_a_multiple_of_eight(length):
    text = header({"w" * (length + 1): (2, 3)}, torch.bfloat16)
    size = int.from_bytes(text[:8], "little")
    assert len(text) == 8 + size and size % 8 == 0
    assert json.loads(text[8:])["w" * (length + 1)]["data_offsets"] == [0, 12]
    assert 0 <= len(text) - len(text.rstrip(b" ")) < 8


def test_a_counterpart_of_another_width_or_without_rows_is_not_measured():
    wide, none = Memory(e=torch.ones(3, 2)), Memory(e=torch.ones(0, 1))
    for base, stop in ((wide, 3), (none, 0)):
        readers = {SourceRole.CHECKPOINT: Memory(e=torch.zeros(3, 1)), SourceRole.BASE: base}
        other = target((3, 1), [(SourceRole.CHECKPOINT, "e", 0, 3)], base_rows=(Rows(SourceRole.BASE, "e", 0, stop),))
        change = TensorChange()
        list(Weights(readers, torch.float32).blocks(other, change))
        assert (change.base_norm, change.change_norm) == (0.0, 0.0)


def test_tensors_of_other_shapes_are_not_equal():
    source = Memory(a=torch.ones(2), b=torch.ones(3), c=torch.ones(2, 1))
    found = Weights({SourceRole.BASE: source}, torch.float32)
    assert not found.equal((SourceRole.BASE, "a"), (SourceRole.BASE, "b"))
    assert not found.equal((SourceRole.BASE, "a"), (SourceRole.BASE, "c"))


def test_a_block_has_eight_million_values():
    assert list(row_blocks((3, 4_000_000))) == [(0, 2), (2, 3)]
    assert list(row_blocks((3, 4_000_001))) == [(0, 1), (1, 2), (2, 3)]
    assert list(row_blocks((8_000_001,))) == [(0, 8_000_000), (8_000_000, 8_000_001)]
    assert list(row_blocks((0, 4))) == [] and list(row_blocks((2, 0))) == [(0, 2)]
