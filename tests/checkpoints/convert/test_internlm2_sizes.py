"""The accounting at the names and sizes of Sa2VA-8B and Sa2VA-26B, from shapes alone."""

import json
import re

import pytest

from helpers.checkpoints.convert.lora_settings import LoraScale
from helpers.checkpoints.convert.model_config import attention_heads
from helpers.checkpoints.convert.plan import Fate, SourceRole, TensorOrigin
from helpers.checkpoints.convert.planning import make_plan
from helpers.checkpoints.read.adapters import AdapterPart
from tests.support.internlm2_sizes import (
    ALPHA,
    REAL_SIZES,
    base_shapes,
    config_of,
    export_shapes,
    native_shapes,
    partial_shapes,
)
from tests.support.real_sizes import sam2_shapes

SIZES = pytest.mark.parametrize("name", REAL_SIZES)


def ranges_used(plan):
    """Row ranges of each source tensor that are used, in order, each once."""
    used = {}
    for target in plan.targets:
        for part in target.rows:
            used.setdefault(part.name, set()).add((part.start, part.stop))
    return {tensor: sorted(ranges) for tensor, ranges in used.items()}


@SIZES
def test_every_tensor_of_an_export_is_consumed_once_and_every_target_filled_once(name):
    size = REAL_SIZES[name]
    shapes, targets = export_shapes(size), native_shapes(size)
    plan = make_plan({SourceRole.CHECKPOINT: shapes}, targets, heads=attention_heads(config_of(size)))
    assert [target.name for target in plan.targets] == list(targets)
    assert {fate.fate for fate in plan.fates[SourceRole.CHECKPOINT].values()} == {Fate.USED}
    used = ranges_used(plan)
    assert set(used) == set(shapes)
    for tensor, ranges in used.items():
        assert ranges[0][0] == 0 and ranges[-1][1] == shapes[tensor][0], tensor
        assert all(first[1] == second[0] for first, second in zip(ranges, ranges[1:], strict=False)), tensor
    layers, key_heads = size.text["num_hidden_layers"], size.text["num_key_value_heads"]
    fused = [tensor for tensor in used if tensor.endswith("wqkv.weight")]
    assert len(fused) == layers and {len(used[tensor]) for tensor in fused} == {3 * key_heads}


@SIZES
def test_the_partial_checkpoint_and_its_bases_add_up(name):
    size = REAL_SIZES[name]
    partial, base, sam2 = partial_shapes(size), base_shapes(size), sam2_shapes()
    plan = make_plan(
        {SourceRole.CHECKPOINT: partial, SourceRole.BASE: base, SourceRole.SAM2: sam2},
        native_shapes(size),
        scales={AdapterPart.LANGUAGE: LoraScale(ALPHA)},
        heads=attention_heads(config_of(size)),
    )
    layers = size.text["num_hidden_layers"]
    assert [target.origin for target in plan.targets].count(TensorOrigin.MERGED) == 7 * layers
    assert {target.lora.scale for target in plan.targets if target.lora} == {2.0}
    fates = {role: [fate.fate for fate in found.values()] for role, found in plan.fates.items()}
    assert fates[SourceRole.CHECKPOINT].count(Fate.MERGED) == 2 * 5 * layers  # wqkv, wo, w1, w2, w3
    assert fates[SourceRole.BASE].count(Fate.MERGED) == 5 * layers
    assert fates[SourceRole.BASE].count(Fate.OVERRIDDEN) == 2 + 6  # embeddings, head, projector
    assert sum(len(found) for found in fates.values()) == len(partial) + len(base) + len(sam2)


@pytest.mark.golden
@SIZES
def test_names_and_shapes_are_those_of_the_official_classes(shared, name):
    recorded = json.loads((shared / "golden/reference/families_real_export_keys.json").read_text())["models"][name]
    official = {}
    for pattern, entry in recorded["patterns"].items():
        first, last = entry.get("N", (0, 0))
        for layer in range(first, last + 1):
            official[re.sub(r"\bN\b", str(layer), pattern)] = tuple(entry["shape"])
    ours = {tensor: shape for tensor, shape in export_shapes(REAL_SIZES[name]).items() if "sam2_model" not in tensor}
    assert ours == official
    assert len(ours) == REAL_SIZES[name].tensors == recorded["n_keys"] - recorded["n_keys_grounding_encoder"]
