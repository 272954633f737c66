"""SAM2's memory in faster kernels, against transformers' own."""

import pytest
import torch

from helpers.model.memory_fast_path import faster_forwards, faster_memory, rotated
from tests.support.tiny_sam2 import random_sam2


def drawn(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)))


def test_a_quarter_turn_swaps_the_channels_of_a_pair():
    states = torch.tensor([[[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]]])  # two places and one state that is not rotated
    rotation = torch.tensor([[1j], [-1 + 0j]])
    assert rotated(states, rotation, 1).tolist() == [[[[-2.0, 1.0], [-3.0, -4.0], [5.0, 6.0]]]]


def test_turns_repeat_for_each_memory():
    states = drawn(1, 1, 4, 2)
    rotation = torch.tensor([[1j], [1 + 0j]])
    assert torch.equal(
        rotated(states, rotation),
        torch.cat([rotated(states[:, :, :2], rotation), rotated(states[:, :, 2:], rotation)], 2),
    )


def given_states(attention, config, objects: int, memories: int, pointers: int) -> dict:
    """What a frame's memory attention is given: so many memories and pointer tokens of so many objects."""
    places, width = len(attention.position_ids), config.memory_attention_hidden_size
    narrow, tokens = attention.layers[0].cross_attn_image.k_proj.in_features, memories * places + pointers
    return {
        "current_vision_features": drawn(places, objects, width),
        "current_vision_position_embeddings": drawn(places, objects, width),
        "memory": drawn(tokens, objects, narrow),
        "memory_posision_embeddings": drawn(tokens, objects, narrow),
    }


@pytest.mark.parametrize("objects", [1, 2])
@pytest.mark.parametrize("memories, pointers", [(1, 0), (3, 2)])
def test_memory_attention_is_that_of_transformers(objects, memories, pointers):
    sam2 = random_sam2()
    attention = sam2.memory_attention
    given = given_states(attention, sam2.config, objects, memories, pointers) | {"num_object_pointer_tokens": pointers}
    with torch.inference_mode():
        expected = attention(**given)
        for module, forward in (changed := list(faster_forwards(attention))):
            module.forward = forward
        found = attention(**given)
    assert len(changed) == 2 * len(attention.layers)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_in_narrow_dtypes_it_is_as_near_to_float32_as_transformers(dtype):
    sam2 = random_sam2()
    attention = sam2.memory_attention
    given = given_states(attention, sam2.config, 1, 3, 2)
    narrow = {name: states.to(dtype) for name, states in given.items()}
    with torch.inference_mode():
        exact = attention(**given, num_object_pointer_tokens=2)
        attention.to(dtype)
        theirs = attention(**narrow, num_object_pointer_tokens=2).float()
        for module, forward in faster_forwards(attention):
            module.forward = forward
        ours = attention(**narrow, num_object_pointer_tokens=2).float()
    assert (ours - exact).norm() < 1.2 * (theirs - exact).norm()


def test_the_memory_encoder_is_that_of_transformers():
    encoder = random_sam2().memory_encoder
    layers = encoder.mask_downsampler.layers
    masks, features = drawn(2, 1, 64, 64), drawn(2, encoder.feature_projection.in_channels, 4, 4)
    with torch.inference_mode():
        expected, _ = encoder(features, masks)
        for module, forward in (changed := list(faster_forwards(encoder))):
            module.forward = forward
        found, _ = encoder(features, masks)
    assert [module for module, _ in changed] == [layer.layer_norm for layer in layers[:2]]  # 4 and 16 channels
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_a_processor_and_float32_keep_the_way_of_transformers():
    sam2 = random_sam2()
    for features in (torch.zeros(1), torch.zeros(1, dtype=torch.bfloat16)):
        with torch.inference_mode(), faster_memory(sam2, features):
            assert not [module for module in sam2.modules() if "forward" in vars(module)]
