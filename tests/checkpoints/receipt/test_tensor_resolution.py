"""What a comparison of tensors that found none to differ could have told: on single small weights."""

from pathlib import Path

import pytest
import torch

from helpers.checkpoints.convert.conversion_record import ConversionRecord
from helpers.checkpoints.receipt.receipt_file import Fingerprint, Receipt
from helpers.checkpoints.receipt.receipt_script import fingerprint
from helpers.checkpoints.receipt.tensor_comparison import Cause, TensorComparison, compare_tensors, is_layer_weight
from tests.support.bars import recorded

LAYER = "language_model.model.layers.0.mlp.up_proj.weight"
VALUES = torch.linspace(1, 2, 100)


@pytest.mark.parametrize(
    ("name", "found"),
    [
        (LAYER, True),
        ("language_model.model.layers.0.self_attn.q_proj.bias", False),
        ("language_model.model.layers.0.input_layernorm.weight", False),
        ("language_model.model.norm.weight", False),
        ("language_model.model.embed_tokens.weight", False),
        ("language_model.lm_head.weight", False),
        ("vision_model.encoder.layers.0.attn.qkv.weight", False),
    ],
)
def test_weights_that_lora_may_change_in_a_layer(name, found):
    assert is_layer_weight(name) is found


class Folder(dict):
    """One weight of a model folder."""

    config = {"text_config": {"num_attention_heads": 1, "num_key_value_heads": 1}}
    tensors = property(lambda self: self)

    def read(self, name):
        return self[name]


def compared(official, ours, dtype="float32", change=0.0, base=1.0, origin="merged"):
    prints = {LAYER: Fingerprint.of(*fingerprint(official))}
    receipt = Receipt("0" * 64, "2026-11-30", "", True, dtype, "cpu", {}, (), prints)
    changes = [{"target": LAYER, "base_norm": base, "change_norm": change}]
    record = {"dtype": "float32", "targets": [{"name": LAYER, "origin": origin}], "changes": changes}
    return compare_tensors(receipt, Folder({LAYER: ours}), ConversionRecord(Path("model"), record))


def test_equal_bytes_tell_any_change():
    found = compared(VALUES, VALUES, change=1e-9)
    assert (found.resolution, found.adapters, found.told, found.is_blind) == (0.0, 1, 1, False)
    assert compared(VALUES, VALUES).adapters == 0 and compared(VALUES, VALUES, change=1.0, origin="base").adapters == 0


@pytest.mark.parametrize(("change", "told"), [(0.0013, 1), (0.0012, 0)])
def test_values_that_are_equal_in_bfloat16_tell_a_change_that_turns_sixteen(change, told):
    """Of 100 values 16 turn by a change of 16 / (128 * 100) of the norm."""
    found = compared(VALUES.bfloat16(), VALUES.bfloat16().float(), change=change)
    assert found.equal == 1 and found.resolution == 16 / 12800
    assert (found.told, found.is_blind) == (told, not told)
    assert compared(VALUES.bfloat16(), VALUES.bfloat16().float(), change=change * 2, base=2.0).told == told


def test_close_values_tell_twice_what_is_allowed_or_what_is_left_of_it():
    near = VALUES.clone()
    near[0] += 0.01  # of a norm of 15
    found = compared(near, VALUES, dtype="float16")
    assert found.close == 1 and found.resolution == 2 * 1e-2
    many = torch.linspace(1, 2, 40_000)
    near = many.clone()
    near[0] += 0.01  # of a norm of 305, in float32: at most 1e-4
    found = compared(near, many)
    assert found.close == 1 and found.resolution == pytest.approx(((2e-4) ** 2 / 256) ** (1 / 3))
    assert compared(near, many, dtype="float16").resolution == 2 * 2e-3


@pytest.mark.parametrize(
    ("resolution", "adapters", "told", "said"),
    [
        (0.0, 0, 0, "any change of a layer's weight"),
        (0.0234, 0, 0, "a change of a layer's weight from 0.02 of its norm on"),
        (0.0, 12, 3, "what LoRA changes, in 3 of 12 weights"),
        (0.5, 1, 0, "a change of a layer's weight from 0.5 of its norm on; what LoRA changes, in 0 of 1 weights"),
    ],
)
def test_what_would_be_told_in_words(resolution, adapters, told, said):
    found = TensorComparison(1, 0, 1e-4, {}, (), (), None, resolution, adapters, told)
    assert found.limit_text() == f"would be told: {said}"
    assert found.is_blind is (adapters > 0 and told == 0)
    assert not TensorComparison(1, 0, 1e-4, {}, (), (), Cause.LORA, resolution, adapters, told).is_blind


def test_strays_and_what_is_missing_are_told_in_one_line():
    found = TensorComparison(3, 2, 0.002, {LAYER: 0.5}, ("sam2.no_memory_embedding",), ("a", "b"), Cause.OTHER_MODEL)
    assert found.to_text() == (
        "3 of 7 tensors are equal, 2 differ by less than 0.002 of their norm; different or missing: language model 1, "
        f"sam2 memory 1; 2 have no place in the folder (first a): {Cause.OTHER_MODEL.words}"
    )


def test_a_comparison_says_nothing_of_lora_unless_it_is_told():
    found = TensorComparison(1, 0, 1e-4, {}, (), (), None)
    assert (found.resolution, found.adapters, found.told) == (0.0, 0, 0)
    stray = TensorComparison(1, 0, 1e-4, {}, (), ("a",), Cause.OTHER_MODEL).to_text()
    assert "; different or missing: none; 1 have no place in the folder (first a): " in stray


def test_causes_have_the_words_that_a_record_keeps():
    words = {"other_model", "base", "unmerged", "lora", "linear", "checkpoint"}
    assert {cause.value for cause in Cause} == words == {cause.name.lower() for cause in Cause}


@pytest.mark.parametrize(("length", "close"), [(4095, 1), (4096, 0)])
def test_a_tensor_of_fewer_than_4096_values_may_be_further_off_in_float16(length, close):
    values = torch.ones(length)
    near = values.clone()
    near[0] += 0.25  # of a norm of 64
    found = compared(near, values, dtype="float16")
    assert found.close == close and (found.cause is None) is bool(close)


@pytest.mark.parametrize("origin", ["base", "sam2", "pretrained"])
def test_what_came_from_a_base_and_differs_tells_another_base(origin):
    assert compared(-VALUES, VALUES, origin=origin).cause is Cause.BASE
    assert compared(-VALUES, VALUES, origin="checkpoint").cause is Cause.LINEAR


def test_the_bar_counts_tensors():
    with recorded() as seen:
        compared(VALUES, VALUES)
    assert seen.told[0] == ("begun", "comparing tensors", 1, "tensor", 0, 0)
