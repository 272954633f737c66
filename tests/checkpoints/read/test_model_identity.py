"""Relatives of Sa2VA that are not converted are told by name, and nothing else is taken for one."""

import re
from functools import partial

import pytest

from helpers.checkpoints.convert import convert
from helpers.checkpoints.read.inspection import inspect_checkpoint
from helpers.checkpoints.read.model_identity import ForeignKind, ForeignModel, family_name, foreign_model, require_known
from helpers.checkpoints.read.weight_source import open_source
from helpers.core.errors import RefusedInput
from tests.support.exports import refused
from tests.support.tiny_sources import copy_sources, fixture_sources, internlm2_sources, qwen_vl_sources

DECODER = "grounding_encoder.sam2_model.sam_mask_decoder.iou_token.weight"
BACKBONE = "grounding_encoder.sam2_model.backbone.vision_backbone.trunk.pos_embed"
TRUNK = "grounding_encoder.sam2_model.image_encoder.trunk.pos_embed"


def model(**said):
    return {"model": said}


@pytest.mark.parametrize(
    ("names", "config", "training", "kind", "sign"),
    [
        ([DECODER], None, model(grounding_encoder={"type": "projects.sa2va.models.SAM3TrainRunner"}),
         ForeignKind.SAM3, "projects.sa2va.models.SAM3TrainRunner"),
        ([DECODER], None, model(grounding_encoder={"ckpt_path": "pretrained/sam3.pt"}), ForeignKind.SAM3,
         "pretrained/sam3.pt"),
        ([], {"auto_map": {"AutoModel": "modeling_sa2va_qwen_sam3.Sa2VAChatModelQwen"}}, None, ForeignKind.SAM3,
         "modeling_sa2va_qwen_sam3.Sa2VAChatModelQwen"),
        ([DECODER, BACKBONE], {"model_type": "sa2va_chat"}, None, ForeignKind.OTHER_GROUNDING, BACKBONE),
        ([], None, model(type="projects.samtok.models.SAMTokModel"), ForeignKind.SAMTOK,
         "projects.samtok.models.SAMTokModel"),
        ([], {"llm_config": {"architectures": ["Phi3ForCausalLM"]}}, None, ForeignKind.PHI3, "Phi3ForCausalLM"),
        ([], {"architectures": ["LlavaForConditionalGeneration"]}, None, ForeignKind.LLAVA,
         "LlavaForConditionalGeneration"),
        ([], {"vision_config": {"model_type": "clip_vision_model"}}, None, ForeignKind.LLAVA,
         "vision_config.model_type clip_vision_model"),
        ([], {"model_type": "qwen2_vl"}, None, ForeignKind.QWEN_VL, "model_type qwen2_vl"),
        ([], {"model_type": "qwen3_vl_moe", "text_config": {"model_type": "qwen3_vl_moe_text"}}, None,
         ForeignKind.QWEN_VL, "model_type qwen3_vl_moe"),
        ([], {"model_type": "sa2va_chat", "text_config": {"model_type": "qwen2_vl_text"}}, None, ForeignKind.QWEN_VL,
         "model_type qwen2_vl_text"),
        ([], None, model(mllm={"type": "projects.sa2va.models.mllm.llava.LLaVAMLLM"}), ForeignKind.LLAVA,
         "projects.sa2va.models.mllm.llava.LLaVAMLLM"),
    ],
)  # fmt: skip
def test_what_tells_a_foreign_model(names, config, training, kind, sign):
    assert foreign_model(names, config, training) == ForeignModel(kind, sign)


@pytest.mark.parametrize(
    ("names", "config", "training"),
    [
        ([DECODER], None, None),
        ([DECODER, TRUNK, "grounding_encoder.sam2_model.fork_head.weight"], None, None),
        (["vision_model.embeddings.class_embedding"], {"model_type": "internvl_chat"}, None),
        # The project that trained InternVL2 was called so, and its classes after it.
        ([], None, model(type="projects.llava_sam2.models.VideoLLaVASAMModel",
                         mllm={"type": "projects.llava_sam2.models.internvl.InternVL_Slowfast"},
                         grounding_encoder={"type": "projects.llava_sam2.models.extension.SAM2"})),
        # Names of files and folders are the user's own.
        ([], {"_name_or_path": "sam3/llava"}, {"work_dir": "samtok", "model": {"pretrained_pth": "sam3.pth"}}),
        ([], None, {"model": "not read"}),
    ],
)  # fmt: skip
def test_others_are_taken_for_none(names, config, training):
    assert foreign_model(names, config, training) is None


