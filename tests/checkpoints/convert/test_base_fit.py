"""A base that is not the run's, and a checkpoint that lacks what training saves, are told by names and sizes alone."""

import json

import pytest

from helpers.checkpoints.convert.base_fit import (
    checkpoint_sizes,
    require_base_fits,
    require_own_pixels,
    require_trained_beside,
    require_whole_checkpoint,
    vision_lora_notes,
)
from helpers.checkpoints.convert.plan import SourceRole
from helpers.checkpoints.read.adapters import AdapterPart, AdapterSettings
from helpers.checkpoints.read.weight_source import CheckpointKind
from helpers.core.errors import RefusedInput
from helpers.core.shown_text import counted
from helpers.model.configuration_sa2va import Sa2VAConfig
from tests.support.listed_sources import listed, run_config, sources_of

LANGUAGE = "mllm.model.language_model.base_model.model.model.layers.{}.{}.lora_{}.default.weight"
VISION = "mllm.model.vision_model.base_model.model.encoder.layers.{}.{}.lora_{}.default.weight"
EMBED = "mllm.model.language_model.base_model.model.model.embed_tokens.modules_to_save.default.weight"
SAVED = [
    f"{stem}.{kind}"
    for stem in (
        "mllm.model.mlp1.0",
        "mllm.model.mlp1.1",
        "mllm.model.mlp1.3",
        "text_hidden_fcs.0",
        "text_hidden_fcs.2",
    )
    for kind in ("weight", "bias")
]
DECODER = "grounding_encoder.sam2_model.sam_mask_decoder.iou_token.weight"
Q, DOWN = "self_attn.q_proj", "mlp.down_proj"


def lora(stem, layers, modules=(Q,)):
    return [stem.format(layer, module, factor) for layer in layers for module in modules for factor in "AB"]


def opened(checkpoint, base=(), kind=CheckpointKind.MMENGINE, official=None, run=None):
    roles = {
        SourceRole.CHECKPOINT: listed(kind, checkpoint, "runs/iter_9.pth"),
        SourceRole.BASE: listed(CheckpointKind.INTERNVL_BASE, base, "models/InternVL"),
    }
    return sources_of(roles, official, run=run or run_config())


def sized(vision=10, language=6, layers=3, text="llm_config"):
    return {
        "vision_config": {"hidden_size": vision, "num_hidden_layers": 2},
        text: {"hidden_size": language, "num_hidden_layers": layers},
    }


TRAINED = {
    LANGUAGE.format(0, Q, "A"): (2, 6),
    LANGUAGE.format(0, Q, "B"): (8, 2),
    LANGUAGE.format(2, "mlp.up_proj", "B"): (8, 2),
    LANGUAGE.format(7, DOWN, "A"): (2, 99),  # its width is the inner one, and it counts no layer
    "mllm.model.mlp1.0.weight": (40,),
}


def test_sizes_that_trained_tensors_show():
    sizes = {"language width": 6, "language layers": 3, "vision width": 10}
    assert checkpoint_sizes(opened(TRAINED)) == sizes
    assert checkpoint_sizes(opened({EMBED: (9, 5)})) == {"language width": 5}
    whole = {"language_model.model.layers.4.self_attn.k_proj.weight": (3, 7)}
    assert checkpoint_sizes(opened(whole)) == {"language width": 7, "language layers": 5}
    assert checkpoint_sizes(opened({"text_hidden_fcs.0.bias": (3,)})) == {}


@pytest.mark.parametrize("text", ["llm_config", "text_config"])
@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"language": 7}, "language width: checkpoint 6, base 7"),
        ({"layers": 4}, "language layers: checkpoint 3, base 4"),
        ({"vision": 11}, "vision width: checkpoint 10, base 11"),
        ({"language": 7, "layers": 2}, "language width: checkpoint 6, base 7; language layers: checkpoint 3, base 2"),
    ],
)
def test_each_size_that_differs_is_told_with_both(text, other, said):
    require_base_fits(opened(TRAINED, official=sized(text=text)))
    with pytest.raises(RefusedInput, match=rf"the base InternVL does not fit the checkpoint iter_9.pth \({said}\)"):
        require_base_fits(opened(TRAINED, official=sized(text=text, **other)))


