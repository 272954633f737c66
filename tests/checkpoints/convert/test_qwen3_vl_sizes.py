"""The accounting at the names and sizes of Sa2VA on Qwen3-VL-4B, from shapes alone."""

import json
import math
import re

import pytest

from helpers.checkpoints.convert.lora_settings import LoraScale
from helpers.checkpoints.convert.plan import Fate, SourceRole, TensorOrigin
from helpers.checkpoints.convert.planning import make_plan
from helpers.checkpoints.read.adapters import AdapterPart
from tests.support.qwen3_vl_sizes import (
    ALPHA,
    LAYERS,
    base_shapes,
    export_shapes,
    native_shapes,
    partial_shapes,
)
from tests.support.real_sizes import sam2_shapes


@pytest.fixture(scope="module")
def targets():
    return native_shapes()


def test_every_tensor_of_an_export_is_consumed_once_and_every_target_filled_once(targets):
    shapes = export_shapes()
    plan = make_plan({SourceRole.CHECKPOINT: shapes}, targets)
    assert [target.name for target in plan.targets] == list(targets)
    assert {fate.fate for fate in plan.fates[SourceRole.CHECKPOINT].values()} == {Fate.USED}
    used = {}
    for target in plan.targets:
        for part in target.rows:
            used.setdefault(part.name, []).append((part.start, part.stop))
    assert set(used) == set(shapes)
    for name, ranges in used.items():
        rows = shapes[name][0]
        whole = [(0, rows)] if "positional_encoding_gaussian_matrix" not in name else [(0, rows)] * 2
        assert sorted(ranges) == whole, name


def test_the_partial_checkpoint_and_its_bases_add_up(targets):
    partial, base, sam2 = partial_shapes(), base_shapes(), sam2_shapes()
    plan = make_plan(
        {SourceRole.CHECKPOINT: partial, SourceRole.BASE: base, SourceRole.SAM2: sam2},
        targets,
        scales={AdapterPart.LANGUAGE: LoraScale(ALPHA)},
    )
    assert [target.name for target in plan.targets] == list(targets)
    assert [target.origin for target in plan.targets].count(TensorOrigin.MERGED) == 7 * LAYERS
    assert {target.lora.scale for target in plan.targets if target.lora} == {2.0}
    fates = {role: [fate.fate for fate in found.values()] for role, found in plan.fates.items()}
    assert fates[SourceRole.CHECKPOINT].count(Fate.MERGED) == 2 * 7 * LAYERS
    assert fates[SourceRole.BASE].count(Fate.MERGED) == 7 * LAYERS
    assert fates[SourceRole.BASE].count(Fate.OVERRIDDEN) == 1  # embeddings: the tied base stores no head
    assert Fate.USED in fates[SourceRole.SAM2] and Fate.OVERRIDDEN in fates[SourceRole.SAM2]
    assert sum(len(found) for found in fates.values()) == len(partial) + len(base) + len(sam2)


@pytest.mark.golden
def test_names_and_shapes_are_those_of_the_official_classes(shared):
    models = json.loads((shared / "golden/reference/families_real_export_keys.json").read_text())["models"]
    recorded = models["sa2va_qwen3vl_4b"]
    official = {}
    for pattern, entry in recorded["patterns"].items():
        first, last = entry.get("N", (0, 0))
        for layer in range(first, last + 1):
            official[re.sub(r"\bN\b", str(layer), pattern)] = tuple(entry["shape"])
    ours = {tensor: shape for tensor, shape in export_shapes().items() if "sam2_model" not in tensor}
    assert ours == official
    assert len(ours) == recorded["n_keys"] - recorded["n_keys_grounding_encoder"]
    assert sum(map(math.prod, export_shapes().values())) == recorded["n_values"]