PARTS = (
    "image_encoder.neck.convs.0.weight", "sam_prompt_encoder.no_mask_embed.weight", "memory_attention.norm.weight",
    "memory_encoder.out_proj.weight", "obj_ptr_proj.weight", "mask_downsample.weight", "maskmem_tpos_enc",
    "no_mem_embed", "no_obj_ptr",
)  # fmt: skip


def test_every_part_of_sam2_is_known():
    names = [f"grounding_encoder.sam2_model.{part}" for part in PARTS]
    assert foreign_model([DECODER, *names], None, None) is None
    for name in names:
        assert foreign_model([DECODER, name], None, None) is None
        assert foreign_model([DECODER, name.replace("sam2_model.", "sam2_model.x_")], None, None) is not None


@pytest.mark.parametrize("section", ["llm_config", "text_config", "vision_config"])
def test_sections_of_a_config_tell_a_foreign_model(section):
    config = {section: {"architectures": ["Phi3ForCausalLM"]}}
    assert foreign_model([], config, None) == ForeignModel(ForeignKind.PHI3, "Phi3ForCausalLM")


def test_the_kits_own_files_are_none():
    for tiny in (fixture_sources(), internlm2_sources(), *map(qwen_vl_sources, ("qwen25vl", "qwen3vl"))):
        for path in (tiny.checkpoint, tiny.base, tiny.sam2):
            with open_source(path) as source:
                assert foreign_model(source.tensors, source.config, None) is None


@pytest.mark.golden
@pytest.mark.parametrize("family", ["tiny_qwen2", "tiny_internlm2", "tiny_qwen3vl", "tiny_qwen25vl"])
def test_official_exports_are_none(shared, family):
    with open_source(shared / "golden" / family / "hf_export") as source:
        assert foreign_model(source.tensors, source.config, None) is None


def test_the_message_names_the_model_and_its_sign():
    require_known("iter_9.pth", None)
    with pytest.raises(RefusedInput, match="iter_9.pth is a model that .* not convert: SAMTok, .*told by 'a.SAMTok'"):
        require_known("iter_9.pth", ForeignModel(ForeignKind.SAMTOK, "a.SAMTok"))


@pytest.mark.model
def test_a_checkpoint_trained_with_sam3_stops_though_its_shapes_would_fit(tmp_path):
    (tmp_path / "sources").mkdir()
    tiny = copy_sources(tmp_path / "sources")
    convert(tiny.request(tmp_path / "fits"))

    def train_with_sam3(content):
        content["meta"]["cfg"] = content["meta"]["cfg"].replace("SAM2TrainRunner", "SAM3TrainRunner")

    tiny.edit_checkpoint(train_with_sam3)
    found = inspect_checkpoint(tiny.checkpoint)
    assert found.conversion is None and "not converted" in found.to_text()
    assert "SAM3TrainRunner" in found.to_dict()["not_converted"]
    refused("does not convert: Sa2VA with SAM3, .*SAM3TrainRunner", tiny, tmp_path / "out")


LORA = "mllm.model.base_model.model.model.language_model.layers.0.mlp.up_proj.lora_A.default.weight"