def test_without_a_base_or_with_a_config_of_the_checkpoint_nothing_is_compared():
    require_base_fits(opened(TRAINED, official={}))
    one = opened(TRAINED, official=sized(language=7))
    one.folder = one.opened[SourceRole.CHECKPOINT].path
    require_base_fits(one)
    require_base_fits(
        sources_of({SourceRole.CHECKPOINT: listed(CheckpointKind.NATIVE, TRAINED, "x")}, sized(language=7))
    )


WHOLE = [*SAVED, DECODER, *lora(LANGUAGE, range(3))]
BENEATH = [DECODER, "language_model.model.layers.0.self_attn.q_proj.weight"]


def test_a_whole_checkpoint_passes():
    require_whole_checkpoint(opened(WHOLE, BENEATH, official=sized()))
    require_whole_checkpoint(opened(["a"], BENEATH, kind=CheckpointKind.FLAT, official=sized()))
    adapter = lora(LANGUAGE, range(3))
    require_whole_checkpoint(opened(adapter, BENEATH, kind=CheckpointKind.PEFT_ADAPTER, official=sized()))


def test_a_family_without_a_projector_lacks_none():
    names = [name for name in WHOLE if "mlp1" not in name]
    require_whole_checkpoint(opened(names, BENEATH, official={"model_type": "qwen3_vl"}))


@pytest.mark.parametrize("lost", [*SAVED, DECODER])
def test_a_tensor_that_every_run_saves_is_missed(lost):
    names = [name for name in WHOLE if name != lost]
    stored = lost.removeprefix("mllm.model.")
    with pytest.raises(RefusedInput, match=rf"iter_9.pth lacks 1 tensor that training saves, for example {stored};"):
        require_whole_checkpoint(opened(names, BENEATH, official=sized()))


def test_lora_of_a_layer_is_missed_in_a_training_checkpoint_and_in_an_adapter():
    names = [*SAVED, DECODER, *lora(LANGUAGE, (0, 2), (Q, DOWN))]
    for kind in (CheckpointKind.MMENGINE, CheckpointKind.PEFT_ADAPTER):
        said = r"lacks 2 tensors .* example language_model.model.layers.1.mlp.down_proj.weight \(LoRA\)"
        with pytest.raises(RefusedInput, match=said):
            require_whole_checkpoint(opened(names, official=sized(), kind=kind))


@pytest.mark.parametrize(("layers", "official", "lost"), [((0, 1), sized(), 1), ((0, 2), {}, 1), ((0, 1), {}, 0)])
def test_how_many_layers_there_are_is_the_configs_word_or_the_last_one(layers, official, lost):
    source = opened([*SAVED, *lora(LANGUAGE, layers)], official=official)
    if not lost:
        require_whole_checkpoint(source)
        return
    with pytest.raises(RefusedInput, match=f"lacks {counted(lost, 'tensor')} "):
        require_whole_checkpoint(source)


ALL = [f"self_attn.{name}_proj" for name in "qkvo"] + [f"mlp.{name}_proj" for name in ("gate", "up", "down")]
LAYER = "language_model.model.layers.{}."
ALL_BENEATH = [LAYER.format(layer) + f"{module}.weight" for layer in range(3) for module in (*ALL, "input_layernorm")]
QWEN = "mllm.model.base_model.model.model.language_model.layers.{}.{}.lora_{}.default.weight"
INTERNLM2 = ["attention.wqkv", "attention.wo", "feed_forward.w1", "feed_forward.w2", "feed_forward.w3"]
INTERNLM2_BENEATH = [LAYER.format(layer) + f"{module}.weight" for layer in range(3) for module in INTERNLM2]


def without(stem, modules, lost, beneath, settings=None, kind=CheckpointKind.FLAT):
    """A checkpoint that lacks LoRA of some modules in every layer."""
    kept = [module for module in modules if module.rpartition(".")[2] not in lost]
    adapters = {} if settings is None else {AdapterPart.LANGUAGE: settings}
    official = sized() if stem is not QWEN else {"model_type": "qwen3_vl", "text_config": {"num_hidden_layers": 3}}
    return opened(lora(stem, range(3), kept), beneath, kind, official, run_config(adapters))


