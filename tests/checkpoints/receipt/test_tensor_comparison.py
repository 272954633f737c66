"""Which tensors of two models differ, and what that means: on names and small values."""

from pathlib import Path

import numpy as np
import pytest
import torch

from helpers.checkpoints.convert.conversion_record import ConversionRecord
from helpers.checkpoints.convert.key_map import TensorPlace
from helpers.checkpoints.receipt.receipt_file import Fingerprint, Receipt
from helpers.checkpoints.receipt.receipt_script import fingerprint
from helpers.checkpoints.receipt.tensor_comparison import Cause, compare_tensors, official_places, official_tensor

QKV = "vision_model.encoder.layers.0.attn.qkv.weight"
PARTS = [f"vision_tower.encoder.layer.0.attention.{name}_proj.weight" for name in "qkv"]
LAYERS = [f"language_model.model.layers.{layer}.mlp.up_proj.weight" for layer in range(12)]
NORM = "language_model.model.norm.weight"
EMBEDDINGS, HEAD = "language_model.model.embed_tokens.weight", "language_model.lm_head.weight"
DECODER = "grounding_encoder.sam2_model.sam_mask_decoder.iou_token.weight"


class Folder:
    """A model folder: its tensors by native name, and the heads of its language model."""

    def __init__(self, tensors, heads=(4, 2)):
        self.tensors = tensors
        self.config = {"text_config": {"num_attention_heads": heads[0], "num_key_value_heads": heads[1]}}

    def read(self, name):
        return self.tensors[name]


def receipt_of(tensors, dtype="float32"):
    prints = {name: Fingerprint.of(*fingerprint(tensor)) for name, tensor in tensors.items()}
    return Receipt("0" * 64, "2026-11-30", "", True, dtype, "cpu", {}, (), prints)


@pytest.fixture
def model():
    """Base weights, changes by LoRA, and the folder of both merged."""
    random = torch.Generator().manual_seed(0)
    base = {name: torch.randn(32, 32, generator=random) for name in LAYERS}
    change = {name: 0.1 * torch.randn(32, 32, generator=random) for name in LAYERS}
    tower = torch.randn(96, 32, generator=random)
    native = {name: base[name] + change[name] for name in LAYERS}
    native |= dict(zip(PARTS, tower.chunk(3), strict=True))
    native |= {NORM: torch.ones(32), EMBEDDINGS: torch.randn(50, 32, generator=random)}
    native |= {HEAD: torch.randn(50, 32, generator=random), "sam2.mask_decoder.iou_token.weight": torch.ones(1, 8)}
    official = {name: tensor for name, tensor in native.items() if name not in PARTS and not name.startswith("sam2")}
    official |= {QKV: tower, DECODER: torch.ones(1, 8)}
    return base, change, native, official


def record_of(base, change, native, dtype="float32"):
    origins = dict.fromkeys(native, "base") | dict.fromkeys(LAYERS, "merged")
    origins |= dict.fromkeys((EMBEDDINGS, HEAD, "sam2.mask_decoder.iou_token.weight"), "checkpoint")
    changes = [
        {"target": name, "base_norm": base[name].norm().item(), "change_norm": change[name].norm().item()}
        for name in LAYERS
    ]
    targets = [{"name": name, "origin": origin} for name, origin in origins.items()]
    return ConversionRecord(Path("model"), {"dtype": dtype, "targets": targets, "changes": changes})


def test_equal_tensors_however_they_are_named_split_and_held(model):
    base, change, native, official = model
    stored = {f"mllm.model.{name}" if "model" in name[:15] else name: one for name, one in official.items()}
    found = compare_tensors(receipt_of(stored), Folder(native), record_of(base, change, native))
    assert found.ok and found.equal == len(official) and found.close == 0
    narrow = {name: one.bfloat16() for name, one in native.items()}
    assert compare_tensors(receipt_of(stored), Folder(narrow), record_of(base, change, native, "bfloat16")).ok
    assert found.to_text() == "17 of 17 tensors are equal"


def test_float16_rounds_first(model):
    base, change, native, official = model
    half = {name: one.half() for name, one in native.items()}
    found = compare_tensors(receipt_of(official), Folder(half), record_of(base, change, native, "float16"))
    assert found.ok and 0 < found.close < len(official)
    assert "differ by less than 0.002 of their norm" in found.to_text()


