"""The accounting at the names and sizes of InternVL3-8B with Hiera-L, from shapes alone."""

import json

import pytest

from helpers.checkpoints.convert.lora_settings import LoraScale
from helpers.checkpoints.convert.plan import Fate, SourceRole, TensorOrigin
from helpers.checkpoints.convert.planning import make_plan
from helpers.checkpoints.read.adapters import AdapterPart
from tests.support.real_sizes import (
    base_shapes,
    count,
    declared_uses,
    export_shapes,
    native_shapes,
    partial_shapes,
    sam2_shapes,
)

BYTES_OF_THE_PUBLISHED_EXPORT = (
    32_122_400_968  # total_size of its index: the vision tower in bfloat16, the rest float32
)


def test_shapes_add_up_to_the_published_number_of_bytes():
    shapes = export_shapes()
    vision = count({name: shape for name, shape in shapes.items() if name.startswith("vision_model.")})
    assert 2 * vision + 4 * (count(shapes) - vision) == BYTES_OF_THE_PUBLISHED_EXPORT


@pytest.mark.golden
def test_names_are_those_of_a_published_export(shared):
    names = json.loads((shared / "golden/reference/fork_internvl3_8b_export_keys.json").read_text())
    assert set(export_shapes()) == set(names)
    assert len(names) == 1589


def rows_used(plan):
    """How often each row range of each source tensor is used."""
    used = {}
    for target in plan.targets:
        for part in target.rows:
            used.setdefault(part.name, []).append((part.start, part.stop, target.name))
    return used


def test_every_tensor_of_an_export_is_consumed_once_and_every_target_filled_once():
    shapes, targets = export_shapes(), native_shapes()
    plan = make_plan({SourceRole.CHECKPOINT: shapes}, targets)
    assert [target.name for target in plan.targets] == list(targets)
    used, declared = rows_used(plan), declared_uses(shapes)
    assert set(used) == set(shapes) == set(plan.fates[SourceRole.CHECKPOINT])
    copies = [name for name, uses in used.items() if len({use[:2] for use in uses}) < len(uses)]
    assert [name.rsplit(".", 1)[-1] for name in copies] == ["positional_encoding_gaussian_matrix"]
    for name, uses in used.items():
        assert len(uses) == declared[name], name
        ranges = sorted({use[:2] for use in uses})
        assert ranges[0][0] == 0 and ranges[-1][1] == shapes[name][0]
        assert all(first[1] == second[0] for first, second in zip(ranges, ranges[1:], strict=False)), name


def test_the_partial_checkpoint_and_its_bases_add_up():
    partial, base, sam2 = partial_shapes(), base_shapes(), sam2_shapes()
    assert (len(partial), len(sam2)) == (535, 900)
    plan = make_plan(
        {SourceRole.CHECKPOINT: partial, SourceRole.BASE: base, SourceRole.SAM2: sam2},
        native_shapes(),
        scales={AdapterPart.LANGUAGE: LoraScale(128)},
    )
    origins = [target.origin for target in plan.targets]
    assert origins.count(TensorOrigin.MERGED) == 28 * 7
    assert {target.lora.scale for target in plan.targets if target.lora} == {2.0}
    fates = {role: [fate.fate for fate in found.values()] for role, found in plan.fates.items()}
    assert fates[SourceRole.CHECKPOINT].count(Fate.MERGED) == 2 * 28 * 7
    assert fates[SourceRole.CHECKPOINT].count(Fate.USED) == 535 - 2 * 28 * 7
    assert fates[SourceRole.BASE].count(Fate.MERGED) == 28 * 7
    assert fates[SourceRole.BASE].count(Fate.OVERRIDDEN) == 2 + 6  # embeddings, head, projector
    assert fates[SourceRole.SAM2].count(Fate.OVERRIDDEN) == 131  # the mask decoder
    assert sum(len(found) for found in fates.values()) == len(partial) + len(base) + len(sam2)