@pytest.mark.parametrize("kind", [CheckpointKind.FLAT, CheckpointKind.PEFT_ADAPTER])
@pytest.mark.parametrize(
    ("stem", "modules", "beneath"),
    [(LANGUAGE, ALL, ALL_BENEATH), (QWEN, ALL, ALL_BENEATH), (LANGUAGE, INTERNLM2, INTERNLM2_BENEATH),
     (LANGUAGE, INTERNLM2, ALL_BENEATH)],
)  # fmt: skip
def test_lora_of_one_kind_is_missed_though_each_layer_has_some(stem, modules, beneath, kind):
    require_whole_checkpoint(without(stem, modules, (), beneath, kind=kind))
    for module in (one.rpartition(".")[2] for one in modules):
        with pytest.raises(RefusedInput, match=f"has LoRA, and none of {module} in any .* it on all linear"):
            require_whole_checkpoint(without(stem, modules, (module,), beneath, kind=kind))


def test_which_kinds_have_lora_the_settings_say():
    both = AdapterSettings(targets=("q_proj", "v_proj"))
    rest = [module.rpartition(".")[2] for module in ALL if module[-6:] not in ("q_proj", "v_proj")]
    require_whole_checkpoint(without(LANGUAGE, ALL, rest, ALL_BENEATH, both))
    with pytest.raises(RefusedInput, match=r"none of v_proj in any .* it on target_modules \['q_proj', 'v_proj'\]"):
        require_whole_checkpoint(without(LANGUAGE, ALL, (*rest, "v_proj"), ALL_BENEATH, both))
    own = AdapterSettings(targets=("wqkv", "w1"))
    with pytest.raises(RefusedInput, match="none of w1 in any"):
        require_whole_checkpoint(without(LANGUAGE, INTERNLM2, ("wo", "w1", "w2", "w3"), INTERNLM2_BENEATH, own))
    for unknown in (AdapterSettings(targets=()), AdapterSettings(chosen_layers=True)):
        require_whole_checkpoint(without(LANGUAGE, ALL, rest, ALL_BENEATH, unknown))


def test_lora_that_the_settings_name_is_missed_where_there_is_none_at_all():
    run = run_config({AdapterPart.LANGUAGE: AdapterSettings(alpha=8)})
    with pytest.raises(RefusedInput, match="iter_9.pth holds no LoRA of llm_lora, which the config names"):
        require_whole_checkpoint(opened([*SAVED, DECODER], BENEATH, official=sized(), run=run))
    merged = "language_model.model.layers.0.mlp.up_proj.weight"
    require_whole_checkpoint(opened([*SAVED, DECODER, merged], BENEATH, official=sized(), run=run))
    both = run_config(dict.fromkeys(AdapterPart, AdapterSettings()))
    tower = lora(VISION, (0, 1), ("attn.qkv",))
    require_whole_checkpoint(opened(tower, kind=CheckpointKind.PEFT_ADAPTER, official=sized(), run=both))


def test_a_run_that_chose_its_layers_lacks_none():
    chosen = run_config({AdapterPart.LANGUAGE: AdapterSettings(chosen_layers=True)})
    require_whole_checkpoint(opened([*SAVED, *lora(LANGUAGE, (1,))], official=sized(), run=chosen))


def test_lora_on_some_layers_of_the_vision_tower_is_a_note():
    some = opened(lora(VISION, (1,), ("attn.qkv",)), official=sized())
    assert vision_lora_notes(some) == [
        "LoRA is on some layers of the vision tower; not, for example, on "
        "vision_model.encoder.layers.0.attn.qkv.weight (LoRA)"
    ]
    assert vision_lora_notes(opened(lora(VISION, (0, 1), ("attn.qkv",)), official=sized())) == []
    assert vision_lora_notes(opened(WHOLE, official=sized())) == []


BASE = [
    "language_model.model.embed_tokens.weight",
    "language_model.lm_head.weight",
    "language_model.model.layers.0.self_attn.q_proj.weight",
    "language_model.model.layers.0.self_attn.q_proj.bias",
    "language_model.model.layers.0.self_attn.k_proj.bias",
    "vision_model.encoder.layers.0.attn.qkv.bias",
]
ONE = lora(LANGUAGE, (0,))


def beside(settings, more=(), part=AdapterPart.LANGUAGE, checkpoint=ONE):
    return opened([*checkpoint, *more], BASE, run=run_config({part: settings}))