def with_change_of(size, model, dtype):
    """A base as published, in bfloat16; a folder in float32 whose LoRA changes so small a part of each weight, with its
    record; and the official model's tensors in the dtype, without LoRA and with it."""
    base, change, native, official = model
    base = {name: one.bfloat16().float() for name, one in base.items()}
    small = {name: size * base[name].norm() / one.norm() * one for name, one in change.items()}
    native = native | {name: base[name] + small[name] for name in LAYERS}
    unmerged, merged = (
        {name: one.to(getattr(torch, dtype)) for name, one in (official | layers).items()}
        for layers in (base, {name: native[name] for name in LAYERS})
    )
    return native, record_of(base, small, native), unmerged, merged


@pytest.mark.parametrize("dtype, size", [("float16", 1e-3), ("bfloat16", 1e-4), ("float32", 1e-4)])
def test_a_lora_below_what_the_comparison_tells_is_not_called_equal(model, dtype, size):
    native, record, unmerged, merged = with_change_of(size, model, dtype)
    found = compare_tensors(receipt_of(unmerged, dtype), Folder(native), record)
    assert found.ok and found.is_blind and (found.adapters, found.told) == (12, 0)
    assert found.resolution > size and "what LoRA changes, in 0 of 12 weights" in found.limit_text()
    if dtype == "float32":  # equal bytes tell the smallest change
        found = compare_tensors(receipt_of(merged), Folder(native), record)
        assert (found.resolution, found.told, found.is_blind) == (0.0, 12, False)
        assert found.limit_text() == "would be told: what LoRA changes, in 12 of 12 weights"


@pytest.mark.parametrize("dtype, size", [("float16", 3e-2), ("bfloat16", 2e-3), ("float32", 2e-3)])
def test_a_lora_above_what_the_comparison_tells_would_be_missed(model, dtype, size):
    native, record, unmerged, merged = with_change_of(size, model, dtype)
    assert not compare_tensors(receipt_of(unmerged, dtype), Folder(native), record).ok
    found = compare_tensors(receipt_of(merged, dtype), Folder(native), record)
    assert found.ok and not found.is_blind and found.told == 12


def test_without_a_record_of_lora_the_smallest_change_that_is_told_is_named(model):
    base, change, native, official = model
    record = record_of(base, change, native, "float16")
    for target in record.values["targets"]:
        target["origin"] = "checkpoint"
    half = {name: one.half() for name, one in native.items()}
    found = compare_tensors(receipt_of(official), Folder(half), record)
    assert found.ok and not found.is_blind and found.adapters == 0
    assert found.limit_text() == "would be told: a change of a layer's weight from 0.02 of its norm on"


def test_a_merge_in_another_order_is_close(model):
    base, change, native, official = model
    moved = {name: one * (1 + 1e-7) if name in LAYERS else one for name, one in official.items()}
    assert compare_tensors(receipt_of(moved), Folder(native), record_of(base, change, native)).ok


@pytest.mark.parametrize(
    "edit, cause",
    [
        (lambda base, change, tensors: tensors.update({QKV: tensors[QKV].flip(0)}), Cause.BASE),
        (lambda base, change, tensors: tensors.update(base), Cause.UNMERGED),
        (
            lambda base, change, tensors: tensors.update({name: base[name] + 2 * change[name] for name in LAYERS}),
            Cause.LORA,
        ),
        (
            # The norms are those of the base, and the distance is not that of the change.
            lambda base, change, tensors: tensors.update({name: base[name].flip(0) for name in LAYERS}),
            Cause.LORA,
        ),
        (lambda base, change, tensors: tensors[EMBEDDINGS].mul_(1.01), Cause.CHECKPOINT),
        (lambda base, change, tensors: tensors.update({HEAD: tensors[HEAD][:40]}), Cause.OTHER_MODEL),
        (lambda base, change, tensors: tensors.pop(NORM), Cause.OTHER_MODEL),
        (lambda base, change, tensors: tensors.update({"extra.weight": torch.ones(1)}), Cause.OTHER_MODEL),
    ],
)
def test_why_tensors_differ(model, edit, cause):
    base, change, native, official = model
    tensors = {name: one.clone() for name, one in official.items()}
    edit(base, change, tensors)
    found = compare_tensors(receipt_of(tensors), Folder(native), record_of(base, change, native))
    assert found.cause is cause and not found.ok
    assert found.to_text().endswith(cause.words)


