"""The presets build SAM 2.0 as published."""

import json

import pytest
import torch
from transformers import Sam2VideoModel

from helpers.checkpoints.convert.key_map import places
from helpers.model.sam2_sizes import PRESETS, sam2_video_config


@pytest.mark.golden
def test_hiera_l_has_the_published_tensors(shared):
    published = json.loads((shared / "golden/reference/sam2_hiera_l_keys_shapes.json").read_text())
    with torch.device("meta"):
        model = Sam2VideoModel(sam2_video_config(PRESETS["hiera_l"]))
    shapes = {f"sam2.{name}": list(tensor.shape) for name, tensor in model.state_dict().items()}
    reached = {}
    for name, shape in published.items():
        for place in places(name):
            rows = shape[0] * place.positions
            reached[place.target] = [rows, *shape[1:]]
    assert reached == shapes


@pytest.mark.parametrize(
    ("preset", "parameters"), [("hiera_t", 38.9e6), ("hiera_s", 46.0e6), ("hiera_b+", 80.8e6), ("hiera_l", 224.4e6)]
)
def test_presets_have_the_published_numbers_of_parameters(preset, parameters):
    with torch.device("meta"):
        model = Sam2VideoModel(sam2_video_config(PRESETS[preset]))
    assert sum(parameter.numel() for parameter in model.parameters()) == pytest.approx(parameters, rel=0.002)
