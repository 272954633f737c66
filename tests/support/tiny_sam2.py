"""A SAM2 of 64 x 64 pixels with random weights, for tests of what is asked of it."""

import torch
from transformers import Sam2VideoModel

from helpers.model.sam2_sizes import Sam2Sizes, sam2_video_config
from helpers.prediction.engine.sam2_part import Sam2Part

SIZES = Sam2Sizes(
    embed_dim=8, num_heads=1, stages=(1, 1, 2, 1), global_att_blocks=(3,), d_model=128, mem_ffn=32, mem_layers=1,
    dec_mlp=32, iou_hidden=32, image_size=64, window_spec=(4, 4, 4, 2), decoder_num_heads=2, mask_in_chans=4,
)  # fmt: skip


def random_sam2() -> Sam2VideoModel:
    """The same weights at every call, in evaluation mode."""
    torch.manual_seed(0)
    model = Sam2VideoModel(sam2_video_config(SIZES)).eval().requires_grad_(False)
    for name in ("no_memory_embedding", "memory_temporal_positional_encoding", "no_object_pointer"):
        torch.nn.init.normal_(getattr(model, name))
    return model


def random_part() -> Sam2Part:
    """The same as of a model's folder."""
    return Sam2Part(random_sam2(), "bf16_rounded", {"folder_name": "random", "tensors_sha256": "a" * 64})
