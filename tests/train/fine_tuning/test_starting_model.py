"""Where training starts: what the bases hold, exactly, and new values for the rest."""

import pytest
import torch

from helpers.checkpoints.read.weight_source import open_source
from helpers.core.errors import RefusedInput, UsageProblem
from helpers.model.configuration_sa2va import SPECIAL_TOKENS
from helpers.train.fine_tuning.checkpoint_layout import TrainedPart, load_trained, trained_tensors
from helpers.train.fine_tuning.starting_model import add_adapters, from_bases
from tests.support.tiny_sources import fixture_sources, internlm2_sources


def start(seed=0, **changes):
    sources = fixture_sources()
    given = {"base": sources.base, "sam2": sources.sam2, "sam2_config": str(sources.sizes), **changes}
    random = torch.Generator().manual_seed(seed)
    return from_bases(**given, template="qwen_chat", special_tokens=SPECIAL_TOKENS, random=random)


def test_bases_are_taken_over_and_only_the_rest_is_drawn():
    model, tokenizer = start()
    other, _ = start(seed=1)
    state, drawn = model.state_dict(), other.state_dict()
    with open_source(fixture_sources().base) as base:
        rows = base.read("language_model.model.embed_tokens.weight").float()
    found = state["language_model.model.embed_tokens.weight"]
    assert torch.equal(found[: len(rows)], rows)
    assert len(found) == len(tokenizer) == len(rows) + len(SPECIAL_TOKENS)
    differing = {name for name in state if not torch.equal(state[name], drawn[name])}
    assert differing == {
        "language_model.model.embed_tokens.weight",
        "language_model.lm_head.weight",
        "seg_projection.linear_1.weight",
        "seg_projection.linear_2.weight",
    }


def test_sources_of_the_wrong_kind_are_refused():
    sources = fixture_sources()
    with pytest.raises(UsageProblem, match="expected a source of kind 'sam2'"):
        start(sam2=sources.checkpoint)
    with pytest.raises(UsageProblem, match="expected a source of kind 'internvl_base'"):
        start(base=sources.sam2)
    with pytest.raises((RefusedInput, UsageProblem), match="SAM2|do not add up"):
        start(sam2_config="hiera_t")


def test_internlm2_is_not_trained_yet():
    with pytest.raises(RefusedInput, match="expected a language model that this kit trains, found InternLM2"):
        start(base=internlm2_sources().base)


@pytest.mark.parametrize("trained", TrainedPart)
def test_a_checkpoint_restores_what_it_was_made_from(trained):
    model, _ = start()
    random = torch.Generator().manual_seed(0)
    adapters = add_adapters(model.language_model, 2, 4.0, random) if trained is TrainedPart.LORA else {}
    stored = {name: torch.randn_like(tensor) for name, tensor in trained_tensors(model, adapters, trained).items()}
    # The positions' matrix has two places in the model, which always hold the same.
    load_trained(model, adapters, stored, trained)
    again = trained_tensors(model, adapters, trained)
    assert [name for name in stored if not torch.equal(stored[name], again[name])] == []