@pytest.mark.parametrize(
    ("settings", "count", "first"),
    [
        (AdapterSettings(saved_modules=("embed_tokens", "lm_head")), 2, "language_model.model.embed_tokens.weight"),
        (AdapterSettings(saved_modules=("lm_head",)), 1, "language_model.lm_head.weight"),
        (AdapterSettings(bias="all"), 2, "language_model.model.layers.0.self_attn.q_proj.bias"),
        (AdapterSettings(bias="lora_only"), 1, "language_model.model.layers.0.self_attn.q_proj.bias"),
    ],
)
def test_what_was_trained_beside_lora_is_missed(settings, count, first):
    with pytest.raises(
        RefusedInput, match=f"lacks {counted(count, 'tensor')} that training saves, for example {first};"
    ):
        require_trained_beside(beside(settings))


def test_what_is_there_or_was_not_trained_is_not_missed():
    require_trained_beside(beside(AdapterSettings()))
    require_trained_beside(beside(AdapterSettings(saved_modules=("embed_tokens",)), [EMBED]))
    saved = AdapterSettings(saved_modules=("embed_tokens",), bias="all")
    require_trained_beside(beside(saved, part=AdapterPart.VISION))  # which has no LoRA here
    require_trained_beside(beside(saved, checkpoint=[EMBED, *(name for name in BASE if name.endswith("bias"))]))
    require_trained_beside(opened(ONE, BASE))  # no config


def test_biases_of_the_part_that_has_lora_alone_count():
    vision = beside(AdapterSettings(bias="all"), part=AdapterPart.VISION, checkpoint=lora(VISION, (0,), ("attn.qkv",)))
    with pytest.raises(RefusedInput, match="lacks 1 tensor .* vision_model.encoder.layers.0.attn.qkv.bias"):
        require_trained_beside(vision)


CLIP = {"image_mean": [0.48145466, 0.4578275, 0.40821073], "image_std": [0.26862954, 0.26130258, 0.27577711]}
PUBLISHED = {**CLIP, "patch_size": 14, "merge_size": 2, "temporal_patch_size": 2, "max_pixels": 99, "min_pixels": 9}
EXPORTED = PUBLISHED | {"do_resize": True, "resample": 3, "rescale_factor": 0.00392156862745098, "crop_size": None,
                        "image_processor_type": "Qwen2VLImageProcessorFast"}  # fmt: skip
TEXT = {"model_type": "qwen2_5_vl_text", "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2,
        "num_key_value_heads": 1, "intermediate_size": 8, "vocab_size": 5, "bos_token_id": 1,
        "rope_scaling": {"type": "mrope", "mrope_section": [1, 1, 0]}}  # fmt: skip


@pytest.fixture(scope="module")
def config():
    return Sa2VAConfig(family="qwen2_5_vl", text_config=TEXT)


def checked(folder, config, stated):
    (folder / "preprocessor_config.json").write_text(json.dumps(stated))
    require_own_pixels(folder, config)


@pytest.mark.parametrize("stated", [{}, PUBLISHED, EXPORTED, {"image_mean": None}])
def test_published_files_and_what_they_leave_out_pass(tmp_path, config, stated):
    checked(tmp_path, config, stated)


def test_a_folder_without_the_file_passes(tmp_path, config):
    require_own_pixels(tmp_path, config)


@pytest.mark.parametrize(
    "change",
    [
        {"image_mean": [0.5, 0.5, 0.5]},
        {"image_std": [0.5, 0.5, 0.5]},
        {"patch_size": 16},
        {"merge_size": 4},
        {"temporal_patch_size": 1},
        {"rescale_factor": 1.0},
        {"resample": 2},
        {"do_resize": False},
        {"do_rescale": False},
        {"do_normalize": False},
    ],
)
def test_what_would_make_other_pixels_is_refused_by_name(tmp_path, config, change):
    (name,) = change
    with pytest.raises(RefusedInput, match=f"preprocessor_config.json: expected {{'{name}': .* got {{'{name}': "):
        checked(tmp_path, config, PUBLISHED | change)


def test_other_families_do_not_read_it(tmp_path):
    text = TEXT | {"model_type": "qwen2", "rope_scaling": None}
    checked(tmp_path, Sa2VAConfig(text_config=text), PUBLISHED | {"patch_size": 7})
