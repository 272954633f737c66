"""Passes of a language model: the cache by the name that a version gives it, padding, positions, and the states."""

from enum import Enum

import pytest
import torch
from torch import nn

from helpers.model.language_pass import NOT_FINITE, LanguagePass, SegState, cache_name, greedy_tokens


class Layer(nn.Module):
    def forward(self, states):
        return states + 1


class StandIn(nn.Module):
    """Two layers that add 1 each, a norm that halves; notes what it was told."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([Layer(), Layer()])
        self.norm = nn.Module()
        self.norm.forward = lambda states: states / 2
        self.told = {}

    def run(self, inputs_embeds, **told):
        self.told = told
        for layer in self.layers:
            inputs_embeds = layer(inputs_embeds)
        return type("Output", (), {"last_hidden_state": self.norm(inputs_embeds)})


class Older(StandIn):
    """Swallows `cache`, as transformers up to 5.23 does."""

    def forward(self, inputs_embeds, past_key_values=None, **others):
        return self.run(inputs_embeds, past_key_values=past_key_values, **others)


class Newer(StandIn):
    """Names it `cache`, as transformers from 5.24 on does."""

    def forward(self, inputs_embeds, cache=None, **others):
        return self.run(inputs_embeds, cache=cache, **others)


class Cache:
    def get_seq_length(self):
        return 3


@pytest.mark.parametrize(("decoder", "name"), [(Older(), "past_key_values"), (Newer(), "cache")])
def test_the_cache_goes_by_the_name_of_the_signature_and_by_no_other(decoder, name):
    cache = Cache()
    assert cache_name(decoder.forward) == name
    LanguagePass(decoder)(torch.zeros(1, 2, 4), cache)
    assert decoder.told == {name: cache, "use_cache": True}


def test_the_library_at_hand_takes_it_by_that_name():
    from transformers import Qwen2Config, Qwen2Model

    config = Qwen2Config(
        vocab_size=8, hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=2,
        num_key_value_heads=1,
    )  # fmt: skip
    decoder = Qwen2Model(config).eval()
    from transformers.cache_utils import DynamicCache

    rows = torch.randn(1, 4, 8)
    whole = LanguagePass(decoder)(rows, DynamicCache()).states
    cache = DynamicCache()
    LanguagePass(decoder)(rows[:, :3], cache)
    assert cache.get_seq_length() == 3
    assert torch.allclose(LanguagePass(decoder)(rows[:, 3:], cache).states, whole[:, 3:], atol=1e-6)


def test_padding_is_masked_and_not_counted():
    decoder = Newer()
    mask = torch.tensor([[0, 0, 1, 1], [1, 1, 1, 1]])
    LanguagePass(decoder)(torch.zeros(2, 2, 4), Cache(), mask)
    assert decoder.told["attention_mask"] is mask
    assert decoder.told["position_ids"].tolist() == [[0, 1], [2, 3]]


def test_positions_of_pictures_come_behind_a_row_that_counts_columns():
    decoder = Newer()
    positions = torch.tensor([[[7, 7]], [[7, 8]], [[7, 9]]])
    LanguagePass(decoder)(torch.zeros(1, 2, 4), Cache(), positions=positions)
    assert decoder.told["position_ids"].tolist() == [[[3, 4]], [[7, 7]], [[7, 8]], [[7, 9]]]
    assert "attention_mask" not in decoder.told


def test_states_come_from_before_or_after_the_final_norm_and_levels_are_added_behind_their_layers():
    rows = torch.zeros(1, 2, 4)
    levels = [torch.full((1, 2, 4), 10.0)]
    before = LanguagePass(Older(), SegState.BEFORE_NORM)(rows, Cache(), levels=levels)
    after = LanguagePass(Older())(rows, Cache(), levels=levels)
    assert before.states.unique().tolist() == after.states.unique().tolist() == [6.0]
    assert before.seg_states.unique().tolist() == [12.0] and after.seg_states is after.states


def test_states_of_another_copy_of_this_code_are_refused():
    class SegState(Enum):
        BEFORE_NORM = "before the final norm"

    with pytest.raises(TypeError, match="expected a helpers.model.language_pass.SegState"):
        LanguagePass(Older(), SegState.BEFORE_NORM)


def test_nothing_stays_attached_to_the_model():
    decoder = Older()
    LanguagePass(decoder, SegState.BEFORE_NORM)(torch.zeros(1, 2, 4), Cache(), levels=[torch.ones(1, 2, 4)])
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in decoder.modules())


def test_a_token_behind_values_that_are_not_finite_is_none():
    states = torch.tensor([[[0.0, 1.0], [torch.nan, 1.0], [torch.inf, 1.0], [-torch.inf, 1.0]]])
    assert greedy_tokens(nn.Identity(), states).tolist() == [[1, NOT_FINITE, NOT_FINITE, 1]]
