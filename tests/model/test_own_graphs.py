"""A model's own graphs are those of its weights as they lie, and of nothing else."""

import copy
import gc
import pickle
import weakref

import pytest
import torch
from torch import nn

from helpers.core.vocabulary import Preset
from helpers.dev.bench.stand_in import stand_in
from helpers.model import own_graphs
from helpers.model.own_graphs import OwnGraphs
from helpers.prediction.engine.dtypes import one_dtype
from tests.support.fake_cuda import FakeCuda

CPU, BFLOAT16 = torch.device("cpu"), one_dtype(torch.bfloat16)


@pytest.fixture(scope="module")
def loaded():
    return stand_in(Preset.TINY, CPU, BFLOAT16)[0]


@pytest.fixture
def model(loaded, monkeypatch):
    FakeCuda(monkeypatch)
    monkeypatch.setattr(own_graphs, "_can_have_graphs", lambda model: True)
    monkeypatch.setattr(own_graphs, "_is_otherwise_watched", lambda: False)
    loaded.graphs.drop()
    return loaded


def test_a_processor_and_float32_have_none(loaded):
    with torch.inference_mode():
        assert loaded.graphs.around(loaded) is loaded


def test_the_same_while_nothing_changes(model):
    first = model.graphs.around(model)
    assert first is not model and first.config is model.config
    assert model.graphs.around(model) is first
    with torch.no_grad():
        model.seg_projection.linear_2.bias.add_(1)  # in its place: a graph reads it there
        model.seg_projection.linear_2.bias.sub_(1)
    assert model.graphs.around(model) is first


def replaced(model):
    linear, kept = model.seg_projection.linear_2, model.seg_projection.linear_2.weight
    linear.weight = nn.Parameter(kept.detach().clone(), requires_grad=False)
    return lambda: setattr(linear, "weight", kept)


def given_other_data(model):
    weight, kept = model.seg_projection.linear_2.weight, model.seg_projection.linear_2.weight.data
    weight.data = kept.clone()
    return lambda: setattr(weight, "data", kept)


def trained(model):
    model.train()
    return model.eval


def hooked(model):
    return model.sam2.register_forward_hook(lambda *_: None).remove


def hooked_before(model):
    return model.sam2.register_forward_pre_hook(lambda *_: None).remove


def other_module(model):
    kept = model.seg_projection.linear_1
    model.seg_projection.linear_1 = nn.Identity()
    return lambda: setattr(model.seg_projection, "linear_1", kept)


def moved(model):
    model.seg_projection.to(torch.float64)
    return lambda: model.seg_projection.to(torch.bfloat16)


def patched(model):
    linear = model.seg_projection.linear_1
    linear.forward = lambda states: states
    return lambda: vars(linear).pop("forward")


def given_other_attention(model):
    config, kept = model.sam2.config, model.sam2.config._attn_implementation
    config._attn_implementation = "eager"
    return lambda: setattr(config, "_attn_implementation", kept)


CHANGES = (
    replaced, given_other_data, trained, hooked, hooked_before, other_module, moved, patched, given_other_attention,
)  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_what_changes_the_model_drops_them(model, change):
    first = model.graphs.around(model)
    undo = change(model)
    second = model.graphs.around(model)
    undo()
    assert second is not first and model.graphs.around(model) is not second


def test_dropped_graphs_are_gone_for_those_who_still_use_them(model):
    graphed = model.graphs.around(model)
    assert model.graphs._pools and not any(pool.is_closed for pool in model.graphs._pools)
    pools = model.graphs._pools
    model.graphs.drop()
    assert all(pool.is_closed for pool in pools) and model.graphs.around(model) is not graphed


@pytest.mark.parametrize("change", [lambda model: model.train(), lambda model: model.to(torch.bfloat16)])
def test_training_and_moving_give_them_back_at_once(model, change):
    model.graphs.around(model)
    pools = model.graphs._pools
    change(model)
    model.eval()
    assert not model.graphs.are_held and all(pool.is_closed for pool in pools)


def test_a_model_that_can_have_none_gives_them_back_and_a_call_that_must_not_leaves_them(model, monkeypatch):
    graphed = model.graphs.around(model)
    monkeypatch.setattr(own_graphs, "_is_otherwise_watched", lambda: True)
    assert model.graphs.around(model) is model and model.graphs.are_held
    monkeypatch.setattr(own_graphs, "_is_otherwise_watched", lambda: False)
    assert model.graphs.around(model) is graphed
    monkeypatch.setattr(own_graphs, "_can_have_graphs", lambda model: False)
    assert model.graphs.around(model) is model and not model.graphs.are_held


def test_copies_of_a_model_have_none(model):
    model.graphs.around(model)
    for other in (copy.deepcopy(model.graphs), pickle.loads(pickle.dumps(model.graphs))):
        assert isinstance(other, OwnGraphs) and other._graphed is None


def test_they_do_not_keep_the_model_alive(monkeypatch):
    FakeCuda(monkeypatch)
    monkeypatch.setattr(own_graphs, "_can_have_graphs", lambda model: True)
    monkeypatch.setattr(own_graphs, "_is_otherwise_watched", lambda: False)
    model, _ = stand_in(Preset.TINY, CPU, BFLOAT16)
    model.graphs.around(model)
    seen = weakref.ref(model)
    gc.disable()
    try:
        del model
        assert seen() is None
    finally:
        gc.enable()
