"""Which part of the model a LoRA belongs to, and which settings are its own: told from names and shapes alone."""

from dataclasses import replace

import pytest

from helpers.checkpoints.convert.conversion_settings import Candidate, Setting, TrainingRunConfig
from helpers.checkpoints.convert.lora_settings import LoraScale, adapter_part, lora_scales, settle_lora, tensor_ranks
from helpers.checkpoints.read.adapters import AdapterPart, AdapterSettings
from helpers.checkpoints.read.weight_source import CheckpointKind
from helpers.core.errors import RefusedInput, UsageProblem
from tests.support.listed_sources import listed, run_config

LANGUAGE, VISION = AdapterPart.LANGUAGE, AdapterPart.VISION
ON_LANGUAGE = "mllm.model.language_model.base_model.model.model.layers.{}.mlp.up_proj.lora_{}.default.weight"
ON_VISION = "mllm.model.vision_model.base_model.model.encoder.layers.{}.attn.qkv.lora_{}.default.weight"
ON_NEITHER = "mllm.model.mlp1.{}.lora_{}.default.weight"


@pytest.mark.parametrize(
    ("weight", "part"),
    [
        ("language_model.model.layers.0.mlp.up_proj.weight", LANGUAGE),
        ("vision_model.encoder.layers.0.attn.qkv.weight", VISION),
        ("vision_tower.encoder.layer.0.attention.q_proj.weight", VISION),
        ("visual.blocks.0.attn.qkv.weight", VISION),
        ("mlp1.1.weight", None),
        ("sam2.vision_model.weight", None),
    ],
)
def test_the_part_of_a_weight(weight, part):
    assert adapter_part(weight) is part


def with_lora(*names, rank=4):
    shapes = {}
    for name in names:
        shapes |= {name.format(1, "A"): (rank, 6), name.format(1, "B"): (8, rank)}
    return listed(CheckpointKind.MMENGINE, shapes, "iter_9.pth")


def test_ranks_are_the_rows_of_the_first_factors():
    checkpoint = with_lora(ON_LANGUAGE, ON_VISION, ON_NEITHER)
    checkpoint.tensors |= with_lora(ON_LANGUAGE.replace("up_proj", "down_proj"), rank=2).tensors
    checkpoint.tensors |= listed(CheckpointKind.FLAT, {ON_VISION.format(2, "A"): (), "a.weight": (9, 9)}, "x").tensors
    assert tensor_ranks(checkpoint) == {LANGUAGE: {4, 2}, VISION: {4}}


RUN = run_config({LANGUAGE: AdapterSettings(8.0, 4), VISION: AdapterSettings(6.0, 4, rank_stabilised=True)})


def test_settings_of_each_part_by_their_names():
    settled = settle_lora(None, RUN, with_lora(ON_LANGUAGE, ON_VISION))
    assert settled == {
        "lora_alpha": Setting("lora_alpha", 8.0, "the config"),
        "rank_stabilised": Setting("rank_stabilised", None, None),
        "vision_lora_alpha": Setting("vision_lora_alpha", 6.0, "the config"),
        "vision_rank_stabilised": Setting("vision_rank_stabilised", True, "the config"),
    }
    assert lora_scales(settled) == {LANGUAGE: LoraScale(8.0), VISION: LoraScale(6.0, True)}
    assert list(settle_lora(None, RUN, with_lora(ON_LANGUAGE))) == ["lora_alpha", "rank_stabilised"]
    assert lora_scales(settle_lora(None, TrainingRunConfig(), with_lora())) == {LANGUAGE: LoraScale(None)}


def test_the_option_and_a_given_config_override_and_are_recorded():
    settled = settle_lora(3.0, RUN, with_lora(ON_LANGUAGE, ON_VISION))
    assert settled["lora_alpha"] == Setting("lora_alpha", 3.0, "--lora-alpha", (Candidate(8.0, "the config"),))
    assert settled["vision_lora_alpha"].value == 6.0
    before = run_config({LANGUAGE: AdapterSettings(5.0, 4, rank_stabilised=True)}).governing
    given = replace(RUN, superseded=replace(before, origin="the text"), explicit=True)
    settled = settle_lora(None, given, with_lora(ON_LANGUAGE))
    assert settled["lora_alpha"] == Setting("lora_alpha", 8.0, "the config", (Candidate(5.0, "the text"),))
    assert settled["rank_stabilised"] == Setting("rank_stabilised", None, None)


def settled_of(adapter, alpha=None, names=(ON_LANGUAGE,), part=LANGUAGE, **more):
    return settle_lora(alpha, replace(run_config({part: adapter}), **more), with_lora(*names))


@pytest.mark.parametrize(
    ("adapter", "rank", "said"),
    [
        (AdapterSettings(8.0, 4), 4, None),
        (AdapterSettings(8.0, None), 4, None),
        (AdapterSettings(8.0, 2, frozenset({4})), 4, None),
        (AdapterSettings(8.0, 4), 2, "says LoRA rank 4 for llm_lora, the tensors of iter_9.pth have 2: settings"),
        (AdapterSettings(8.0, 4, frozenset({8})), 2, "says LoRA rank 4 for llm_lora, the tensors of .* have 2: "),
    ],
)
def test_ranks_of_settings_and_tensors(adapter, rank, said):
    checkpoint = with_lora(ON_LANGUAGE, rank=rank)
    if said is None:
        settle_lora(None, run_config({LANGUAGE: adapter}), checkpoint)
        return
    with pytest.raises(RefusedInput, match=f"the config {said}.*Pass the run's own config as --train-config"):
        settle_lora(None, run_config({LANGUAGE: adapter}), checkpoint)


def test_three_other_ranks_are_named():
    shapes = {ON_LANGUAGE.format(rank, "A"): (rank, 6) for rank in (1, 2, 3, 5)}
    checkpoint = listed(CheckpointKind.MMENGINE, shapes, "iter_9.pth")
    with pytest.raises(RefusedInput, match="the tensors of iter_9.pth have 1, 2, 3: settings"):
        settle_lora(None, run_config({LANGUAGE: AdapterSettings(8.0, 4)}), checkpoint)


def test_what_was_not_read_stops_unless_the_option_says_it():
    alpha, bias = AdapterSettings(unread=("lora_alpha: f()",)), AdapterSettings(8.0, unread=("bias: f()",))
    with pytest.raises(
        RefusedInput, match=r"the config: lora_alpha: f\(\) is not .*; pass --lora-alpha, or as --train-"
    ):
        settled_of(alpha)
    assert settled_of(alpha, alpha=2.0)["lora_alpha"].value == 2.0
    for given in (None, 2.0):
        with pytest.raises(RefusedInput, match=r"llm_lora.bias: f\(\) is not a plain value .*; pass as --train-config"):
            settled_of(bias, alpha=given)
    with pytest.raises(UsageProblem, match="visual_encoder_lora.lora_alpha: .*; pass as --train-config"):
        settled_of(alpha, alpha=2.0, names=(ON_VISION,), part=VISION, explicit=True)
    assert settled_of(bias, names=())["lora_alpha"].value == 8.0  # without LoRA nothing is merged


def test_another_merge_is_refused_by_its_names():
    with pytest.raises(RefusedInput, match="the config: llm_lora: LoRA with use_dora, type X cannot be merged onto"):
        settled_of(AdapterSettings(8.0, variants=("use_dora", "type X")))