def test_parts_are_named_with_their_numbers(model):
    base, change, native, official = model
    tensors = official | base | {QKV: official[QKV].flip(0)}
    said = compare_tensors(receipt_of(tensors), Folder(native), record_of(base, change, native)).to_text()
    assert said.startswith(
        "4 of 17 tensors are equal; different or missing: language model 12, vision tower 1: another base"
    )


def test_of_an_export_that_was_converted_whole_layers_alone_tell(model):
    base, change, native, official = model
    record = record_of(base, change, native)
    for target in record.values["targets"]:
        target["origin"] = "checkpoint"
    layers = compare_tensors(receipt_of(official | base), Folder(native), record)
    assert layers.cause is Cause.LINEAR
    other = official | {DECODER: torch.zeros(1, 8)}
    assert compare_tensors(receipt_of(other), Folder(native), record).cause is Cause.CHECKPOINT


def test_a_tied_head_is_the_embeddings(model):
    base, change, native, official = model
    folder = Folder({name: one for name, one in native.items() if name != HEAD})
    record = record_of(base, change, native)
    assert compare_tensors(receipt_of(official | {HEAD: official[EMBEDDINGS]}), folder, record).ok
    without = {name: one for name, one in official.items() if name != HEAD}
    assert compare_tensors(receipt_of(without), folder, record).ok
    assert not compare_tensors(receipt_of(official), folder, record).ok


def test_frequencies_that_some_models_store_do_not_count(model):
    base, change, native, official = model
    stored = official | {"language_model.model.layers.0.self_attn.rotary_emb.inv_freq": torch.ones(4)}
    assert compare_tensors(receipt_of(stored), Folder(native), record_of(base, change, native)).ok


def test_the_base_counts_as_such_within_what_rounding_moves_its_norm(model):
    base, change, native, official = model
    record = record_of(base, change, native)
    for scale, cause in ((1.0, Cause.UNMERGED), (1.01, Cause.LORA), (0.99, Cause.LORA)):
        found = official | {name: scale * tensor for name, tensor in base.items()}
        assert compare_tensors(receipt_of(found), Folder(native), record).cause is cause, scale


def test_an_untrained_lora_changes_nothing_and_has_a_cause_all_the_same(model):
    base, change, native, official = model
    record = record_of(base, {name: torch.zeros(32, 32) for name in LAYERS}, native | base)
    moved = official | {name: tensor.flip(0) for name, tensor in base.items()}  # of the same norm
    assert compare_tensors(receipt_of(moved), Folder(native | base), record).cause is Cause.LORA


def test_of_copies_the_first_is_taken_and_parts_are_joined_in_order():
    places = [TensorPlace("b", 1, 2, 0, 1), TensorPlace("a", 0, 2, 0, 1)]
    folder = Folder({"a": torch.zeros(1, 2), "b": torch.ones(1, 2)})
    assert official_tensor(places, folder).tolist() == [[0, 0], [1, 1]]
    assert official_tensor([TensorPlace("b", 0, 1, 0, 1), TensorPlace("a", 0, 1, 0, 1)], folder).tolist() == [[1, 1]]


def test_a_fused_attention_weight_is_put_together_by_heads():
    rows = torch.arange(8.0).reshape(8, 1).repeat_interleave(2, 0)  # of 2 groups: q q k v, two rows a head
    attention = "language_model.model.layers.0.self_attn."
    heads = rows.chunk(8)
    native = {
        attention + "q_proj.weight": torch.cat([heads[0], heads[1], heads[4], heads[5]]),
        attention + "k_proj.weight": torch.cat([heads[2], heads[6]]),
        attention + "v_proj.weight": torch.cat([heads[3], heads[7]]),
    }
    folder = Folder(native, (4, 2))
    places = official_places("language_model.model.layers.0.attention.wqkv.weight", folder)
    assert np.array_equal(official_tensor(places, folder), rows)
