"""The Qwen families' towers on pictures of one size against transformers' own passes; order and places by eye."""

import pytest
import torch
from transformers.models.qwen2_5_vl.configuration_qwen2_5_vl import Qwen2_5_VLVisionConfig
from transformers.models.qwen2_5_vl.modeling_qwen2_5_vl import Qwen2_5_VisionTransformerPretrainedModel
from transformers.models.qwen3_vl.configuration_qwen3_vl import Qwen3VLVisionConfig
from transformers.models.qwen3_vl.modeling_qwen3_vl import Qwen3VLVisionModel

from helpers.model.qwen_towers import (
    Qwen2_5VLTower,
    Qwen3VLTower,
    Windows,
    resampled,
    token_by_token,
    turns,
    window_order,
)

SIZES = {"depth": 4, "hidden_size": 64, "intermediate_size": 96, "num_heads": 4, "out_hidden_size": 48}
# Windows of 4 x 4 tokens in Qwen2.5-VL.
TOWERS = {
    "qwen25vl": (
        Qwen2_5VLTower,
        Qwen2_5_VisionTransformerPretrainedModel,
        Qwen2_5_VLVisionConfig(**SIZES, patch_size=14, window_size=112, fullatt_block_indexes=[1, 3]),
    ),
    "qwen3vl": (
        Qwen3VLTower,
        Qwen3VLVisionModel,
        Qwen3VLVisionConfig(**SIZES, patch_size=16, num_position_embeddings=144, deepstack_visual_indexes=[1, 2]),
    ),
}


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("family", TOWERS)
@pytest.mark.parametrize("grid", [(8, 8), (16, 8), (10, 22), (2, 2), (6, 30)])
def test_a_tower_gives_what_that_of_transformers_gives(family, attention, grid):
    torch.manual_seed(0)
    ours, theirs, config = TOWERS[family]
    tower, other = (kind._from_config(config, attn_implementation=attention).eval() for kind in (ours, theirs))
    other.load_state_dict(tower.state_dict())  # of the same names
    patches = torch.randn(2 * grid[0] * grid[1], 3 * 2 * config.patch_size**2)
    with torch.inference_mode():
        found = tower(patches, *grid)
        expected = other(patches, grid_thw=torch.tensor([[1, *grid]] * 2))
    wanted = [expected.pooler_output, *getattr(expected, "deepstack_features", ())]
    assert len(found) == len(wanted) == (3 if family == "qwen3vl" else 1)
    for one, its in zip(found, wanted, strict=True):
        assert torch.allclose(one, its, atol=2e-6, rtol=0)


def test_windows_of_one_shape_lie_together_whole_ones_first():
    order, windows = window_order(3, 5, 2, torch.device("cpu"))
    assert windows == [Windows(2, 4), Windows(1, 2), Windows(2, 2), Windows(1, 1)]
    assert order.tolist() == [0, 1, 5, 6, 2, 3, 7, 8, 4, 9, 10, 11, 12, 13, 14]


def test_patches_of_a_token_come_together():
    assert token_by_token(torch.arange(8).view(2, 4), 2).tolist() == [0, 1, 4, 5, 2, 3, 6, 7]


def test_a_patch_is_turned_by_its_row_and_its_column():
    assert turns(2, 4, 2, torch.tensor([10.0])).tolist() == [
        [0, 0, 0, 0], [0, 10, 0, 10], [10, 0, 10, 0], [10, 10, 10, 10],
        [0, 20, 0, 20], [0, 30, 0, 30], [10, 20, 10, 20], [10, 30, 10, 30],
    ]  # fmt: skip


def test_the_table_of_places_is_stretched_corner_on_corner():
    table = torch.tensor([[0.0], [3.0], [30.0], [33.0]])
    assert resampled(table, 2, 4, 1).flatten().tolist() == pytest.approx([0, 1, 2, 3, 30, 31, 32, 33])