@pytest.mark.parametrize(
    ("names", "config", "training", "expected"),
    [
        ([LORA], None, "projects.sa2va.models.mllm.qwen3vl.Qwen3VL", "Qwen3-VL"),
        ([LORA], None, "projects.sa2va.models.mllm.qwen2_5_vl.Qwen2_5_VL", "Qwen2.5-VL"),
        ([LORA], None, None, "Qwen-VL"),
        (["model.visual.deepstack_merger_list.0.norm.weight"], None, None, "Qwen3-VL"),
        (["visual.merger.ln_q.weight"], None, None, "Qwen2.5-VL"),
        (["visual.blocks.0.norm1.weight"], None, None, "Qwen-VL"),
        (["a.weight"], {"model_type": "qwen3_vl"}, None, "Qwen3-VL"),
        (["a.weight"], {"text_config": {"model_type": "qwen2_5_vl_text"}}, None, "Qwen2.5-VL"),
        (["a.weight"], {"sa2va_format_version": 2, "family": "qwen3_vl"}, None, "Qwen3-VL"),
        (["a.weight"], {"model_type": "sa2va_chat", "vision_config": {"model_type": "qwen2_5_vl"}}, None, "Qwen2.5-VL"),
        (["a.weight"], {"sa2va_format_version": 2, "family": "qwen2_5_vl"}, None, "Qwen2.5-VL"),
        (["a.weight"], {"sa2va_format_version": 1}, None, "InternVL"),
        (["vision_model.embeddings.class_embedding"], {"model_type": "internvl_chat"}, None, "InternVL"),
        (["mllm.model.language_model.base_model.model.lm_head.lora_A.default.weight"], None, "a.InternVL", "InternVL"),
        (["image_encoder.trunk.pos_embed"], None, None, None),
    ],
)  # fmt: skip
def test_what_tells_a_family(names, config, training, expected):
    assert family_name(names, config, training) == expected


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        (fixture_sources, "InternVL"),
        (partial(qwen_vl_sources, "qwen25vl"), "Qwen2.5-VL"),
        (partial(qwen_vl_sources, "qwen3vl"), "Qwen3-VL"),
    ],
)
def test_inspect_names_the_family_of_a_checkpoint_and_of_its_base(sources, expected):
    tiny = sources()
    for path in (tiny.checkpoint, tiny.base):
        found = inspect_checkpoint(path)
        assert found.to_dict()["family"] == expected
        assert re.search(rf"^family +{re.escape(expected)}$", found.to_text(), re.MULTILINE)
    assert inspect_checkpoint(tiny.sam2).to_dict()["family"] is None


@pytest.mark.parametrize(
    ("part", "family"),
    [("qwen3vl", "Qwen3-VL"), ("qwen2_5_vl", "Qwen2.5-VL"), ("qwen25vl", "Qwen2.5-VL"), ("qwen2_5vl", "Qwen2.5-VL")],
)
def test_the_training_class_tells_the_generation_in_any_spelling(part, family):
    for training in (f"models.mllm.{part}.Model", f"models.{part.upper()}Model"):
        assert family_name(["a.weight"], None, training) == family
    assert family_name(["a.weight"], None, "models.Model") is None and family_name([], None, 3) is None


@pytest.mark.parametrize("section", [None, "text_config", "vision_config"])
@pytest.mark.parametrize("end", ["", "_text", "_vision"])
@pytest.mark.parametrize(("kind", "family"), [("qwen2_5_vl", "Qwen2.5-VL"), ("qwen3_vl", "Qwen3-VL")])
def test_the_model_type_of_a_config_or_a_section_tells_the_family(kind, family, end, section):
    said = {"model_type": kind + end}
    assert family_name(["a"], {section: said} if section else said) == family
    assert family_name(["a"], {"model_type": f"x{kind}{end}"}) is None


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("model.visual.deepstack_merger_list.0.norm.weight", "Qwen3-VL"),
        ("model.visual.pos_embed.weight", "Qwen3-VL"),
        ("visual.merger.ln_q.weight", "Qwen2.5-VL"),
        ("visual.merger.mlp.0.weight", "Qwen-VL"),
        ("vision_model.encoder.layers.0.norm1.weight", "InternVL"),
        ("mlp1.0.weight", "InternVL"),
        ("mllm.model.language_model.model.norm.weight", "InternVL"),
        ("model.layers.0.mlp.up_proj.weight", None),
    ],
)
def test_a_module_tells_the_family(name, family):
    assert family_name(["b", name], None) == family


@pytest.mark.parametrize("field", ["model_type", "architectures", "auto_map"])
@pytest.mark.parametrize(
    ("sign", "kind"),
    [("Sa2VASAM3", ForeignKind.SAM3), ("SAMTokChat", ForeignKind.SAMTOK), ("Phi3ForCausalLM", ForeignKind.PHI3),
     ("a.LlavaModel", ForeignKind.LLAVA)],
)  # fmt: skip
def test_each_field_that_names_code_tells_a_foreign_model(field, sign, kind):
    said = {"model_type": sign, "architectures": [sign], "auto_map": {"AutoModel": sign}}[field]
    assert foreign_model([], {field: said}, None) == ForeignModel(kind, sign)


@pytest.mark.parametrize("field", ["type", "cfg_path", "ckpt_path"])
def test_each_field_of_the_grounding_encoder_tells_sam3(field):
    training = {"model": {"grounding_encoder": {field: "a/sam3.x"}}}
    assert foreign_model([], None, training) == ForeignModel(ForeignKind.SAM3, "a/sam3.x")
