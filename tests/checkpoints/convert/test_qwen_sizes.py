"""The accounting at the names and sizes of Sa2VA on Qwen3-VL-4B, Qwen2.5-VL-3B and 7B, from shapes alone."""

import json
import math
import re
from dataclasses import dataclass
from typing import Any

import pytest

from helpers.checkpoints.convert.lora_settings import LoraScale
from helpers.checkpoints.convert.plan import Fate, SourceRole, TensorOrigin
from helpers.checkpoints.convert.planning import make_plan
from helpers.checkpoints.read.adapters import AdapterPart
from tests.support import qwen3_vl_sizes
from tests.support.qwen2_5_vl_sizes import QWEN2_5_VL_3B, QWEN2_5_VL_7B
from tests.support.real_sizes import sam2_shapes

ALPHA = 256.0


@dataclass(frozen=True)
class Case:
    """A model by its name among the recorded ones.

    Attributes:
        sizes: what gives its shapes.
        layers: of the language model.
        trained_whole: number of the base's tensors that training saved whole; a tied base stores no head.
    """

    name: str
    sizes: Any
    layers: int
    trained_whole: int


CASES = (
    Case("sa2va_qwen3vl_4b", qwen3_vl_sizes, qwen3_vl_sizes.LAYERS, 1),
    Case("sa2va_qwen2_5_vl_3b", QWEN2_5_VL_3B, QWEN2_5_VL_3B.layers, 1),
    Case("sa2va_qwen2_5_vl_7b", QWEN2_5_VL_7B, QWEN2_5_VL_7B.layers, 2),
)


@pytest.fixture(scope="module", params=CASES, ids=lambda case: case.name)
def case(request):
    return request.param


@pytest.fixture(scope="module")
def targets(case):
    return case.sizes.native_shapes()


def require_each_used_once(shapes, targets):
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


def test_every_tensor_of_an_export_is_consumed_once_and_every_target_filled_once(case, targets):
    require_each_used_once(case.sizes.export_shapes(), targets)


def test_so_it_is_by_the_names_of_older_exports(case, targets):
    older = {
        re.sub(r"^model\.model\.(visual\.|language_model\.)",
               lambda found: "model.visual." if found[1] == "visual." else "model.model.", name): shape
        for name, shape in case.sizes.export_shapes().items()
    }  # fmt: skip
    assert "model.model.layers.0.mlp.up_proj.weight" in older and not any(".language_model." in name for name in older)
    require_each_used_once(older, targets)


def test_the_partial_checkpoint_and_its_bases_add_up(case, targets):
    partial, base, sam2 = case.sizes.partial_shapes(), case.sizes.base_shapes(), sam2_shapes()
    plan = make_plan(
        {SourceRole.CHECKPOINT: partial, SourceRole.BASE: base, SourceRole.SAM2: sam2},
        targets,
        scales={AdapterPart.LANGUAGE: LoraScale(ALPHA)},
    )
    merged = 7 * case.layers
    assert [target.name for target in plan.targets] == list(targets)
    assert [target.origin for target in plan.targets].count(TensorOrigin.MERGED) == merged
    assert {target.lora.scale for target in plan.targets if target.lora} == {2.0}
    fates = {role: [fate.fate for fate in found.values()] for role, found in plan.fates.items()}
    assert fates[SourceRole.CHECKPOINT].count(Fate.MERGED) == 2 * merged
    assert fates[SourceRole.BASE].count(Fate.MERGED) == merged
    assert fates[SourceRole.BASE].count(Fate.OVERRIDDEN) == case.trained_whole
    assert Fate.USED in fates[SourceRole.SAM2] and Fate.OVERRIDDEN in fates[SourceRole.SAM2]
    assert sum(len(found) for found in fates.values()) == len(partial) + len(base) + len(sam2)


@pytest.mark.golden
def test_names_and_shapes_are_those_of_the_official_classes(shared, case):
    models = json.loads((shared / "golden/reference/families_real_export_keys.json").read_text())["models"]
    recorded = models[case.name]
    official = {}
    for pattern, entry in recorded["patterns"].items():
        first, last = entry.get("N", (0, 0))
        for layer in range(first, last + 1):
            official[re.sub(r"\bN\b", str(layer), pattern)] = tuple(entry["shape"])
    shapes = case.sizes.export_shapes()
    ours = {tensor: shape for tensor, shape in shapes.items() if "sam2_model" not in tensor}
    assert ours == official
    assert len(shapes) == recorded["n_keys"]
    assert sum(map(math.prod, shapes.values())) == recorded["n_values"]
