import pytest
import torch

from helpers.checkpoints.read.tensor_groups import TensorGroup, group_of, lora_ranks, summarise_groups, vocabulary_size
from helpers.checkpoints.read.weight_file import TensorInfo

G = "grounding_encoder.sam2_model."
LM = "mllm.model.language_model.base_model.model."


@pytest.mark.parametrize(
    ("name", "group"),
    [
        ("mllm.model.vision_model.encoder.layers.0.norm1.weight", TensorGroup.VISION_TOWER),
        ("model.vision_tower.encoder.layer.0.lambda_1", TensorGroup.VISION_TOWER),
        (LM + "model.layers.0.mlp.up_proj.lora_B.default.weight", TensorGroup.LORA),
        (
            "mllm.model.vision_model.base_model.model.encoder.layers.0.attn.qkv.lora_A.default.weight",
            TensorGroup.VISION_LORA,
        ),
        (LM + "model.embed_tokens.modules_to_save.default.weight", TensorGroup.EMBEDDINGS),
        (LM + "lm_head.modules_to_save.default.weight", TensorGroup.LM_HEAD),
        ("lm_head.weight", TensorGroup.LM_HEAD),
        ("language_model.output.weight", TensorGroup.LM_HEAD),
        ("language_model.model.tok_embeddings.weight", TensorGroup.EMBEDDINGS),
        ("language_model.model.layers.0.self_attn.o_proj.weight", TensorGroup.LANGUAGE_MODEL),
        ("model.layers.0.self_attn.o_proj.weight", TensorGroup.LANGUAGE_MODEL),
        ("model.model.norm.weight", TensorGroup.LANGUAGE_MODEL),
        ("mlp1.3.bias", TensorGroup.PROJECTOR),
        ("model.multi_modal_projector.linear_1.weight", TensorGroup.PROJECTOR),
        ("text_hidden_fcs.2.weight", TensorGroup.SEG_PROJECTION),
        (G + "sam_mask_decoder.conv_s0.weight", TensorGroup.MASK_DECODER),
        (G + "image_encoder.trunk.pos_embed", TensorGroup.IMAGE_ENCODER),
        ("image_encoder.neck.convs.0.conv.bias", TensorGroup.IMAGE_ENCODER),
        (G + "sam_prompt_encoder.mask_downscaling.0.weight", TensorGroup.PROMPT_ENCODER),
        (G + "memory_encoder.mask_downsampler.encoder.0.weight", TensorGroup.MEMORY),
        (G + "mask_downsample.weight", TensorGroup.MEMORY),
        (G + "no_mem_embed", TensorGroup.MEMORY),
        (G + "maskmem_tpos_enc", TensorGroup.MEMORY),
        (G + "obj_ptr_proj.layers.0.weight", TensorGroup.MEMORY),
        ("fc.weight", TensorGroup.OTHER),
    ],
)
def test_group_of(name, group):
    assert group_of(name) is group


def test_groups_have_these_names_in_this_order():
    assert [group.value for group in TensorGroup] == [
        "vision tower",
        "projector",
        "vision tower LoRA",
        "language model LoRA",
        "language model",
        "embeddings",
        "lm_head",
        "text_hidden_fcs",
        "sam2 mask decoder",
        "sam2 image encoder",
        "sam2 prompt encoder",
        "sam2 memory",
        "other",
    ]


def test_summary_counts():
    infos = [
        TensorInfo("mlp1.0.weight", (4,), torch.float32),
        TensorInfo("mlp1.0.bias", (4,), torch.bfloat16),
        TensorInfo(LM + "model.layers.0.q_proj.lora_A.default.weight", (2, 3), torch.float32),
        TensorInfo("language_model.model.embed_tokens.weight", (7, 3), torch.float32),
    ]
    projector = summarise_groups(infos)[0]
    assert projector.group is TensorGroup.PROJECTOR
    assert (projector.tensors, projector.parameters, projector.nbytes) == (2, 8, 24)
    assert projector.dtypes == {"float32": 1, "bfloat16": 1}
    assert lora_ranks(infos) == (2,)
    assert vocabulary_size(infos) == 7
    assert vocabulary_size(infos[:3]) is None


def test_ranks_rise_and_only_matrices_count():
    stem = LM + "model.layers.{}.q_proj.lora_{}.default.weight"
    shapes = {("0", "A"): (8, 3), ("1", "A"): (2, 3), ("2", "A"): (8, 5), ("3", "A"): (4, 3, 1), ("4", "B"): (6, 2)}
    infos = [TensorInfo(stem.format(*place), shape, torch.float32) for place, shape in shapes.items()]
    assert lora_ranks(infos) == (2, 8) and lora_ranks([]) == ()


def test_the_vocabulary_is_the_rows_of_the_matrix_that_was_trained():
    stem = LM + "model.embed_tokens."
    names = {
        f"{stem}original_module.weight": (5, 3),
        f"{stem}bias": (9,),
        f"{stem}modules_to_save.default.weight": (7, 3),
    }
    assert vocabulary_size(TensorInfo(name, shape, torch.float32) for name, shape in names.items()) == 7
